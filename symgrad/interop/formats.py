"""formats: which tool a file is of, by its ending and its beginning, and reading it by that.

.nnet   .net   .m   .pmml        say it themselves
.xml  .yml  .yaml  .json  …      are told apart by what the file begins with
.onnx, and what else is left     is ONNX's
"""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from symgrad.interop.errors import InteropError
from symgrad.interop.network import LossLike, Network

# Readers by name, and what they may be told besides a name and a loss.
READERS: Mapping[str, tuple[str, ...]] = {
    "nnet": ("scaling", "clip"),
    "fann": ("scaling", "clip"),
    "matlab": (),
    "pmml": (),
    "opencv": (),
    "r_nnet": (),
    "lwtnn": (),
    "onnx": ("output",),
}

_ENDINGS = {".nnet": "nnet", ".net": "fann", ".m": "matlab", ".pmml": "pmml", ".onnx": "onnx"}
_BY_CONTENT = ("pmml", "opencv", "r_nnet", "lwtnn")
_BEGINNING = 1 << 16


def format_of(path: str | os.PathLike[str]) -> str:
    """The name of the reader for a file."""
    if known := _ENDINGS.get(Path(path).suffix.lower()):
        return known
    try:
        with Path(path).open("rb") as file:
            start = file.read(_BEGINNING).decode("utf-8-sig", "replace")
    except OSError as error:
        raise InteropError(f"{path}: {error.strerror or error}") from error
    return next((each for each in _BY_CONTENT if module(each).recognised(start)), "onnx")


def read(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    loss: LossLike | None = None,
    **options: Any,
) -> Network:
    """The network in a file of any format that has a reader; `options` are those of that reader.

    Raises InteropError for what is no network, and for an option that the format has no use for.
    """
    format = format_of(path)
    for option in options:
        if option not in READERS[format]:
            able = [each for each, known in READERS.items() if option in known]
            raise InteropError(
                f"{path}: {option} is for files of {' and '.join(able)}, not of {format}"
            )
    reader: Callable[..., Network] = module(format).read
    return reader(path, name=name, loss=loss, **options)


def module(name: str) -> Any:
    """That of a reader; of some a writer too."""
    return import_module(f"symgrad.interop.{name}")
