r"""Equations in LaTeX: z1[n,i1] is z^{(1)}_{n i_1}, d_W1[i0,i1] is \partial E/\partial W^{(1)}.

Sums carry their index and not its limits: an index runs over its layer's units, always.
"""

import re
from collections.abc import Iterable
from fractions import Fraction

from sympy import Expr, Symbol

from symgrad.language.program import Definition, Program
from symgrad.language.unicode import ATOM, POWER, Writer

_LAYERED = re.compile(r"([a-zA-Z])(\d+)")
_KNOWN = {"exp", "log", "sin", "cos", "sinh", "cosh", "tanh"}
_GREEK = re.compile(r"(theta|rho|beta|epsilon)(\d*)")
_SIGNS = {"minus": "-", "plus": "+", "times": r"\,"}


def latex(expression: Expr) -> str:
    """`expression` in LaTeX's mathematics."""
    return LatexWriter().write(expression)


def equation(definition: Definition) -> str:
    return f"{latex(definition.target)} = {latex(definition.value)}"


def listing(program: Program) -> str:
    """All definitions of a program, aligned at their = signs."""
    return _aligned("align*", _rows(program.definitions))


def displayed(program: Program, most: int) -> str:
    """The same as one displayed block, as notebooks typeset it; if there are many, the first."""
    shown = program.definitions[:most]
    rows = _rows(shown)
    if len(shown) < len(program.definitions):
        rows.append(
            rf"&\text{{… the first {len(shown)} of {len(program.definitions):,} equations; all: "
            "symgrad.language.latex.listing(compiled.program)}"
        )
    return f"$${_aligned('aligned', rows)}$$"


def _rows(definitions: Iterable[Definition]) -> list[str]:
    return [f"{latex(d.target)} &= {latex(d.value)}" for d in definitions]


def _aligned(environment: str, rows: list[str]) -> str:
    body = " \\\\\n".join(rows)
    return f"\\begin{{{environment}}}\n{body}\n\\end{{{environment}}}"


def symbol(name: str, indices: str = "") -> str:
    """A name with its layer as a superscript: W1 is W^{(1)}, d_W1 the derivative of E by it.

    A part that was named after what it is, y_minus_t, stands in brackets: [y - t]. What a step
    makes of theta, theta_next, carries a prime.
    """
    if name.startswith("d_"):
        above, _, below = name[2:].rpartition("_d_")
        over, under = symbol(above) if above else "E", symbol(below, indices)
        return rf"\frac{{\partial {over}}}{{\partial {under}}}"
    below = f"_{{{indices}}}" if indices else ""
    if name.endswith("_next"):
        return rf"{symbol(name.removesuffix('_next'))}'{below}"
    if greek := _GREEK.fullmatch(name):
        return rf"\{greek[1]}" + (f"_{{{greek[2]}}}" if greek[2] else below)
    if layered := _LAYERED.fullmatch(name):
        return rf"{layered[1]}^{{({layered[2]})}}{below}"
    if "_" not in name:
        return (name if len(name) == 1 else rf"\mathrm{{{name}}}") + below
    written = ""
    for word in filter(None, name.split("_")):
        # in braces: what carries its layer as a superscript can't take another one
        written = (
            f"{{{written}}}^{{2}}" if word == "squared" else f"{written} {_word(word)}".strip()
        )
    return rf"\left[{written}\right]{below}"


def _word(word: str) -> str:
    """A part of a name: an array of the network, or what was done with it."""
    if word in _SIGNS:
        return _SIGNS[word]
    array = len(word) == 1 or _LAYERED.fullmatch(word)
    return symbol(word) if array else rf"\operatorname{{{word}}}"


class LatexWriter(Writer):
    """The same equations, dressed in LaTeX."""

    times = r"\,"
    fraction_holds = ATOM

    def element(self, name: str, indices: tuple[Symbol, ...]) -> str:
        return symbol(name, " ".join(map(self.index, indices)))

    def index(self, index: Symbol) -> str:
        return re.sub(r"(?<=\D)(\d+)$", r"_{\1}", str(index))  # a number is one

    def grouped(self, written: str) -> str:
        return rf"\left({written}\right)"

    def sign(self, sign: str, over: list[str]) -> str:
        drawn = r"\sum" if sign == "Σ" else rf"\{sign}"
        return f"{drawn}_{{{' '.join(over)}}}"

    def call(self, name: str, arguments: str) -> str:
        drawn = f"\\{name}" if name in _KNOWN else rf"\operatorname{{{symbol_text(name)}}}"
        return drawn + self.grouped(arguments)

    def constant(self, name: str) -> str:
        return {"Pi": r"\pi", "Exp1": "e"}[name]

    def fraction(self, value: Fraction) -> str:
        return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"

    def decimal(self, literal: str) -> str:
        mantissa, _, exponent = literal.partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa

    def quotient(self, top: str, bottom: str) -> str:
        return rf"\frac{{{top}}}{{{bottom}}}"

    def denominator(self, below: list[Expr]) -> str:
        if len(below) == 1:
            return self.write(below[0])
        return self.times.join(self.write(factor, POWER) for factor in below)

    def root(self, written: str) -> str:
        return rf"\sqrt{{{written}}}"

    def raised(self, base: str, exponent: Expr) -> str:
        if base.startswith(r"\frac"):
            base = self.grouped(base)
        # in braces: what carries its layer as a superscript can't take another one
        return f"{{{base}}}^{{{self.write(exponent)}}}"


def symbol_text(name: str) -> str:
    return name.replace("_", r"\_")
