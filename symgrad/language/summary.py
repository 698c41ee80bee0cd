"""What is said of a program as a whole: its network, and its sizes."""

from dataclasses import dataclass
from math import prod

from sympy import Expr, Integer

from symgrad.language.count import operations, size
from symgrad.language.indices import layer_of
from symgrad.language.program import Program, prune

_MOST_WIDTHS = 12


@dataclass(frozen=True)
class Counts:
    """Sizes of a program; operations are for one sample.

    `loss` and `gradient`, which includes the loss, are None where a program computes no such thing.
    """

    weights: int
    definitions: int
    loss: int | None
    gradient: int | None


def counts(program: Program) -> Counts:
    weights = sum(prod(map(size, program.shape(weight))) for weight in program.weights)
    derivatives = any(name.startswith("d_") for name in program.outputs)
    has_loss = "E" in program.by_name
    return Counts(
        weights,
        len(program.definitions),
        operations(prune(program, ("E",))) if has_loss else None,
        operations(program) if has_loss and derivatives else None,
    )


def network(program: Program) -> str:
    """The widths of a network's layers, 64-64-32-10; nothing where it has none."""
    layers: dict[int, Expr] = {}
    for axis, extent in program.extents.items():
        if (layer := layer_of(axis)) is not None:
            layers[layer] = layers.get(layer, Integer(0)) + extent
    widths = [str(layers[layer]) for layer in sorted(layers)]
    if len(widths) > _MOST_WIDTHS:
        return f"{'-'.join(widths[:3])}-…-{widths[-1]}, {len(widths) - 1} layers"
    return "-".join(widths)


def summary(program: Program) -> str:
    """What a program comes to, on one line."""
    found = counts(program)
    parts = [network(program)] if network(program) else []
    parts += [several(found.weights, "weight"), several(found.definitions, "definition")]
    if found.loss is None:
        parts.append(several(operations(program), "operation"))
    else:
        parts.append(f"loss {several(found.loss, 'operation')} a sample")
    if found.gradient is not None:
        parts.append(f"with gradient {found.gradient:,}")
    return ", ".join(parts)


def several(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("s" if number != 1 else "")
