"""Derives the coefficients of the elementary functions and writes symgrad/targets/coefficients.py.

Each is the best approximation of its kind: the polynomial or quotient of polynomials whose largest
relative error is smallest, found by Remez's exchange on a dense grid. Coefficients are rounded to
the dtype one after the other, the constant one first, and those still free are fitted again, so
that they make up for the rounding. `make coefficients` runs this; a test does and compares.
"""

import pprint
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import mpmath
import numpy as np
from mpmath import mpf

DIGITS = 50
DIGIT = 27  # bits: products of two such, and sums of some, are below 2^63
TARGET = Path(__file__).resolve().parent.parent / "symgrad" / "targets" / "coefficients.py"


@dataclass(frozen=True)
class Fit:
    """What is approximated: `function` on `interval`, by P of degree m over Q of degree n.

    `given` holds the first coefficients of P, which stay as they are; Q begins with 1.
    """

    meaning: str
    function: Callable[[mpf], mpf]
    interval: dict[str, tuple[float, float]]
    degrees: dict[str, tuple[int, int]]
    given: tuple[str, ...] = ()


def _both(low: float, high: float) -> dict[str, tuple[float, float]]:
    return {"float32": (low, high), "float64": (low, high)}


def _root(function: Callable[[mpf], mpf], limit: Callable[[], mpf]) -> Callable[[mpf], mpf]:
    """function(x)/x as a function of x²; its limit at 0."""

    def of_square(v: mpf) -> mpf:
        x = mpmath.sqrt(v)
        return function(x) / x if v else limit()

    return of_square


def _scaled_tail(a: mpf) -> mpf:
    """P(X < -a)·exp(a²/2) for a standard normal X."""
    return mpmath.erfc(a / mpmath.sqrt(2)) * mpmath.exp(a * a / 2) / 2


HALF_LN2 = 0.34658
QUARTER_PI_SQUARED = 0.617

FITS = {
    "exp": Fit(
        "exp r",
        mpmath.exp,
        _both(-HALF_LN2, HALF_LN2),
        {"float32": (6, 0), "float64": (11, 0)},
        ("1", "1"),
    ),
    "expm1": Fit(
        "(exp r - 1)/r",
        lambda r: mpmath.expm1(r) / r if r else mpf(1),
        _both(-HALF_LN2, HALF_LN2),
        {"float32": (5, 0), "float64": (10, 0)},
        ("1",),
    ),
    "log": Fit(
        "log((2 + t)/(2 - t))/t, in t²",
        _root(lambda t: mpmath.log((2 + t) / (2 - t)), lambda: mpf(1)),
        _both(0, 0.11775),
        {"float32": (3, 0), "float64": (7, 0)},
        ("1",),
    ),
    "log1p_unit": Fit(
        "log((2 + t)/(2 - t))/t, in t²",
        _root(lambda t: mpmath.log((2 + t) / (2 - t)), lambda: mpf(1)),
        _both(0, 0.44445),
        {"float32": (4, 0), "float64": (10, 0)},
        ("1",),
    ),
    "tanh": Fit(
        "(exp 2r - 1)/r",
        lambda r: mpmath.expm1(2 * r) / r if r else mpf(2),
        _both(-HALF_LN2 / 2, HALF_LN2 / 2),
        {"float32": (5, 0), "float64": (10, 0)},
        ("2",),
    ),
    "erf": Fit(
        "erf(x)/x, in x²",
        _root(mpmath.erf, lambda: 2 / mpmath.sqrt(mpmath.pi)),
        _both(0, 1),
        {"float32": (6, 0), "float64": (11, 0)},
    ),
    "normal_tail": Fit(
        "P(X < -a) exp(a²/2) (a + 4), X standard normal, in t = (a - 4)/(a + 4)",
        lambda t: _scaled_tail(4 * (1 + t) / (1 - t)) * 8 / (1 - t),
        {"float32": (-1, 0.579), "float64": (-1, 0.814)},
        {"float32": (9, 0), "float64": (22, 0)},
    ),
    "sinh": Fit(
        "sinh(x)/x, in x²",
        _root(mpmath.sinh, lambda: mpf(1)),
        _both(0, 1),
        {"float32": (3, 0), "float64": (7, 0)},
        ("1",),
    ),
    "cosh": Fit(
        "(cosh(x) - 1)/x², in x²",
        lambda v: 2 * mpmath.sinh(mpmath.sqrt(v) / 2) ** 2 / v if v else mpf("0.5"),
        _both(0, 1),
        {"float32": (3, 0), "float64": (6, 0)},
        ("0.5",),
    ),
    "atan": Fit(
        "atan(x)/x, in x²",
        _root(mpmath.atan, lambda: mpf(1)),
        _both(0, 1),
        {"float32": (3, 2), "float64": (6, 6)},
        ("1",),
    ),
    "sin": Fit(
        "sin(r)/r, in r²",
        _root(mpmath.sin, lambda: mpf(1)),
        _both(0, QUARTER_PI_SQUARED),
        {"float32": (3, 0), "float64": (7, 0)},
        ("1",),
    ),
    "cos": Fit(
        "cos r, in r²",
        lambda v: mpmath.cos(mpmath.sqrt(v)),
        _both(0, QUARTER_PI_SQUARED),
        {"float32": (4, 0), "float64": (7, 0)},
        ("1", "-0.5"),
    ),
}


