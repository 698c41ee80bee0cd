"""formats: files of older tools, told by their endings and by what they begin with.

.nnet   .net   .m   .pmml        say it themselves
.xml  .yml  .json  .dput  …      are told apart by what the file begins with
"""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from symgrad.interop.errors import InteropError
from symgrad.interop.network import LossLike, Network
from symgrad.spec.formula import listed

# Readers by name, and what may be left out of what they read.
READERS: Mapping[str, tuple[str, ...]] = {
    "nnet": ("scaling", "clip"),
    "fann": ("scaling", "clip"),
    "matlab": (),
    "pmml": (),
    "opencv": (),
    "r_nnet": (),
    "lwtnn": (),
}

_ENDINGS = {".nnet": "nnet", ".net": "fann", ".m": "matlab", ".pmml": "pmml"}
_BY_CONTENT = ("pmml", "opencv", "r_nnet", "lwtnn")
_BEGINNING = 1 << 16


def format_of(path: str | os.PathLike[str]) -> str | None:
    """The name of the reader for a file; None if there is none here."""
    ending = Path(path).suffix.lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    if ending == ".onnx" or not Path(path).is_file():
        return None
    with Path(path).open("rb") as file:
        start = file.read(_BEGINNING).decode("utf-8-sig", "replace")
    return next((each for each in _BY_CONTENT if module(each).recognised(start)), None)


def read(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    loss: LossLike | None = None,
    **options: Any,
) -> Network:
    """The network in a file of a tool that has a reader here; `options` are those of that reader.

    Raises InteropError for what is no network, and for an option that the format has no use for.
    """
    found = format_of(path)
    for option in options:
        if option not in READERS.get(found or "", ()):
            able = " and ".join(each for each, known in READERS.items() if option in known)
            raise InteropError(
                f"{path}: {option} is for files of {able}, not of {found or 'others'}"
            )
    if found is None:
        raise InteropError(
            f"{path}: of no tool that is read; read are files of {listed([*READERS])}"
        )
    reader: Callable[..., Network] = module(found).read
    return reader(path, name=name, loss=loss, **options)


def module(name: str) -> Any:
    """That of a reader; of some a writer too."""
    return import_module(f"symgrad.interop.{name}")
