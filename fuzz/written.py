"""What a formula says: its value and its slopes, without any of the compiler.

A formula is Python's syntax, so Python's `ast` reads it. It is computed in two arithmetics:

- `Exact`: mpmath's, with far more digits than a dtype has;
- `Written`: NumPy's in a dtype, operator by operator as the formula stands, many times at once, each
  time with every result off by up to two units in the last place (Monte Carlo arithmetic; Parker
  1997). How far these fall from the exact value is the error that the formula has as written. The
  first of them has no noise.

Slopes are carried along with values (dual numbers). What is flat ends a product: 0 · ∞ = 0 there.
At a kink the slope is that of the side asked for: -1 left, +1 right, 0 the convention.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import scipy.special

BITS = 200  # of the exact arithmetic
LARGE = mpmath.mpf(10) ** 320  # an exponential of more than this is beyond any number


@dataclass(frozen=True)
class Dual:
    """Values (…, units) and their slopes by each input (…, units, inputs)."""

    value: Any
    slope: Any


class Exact:
    """mpmath's numbers. What has no value, or none that is known here, is NaN."""

    def __init__(self, bits: int = BITS) -> None:
        self.mp = mpmath.MPContext()
        self.mp.prec = bits
        self.nan = self.mp.nan
        self.functions: dict[str, Callable[[Any], Any]] = {
            name: np.frompyfunc(self._guarded(function), 1, 1)
            for name, function in self._functions().items()
        }
        self.add = np.frompyfunc(lambda a, b: a + b, 2, 1)
        self.subtract = np.frompyfunc(lambda a, b: a - b, 2, 1)
        self.multiply = np.frompyfunc(lambda a, b: a * b, 2, 1)
        # 1/0 has a sign only where 0 has one
        self.divide = np.frompyfunc(lambda a, b: a / b if b != 0 else self.nan, 2, 1)

    def number(self, value: Fraction) -> Any:
        return np.full((1, 1), self.mp.mpf(value.numerator) / value.denominator, dtype=object)

    def array(self, values: Any) -> Any:
        with np.errstate(invalid="ignore"):  # NumPy's own word on a NaN
            return np.frompyfunc(self.mp.mpf, 1, 1)(np.asarray(values, dtype=object))

    def power(self, base: Any, exponent: Fraction) -> Any:
        power = (
            int(exponent)
            if exponent.denominator == 1
            else self.mp.mpf(exponent.numerator) / exponent.denominator
        )
        odd = exponent.denominator == 1 and exponent.numerator % 2

        def each(u: Any) -> Any:
            if u == 0 and exponent < 0:
                return self.nan if odd else self.mp.inf
            if (u < 0 and exponent.denominator != 1) or abs(u) > LARGE**4:
                return self.nan if not self.mp.isinf(u) else self._of_infinite(u, exponent)
            return u**power

        return np.frompyfunc(each, 1, 1)(base)

    def _of_infinite(self, u: Any, exponent: Fraction) -> Any:
        if u < 0 and exponent.denominator != 1:
            return self.nan
        size = self.mp.inf if exponent > 0 else self.mp.zero
        return -size if u < 0 and exponent.numerator % 2 else size

    def _guarded(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def guarded(u: Any) -> Any:
            if self.mp.isnan(u):
                return u
            try:
                result = function(u)
            except (ValueError, ZeroDivisionError, OverflowError):  # outside its domain
                return self.nan
            return self.nan if isinstance(result, self.mp.mpc) else result

        return guarded

    def _functions(self) -> dict[str, Callable[[Any], Any]]:
        mp = self.mp

        def exp(u: Any) -> Any:
            if u < -LARGE:
                return mp.zero
            return mp.exp(u) if u < LARGE or mp.isinf(u) else self.nan

        def odd_tail(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
            return lambda u: mp.sign(u) if abs(u) > 10**6 else function(u)

        def large(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
            return lambda u: self.nan if LARGE < abs(u) < mp.inf else function(u)

        def log(u: Any) -> Any:
            return -mp.inf if u == 0 else (mp.log(u) if u > 0 else self.nan)

        def log1p(u: Any) -> Any:
            return mp.log1p(u) if u > -1 else log(1 + u)

        return {
            "exp": exp,
            "expm1": lambda u: exp(u) - 1 if abs(u) > 1 else mp.expm1(u),
            "log": log,
            "log1p": log1p,
            "sqrt": lambda u: mp.sqrt(u) if u >= 0 else self.nan,
            "abs": abs,
            "sin": large(lambda u: mp.sin(u) if not mp.isinf(u) else self.nan),
            "cos": large(lambda u: mp.cos(u) if not mp.isinf(u) else self.nan),
            "tanh": odd_tail(mp.tanh),
            "sinh": large(mp.sinh),
            "cosh": large(mp.cosh),
            "atan": mp.atan,
            "erf": odd_tail(mp.erf),
            "sigmoid": lambda u: 1 / (1 + exp(-u)),
            "softplus": lambda u: mp.log1p(exp(u)) if u < 10**4 else u,
            "relu": lambda u: u if u > 0 else mp.zero,
            "sech2": lambda u: 1 / mp.cosh(u) ** 2 if abs(u) < LARGE else mp.zero,
            "bell": lambda u: exp(-u * u) * 2 / mp.sqrt(mp.pi),
        }

    def slope(self, name: str, u: Any, v: Any) -> Any:
        f, mp = self.functions, self.mp
        one = mp.one
        match name:
            case "exp" | "expm1":
                return f["exp"](u)
            case "log":
                return self.divide(one, u)
            case "log1p":
                return self.divide(one, 1 + u)
            case "sqrt":
                # a root has the slope ∞ at 0, whatever the sign of that 0
                return np.frompyfunc(lambda w: mp.inf if w == 0 else 1 / (2 * w), 1, 1)(v)
            case "sin":
                return f["cos"](u)
            case "cos":
                return -f["sin"](u)
            case "sinh":
                return f["cosh"](u)
            case "cosh":
                return f["sinh"](u)
            case "tanh":
                return f["sech2"](u)
            case "atan":
                return self.divide(one, 1 + u * u)
            case "erf":
                return f["bell"](u)
            case "sigmoid":
                return f["sech2"](u / 2) / 4
            case "softplus":
                return f["sigmoid"](u)
        raise AssertionError(name)


class Written:
    """NumPy's arithmetic in a dtype, with noise in all but the first sample."""

    NOISE = 2.0  # units in the last place

    def __init__(self, dtype: str, samples: int, seed: int) -> None:
        self.dtype = np.dtype(dtype).type
        self.limits = np.finfo(self.dtype)
        self.samples = samples
        self.rng = np.random.default_rng(seed)
        self.functions: dict[str, Callable[[Any], Any]] = {
            name: self._noisy(function) for name, function in _NUMPY.items()
        }
        self.functions["abs"] = np.abs
        self.functions["relu"] = lambda u: np.where(u > 0, u, np.where(np.isnan(u), u, u * 0))
        self.add = self._noisy(np.add)
        self.subtract = self._noisy(np.subtract)
        self.multiply = self._noisy(np.multiply)
        self.divide = self._noisy(np.divide)

    def _noisy(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: self._off(np.asarray(function(*arguments), dtype=self.dtype))

    def _off(self, result: Any) -> Any:
        noise = self.rng.uniform(-self.NOISE, self.NOISE, result.shape)
        noise[0] = 0
        off = result * (1 + noise * self.limits.eps).astype(self.dtype)
        off += (np.rint(noise) * float(self.limits.smallest_subnormal)).astype(self.dtype)
        # An exact zero is one, and what is at the end of the range has not got there by noise.
        return np.where((result == 0) | ~np.isfinite(result) | ~np.isfinite(off), result, off)

    def number(self, value: Fraction) -> Any:
        nearest = np.full((self.samples, 1, 1), float(value)).astype(self.dtype)
        exact = Fraction(float(value)) == value and float(nearest[0, 0, 0]) == float(value)
        return nearest if exact else self._off(nearest)

    def array(self, values: Any) -> Any:
        return np.asarray(values, dtype=self.dtype)

    def power(self, base: Any, exponent: Fraction) -> Any:
        return self._off(np.power(base, self.dtype(float(exponent))))

    def slope(self, name: str, u: Any, v: Any) -> Any:
        f, one = self.functions, self.dtype(1)
        match name:
            case "exp":
                return v
            case "expm1":
                return self.add(v, one)
            case "log":
                return self.divide(one, u)
            case "log1p":
                return self.divide(one, self.add(one, u))
            case "sqrt":
                return self.divide(self.dtype(0.5), v)
            case "sin":
                return f["cos"](u)
            case "cos":
                return -f["sin"](u)
            case "sinh":
                return f["cosh"](u)
            case "cosh":
                return f["sinh"](u)
            case "tanh":
                return self.subtract(one, self.multiply(v, v))
            case "atan":
                return self.divide(one, self.add(one, self.multiply(u, u)))
            case "erf":
                return self.multiply(
                    self.dtype(1.1283791670955126), f["exp"](-self.multiply(u, u))
                )
            case "sigmoid":
                return self.multiply(v, self.subtract(one, v))
            case "softplus":
                return f["sigmoid"](u)
        raise AssertionError(name)


_NUMPY: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "atan": np.arctan,
    "erf": scipy.special.erf,
    "sigmoid": scipy.special.expit,
    "softplus": lambda u: np.logaddexp(0, u, dtype=np.asarray(u).dtype),
}

Arithmetic = Exact | Written


class Reader:
    """Computes one formula in one arithmetic."""

    def __init__(
        self,
        arithmetic: Arithmetic,
        variables: Mapping[str, Dual],
        constants: Mapping[str, float],
        units: int,
        side: int = 0,
    ) -> None:
        self.arithmetic = arithmetic
        self.variables = variables
        self.constants = constants
        self.units = units
        self.side = side
        self.kinks = False  # whether one was met

    def read(self, text: str) -> Dual:
        with np.errstate(all="ignore"):
            return self.value(ast.parse(text.strip(), mode="eval").body)

    def value(self, node: ast.expr) -> Dual:
        a = self.arithmetic
        match node:
            case ast.Constant(value):
                return self.constant(Fraction(Decimal(repr(value))))
            case ast.Name(name) if name in self.variables:
                return self.variables[name]
            case ast.Name(name):
                return self.constant(Fraction(Decimal(repr(float(self.constants[name])))))
            case ast.UnaryOp(ast.USub(), operand):
                u = self.value(operand)
                return Dual(-u.value, -u.slope)
            case ast.UnaryOp(ast.UAdd(), operand):
                return self.value(operand)
            case ast.BinOp(left, ast.Pow(), right):
                return self.power(self.value(left), folded(right, self.constants))
            case ast.BinOp(left, operator, right):
                u, v = self.value(left), self.value(right)
                match operator:
                    case ast.Add():
                        return Dual(a.add(u.value, v.value), a.add(u.slope, v.slope))
                    case ast.Sub():
                        return Dual(a.subtract(u.value, v.value), a.subtract(u.slope, v.slope))
                    case ast.Mult():
                        slope = a.add(self.times(u.slope, v.value), self.times(v.slope, u.value))
                        return Dual(a.multiply(u.value, v.value), slope)
                    case ast.Div():
                        q = a.divide(u.value, v.value)
                        above = a.subtract(u.slope, self.times(v.slope, q))
                        return Dual(q, self.over(above, v.value))
            case ast.Call(ast.Name("sum"), [body]):
                return self.sum(self.value(body))
            case ast.Call(ast.Name("min" | "max" as name), [left, right]):
                return self.choice(name, self.value(left), self.value(right))
            case ast.Call(ast.Name(name), [argument]):
                return self.call(name, self.value(argument))
        raise AssertionError(ast.dump(node))

    def constant(self, value: Fraction) -> Dual:
        number = self.arithmetic.number(value)
        return Dual(number, (number * 0)[..., None])

    def times(self, slope: Any, factor: Any) -> Any:
        product = self.arithmetic.multiply(slope, factor[..., None])
        return np.where(slope == 0, slope, product)

    def over(self, slope: Any, divisor: Any) -> Any:
        quotient = self.arithmetic.divide(slope, divisor[..., None])
        return np.where(slope == 0, slope, quotient)

    def power(self, u: Dual, exponent: Fraction) -> Dual:
        a = self.arithmetic
        if exponent == 0:
            return self.constant(Fraction(1))
        if exponent == 1:
            return u
        factor = a.multiply(a.number(exponent), a.power(u.value, exponent - 1))
        return Dual(a.power(u.value, exponent), self.times(u.slope, factor))

    def call(self, name: str, u: Dual) -> Dual:
        value = self.arithmetic.functions[name](u.value)
        if name in ("abs", "relu"):
            zero = u.value == 0
            self.kinks |= bool(np.any(zero))
            at_zero = max(self.side, 0) if name == "relu" else self.side
            step = np.where(u.value > 0, 1, -1 if name == "abs" else 0)
            step = np.where(zero, at_zero, step)[..., None]
            slope = np.where(step == 0, u.slope * 0, np.where(step < 0, -u.slope, u.slope))
            return Dual(value, slope)
        return Dual(value, self.times(u.slope, self.arithmetic.slope(name, u.value, value)))

    def choice(self, name: str, u: Dual, v: Dual) -> Dual:
        """max(u, v) = v + relu(u - v), so that v is taken where they are equal."""
        equal = u.value == v.value
        self.kinks |= bool(np.any(equal))
        first = u.value > v.value if name == "max" else u.value < v.value
        if self.side > 0:
            first = first | equal
        invalid = (u.value != u.value) | (v.value != v.value)
        value = np.where(first, u.value, v.value)
        value = np.where(invalid, u.value + v.value, value)
        return Dual(value, np.where(first[..., None], u.slope, v.slope))

    def sum(self, u: Dual) -> Dual:
        a = self.arithmetic
        shape = np.shape(u.value)[:-1]
        inputs = np.shape(u.slope)[-1]
        value = np.broadcast_to(u.value, (*shape, self.units))
        slope = np.broadcast_to(u.slope, (*np.shape(u.slope)[:-2], self.units, inputs))
        total, slopes = value[..., :1], slope[..., :1, :]
        for unit in range(1, self.units):
            total = a.add(total, value[..., unit : unit + 1])
            slopes = a.add(slopes, slope[..., unit : unit + 1, :])
        return Dual(total, slopes)


def folded(node: ast.expr, constants: Mapping[str, float]) -> Fraction:
    """An exponent, which is a constant, exactly."""
    match node:
        case ast.Constant(value):
            return Fraction(Decimal(repr(value)))
        case ast.Name(name):
            return Fraction(Decimal(repr(float(constants[name]))))
        case ast.UnaryOp(ast.USub(), operand):
            return -folded(operand, constants)
        case ast.UnaryOp(ast.UAdd(), operand):
            return folded(operand, constants)
        case ast.BinOp(left, ast.Add(), right):
            return folded(left, constants) + folded(right, constants)
        case ast.BinOp(left, ast.Sub(), right):
            return folded(left, constants) - folded(right, constants)
        case ast.BinOp(left, ast.Mult(), right):
            return folded(left, constants) * folded(right, constants)
        case ast.BinOp(left, ast.Div(), right):
            return folded(left, constants) / folded(right, constants)
    raise AssertionError(ast.dump(node))