class Exchange:
    """Remez's exchange for P/Q on the points of a grid, some of the coefficients given."""

    def __init__(self, points: Sequence[mpf], values: Sequence[mpf]) -> None:
        self.points, self.values = points, values
        self.reference: list[int] = []
        self.errors: list[mpf] = []

    def solve(
        self, above: list[mpf], below: list[mpf], m: int, n: int
    ) -> tuple[list[mpf], list[mpf], mpf]:
        """All the coefficients, and the largest relative error."""
        free = m + 1 - len(above) + n + 1 - len(below)
        if not free:
            return above, below, max(map(abs, self._errors(above, below)))
        if len(self.reference) != free + 1:
            self.reference = self._begin(above, free + 1)
        denominator = [mpf(1)] * len(self.points)
        best = None
        for _ in range(60):
            for _ in range(4 if n else 1):
                p, q, level = self._levelled(above, below, m, n, denominator)
                denominator = [_horner(q, x) for x in self.points]
            errors = self._errors(p, q)
            largest = max(map(abs, errors))
            if best is None or largest < best[2]:
                best = p, q, largest
                self.errors = errors
            if largest <= abs(level) * mpf("1.0005"):
                break
            reference = self._alternating(above, errors, free + 1)
            if reference is None or reference == self.reference:
                break
            self.reference = reference
        return best

    def _begin(self, above: list[mpf], number: int) -> list[int]:
        """Where the errors of the fit before are largest, else evenly spread."""
        before = self._alternating(above, self.errors, number) if self.errors else None
        if before is not None:
            return before
        last = len(self.points) - 1
        return [round(last * (i + 0.5) / number) for i in range(number)]

    def _levelled(self, above, below, m, n, denominator):
        """The coefficients whose errors at the reference are equal, with alternating signs."""
        rows, right = [], []
        for sign, i in enumerate(self.reference):
            x, f = self.points[i], self.values[i]
            row = [x**j for j in range(len(above), m + 1)]
            row += [-f * x**j for j in range(len(below), n + 1)]
            turned = -1 if self._turned(above, x) else 1
            rows.append([*row, turned * (-1) ** sign * f * denominator[i]])
            right.append(f * _horner(below, x) - _horner(above, x))
        found = list(mpmath.lu_solve(mpmath.matrix(rows), mpmath.matrix(right)))
        cut = m + 1 - len(above)
        return above + found[:cut], below + found[cut:-1], found[-1]

    @staticmethod
    def _turned(above, x):
        """Whether what the free coefficients stand by, a power of x, is negative here."""
        return x < 0 and len(above) % 2 == 1

    def _errors(self, above, below):
        return [
            _horner(above, x) / (_horner(below, x) * f) - 1
            for x, f in zip(self.points, self.values, strict=True)
        ]

    def _alternating(self, above, errors, number):
        """The places of the largest errors of alternating signs, or None if they are too few."""
        errors = [
            -error if self._turned(above, x) else error
            for x, error in zip(self.points, errors, strict=True)
        ]
        places: list[int] = []
        for i, error in enumerate(errors):
            if places and (error > 0) == (errors[places[-1]] > 0):
                if abs(error) > abs(errors[places[-1]]):
                    places[-1] = i
            elif error:
                places.append(i)
        if len(places) < number:
            return None
        while len(places) > number:
            if len(places) == number + 1:
                del places[0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1]
                continue
            pairs = [max(abs(errors[a]), abs(errors[b])) for a, b in pairwise(places)]
            least = pairs.index(min(pairs))
            del places[least : least + 2]
        return places


