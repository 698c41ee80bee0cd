"""Section 1: the one expression, and its textbook derivative by a weight of the first layer."""

from sympy import Expr

from symgrad.compiler import Compiled
from symgrad.language import latex, unicode
from symgrad.language.program import Program, array, name_of, prune, reads
from symgrad.language.views import formula, sizes
from symgrad.passes.differentiate import DerivativeGraph, textbook
from symgrad.passes.expand import inner_derivatives
from symgrad.showing.pages.blocks import Block, Equations, Section, Words, several

# What a person still reads as a formula: nodes and levels of its tree, and paths that a derivative
# sums over, through so many layers.
READABLE = 250
NESTED = 50
PATHS = 12
LAYERS = 12

Row = tuple[str, str]


def expression(compiled: Compiled) -> Section:
    """The loss as one formula where that can be read, else with its parts named, and ∂E/∂W1.

    `data`: `nodes`, of the loss as one tree; `depth`, its nesting; `written_out`, whether it is
    shown as one formula; `loss`, its definitions as text; `paths`, from W1 to the loss;
    `derivative`, ∂E/∂W1 as text, or null where there are more than PATHS paths or LAYERS layers.
    """
    stages = compiled.stages  # derivatives in a loss are names at first
    whole = stages.share if inner_derivatives(compiled.spec) else stages.expand
    program = prune(whole, ("E",))
    size = sizes(program)["E"]
    written_out = size.nodes <= READABLE and size.depth <= NESTED
    shown = _one_formula(program) if written_out else _definitions(program)
    graph = compiled.stages.differentiate
    paths = count_paths(graph, "W1")
    readable = paths <= PATHS and len(compiled.spec.layers) <= LAYERS
    derivative = textbook(graph, "W1") if readable else None
    blocks: list[Block] = [
        Words(
            "The network and its loss are one expression in "
            f"{several(compiled.spec.weights, 'weight')}. "
            f"Written out as one tree it has {size.nodes:,} nodes, nested {size.depth} deep"
            + (":" if written_out else "; with its shared parts named it is:")
        ),
        Equations(shown),
        Words(
            f"From a weight of the first layer {_paths(paths)} to the loss. Its textbook "
            "derivative is the sum over all paths of the products of the local derivatives along "
            "each (Bauer 1974)"
            + (
                ", where the names stand for what is computed on the way to the loss:"
                if readable
                else f": with more than {PATHS} paths or {LAYERS} layers no formula that one reads."
            )
        ),
    ]
    if derivative is not None:
        written = _written(graph, derivative)
        blocks += [Equations((written,)), Equations(_named(graph, derivative), "where")]
    data = {
        "nodes": size.nodes,
        "depth": size.depth,
        "written_out": written_out,
        "loss": [text for text, _ in shown],
        "paths": paths,
        "derivative": written[0] if readable else None,
    }
    return Section("expression", "The one expression", tuple(blocks), data)


def count_paths(graph: DerivativeGraph, weight: str) -> int:
    """How many paths lead from a weight to the loss; counted, not walked."""
    paths = {weight: 1}
    for edge in graph.edges:  # in the program's order, sources before targets
        if edge.source in paths:
            paths[edge.target] = paths.get(edge.target, 0) + paths[edge.source]
    return paths.get(graph.loss, 0)


def _one_formula(program: Program) -> tuple[Row, ...]:
    value = formula(program, "E")
    return ((f"E = {unicode.text(value)}", f"E = {latex.latex(value)}"),)


def _definitions(program: Program) -> tuple[Row, ...]:
    return tuple((unicode.equation(d), latex.equation(d)) for d in program.definitions)


def _written(graph: DerivativeGraph, value: Expr) -> Row:
    target = array("W1", *graph.indices("W1"))
    return (
        f"∂E/∂{unicode.text(target)} = {unicode.text(value)}",
        rf"\frac{{\partial E}}{{\partial {latex.latex(target)}}} = {latex.latex(value)}",
    )


def _named(graph: DerivativeGraph, value: Expr) -> tuple[Row, ...]:
    """The definitions of the names that ∂E/∂W1 is written in, and of those that they read."""
    names = {name_of(read) for read in reads(value)} & graph.program.by_name.keys()
    return _definitions(prune(graph.program, sorted(names)))


def _paths(number: int) -> str:
    return "one path leads" if number == 1 else f"{number:,} paths lead"
