"""Files of tensors alone: .safetensors, and PyTorch's .pt as far as it holds nothing else."""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.interop.errors import InteropError, needed
from symgrad.interop.network import Array

# What safetensors calls its numbers; bfloat16 is the upper half of a float32.
_DTYPES: Mapping[str, str] = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "<i1", "U8": "<u1", "BOOL": "?",
}  # fmt: skip


def load(path: Path) -> Mapping[str, Any]:
    """The tensors in a file by name. Raises InteropError for what is none, or holds objects."""
    try:
        return _safetensors(path) if path.suffix.lower() == ".safetensors" else _torch(path)
    except OSError as error:
        raise InteropError(f"{path}: {error.strerror or error}") from error


def _safetensors(path: Path) -> dict[str, Array]:
    """A length, that many bytes of JSON, then the numbers."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        start = 8 + length
        return {
            name: _tensor(data, start, entry)
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InteropError(f"{path}: no safetensors file, or damaged") from error


def _tensor(data: bytes, start: int, entry: Mapping[str, Any]) -> Array:
    first, last = (start + int(offset) for offset in entry["data_offsets"])
    if not start <= first <= last <= len(data):
        raise ValueError("a tensor outside the file")
    array = np.frombuffer(data[first:last], _DTYPES[entry["dtype"]])
    if entry["dtype"] == "BF16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.reshape(entry["shape"])


def _torch(path: Path) -> Mapping[str, Any]:
    torch = needed("torch", "reading PyTorch's files", "torch")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InteropError(
            f"{path}: it holds objects, not tensors alone, and those are not loaded here; load the"
            " module in Python and call symgrad.interop.torch.read(module), or save"
            " module.state_dict()"
        ) from error
    except (RuntimeError, ValueError, EOFError) as error:
        raise InteropError(f"{path}: no file of PyTorch's, or damaged") from error
    # Trainers keep the weights beside other things.
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not all(hasattr(each, "shape") for each in found.values()):
        raise InteropError(f"{path}: it holds no state dict, of tensors by name")
    return found
