"""The errors that symgrad raises on purpose: one clear message each, never a traceback."""


class SymgradError(Exception):
    """Anything that a user can put right; the command line prints it and ends with exit code 2."""


class SpecError(SymgradError, ValueError):
    """A spec that cannot be compiled: the message says what is wrong, where, and what to do."""


class FormulaError(SymgradError, ValueError):
    """A formula that is none: `position` counts characters from 0 in the formula's text."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.position = position


class TooLarge(SymgradError, ValueError):
    """A view of an expression that would be larger than the stated limit."""


class Lost(SymgradError):
    """Those who computed are gone, and cannot be replaced."""


class DataError(SymgradError, ValueError):
    """A data file that cannot be read, or that does not fit the network."""
