r"""Equations in LaTeX: z1[n,i1] is z^{(1)}_{n i_1}, d_W1[i0,i1] is \partial E/\partial W^{(1)}.

Sums carry their index and not its limits: an index runs over its layer's units, always.
"""

import re
from typing import Any

from sympy import Expr, Symbol
from sympy.printing.latex import LatexPrinter

from symgrad.language.indices import bounds
from symgrad.language.program import Definition, Program, indices_of, name_of

_LAYERED = re.compile(r"([a-zA-Z])(\d+)")
_LETTER = re.compile(r"[a-zA-Z]")


def latex(expression: Expr) -> str:
    """`expression` in LaTeX's mathematics."""
    return str(_Printer().doprint(expression))


def equation(definition: Definition) -> str:
    return f"{latex(definition.target)} = {latex(definition.value)}"


def listing(program: Program) -> str:
    """All definitions of a program, aligned at their = signs."""
    rows = [f"{latex(d.target)} &= {latex(d.value)}" for d in program.definitions]
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"


def symbol(name: str, indices: str = "") -> str:
    """A name with its layer as a superscript: W1 is W^{(1)}, d_W1 the derivative of E by it."""
    if name.startswith("d_"):
        above, _, below = name[2:].rpartition("_d_")
        over, under = symbol(above) if above else "E", symbol(below, indices)
        return rf"\frac{{\partial {over}}}{{\partial {under}}}"
    below = f"_{{{indices}}}" if indices else ""
    if layered := _LAYERED.fullmatch(name):
        return rf"{layered[1]}^{{({layered[2]})}}{below}"
    if _LETTER.fullmatch(name):
        return name + below
    escaped = name.replace("_", r"\_")
    return rf"\mathrm{{{escaped}}}{below}"


class _Printer(LatexPrinter):
    """SymPy's printer with our names, and sums without limits."""

    def _print_Indexed(self, expression: Expr, **_: Any) -> str:
        indices = " ".join(map(self._print, indices_of(expression)))
        return symbol(name_of(expression), indices)

    def _print_Symbol(self, expression: Symbol, **_: Any) -> str:
        name = str(expression.name)
        if expression.is_integer:
            return re.sub(r"(\d+)$", r"_{\1}", name)
        return symbol(name)

    def _print_Sum(self, expression: Expr, **_: Any) -> str:
        return self._reduction(r"\sum", expression)

    def _print_LogSumExp(self, expression: Expr, **_: Any) -> str:
        return self._reduction(r"\operatorname{logsumexp}", expression)

    def _reduction(self, sign: str, expression: Expr) -> str:
        over = " ".join(map(self._print, reversed(bounds(expression))))
        body = self._print(expression.function)
        if expression.function.is_Add:
            body = rf"\left({body}\right)"
        return rf"{sign}_{{{over}}} {body}"
