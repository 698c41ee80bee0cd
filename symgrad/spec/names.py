"""Which names a spec may give: each function says why `name` will not do, or None if it will."""

import keyword
import re
import sys

from symgrad.spec import limits
from symgrad.spec.derivatives import DERIVATIVES
from symgrad.spec.formula import FUNCTIONS

IDENTIFIER = "^[A-Za-z_][A-Za-z0-9_]*$"  # as a JSON Schema says it; the words below say it better

# Other packages that an emitted module imports, or that a module of that name would hide.
_TAKEN = frozenset({"llvmlite", "numpy", "numba", "scipy", "symgrad"})


def module_problem(name: str) -> str | None:
    """A spec's name becomes a module and a file, and must be nothing else."""
    if re.search(r"[/\\]|^\.", name):
        return "is a path; a name is the bare name of the module, without folder or suffix"
    if wrong := identifier_problem(name):
        return wrong
    if name in _TAKEN or name in sys.stdlib_module_names:
        return "is the name of another module, which the emitted one would hide; choose another"
    if name.startswith("_symgrad_"):
        return "begins like the file that emitted modules import, _symgrad_….py; choose another"
    return None


def quantity_problem(name: str) -> str | None:
    """The name of an input or an output: formulas are to read it."""
    if name in FUNCTIONS:
        return "is a function of formulas; choose another name"
    if name == "D":
        return "is what formulas write derivatives with; choose another name"
    if name == "target":
        return "is what formulas call the target; choose another name"
    return identifier_problem(name)


def term_problem(name: str) -> str | None:
    """The name of a term of the loss: functions have arguments x_NAME, and parts NAME_gradient."""
    if name in DERIVATIVES:
        return "is the name of a function; choose another"
    return identifier_problem(name, keywords=True)


def constant_problem(name: str) -> str | None:
    """Keywords will do (`lambda` is a fine constant): the emitted code has only the value."""
    if name in FUNCTIONS:
        return "is a function of formulas; choose another name"
    if name in ("z", "y", "t"):
        return "is a variable of formulas; choose another name"
    return identifier_problem(name, keywords=True)


def identifier_problem(name: str, keywords: bool = False) -> str | None:
    """The rule for a name in the emitted code, as an activation's is."""
    if len(name) > limits.NAME_LENGTH:
        return f"has {len(name):,} characters, over the limit of {limits.NAME_LENGTH}"
    if not (name.isascii() and name.isidentifier()):
        return (
            "is no identifier; use the letters a to z, digits and underscores,"
            " and begin with no digit"
        )
    if keyword.iskeyword(name) and not keywords:
        return "is a keyword of Python; choose another name"
    if name.startswith("__") and name.endswith("__"):
        return "has the form __name__, which Python keeps to itself; choose another name"
    return None
