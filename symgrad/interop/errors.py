"""What interop raises, and the one place where optional packages are imported."""

from importlib import import_module
from typing import Any

from symgrad.errors import SymgradError


class InteropError(SymgradError, ValueError):
    """A network that cannot be read or written: the message names the layer, and what will do."""


class MissingPackage(SymgradError, ImportError):
    """An optional package that is not installed: the message says how to install it."""


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
