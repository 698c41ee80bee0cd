"""Section 3: that what came out is backpropagation, and that no pass has changed its value."""

from collections.abc import Mapping
from typing import Any

from symgrad.compiler import Compiled
from symgrad.explain.backprop.by_hand import GRADIENT, NoTextbook, backprop
from symgrad.explain.backprop.certificate import COPIES, DIGITS, Check, Equal, compare
from symgrad.explain.backprop.isomorphism import Match, match
from symgrad.explain.sections.expression import count_paths
from symgrad.language.evaluate import PRIME
from symgrad.language.program import Definition, Program, array, name_of
from symgrad.language.unicode import equation
from symgrad.language.verify import verify
from symgrad.passes.differentiate import DerivativeGraph, textbook
from symgrad.passes.expand import inner_derivatives, outputs_of
from symgrad.pipeline import derivatives
from symgrad.showing.pages.blocks import Block, Section, Table, Words

# The textbook derivative is a sum over paths; with more it is not written down to be evaluated.
PATHS = 64
LAYERS = 8  # and its sums nest as deeply as there are layers

# how it stands with the last check, by whether it is equal and exact
CERTAINTY = {
    (True, True): "certified",
    (True, False): f"checked to {DIGITS} digits",
    (False, False): "REFUTED",
    (None, False): "not checked",
}
RESULTS = {True: "equal", False: "NOT EQUAL", None: "not checked: divides by 0"}

HOW = {
    "same": "same",
    "part": "a part of it",
    "equal": "equal value, other operations",
    "alone": "no counterpart",
}


def proof(compiled: Compiled) -> Section:
    """The emitted program against backpropagation by hand, and every pass against its input.

    `data`: `comparable`, false where no textbook has the equations (and then `reason`);
    `isomorphic`; `same_outputs`, whether they are but for the statements in `but_for`;
    `operations`, how many each program's graph has; `pairs`, statement by statement: `emitted`,
    `by_hand` and `how`; `certificate`: `prime`, `points`, and for every check its `name`, `equal`,
    `exact`, how many values were `compared`, and `bound`, the probability of an error at most.
    """
    emitted = compiled.stages.schedule["gradient"].program
    checks = _checks(compiled)
    blocks: list[Block] = []
    data: dict[str, Any]
    try:
        hand = backprop(compiled.spec.normalised())
    except NoTextbook as error:
        blocks.append(Words(f"There is nothing to hold the emitted program against: {error}."))
        data = {"comparable": False, "reason": str(error)}
    else:
        outputs = {"E": "E"} | {
            f"d_{name.removeprefix(GRADIENT)}": name for name in hand.outputs if name != "E"
        }
        found = match(verify(emitted), verify(hand), outputs, Equal(emitted, hand))
        checks.append(compare("emitted program = by hand", emitted, hand, outputs))
        blocks += [Words(_verdict(found, compiled.order, checks[-1])), _pairing(found)]
        data = {"comparable": True, **_described(found)}
    blocks += [*_certificate(checks)]
    data["certificate"] = {
        "prime": PRIME,
        "points": len(COPIES),
        "checks": [_check(check) for check in checks],
    }
    return Section("proof", "The proof that it is backpropagation", tuple(blocks), data)


def _verdict(found: Match, order: str, values: Check) -> str:
    how = (
        "Backpropagation, written by hand from the textbook's equations in a file that takes "
        "nothing from the compiler, and the emitted program were both taken apart into single "
        "operations, and compared from the inputs and weights upwards, whatever the names. "
    )
    if found.isomorphic:
        return (
            how + f"The two graphs are isomorphic: {found.nodes[0]:,} operations on arrays each, "
            "the same ones on the same operands. The statements pair off like this:"
        )
    alone = [pair for pair in found.pairs if pair.how == "alone"]
    if found.same_outputs:
        named = ", ".join(f"`{p.left.name}`" for p in found.but_for if p.left) or "none"
        return (
            f"{how}They are the same computation but for {named}, which have the same values by "
            "other operations, to 9 digits (that all that comes out is equal is "
            f"{CERTAINTY[values.equal, values.exact]} below). All else is the same, operation by "
            f"operation; {len(alone)} statements lead only to those:"
        )
    return (
        how + f"They differ (the order here is {order}), as they do with another order of the "
        f"sums, or a loss written otherwise. {len(alone)} statements have no counterpart; that all "
        f"that comes out has equal values is {CERTAINTY[values.equal, values.exact]} below:"
    )


