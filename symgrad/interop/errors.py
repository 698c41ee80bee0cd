"""What interop raises, and the one place where optional packages are imported."""

import re
from importlib import import_module
from typing import Any

from symgrad.errors import SymgradError
from symgrad.spec.words import answer


class InteropError(SymgradError, ValueError):
    """A network that cannot be read or written: the message names the layer, and what will do."""


class NotOfItsKind(InteropError):
    """A file that is none of the form that it was taken for."""


class MissingPackage(SymgradError, ImportError):
    """An optional package that is not installed: the message says how to install it."""


def not_understood(kind: str, otherwise: str) -> str:
    """What to say of a kind of node or layer that cannot be read, and what to try."""
    folded = kind.startswith("BatchNorm")  # what it has learnt is an affine map
    reasons = (reason for pattern, reason in _REASONS.items() if re.search(pattern, kind))
    reason = next(reasons, None) or (not folded and answer(kind))
    return f"not understood; {reason or otherwise}"


_REASONS = {
    r"[Qq]uantize|Integer|QLinear|QGemm|NBits|Float8": "its numbers are quantised: read the model"
    " as it was before that",
    r"(Layer|Group|Instance|RMS|Unit|Lp|Simplified)_?Norm|ml\.Normalizer": "it normalises each"
    " sample by itself, and read is what is the same map for all samples",
}


def needed(module: str, purpose: str, extra: str) -> Any:
    """The module of an optional package; raises MissingPackage with a line for the user."""
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # the package is there and lacks something itself
        shown = {"sklearn": "scikit-learn"}.get(package, package)
        raise MissingPackage(
            f"{purpose} needs the package {shown}: pip install 'symgrad[{extra}]'", name=package
        ) from None
