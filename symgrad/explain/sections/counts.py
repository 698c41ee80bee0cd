"""Section 2: what it costs, stage by stage, in operations for one sample."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from symgrad.compiler import Compiled
from symgrad.explain.backprop import chain_rule
from symgrad.explain.backprop.by_hand import NoTextbook, backprop
from symgrad.language.count import operations
from symgrad.language.program import Program, prune
from symgrad.lowering.schedule import schedule
from symgrad.passes.differentiate import DerivativeGraph, differentiate
from symgrad.passes.expand import expand
from symgrad.passes.factor import Order, factor
from symgrad.passes.inner import inner
from symgrad.passes.share import share
from symgrad.passes.stabilize import stabilize
from symgrad.pipeline import derivatives
from symgrad.showing.pages.blocks import Bars, Block, Section, Table, Words
from symgrad.spec.spec import Spec

RULE = (
    "Each scalar addition, subtraction, multiplication or division of two numbers is one "
    "operation, a call of an activation is one, and 1 − a² is two. Constant factors that fold away "
    "are not counted (the ½ of the squared error and the 2 that it cancels), nor changes of sign. "
    "One sample, so that 1/N folds away. Every gradient includes the loss's own operations."
)

STAGES: Mapping[str, tuple[str, str]] = {
    "loss": ("the loss alone", ""),
    "textbook_trees": (
        "the textbook's derivative by each weight",
        "each formula a tree of its own; counted, never written down",
    ),
    "shared_only": (
        "the same, sharing alone",
        "the chain rule nested as it arises, all that is equal computed once",
    ),
    "weights_first": ("factored, weights first", "forward mode"),
    "loss_first": ("factored, loss first", "reverse mode"),
    "emitted": ("what symgrad emits", "the definitions that are scheduled"),
    "hand_backprop": ("backpropagation by hand", "from the textbook's equations"),
}


@dataclass(frozen=True)
class Counts:
    """Operations of each stage for one sample; gradients include those of the loss.

    `hand_backprop` is None where the textbooks' equations don't reach: a formula with a sum, or a
    loss of more than the outputs.
    """

    loss: int
    textbook_trees: int
    shared_only: int
    weights_first: int
    loss_first: int
    emitted: int
    hand_backprop: int | None


def count(spec: Spec, order: Order = "loss-first") -> Counts:
    """Runs the compiler's passes with the arguments of every stage and counts what they make."""
    return _count(spec, differentiate(inner(share(stabilize(expand(spec))), spec)), order)


def _count(spec: Spec, graph: DerivativeGraph, order: Order) -> Counts:
    orders: tuple[Order, ...] = ("weights-first", "loss-first", order)
    gradients = {each: _gradient(graph, each) for each in orders}
    emitted = schedule(gradients[order], gradients[order].outputs).program
    chain = chain_rule.count(graph)
    return Counts(
        loss=operations(prune(graph.program, ("E",))),
        textbook_trees=chain.textbook_trees,
        shared_only=chain.shared_only,
        weights_first=operations(gradients["weights-first"]),
        loss_first=operations(gradients["loss-first"]),
        emitted=operations(emitted),
        hand_backprop=by_hand(spec),
    )


def _gradient(graph: DerivativeGraph, order: Order) -> Program:
    """Loss and gradient, and nothing that only the output needs."""
    program = share(factor(graph, order))
    return prune(program, ("E", *derivatives(program)))


def by_hand(spec: Spec) -> int | None:
    """Operations of backpropagation written by hand; None where no textbook has the equations."""
    try:
        return operations(backprop(spec.normalised()))
    except NoTextbook:
        return None


def counts(compiled: Compiled) -> Section:
    """`data`: the integers of `Counts` by name; `times_loss`, each divided by that of the loss;
    `weights`, how many there are; and `rule`, the rule in words.
    """
    spec = compiled.spec
    found = _count(spec, compiled.stages.differentiate, compiled.order)
    rows = [(key, *STAGES[key], value) for key, value in asdict(found).items()]
    times = {key: None if n is None else n / found.loss for key, _, _, n in rows}
    table = Table(
        columns=("stage", "operations", "× loss", "how"),
        rows=tuple((title, value, times[key], how) for key, title, how, value in rows),
        title="Operations for one sample",
    )
    bars = Bars(
        "Operations for one sample, logarithmic",
        "operations",
        tuple((title, float(value)) for _, title, _, value in rows if value),
    )
    blocks: tuple[Block, ...] = (Words(RULE), table, bars, *map(Words, findings(found)))
    return Section(
        "counts",
        "What it costs, stage by stage",
        blocks,
        {**asdict(found), "times_loss": times, "weights": spec.weights, "rule": RULE},
    )


def findings(found: Counts) -> list[str]:
    """What the figures say, and no more."""
    said = [
        f"As trees the derivatives take {found.textbook_trees / found.loss_first:,.1f} times as "
        "many operations as factored loss first."
    ]
    if found.shared_only == found.loss_first:
        said.append(
            "For this shape sharing alone is enough: it takes no more operations than "
            "backpropagation."
        )
    elif found.shared_only > found.loss_first:
        said.append(
            f"Sharing alone is not backpropagation: it takes {found.shared_only:,} operations, "
            f"{found.shared_only / found.loss_first:,.2f} times as many as factored loss first. "
            "What is missing is the distributive law."
        )
        if found.weights_first == found.shared_only:
            said.append(
                "Factored the other way round, weights first, which is forward mode, it is the "
                "same figure to the operation."
            )
    else:
        said.append(
            f"For this shape sharing alone takes {found.shared_only:,} operations, fewer than "
            f"the {found.loss_first:,} of loss first."
        )
    if found.hand_backprop is None:
        said.append(
            "None is counted by hand: a formula here sums over units, or is of more than the "
            "outputs; the textbook's equations are for functions of one unit, and losses of these."
        )
    elif found.emitted == found.hand_backprop:
        said.append(
            "What symgrad emits takes as many operations as backpropagation written by hand, "
            f"{found.emitted:,}."
        )
    else:
        more = found.emitted - found.hand_backprop
        said.append(
            f"What symgrad emits takes {found.emitted:,} operations, {abs(more):,} "
            f"{'more' if more > 0 else 'fewer'} than backpropagation written by hand."
        )
    return said
