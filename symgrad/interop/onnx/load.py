"""An ONNX model from a file: loaded and checked, with every problem as one line."""

import os
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from symgrad.interop.errors import InteropError, NotOfItsKind, needed

OLDEST = 7  # the opset in which operations began to broadcast as NumPy does


def load(source: str | os.PathLike[str] | Any) -> tuple[Any, str]:
    """The model, checked, and what messages call it; `source` is a path or a model.

    Data that lies beside the file is read as onnx itself reads it, from the file's own folder and
    from nowhere else. Raises InteropError for what is no model, or a broken one.
    """
    onnx = needed("onnx", "reading ONNX files", "onnx")
    if isinstance(source, onnx.ModelProto):
        shown, model = "the model", source
    elif isinstance(source, str | os.PathLike):
        shown = str(source)
        model = _loaded(Path(source), onnx)
    else:
        raise InteropError(
            f"an ONNX model is a path or an onnx.ModelProto, not {type(source).__name__}"
        )
    _check(model, shown, onnx)
    return model, shown


def opset_of(model: Any, shown: str) -> int:
    """The version of ONNX's own operations that the model uses."""
    versions = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if not versions or versions[0] < OLDEST:
        came = versions[0] if versions else "none"
        raise InteropError(f"{shown}: it uses opset {came}; understood are those from {OLDEST} on")
    return int(versions[0])


def _loaded(path: Path, onnx: Any) -> Any:
    try:
        return quietly(onnx, path)
    except OSError as error:
        # What is missing may be a file of external data, beside the model.
        missing = "" if error.filename in (None, str(path)) else f" ({error.filename})"
        raise InteropError(f"{path}: {error.strerror or _line(error)}{missing}") from error
    except unreadable(onnx) as error:
        raise NotOfItsKind(f"{path}: no ONNX file, or damaged") from error
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise InteropError(f"{path}: its data cannot be read: {_line(error)}") from error


def quietly(onnx: Any, path: Path, **options: Any) -> Any:
    """The model in a file; of some forms of text onnx warns that they are experimental."""
    with warnings.catch_warnings(category=UserWarning, action="ignore"):
        return onnx.load(path, **options)


def unreadable(onnx: Any) -> tuple[type[Exception], ...]:
    """What onnx raises for a file of no form that it knows; it goes by the name's ending."""
    forms = ("message", "DecodeError"), ("json_format", "ParseError"), ("text_format", "ParseError")
    errors = [getattr(import_module(f"google.protobuf.{form}"), error) for form, error in forms]
    return (*errors, onnx.parser.ParseError, UnicodeDecodeError, RecursionError)


def _check(model: Any, shown: str, onnx: Any) -> None:
    if not model.HasField("graph"):
        raise InteropError(f"{shown}: no ONNX file: it holds no graph")
    protobuf = import_module("google.protobuf.message")
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise InteropError(f"{shown}: no valid ONNX model: {_line(error)}") from error
    except (ValueError, protobuf.EncodeError) as error:
        # More than protobuf's 2 GiB in one message.
        raise InteropError(f"{shown}: it cannot be checked: {_line(error)}") from error


def _line(error: BaseException) -> str:
    """The first line of a message, cut where it is long."""
    text = " ".join(str(error).strip().split("\n", 1)[0].split())
    return text if len(text) <= 300 else f"{text[:299]}…"
