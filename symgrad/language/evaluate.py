"""A plain, slow interpreter of programs, in three kinds of arithmetic.

- `Floats`: NumPy's, for checking emitted code at the same precision or a higher one;
- `Decimals`: mpmath's, with as many digits as wanted;
- `Residues`: integers modulo a large prime, with every function an opaque random value. Two
  programs that agree there at random points are equal as expressions, up to a probability of
  about degree/prime (Schwartz 1980, Zippel 1979): this is how passes are checked exactly.

Arrays carry their indices, so that one rule covers every shape: operands are broadcast over the
union of their indices, and a sum contracts one of them. Extents come from the arrays given, not
from the program, so that a program for a wide network can be run on a narrow one of the same form.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from hashlib import blake2b
from typing import Any, Protocol

import mpmath
import numpy as np
import sympy
from sympy import Add, Expr, Indexed, Mul, Piecewise, Pow, Rational, Sum, Symbol

from symgrad.language import functions as f
from symgrad.language.exponentials import inverse_sum_exp, log_sum_exp
from symgrad.language.indices import SAMPLES, axis, bounds, kronecker
from symgrad.language.order import is_constant
from symgrad.language.program import Program, indices_of, name_of

PRIME = 2**61 - 1


class Arithmetic(Protocol):
    """Numbers of one kind: how constants, powers, functions and reductions are computed."""

    def number(self, constant: Expr) -> Any: ...
    def array(self, values: Any) -> np.ndarray: ...
    def power(self, base: Any, exponent: Expr) -> Any: ...
    def function(self, call: Expr, arguments: list[Any]) -> Any: ...
    def peak(self, values: np.ndarray, axis: int) -> Any: ...


def _meaning(arithmetic: Arithmetic, call: Expr, arguments: list[Any]) -> Any:
    """A call computed from what it means, where the arithmetic has no function of that name."""
    symbols = [f.placeholder(f"u{k}") for k in range(len(arguments))]
    axes = tuple(Symbol(f"axis{k}") for k in range(np.ndim(arguments[0])))  # all broadcast alike
    environment = {
        symbol.name: _Array(axes, argument)
        for symbol, argument in zip(symbols, arguments, strict=True)
    }
    return _value(f.TABLE[call.func].meaning(*symbols), environment, arithmetic).values


@dataclass(frozen=True)
class Floats:
    """NumPy's arithmetic in a dtype."""

    dtype: Any = np.float64

    def number(self, constant: Expr) -> Any:
        return self.dtype(float(f.constant(constant)))

    def array(self, values: Any) -> np.ndarray:
        return np.asarray(values, dtype=self.dtype)

    def power(self, base: Any, exponent: Expr) -> Any:
        whole = exponent.is_Integer
        return np.asarray(base) ** (int(exponent) if whole else self.dtype(float(exponent)))

    def function(self, call: Expr, arguments: list[Any]) -> Any:
        known = _NUMPY.get(call.func)
        return known(*arguments) if known else _meaning(self, call, arguments)

    def peak(self, values: np.ndarray, axis: int) -> Any:
        return values.max(axis=axis)


