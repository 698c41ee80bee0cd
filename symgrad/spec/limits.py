"""How large a spec may be. Each limit on networks can be raised by an environment variable.

They protect against slips (a zero too many, a generated file gone wrong), not memory: a spec
within them may still be too large for the machine. Limits on formulas stand in `formula.py`.
"""

import os
from typing import NamedTuple

from symgrad.errors import SpecError
from symgrad.spec.formula import quoted

FILE_BYTES = 1 << 20
NAME_LENGTH = 64  # characters in a name: of a spec, an activation, a constant
KEY_PARTS = 32  # parts of a dotted TOML key; the standard parser takes the square of them
PROBLEMS_SHOWN = 10  # of one spec


class Limit(NamedTuple):
    """The most that a spec may have of something."""

    of: str
    default: int
    variable: str

    @property
    def value(self) -> int:
        """The limit in force; raises `SpecError` where the environment gives nonsense."""
        text = os.environ.get(self.variable, "").strip()
        if not text:
            return self.default
        # Checked before int(), which would take the digits of every script, and 5,000 of them.
        if not (text.isascii() and text.isdecimal() and len(text) <= 18 and int(text) > 0):
            raise SpecError(
                f"the environment variable {self.variable} must be a whole number from 1 on,"
                f" not {quoted(text)}"
            )
        return int(text)

    def refusal(self, count: int) -> str | None:
        """What to tell a user whose spec has `count`, or None if that is within the limit."""
        if count <= self.value:
            return None
        shown = f"{count:,}" if count < 10**30 else "more than 10**30"
        return (
            f"{shown} {self.of}, over the limit of {self.value:,};"
            f" the environment variable {self.variable} raises it"
        )


UNITS = Limit("units in one layer", 65_536, "SYMGRAD_MAX_UNITS")
LAYERS = Limit("layers", 1_024, "SYMGRAD_MAX_LAYERS")
WEIGHTS = Limit("weights", 100_000_000, "SYMGRAD_MAX_WEIGHTS")
TERMS = Limit("terms of a loss", 32, "SYMGRAD_MAX_TERMS")
MEMBERS = 1_000_000  # of an ensemble
