"""write: a network of relu as a `.nnet` file, which verifiers read.

The scaling, and the ends at which inputs are cut, go where the format has them. It has one mean and
one range for all outputs: where theirs differ, they go into the last layer's weights.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from symgrad.interop.affine import EVERYWHERE, Affine, rounded
from symgrad.interop.around import Around, around
from symgrad.interop.errors import InteropError
from symgrad.interop.network import Array, Network, Weights
from symgrad.interop.nnet.reading import FAR
from symgrad.training.atomic import write as write_whole
from symgrad.training.run import Run
from symgrad.training.trained import Trained

HEAD = "// written by symgrad: "


def write(network: Network | Run | Trained, path: str | os.PathLike[str]) -> Path:
    """Writes a `.nnet` file, in place of what is there, whole or not at all.

    It takes raw inputs and gives raw outputs where its reader scales them, in float64. Raises
    InteropError for a network that is not of relu layers and a last one without an activation.
    """
    path = Path(path)
    write_whole(path, text_of(network).encode())
    return path


def is_own(path: Path) -> bool:
    """Whether `write` has written a file."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(HEAD)) == HEAD.encode()


def text_of(network: Network | Run | Trained) -> str:
    """The text of the file."""
    made = around(network)
    _check(made)
    spec = made.network.spec
    layers, after = _layers(made)
    before = [each.undone() for each in made.before]
    ends = [(-FAR, FAR) if each == EVERYWHERE else each for each in made.cut]
    lines = [
        f"{HEAD}{spec.name}",
        f"// x: {', '.join(map(_shown, made.inputs))}",
        f"// y: {', '.join(map(_shown, made.outputs))}",
        _line([len(layers), spec.inputs, spec.outputs, max(spec.widths)]),
        _line(spec.widths),
        "0,",
        _line(low for low, _ in ends),
        _line(high for _, high in ends),
        _line(rounded(each.offset) for each in [*before, after]),
        _line(rounded(each.factor) for each in [*before, after]),
    ]
    for weight, bias in layers:
        lines += [_line(row) for row in weight.T.tolist()]
        units = [0.0] * weight.shape[1] if bias is None else bias.tolist()
        lines += [_line([each]) for each in units]
    return "\n".join(lines) + "\n"


def _check(made: Around) -> None:
    layers = made.network.spec.layers
    if made.fill is not None:
        raise InteropError("the run fills missing values, which a .nnet file has no place for")
    for number, layer in enumerate(layers, start=1):
        expected = "relu" if number < len(layers) else "identity"
        if layer.activation != expected:
            raise InteropError(
                f"layer {number} has the activation {layer.activation}; in a .nnet file hidden"
                " layers have relu, and the last one none"
            )
        if layer.residual or layer.sources is not None:
            raise InteropError(f"layer {number} skips others, which no layer of a .nnet file does")
    if any(each != EVERYWHERE for each in made.ends):
        raise InteropError("the spec cuts its outputs, which a .nnet file cannot")


def _layers(made: Around) -> tuple[list[Weights], Affine]:
    """The weights in float64, and what is done to all outputs alike."""
    layers: list[Weights] = [
        (weight.astype(np.float64), None if bias is None else bias.astype(np.float64))
        for weight, bias in made.network.layers
    ]
    first = made.after[0]
    if all(each == first for each in made.after):
        return layers, first
    weight, bias = layers[-1]
    scale, shift = (
        np.array([rounded(getattr(each, key)) for each in made.after])
        for key in ("factor", "offset")
    )
    moved: Array = shift if bias is None else bias * scale + shift
    return [*layers[:-1], (weight * scale, moved)], Affine()


def _line(numbers: Iterable[float]) -> str:
    return "".join(f"{number!r}," for number in numbers)


def _shown(name: str) -> str:
    """A name on one line."""
    return " ".join(str(name).split())
