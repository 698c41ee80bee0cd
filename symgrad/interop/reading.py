"""A network from a file of any form that is read, told by the ending of its name.

    .onnx, and the forms of text that onnx reads     a graph
    .pmml, .nnet, .m, .net, …                        other tools' files: formats.py
    .keras                                           a model of Keras's
    .safetensors, .pt, .pth                          weights alone, for a spec that is given

Nothing in a file is executed: a model of Keras's holds Keras's own layers only, and of PyTorch's
files no objects but tensors are read.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from symgrad.interop import formats
from symgrad.interop.errors import InteropError, NotOfItsKind
from symgrad.interop.network import LossLike, Network, module_name, with_loss, with_name
from symgrad.spec.formula import listed
from symgrad.spec.spec import Spec

# What is told by the ending of its name alone.
_BY_ENDING = (".onnx", ".keras", ".safetensors", ".pt")


def read_file(
    path: str | os.PathLike[str],
    *,
    spec: str | os.PathLike[str] | None = None,
    name: str | None = None,
    loss: LossLike | None = None,
    output: str | None = None,
    scaling: bool = True,
    clip: bool = True,
) -> Network:
    """The network in a file.

    `spec` is the file of the spec that weights alone are for, and of no use elsewhere; `output` is
    as for `onnx.read`. `scaling` and `clip` False leave out what .nnet and FANN's files have of
    these. Raises InteropError for what cannot be read, SpecError for a spec that is none.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind in (".safetensors", ".pt", ".pth"):
        return _of_weights(path, spec, name, loss)
    if spec is not None:
        raise InteropError(f"{path}: a spec is for files of weights alone, .safetensors and .pt")
    if kind in (".keras", ".h5", ".hdf5"):
        from symgrad.interop import keras
        from symgrad.interop.keras_files import load

        return keras.read(load(path), name=name or module_name(path.name), loss=loss)
    left_out = {key: False for key, kept in (("scaling", scaling), ("clip", clip)) if not kept}
    if left_out or formats.format_of(path) is not None:
        if output is not None:
            raise InteropError(f"{path}: an output is named of a graph, in an ONNX file")
        return formats.read(path, name=name, loss=loss, **left_out)
    from symgrad.interop import onnx

    try:
        return onnx.read(path, name=name, loss=loss, output=output)
    except NotOfItsKind as error:
        if kind == ".onnx":
            raise
        raise InteropError(
            f"{error}, nor of another tool that is read: {', '.join(_BY_ENDING)}, and files of"
            f" {listed([*formats.READERS])}"
        ) from error


def _of_weights(
    path: Path, spec: str | os.PathLike[str] | None, name: str | None, loss: LossLike | None
) -> Network:
    from symgrad.interop import torch
    from symgrad.interop.tensors import load

    if spec is None:
        raise InteropError(
            f"{path} holds weights alone, and not what is computed with them: say the spec that"
            " they are for by --spec NET.toml, or read the module in Python, by"
            " symgrad.interop.torch.read(module)"
        )
    tensors: Mapping[str, Any] = load(path)
    network = Spec.load(spec)
    try:
        theta = torch.load(network, tensors)
    except InteropError as error:
        raise InteropError(f"{path}: {error}") from error
    network = network if name is None else with_name(network, name)
    return Network(network if loss is None else with_loss(network, loss), theta)