def _of_scipy(name: str) -> Callable[..., Any]:
    """One of SciPy's special functions: to import them takes longer than all passes."""

    def function(*arguments: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(*arguments)

    return function


_NUMPY: dict[type[Expr], Callable[..., Any]] = {
    sympy.exp: np.exp,
    sympy.log: np.log,
    sympy.sin: np.sin,
    sympy.cos: np.cos,
    sympy.sinh: np.sinh,
    sympy.cosh: np.cosh,
    sympy.tanh: np.tanh,
    sympy.atan: np.arctan,
    sympy.erf: _of_scipy("erf"),
    sympy.Abs: np.abs,
    sympy.sign: np.sign,
    f.expm1: np.expm1,
    f.log1p: np.log1p,
    f.relu: lambda u: np.maximum(u, 0),
    f.sigmoid: _of_scipy("expit"),
    f.softplus: lambda u: np.logaddexp(0, u),
    f.log_cosh: lambda u: np.abs(u) + np.log1p(np.exp(-2 * np.abs(u))) - np.log(2),
    f.normal_cdf: _of_scipy("ndtr"),
    f.maximum: np.maximum,
    f.minimum: np.minimum,
    f.xlogy: _of_scipy("xlogy"),
    f.times: lambda a, b: np.where((a == 0) & (b == b) | (b == 0) & (a == a), 0, a * b),
    inverse_sum_exp: lambda *terms: np.exp(-_largest(terms)) / _shifted(terms),
    log_sum_exp: lambda *terms: _log_sum_exp(*terms),
}


def _times(a: Any, b: Any) -> Any:
    """a·b, where 0·∞ is 0."""
    return a * b if a and b else 0 * a if b else 0 * b


def _largest(terms: tuple[Any, ...]) -> Any:
    """What the exponents of Σ c·exp(u) are shifted by: the largest of them, if it is finite."""
    largest = reduce(np.maximum, terms[1::2])
    limit = np.finfo(np.asarray(largest).dtype).max
    return np.clip(largest, -limit, limit)


def _shifted(terms: tuple[Any, ...]) -> Any:
    shift = _largest(terms)
    return sum(c * np.exp(u - shift) for c, u in zip(terms[::2], terms[1::2], strict=True))


def _log_sum_exp(*terms: Any) -> Any:
    shift = _largest(terms)
    return shift + np.log(_shifted(terms))


class Decimals:
    """mpmath's arithmetic with a number of decimal digits."""

    def __init__(self, digits: int) -> None:
        self.context = mpmath.MPContext()
        self.context.dps = digits

    def number(self, constant: Expr) -> Any:
        if isinstance(constant, Rational):
            return self.context.mpf(int(constant.p)) / int(constant.q)
        value = f.constant(constant).evalf(self.context.dps + 5)
        return self.context.mpf(value._mpf_)

    def array(self, values: Any) -> np.ndarray:
        return np.asarray(np.frompyfunc(self.context.mpf, 1, 1)(np.asarray(values, dtype=object)))

    def power(self, base: Any, exponent: Expr) -> Any:
        power = int(exponent) if exponent.is_Integer else self.number(exponent)
        return np.frompyfunc(lambda value: value**power, 1, 1)(base)

    def function(self, call: Expr, arguments: list[Any]) -> Any:
        name = {"Abs": "fabs"}.get(call.func.__name__, call.func.__name__)
        if isinstance(call, f.times):
            return np.frompyfunc(_times, 2, 1)(*arguments)
        known = None if f.is_opaque(call) else getattr(self.context, name)
        if known is None:
            return _meaning(self, call, arguments)
        return np.frompyfunc(known, len(arguments), 1)(*arguments)

    def peak(self, values: np.ndarray, axis: int) -> Any:
        return values.max(axis=axis)


class Residues:
    """Integers modulo a prime; functions are opaque: equal arguments give equal random values."""

    def __init__(self, prime: int = PRIME) -> None:
        self.prime = prime

    def number(self, constant: Expr) -> Any:
        if not isinstance(constant, Rational):
            return self._opaque(sympy.srepr(constant))
        return int(constant.p) * pow(int(constant.q), -1, self.prime) % self.prime

    def array(self, values: Any) -> np.ndarray:
        return np.asarray(values, dtype=object) % self.prime

    def power(self, base: Any, exponent: Expr) -> Any:
        if exponent.is_Integer:
            return self._each(lambda value: pow(value, int(exponent), self.prime), base)
        return self._each(lambda value: self._opaque("power", exponent, value), base)

    def function(self, call: Expr, arguments: list[Any]) -> Any:
        rule = f.TABLE[call.func]
        if rule.written_out:
            return _meaning(self, call, arguments)
        name = call.func.__name__
        return self._each(lambda *values: self._opaque(name, *values), *arguments)

    def peak(self, values: np.ndarray, axis: int) -> Any:
        rows = np.moveaxis(values, axis, -1)
        result = np.empty(rows.shape[:-1], dtype=object)
        for place in np.ndindex(result.shape):
            result[place] = self._opaque("peak", *sorted(v % self.prime for v in rows[place]))
        return result

    def _each(self, function: Callable[..., int], *arguments: Any) -> Any:
        return np.frompyfunc(
            lambda *values: function(*(int(v) % self.prime for v in values)), len(arguments), 1
        )(*arguments)

    def _opaque(self, *what: object) -> int:
        digest = blake2b(repr(what).encode(), digest_size=16).digest()
        return int.from_bytes(digest, "big") % self.prime


@dataclass(frozen=True)
class _Array:
    """Values and the indices that their axes belong to."""

    indices: tuple[Symbol, ...]
    values: Any


def evaluate(
    program: Program, given: Mapping[str, Any], arithmetic: Arithmetic | None = None
) -> dict[str, Any]:
    """All inputs, weights and definitions of `program` by name, as arrays.

    `given` holds the inputs (x of shape (samples, inputs), …) and weights (W1 of shape (inputs,
    units), …); of the program's constants any that are to be others. Raises ValueError where shapes
    do not agree.
    """
    arithmetic = arithmetic or Floats()
    sizes: dict[str, int] = {}
    environment: dict[str, _Array] = {}
    constants = {
        each.name: [arithmetic.number(value) for value in each.values] for each in program.constants
    }
    for name, target in program.given.items():
        values = arithmetic.array(given[name] if name in given else constants[name])
        indices = indices_of(target)
        if values.ndim != len(indices):
            raise ValueError(f"{name} must have {len(indices)} axes, came {values.ndim}")
        for index, size in zip(indices, values.shape, strict=True):
            if sizes.setdefault(axis(index), size) != size:
                raise ValueError(f"{name} has {size} where {sizes[axis(index)]} is expected")
        environment[name] = _Array(indices, values)
    samples = sympy.Integer(sizes["n"])
    environment[SAMPLES.name] = _Array((), arithmetic.number(samples))
    environment |= {each: _Array((), size) for each, size in sizes.items()}  # no array is called so
    for definition in program.definitions:
        result = _value(definition.value, environment, arithmetic)
        shape = tuple(sizes[axis(index)] for index in definition.indices)
        environment[definition.name] = _Array(
            definition.indices,
            np.broadcast_to(_aligned(result, definition.indices), shape).copy()
            if shape
            else _aligned(result, ())[()],
        )
    return {name: held.values for name, held in environment.items() if name not in sizes}


def value_at(expression: Expr, given: Mapping[Expr, Any], arithmetic: Arithmetic) -> Any:
    """A scalar expression where its array elements and symbols have the values given."""
    environment = {}
    names = {}
    for place, (read, value) in enumerate(given.items()):
        names[read] = f.placeholder(f"given{place}")
        environment[names[read].name] = _Array((), value)
    return _value(expression.xreplace(names), environment, arithmetic).values


def _value(expression: Expr, environment: Mapping[str, _Array], arithmetic: Arithmetic) -> _Array:
    def value(node: Expr) -> _Array:
        return _value(node, environment, arithmetic)

    if is_constant(expression):
        return _Array((), arithmetic.number(expression))
    if isinstance(expression, Indexed):
        return _at(expression, environment[name_of(expression)].values)
    if isinstance(expression, kronecker):
        return _same(expression, environment)
    if isinstance(expression, Symbol):
        return environment[expression.name]
    if isinstance(expression, f.Peak):
        body, (index,) = value(expression.function), bounds(expression)
        place = body.indices.index(index)
        rest = tuple(i for i in body.indices if i != index)
        return _Array(rest, arithmetic.peak(np.asarray(body.values), place))
    if isinstance(expression, Sum):
        return _sum(expression, value, environment)
    if isinstance(expression, Pow):
        base = value(expression.base)
        return _Array(base.indices, arithmetic.power(base.values, expression.exp))
    operands = [value(argument) for argument in _arguments(expression)]
    indices = tuple(dict.fromkeys(index for operand in operands for index in operand.indices))
    arrays = [_aligned(operand, indices) for operand in operands]
    if isinstance(expression, Add):
        return _Array(indices, sum(arrays[1:], arrays[0]))
    if isinstance(expression, Mul):
        result = arrays[0]
        for factor in arrays[1:]:
            result = result * factor
        return _Array(indices, result)
    if isinstance(expression, Piecewise):
        return _Array(indices, _piecewise(expression, environment, arithmetic))
    return _Array(indices, arithmetic.function(expression, arrays))


def _at(read: Expr, values: Any) -> _Array:
    """What is read: at a number, along a diagonal where an index stands twice."""
    numbers = tuple(int(i) if i.is_Integer else slice(None) for i in read.indices)
    indices = [i for i in read.indices if not i.is_Integer]
    values = _numpy(values)[numbers] if numbers else values
    for index in [i for place, i in enumerate(indices) if i in indices[:place]]:
        one, other = (place for place, i in enumerate(indices) if i == index)
        values = np.moveaxis(np.diagonal(values, axis1=one, axis2=other), -1, one)
        del indices[other]
    return _Array(tuple(indices), values)


def _same(expression: Expr, environment: Mapping[str, _Array]) -> _Array:
    indices = tuple(i for i in expression.args if not i.is_Integer)
    one, other = (
        int(i) if i.is_Integer else np.arange(environment[axis(i)].values) for i in expression.args
    )
    values = np.equal.outer(one, other) if len(indices) == 2 else one == other
    return _Array(indices, np.asarray(values, int))


def _arguments(expression: Expr) -> tuple[Expr, ...]:
    return () if isinstance(expression, Piecewise) else tuple(expression.args)


def _piecewise(
    expression: Piecewise, environment: Mapping[str, _Array], arithmetic: Arithmetic
) -> Any:
    (yes, condition), (no, _) = expression.args

    def values(node: Expr) -> Any:
        return _value(node, environment, arithmetic).values

    # conditions are u > 0 or |u| > 1, never compound (see `functions.TABLE`)
    return np.where(values(condition.gts) > values(condition.lts), values(yes), values(no))


def _sum(
    expression: Sum, value: Callable[[Expr], _Array], environment: Mapping[str, _Array]
) -> _Array:
    """One contraction over all factors, so that a matrix product needs no third axis in memory."""
    summed = bounds(expression)
    body = expression.function
    operands = [value(factor) for factor in (body.args if isinstance(body, Mul) else [body])]
    indices = dict.fromkeys(i for operand in operands for i in operand.indices)
    assert set(summed) <= set(indices), f"{expression} sums over what it does not depend on"
    letters = {i: place for place, i in enumerate(indices)}
    rest = tuple(i for i in indices if i not in summed)
    sublists: list[Any] = []
    for operand in operands:
        sublists += [_numpy(operand.values), [letters[i] for i in operand.indices]]
    return _Array(rest, np.einsum(*sublists, [letters[i] for i in rest]))


def _numpy(values: Any) -> np.ndarray:
    """An array; a bare Python number stays one, since NumPy's integers would overflow."""
    if isinstance(values, np.ndarray | np.generic):
        return np.asarray(values)
    return np.asarray(values, dtype=object)


def _aligned(array: _Array, indices: tuple[Symbol, ...]) -> Any:
    """The values with one axis for each of `indices`, of length 1 where the array has none."""
    values = _numpy(array.values)
    repeated = len(set(array.indices)) < len(array.indices)
    assert not repeated, f"a diagonal is read: {array.indices}"
    assert set(array.indices) <= set(indices), f"{array.indices} among {indices}"
    order = sorted(range(len(array.indices)), key=lambda place: indices.index(array.indices[place]))
    ordered = [array.indices[place] for place in order]
    shape = tuple(
        values.shape[order[ordered.index(index)]] if index in ordered else 1 for index in indices
    )
    return values.transpose(order).reshape(shape)