def _pairing(found: Match) -> Table:
    return Table(
        columns=("emitted", "by hand", ""),
        rows=tuple((_text(p.left), _text(p.right), HOW[p.how]) for p in found.pairs),
        title="Statement by statement",
    )


def _text(definition: Definition | None) -> str | None:
    return equation(definition) if definition else None


def _described(found: Match) -> Mapping[str, Any]:
    return {
        "isomorphic": found.isomorphic,
        "same_outputs": found.same_outputs,
        "but_for": [pair.left.name for pair in found.but_for if pair.left],
        "operations": {"emitted": found.nodes[0], "by_hand": found.nodes[1]},
        "pairs": [
            {"emitted": _text(p.left), "by_hand": _text(p.right), "how": p.how} for p in found.pairs
        ],
    }


def _checks(compiled: Compiled) -> list[Check]:
    """Every pass's output against its input."""
    stages = compiled.stages
    loss = {name: name for name in ("E", *outputs_of(compiled.spec))}
    emitted = stages.schedule["gradient"].program
    gradient = {"E": "E"} | {name: name for name in derivatives(stages.factor)}
    checks = [compare("stabilize", stages.expand, stages.stabilize, loss)]
    if not inner_derivatives(compiled.spec):  # which are names before, and computed after
        checks.append(compare("share", stages.stabilize, stages.share, loss))
    written = _textbook(stages.differentiate)
    if written is not None:
        checks.append(compare("factor = sum over paths", written, stages.factor, gradient))
    return [
        *checks,
        compare("share, again", stages.factor, stages.gradient, gradient),
        compare("schedule", stages.gradient, emitted, gradient),
    ]


def _textbook(graph: DerivativeGraph) -> Program | None:
    """Each derivative as the textbook's sum over all paths; None where that is too large."""
    weights = [name_of(weight) for weight in graph.program.weights]
    layers = sum(name.startswith("W") for name in weights)
    if layers > LAYERS or max(count_paths(graph, name) for name in weights) > PATHS:
        return None
    derived = [
        Definition(array(f"d_{name_of(w)}", *w.indices), textbook(graph, name_of(w)))
        for w in graph.program.weights
    ]
    return graph.program.with_definitions((*graph.program.definitions, *derived))


def _certificate(checks: list[Check]) -> list[Block]:
    rows = tuple(
        (
            check.name,
            RESULTS[check.equal],
            "exact, modulo p" if check.exact else f"in numbers of {DIGITS} digits",
            check.compared,
            None if check.bound is None else f"{float(check.bound):.1e}",
        )
        for check in checks
    )
    exact = sum(check.exact for check in checks)
    words = (
        "And a certificate: what each pass makes was compared with what it was given, at "
        f"{len(COPIES)} random points, drawn once and for all: on copies of the network with at "
        + " and ".join(f"most {units} units a layer and {rows} samples" for units, rows in COPIES)
        + " (index notation has the same equations for all widths; the certificate is for these). "
        f"{exact} of {len(checks)} checks are exact: all values modulo the prime p = 2⁶¹ − 1, each "
        "function an opaque random value of its argument. Unequal expressions would pass with a "
        "probability below the bound (Schwartz 1980, Zippel 1979)."
    )
    if exact < len(checks):
        words += (
            " Where opaque values differ, as when a pass uses what functions mean, both sides were "
            f"compared in numbers of {DIGITS} digits instead: evidence, and no proof."
        )
    return [
        Words(words),
        Table(("pass", "result", "compared", "values", "error below"), rows, title="Certificate"),
    ]


def _check(check: Check) -> Mapping[str, Any]:
    return {
        "name": check.name,
        "equal": check.equal,
        "exact": check.exact,
        "compared": check.compared,
        "bound": None if check.bound is None else float(check.bound),
    }