def _horner(coefficients: Sequence[mpf], x: mpf) -> mpf:
    result = mpf(0)
    for coefficient in reversed(coefficients):
        result = result * x + coefficient
    return result


def rounded(value: mpf, dtype: str) -> mpf:
    """The nearest number of the dtype, rounded once."""
    with mpmath.workprec(24 if dtype == "float32" else 53):
        return +value


def literal(value: mpf, dtype: str) -> str:
    """The shortest decimal that is this number in its dtype."""
    return (
        repr(np.dtype(dtype).type(float(value)).item())
        if dtype == "float64"
        else str(np.float32(float(value)))
    )


def derive(fit: Fit, dtype: str) -> tuple[list[mpf], list[mpf], mpf]:
    """The rounded coefficients of P and Q, from the constant one up, and their largest error."""
    low, high = map(mpf, fit.interval[dtype])
    m, n = fit.degrees[dtype]
    number = 40 * (m + n + 2)
    points = [
        low + (high - low) * (1 - mpmath.cos(mpmath.pi * i / number)) / 2 for i in range(number + 1)
    ]
    exchange = Exchange(points, [fit.function(x) for x in points])
    above, below = [mpf(each) for each in fit.given], [mpf(1)]
    while len(above) <= m or len(below) <= n:
        p, q, _ = exchange.solve(above, below, m, n)
        if len(above) <= m:
            above = above + [rounded(p[len(above)], dtype)]
        if len(below) <= n:
            below = below + [rounded(q[len(below)], dtype)]
    return exchange.solve(above, below, m, n)


def table(names: Sequence[str] = tuple(FITS)) -> dict[str, dict[str, dict[str, object]]]:
    """What is written, by dtype and function; numbers as literals."""
    result: dict[str, dict[str, dict[str, object]]] = {"float32": {}, "float64": {}}
    with mpmath.workdps(DIGITS):
        for name in names:
            for dtype, approximations in result.items():
                above, below, error = derive(FITS[name], dtype)
                approximations[name] = {
                    "meaning": FITS[name].meaning,
                    "interval": FITS[name].interval[dtype],
                    "above": tuple(literal(each, dtype) for each in above),
                    "below": tuple(literal(each, dtype) for each in below),
                    "error": float(mpmath.nstr(error, 3)),
                }
    return result


