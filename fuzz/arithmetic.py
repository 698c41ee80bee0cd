"""Two arithmetics that formulas are computed in.

- `Exact`: mpmath's, with far more digits than a dtype has;
- `Written`: NumPy's in a dtype, many times at once, each time with every result off by up to two
  units in the last place (Monte Carlo arithmetic; Parker 1997). How far these fall from the exact
  value is the error that a formula has as it is written. The first of them has no noise.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import scipy.special

BITS = 200  # of the exact arithmetic
LARGE = mpmath.mpf(10) ** 320  # an exponential of more than this is beyond any number


class Exact:
    """mpmath's numbers. What has no value, or none that is known here, is NaN."""

    def __init__(self, pole: bool = False) -> None:
        """With `pole`, 1/0 is ∞, as for a 0 that is positive; else it is NaN."""
        self.mp = mpmath.MPContext()
        self.mp.prec = BITS
        self.pole = pole
        self.nan = self.mp.nan
        self.functions: dict[str, Callable[[Any], Any]] = {
            name: np.frompyfunc(self._guarded(function), 1, 1)
            for name, function in self._functions().items()
        }
        self.add = np.frompyfunc(lambda a, b: a + b, 2, 1)
        self.subtract = np.frompyfunc(lambda a, b: a - b, 2, 1)
        self.multiply = np.frompyfunc(lambda a, b: a * b, 2, 1)
        self.divide = np.frompyfunc(self._quotient, 2, 1)

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
                return self.nan if odd and not self.pole else self.mp.inf
            if (u < 0 and exponent.denominator != 1) or abs(u) > LARGE**4:
                return self.nan if not self.mp.isinf(u) else self._of_infinite(u, exponent)
            return u**power

        return np.frompyfunc(each, 1, 1)(base)

    def _quotient(self, above: Any, below: Any) -> Any:
        if below != 0:
            return above / below
        return above * self.mp.inf if self.pole else self.nan

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
        return lambda *arguments: self.off(np.asarray(function(*arguments), dtype=self.dtype))

    def off(self, result: Any) -> Any:
        """What was computed, with noise."""
        noise = self.rng.uniform(-self.NOISE, self.NOISE, result.shape)
        noise[0] = 0
        off = result * (1 + noise * self.limits.eps).astype(self.dtype)
        off += (np.rint(noise) * float(self.limits.smallest_subnormal)).astype(self.dtype)
        # An exact zero is one, and what is at the end of the range has not got there by noise.
        return np.where((result == 0) | ~np.isfinite(result) | ~np.isfinite(off), result, off)

    def number(self, value: Fraction) -> Any:
        nearest = np.full((self.samples, 1, 1), float(value)).astype(self.dtype)
        exact = Fraction(float(value)) == value and float(nearest[0, 0, 0]) == float(value)
        return nearest if exact else self.off(nearest)

    def array(self, values: Any) -> Any:
        return np.asarray(values, dtype=self.dtype)

    def power(self, base: Any, exponent: Fraction) -> Any:
        return self.off(np.power(base, self.dtype(float(exponent))))

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
                return self.multiply(self.dtype(1.1283791670955126), f["exp"](-self.multiply(u, u)))
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
