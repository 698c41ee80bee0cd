"""layout: where the arrays of weights lie in one vector."""

from math import prod

from symgrad.language.program import Program, name_of


def parameters(program: Program) -> dict[str, tuple[int, tuple[int, ...]]]:
    """Where each weight array lies in theta: {"W1": (offset, shape), …}."""
    layout = {}
    offset = 0
    for weight in program.weights:
        shape = tuple(map(int, program.shape(weight)))
        layout[name_of(weight)] = (offset, shape)
        offset += prod(shape)
    return layout