def constants(dtype: str) -> dict[str, object]:
    """Numbers that arguments are reduced with, split so that products with whole numbers are exact.

    A float32 is reduced to a quarter turn in float64: from 2^51, 2^77 and 2^103 on it is m·2^s with
    a whole m below 2^49, and u/(π/2) = m·(2^s·2/π) up to whole turns, the factor in three parts.
    Of a float64 beyond 2^20 that is done in whole numbers: with 2^-54/(2π), DIGIT bits at a time.
    """
    bits, whole = (24, 8) if dtype == "float32" else (53, 11)
    ln2, half_pi = mpmath.log(2), mpmath.pi / 2
    found: dict[str, object] = {
        "log2_e": literal(rounded(1 / ln2, dtype), dtype),
        "two_log2_e": literal(rounded(2 / ln2, dtype), dtype),
        "ln2": literal(rounded(ln2, dtype), dtype),
        "ln2_parts": parts(ln2, [bits - whole, bits], dtype),
        "half_ln2_parts": parts(ln2 / 2, [bits - whole, bits], dtype),
        "half_pi": literal(rounded(half_pi, dtype), dtype),
        "sqrt_2": literal(rounded(mpmath.sqrt(2), dtype), dtype),
        "normal_peak": literal(rounded(1 / mpmath.sqrt(2 * mpmath.pi), dtype), dtype),
    }
    if dtype == "float64":
        found["turns_per_radian"] = literal(rounded(1 / half_pi, dtype), dtype)
        found["half_pi_parts"] = parts(half_pi, [33, 33, 33, 53], dtype)
        found["half_pi_low"] = parts(half_pi, [53, 53], dtype)[1]
        found["digit"], found["digit_mask"] = DIGIT, hex(2**DIGIT - 1)
        found["per_turn"] = per_turn()
    else:
        found["turns_per_radian"] = tuple(
            parts(mpmath.fmod(mpf(2) ** s / half_pi, 4), [29, 29, 53], "float64")
            for s in (0, 28, 54, 80)
        )
        found["radians_per_turn"] = literal(rounded(half_pi, "float64"), "float64")
    return found


def per_turn() -> tuple[int, ...]:
    """The bits of 2^-54/(2π), DIGIT to a number, as far as the largest need them."""
    places = 46
    with mpmath.workprec(places * DIGIT + 64):
        whole = int(mpmath.floor(mpf(2) ** (places * DIGIT - 54) / (2 * mpmath.pi)))
    return tuple(whole >> DIGIT * place & 2**DIGIT - 1 for place in reversed(range(places)))


def parts(value: mpf, bits: Sequence[int], dtype: str) -> tuple[str, ...]:
    """Numbers of so many bits whose sum is `value`."""
    result = []
    for each in bits:
        with mpmath.workprec(each):
            part = +value
        value -= part
        result.append(literal(part, dtype))
    return tuple(result)


HEADER = '''"""The coefficients of the elementary functions. Written by `make coefficients`.

Each approximation is P(x)/Q(x), best on its interval in relative error. `above` holds the
coefficients of P from the constant one up, `below` those of Q; `error` is the largest relative
error with them, rounding in the evaluation left aside.
"""

from typing import Any, NamedTuple


class Approximation(NamedTuple):
    meaning: str
    interval: tuple[float, float]
    above: tuple[str, ...]
    below: tuple[str, ...]
    error: float


# fmt: off
'''


def source() -> str:
    """The file of coefficients."""
    lines = [HEADER + "APPROXIMATIONS: dict[str, dict[str, Approximation]] = {"]
    for dtype, approximations in table().items():
        lines.append(f'    "{dtype}": {{')
        for name, each in approximations.items():
            lines.append(f'        "{name}": Approximation(')
            lines.append(f'            "{each["meaning"]}", {each["interval"]},')
            for side in ("above", "below"):
                lines.append("            (")
                lines += [f'                "{number}",' for number in each[side]]
                lines.append("            ),")
            lines.append(f"            {each['error']},")
            lines.append("        ),")
        lines.append("    },")
    lines += ["}", "", "CONSTANTS: dict[str, dict[str, Any]] = {"]
    with mpmath.workdps(4 * DIGITS):
        for dtype in ("float32", "float64"):
            lines.append(f'    "{dtype}": {{')
            for name, value in constants(dtype).items():
                written = pprint.pformat(value, width=80, compact=True)
                written = written.replace("\n", "\n            ")
                break_ = "\n            " if "\n" in written else " "
                lines.append(f'        "{name}":{break_}{written},'.replace("'", '"'))
            lines.append("    },")
    return "\n".join([*lines, "}", ""])


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
