"""The elementary functions as text: what `templates/functions.py.jinja` comes to in each precision,
written by `coefficients/render.py`. To read a template takes longer than to make object code.
"""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
OF_STEPS = "steps.txt"


def name_of(single: bool) -> str:
    """The file of the functions of float32, or of float64."""
    return "float32.txt" if single else "float64.txt"


def functions(file: str, names: Iterable[str]) -> str:
    """The text of some functions."""
    known = _known(file)
    return "\n\n".join(known[name] for name in names)


def is_there(file: str, name: str) -> bool:
    """Whether there is a function; those of so many terms are not."""
    return name in _known(file)


@cache
def _known(file: str) -> dict[str, str]:
    """Each function with the tables above it."""
    text = (FOLDER / file).read_text("utf-8")
    lines, known, first = text.splitlines(), {}, 0
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            known[node.name] = "\n".join(lines[first : node.end_lineno]).strip("\n")
            first = node.end_lineno or 0
    return known
