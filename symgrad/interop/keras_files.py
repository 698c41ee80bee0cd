"""Files that Keras has saved: .keras, the form that holds no code."""

import json
import os
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from symgrad.interop.errors import InteropError, MissingPackage, needed

# Of its own layers those that hold what somebody else has written.
_HOLD_CODE = ("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer", "__lambda__")

# What Keras computes with; its own backend of NumPy needs jax as well.
BACKENDS = ("torch", "tensorflow", "jax")

# A model's layers and their options; weights lie apart.
_LARGEST = 64 * 2**20


def load(path: Path) -> Any:
    """The model in a file, of Keras's own classes alone: no other is looked up, let alone made.

    Raises InteropError for other files, and others' classes.
    """
    if path.suffix.lower() != ".keras":
        raise InteropError(
            f"{path} is in Keras's old form; save the model as .keras, or load it in Python and"
            " call symgrad.interop.keras.read(model)"
        )
    _check(path)
    keras = _keras()
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError) as error:
        line = " ".join(str(error).strip().split("\n", 1)[0].split())[:200]
        raise InteropError(f"{path}: Keras cannot load it: {line}") from error


def _keras() -> Any:
    """Keras, on any of its backends that is there, if nobody has said which."""
    for backend in BACKENDS:
        if "keras" not in sys.modules and find_spec(backend) is not None:
            os.environ.setdefault("KERAS_BACKEND", backend)
    try:
        return needed("keras", "reading Keras's files", "keras")
    except ModuleNotFoundError as error:
        if isinstance(error, MissingPackage) or error.name not in BACKENDS:
            raise
        raise MissingPackage(
            f"Keras is there, but not {error.name}, which it computes with: pip install torch, or"
            " say by KERAS_BACKEND which other is to be taken",
            name=error.name,
        ) from None


def _check(path: Path) -> None:
    """Refuses classes that are not Keras's, before Keras looks for them."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _LARGEST:
                raise InteropError(f"{path}: its config.json is too large")
            config = json.loads(archive.read("config.json"))
    except OSError as error:
        raise InteropError(f"{path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError) as error:
        raise InteropError(f"{path}: no file that Keras has saved, or damaged") from error
    for part in _parts(config):
        module, name = part.get("module", "keras"), part.get("class_name")
        own = module is None or str(module).split(".")[0] == "keras"
        if name is not None and (not own or name in _HOLD_CODE or part.get("registered_name")):
            raise InteropError(
                f"{path}: it holds {name} of {module}, which may do anything; read are Keras's own"
                " layers"
            )


def _parts(config: Any) -> Iterator[dict[str, Any]]:
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
