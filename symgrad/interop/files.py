"""A network as two files: NAME.json, its spec, and NAME.npz, its weights.

The spec is what every command takes, as `symgrad compile NAME.json`; the weights file holds theta,
flat, W1, b1, … by name, and the labels of classes if they are known.
"""

import json
import os
from pathlib import Path

import numpy as np

from symgrad.errors import DataError
from symgrad.interop.errors import InteropError
from symgrad.interop.network import Array, Network
from symgrad.npz import read_npz
from symgrad.spec.spec import Spec
from symgrad.training.atomic import Unwritable, write, write_npz
from symgrad.training.labels import dtype_name, portable


def save(network: Network, folder: str | os.PathLike[str], force: bool = False) -> list[Path]:
    """Writes both files into a folder, which is made where it is missing; returns their paths.

    Both are written, or neither. Raises InteropError if one is there already, unless `force` says
    to replace it, and Unwritable if the folder can't be written.
    """
    target = Path(folder)
    spec, weights = (target / f"{network.spec.name}{suffix}" for suffix in (".json", ".npz"))
    for path in (spec, weights):
        if os.path.lexists(path) and not (force and path.is_file()):
            raise InteropError(f"{path} is there already; it was left as it is")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unwritable(f"{target} cannot be written: {error.strerror}") from error
    text = json.dumps(_plain(network.spec), indent=2, ensure_ascii=False, allow_nan=False)
    before = spec.read_bytes() if spec.exists() else None
    write(spec, f"{text}\n".encode())
    try:
        write_npz(weights, {"theta": network.theta, **network.arrays(), **_labels(network)})
    except Unwritable:
        if before is None:
            spec.unlink()
        else:
            write(spec, before)
        raise
    return [spec, weights]


def load(spec: str | os.PathLike[str]) -> Network:
    """The network in NAME.json and the NAME.npz beside it; raises SpecError or InteropError."""
    path = Path(spec)
    weights = path.with_suffix(".npz")
    try:
        arrays = read_npz(weights)
        theta, labels = arrays["theta"], arrays.get("labels")
    except OSError as error:
        raise InteropError(f"{weights}: {error.strerror or error}") from error
    except (KeyError, DataError) as error:
        reason = str(error).removeprefix(f"{weights}: ")
        raise InteropError(f"{weights}: no weights file, or damaged ({reason})") from error
    network = Spec.load(path)
    try:
        return Network(network, theta, None if labels is None else tuple(labels.tolist()))
    except InteropError as error:
        raise InteropError(f"{weights}: {error}") from error


def _labels(network: Network) -> dict[str, Array]:
    labels = network.labels
    return {} if labels is None else {"labels": np.array(portable(labels), dtype_name(labels))}


def _plain(spec: Spec) -> dict[str, object]:
    """The spec as a person would write it: without options that are at their defaults."""
    data = spec.normalised()
    for layer in data["layers"]:
        for option, default in (("bias", True), ("residual", False)):
            if layer[option] is default:
                del layer[option]
    loss = data["loss"]
    for option in ("l1", "l2", "sample_weights"):
        if not loss[option]:
            del loss[option]
    for part in (loss, *data["activations"].values()):
        if not part.get("constants", True):
            del part["constants"]
    if not data["activations"]:
        del data["activations"]
    return data
