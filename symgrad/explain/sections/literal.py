"""Section 5: the proposal taken literally, with a symbol for every single weight.

One expression for the whole loss of one sample, `diff` by each weight, then `cse`: what SymPy, and
SymEngine where it is installed, make of that for networks from tiny to where it stops being
possible on this machine. `against` adds what other tools make of the same networks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from symgrad.explain.clock import Clock
from symgrad.explain.plain import is_plain, why_not_plain
from symgrad.explain.scalars.peers import (
    MEMORY,
    NOT_TRIED,
    PEERS,
    STAGES,
    TITLES,
    Outcome,
    check_peers,
    installed,
    run,
)
from symgrad.explain.sections.counts import by_hand, count
from symgrad.showing.pages.blocks import Block, Cell, Lines, Section, Series, Table, Words
from symgrad.spec.spec import Spec

# Each widens or deepens the one before, so that the time goes up by a small factor at first.
LADDER = (
    (2, 2, 1),
    (2, 3, 3, 1),
    (2, 4, 4, 2),
    (3, 4, 4, 4, 2),
    (4, 4, 4, 4, 4),
    (4, 6, 6, 6, 4),
    (4, 8, 8, 8, 4),
    (8, 16, 16, 16, 8),
    (8, 32, 32, 32, 8),
)
LARGEST = 1_000  # weights of the reader's network; beyond, its one expression is not even built
COMPARED = 220  # weights of the ladder's networks that are compared with other tools
# The section's time has so many times that of a network. Up to three take all of theirs: SymPy's
# last on the ladder, SymEngine's, and the reader's. All others together take about twice as long as
# one may, since the next would be the one that isn't finished; other tools, about one more.
PARTS, PARTS_AGAINST = 5, 6


@dataclass
class Net:
    """A network of the ladder, or the reader's; `outcomes` by tool."""

    spec: Spec
    yours: bool = False
    rung: bool = True  # it is one of the ladder's
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    emitted: int | None = None  # operations of what symgrad emits, where it was compared

    def __post_init__(self) -> None:
        self.hand = by_hand(self.spec)

    @property
    def name(self) -> str:
        return "-".join(map(str, self.spec.widths)) + (" (yours)" if self.yours else "")

    @property
    def sized(self) -> str:
        return f"{self.name} with {self.spec.weights:,} weights"

    def size(self, tool: str, key: str) -> int | None:
        return self.outcomes[tool].sizes.get(key) if tool in self.outcomes else None


def literal(spec: Spec, clock: Clock, against: Sequence[str] = ()) -> Section:
    """Runs the ladder and the reader's network; raises SymgradError for a tool that is not there.

    `data`: `limit_seconds` and `memory_bytes` that each network was given, `stopped`, a sentence
    on where SymPy (and SymEngine) stopped, or empty, and `nets`, a list of objects with `name`,
    `widths`, `weights`, `yours` (it is the reader's), `hand` (operations of backpropagation by
    hand, or null), `emitted` (of what symgrad emits; null where no tool was compared) and `tools`,
    by name: `seconds` for `build`, `diff` and `cse`, `sizes` in operations, `textbook` (loss and
    all derivatives as trees), `plain` (shared as reverse mode does, before `cse`) and `shared`
    (after it), and `ended`, why it is not finished, or empty.
    """
    check_peers(against)
    nets = networks(spec)
    others = [name for name in PEERS if name in against]
    limit = clock.seconds / (PARTS_AGAINST if others else PARTS)
    compared = [net for net in nets if net.yours or net.spec.weights <= COMPARED]
    for tool in others:  # first, because they are quick and were asked for
        if tool != "symengine":
            attempt(tool, compared, limit, clock)
    tools = ["sympy"] + ["symengine"] * installed("symengine")
    for tool in tools:
        attempt(tool, nets, limit, clock)
    if others:
        for net in compared:
            net.emitted = count(net.spec).emitted
    blocks = [*_introduction(limit)]
    if not is_plain(spec):
        blocks.append(Words(f"Yours is not among them: {why_not_plain(spec)}."))
    for tool in tools:
        blocks += [_table(tool, nets), *map(Words, findings(tool, nets, clock))]
    blocks.append(_lines(tools, nets))
    if others:
        blocks.append(_comparison(others, compared))
        blocks += map(Words, compared_findings(others, compared))
    stopped = " ".join(said for tool in tools if (said := stop(tool, nets, clock)))
    data = {
        "limit_seconds": limit,
        "memory_bytes": MEMORY,
        "stopped": stopped,
        "nets": [_numbers(net) for net in nets],
    }
    cut = any(outcome.ended == clock.why for net in nets for outcome in net.outcomes.values())
    return Section(
        "literal", "Literally, with scalars", tuple(blocks), data, clock.why if cut else ""
    )


def networks(spec: Spec) -> list[Net]:
    """The ladder's networks and the reader's, which may be one of them."""
    nets = [Net(rung(widths)) for widths in LADDER]
    for net in nets if is_plain(spec) else ():
        net.yours = _meaning(net.spec) == _meaning(spec)
    if is_plain(spec) and not any(net.yours for net in nets):
        nets.append(Net(spec, yours=True, rung=False))
    return nets


def rung(widths: Sequence[int]) -> Spec:
    """tanh in all hidden layers, linear outputs, ½Σ(y − t)²."""
    inputs, *hidden, outputs = widths
    layers = [{"units": units, "activation": "tanh"} for units in hidden]
    return Spec.parse(
        {
            "name": "ladder",
            "inputs": inputs,
            "layers": [*layers, {"units": outputs, "activation": "identity"}],
            "loss": {"kind": "squared"},
        }
    )


def _meaning(spec: Spec) -> dict[str, Any]:
    """What a spec says about the mathematics."""
    data = spec.unnamed().normalised()
    return {key: value for key, value in data.items() if key not in ("name", "dtype")}


def attempt(tool: str, nets: Sequence[Net], limit: float, clock: Clock) -> None:
    """The ladder as far as it goes, then the reader's network, wherever the ladder ended."""
    ladder = [net for net in nets if net.rung]
    own = [net for net in nets if not net.rung and net.spec.weights <= LARGEST]
    for group in filter(None, (ladder, own)):
        outcomes = run(tool, [net.spec for net in group], limit, clock)
        for net, outcome in zip(group, outcomes, strict=True):
            net.outcomes[tool] = outcome


# --- what is shown ----------------------------------------------------------------------------


def _introduction(limit: float) -> Iterator[Block]:
    yield Words(
        "The proposal as it is asked for: the loss of one sample is one expression in a symbol for "
        "every single weight, `diff` by each of them, then `cse` over the loss and all derivatives "
        "together. The ladder's networks have tanh in hidden layers, linear outputs and the loss "
        f"½Σ(y − t)². Each network may take {limit:.3g} s and {MEMORY >> 30} GiB. Counted are, for "
        "one sample, additions, subtractions, multiplications and divisions of two numbers, and "
        "calls of functions; not changes of sign, nor factors that are mere numbers."
    )


def _table(tool: str, nets: Sequence[Net]) -> Table:
    rows = tuple(
        (
            net.name,
            net.spec.weights,
            net.size(tool, "textbook"),
            net.size(tool, "shared"),
            net.hand,
            *(_short(outcome.seconds.get(stage)) for stage in STAGES),
            _ending(outcome),
        )
        for net in nets
        if (outcome := net.outcomes.get(tool)) and outcome.ended != NOT_TRIED
    )
    columns = ("network", "weights", "as trees", "after cse", "by hand")
    times = tuple(f"{stage}, s" for stage in STAGES)
    note = (
        "As trees: loss and every derivative, nothing shared. After cse: sums and products of n "
        "operands count n − 1. By hand: backpropagation by the textbook."
    )
    if tool == "sympy":
        note += " `cse` with order='none', SymPy's advice for large expressions."
    if any(tool in net.outcomes for net in nets if not net.rung):
        note += (
            " In your network's expression an activation or loss that is not one function is "
            "written out and counted so: a sigmoid is 1/(1 + e⁻ᶻ), three operations."
        )
    return Table((*columns, *times, "ended"), rows, f"{TITLES[tool]}, on scalars", note)


def _short(seconds: float | None) -> Cell:
    return None if seconds is None else float(f"{seconds:.3g}")


def _ending(outcome: Outcome) -> str:
    if not outcome.ended:
        return "finished"
    return f"{outcome.ended}, in {outcome.stage}" if outcome.stage else outcome.ended


def _lines(tools: Sequence[str], nets: Sequence[Net]) -> Lines:
    """The ladder alone: the reader's network need not lie on its curves."""
    ladder = [net for net in nets if net.rung]
    curves = {
        # the tools' trees are the same: those of the one that got furthest
        "as trees": [(net, net.size(tools[-1], "textbook")) for net in ladder],
        **{f"{TITLES[t]}'s cse": [(net, net.size(t, "shared")) for net in ladder] for t in tools},
        "by hand": [(net, net.hand) for net in ladder],
    }
    return Lines(
        "Operations for one sample",
        "weights",
        "operations",
        tuple(
            Series(name, points)
            for name, curve in curves.items()
            if (points := tuple((float(n.spec.weights), float(y)) for n, y in curve if y))
        ),
    )


def findings(tool: str, nets: Sequence[Net], clock: Clock) -> Iterator[str]:
    """What the figures say, and no more."""
    if said := stop(tool, nets, clock):
        yield said
    done = [net for net in nets if net.rung and _finished(net, tool)]
    if len(done) > 1:
        (a, first), (b, last) = ((net, net.size(tool, "shared")) for net in (done[0], done[-1]))
        if first and last and a.hand and b.hand:
            yield (
                f"What {TITLES[tool]}'s `cse` leaves takes {first / a.hand:.2f} times the "
                f"operations of backpropagation by hand for {a.sized}, and {last / b.hand:.2f} "
                f"times for {b.sized}: {last:,} instead of {b.hand:,}. As trees it had been "
                f"{b.size(tool, 'textbook'):,}."
            )
    for net in nets:
        if not net.rung and tool in net.outcomes:
            yield _own(tool, net)
        elif not net.rung and tool == "sympy":
            yield f"{net.sized} is not tried: it has more than {LARGEST:,}."


def _own(tool: str, net: Net) -> str:
    outcome = net.outcomes[tool]
    if outcome.ended:
        return f"{net.sized}: {_ending(outcome)}."
    shared = outcome.sizes["shared"]
    compared = f", {shared / net.hand:.2f} times those by hand" if net.hand else ""
    return (
        f"{net.sized} takes {TITLES[tool]} {_total(outcome):.3g} s; after `cse` it has "
        f"{shared:,} operations{compared}."
    )


def stop(tool: str, nets: Sequence[Net], clock: Clock) -> str:
    """Where on the ladder the tool stopped, as a sentence; empty if it was not itself that did."""
    ladder = [net for net in nets if net.rung]
    failed = next((net for net in ladder if not _finished(net, tool)), None)
    done = ladder[: ladder.index(failed)] if failed else ladder
    if failed and failed.outcomes[tool].ended == clock.why:
        return ""
    reached = (
        f"gets as far as {done[-1].sized}, in {_total(done[-1].outcomes[tool]):.3g} s"
        if done
        else "finishes none of the networks"
    )
    end = f"; {failed.sized}: {_ending(failed.outcomes[tool])}" if failed else ", the last"
    return f"Literally, on scalars, {TITLES[tool]} {reached}{end}."


def _finished(net: Net, tool: str) -> bool:
    return tool in net.outcomes and not net.outcomes[tool].ended


def _total(outcome: Outcome) -> float:
    return sum(outcome.seconds.values())


# --- other tools ------------------------------------------------------------------------------


def _columns(others: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """A column's title, its tool, and the key of its figure."""
    for tool in others:
        if tool == "casadi":
            yield TITLES[tool], tool, "plain"
            yield f"{TITLES[tool]}, cse", tool, "shared"
        else:
            yield TITLES[tool], tool, "shared"


def _comparison(others: Sequence[str], nets: Sequence[Net]) -> Table:
    columns = list(_columns(others))
    note = (
        "Operations of loss and gradient. CasADi: the instructions of its function of SX, by "
        "reverse mode, before and after its `cse`. wrenfold: the statements of its code "
        "generator. SymEngine: `diff` by each weight, then `cse`."
    )
    for net in nets:
        for tool in others:
            if (outcome := net.outcomes.get(tool)) and outcome.ended not in ("", NOT_TRIED):
                note += f" {TITLES[tool]}, {net.name}: {_ending(outcome)}."
    if any(net.spec.weights > LARGEST for net in nets):
        note += f" More than {LARGEST:,} weights are not tried."
    return Table(
        ("network", "weights", "by hand", "symgrad", *(title for title, _, _ in columns)),
        tuple(
            (
                net.name,
                net.spec.weights,
                net.hand,
                net.emitted,
                *(net.size(tool, key) for _, tool, key in columns),
            )
            for net in nets
        ),
        title="The same networks in other tools",
        note=note,
    )


def compared_findings(others: Sequence[str], nets: Sequence[Net]) -> Iterator[str]:
    """Each tool's figure for the largest network of the ladder that it finished."""
    for title, tool, key in _columns(others):
        finished = [net for net in nets if net.rung and net.size(tool, key)]
        if not finished:
            continue
        net = finished[-1]
        size, emitted = net.size(tool, key), net.emitted
        if size and emitted:
            compared = (
                "as many as symgrad emits"
                if size == emitted
                else f"{size / emitted:.2f} times the {emitted:,} that symgrad emits"
            )
            yield f"{title}: {size:,} operations for {net.sized}, {compared}."


def _numbers(net: Net) -> dict[str, Any]:
    return {
        "name": "-".join(map(str, net.spec.widths)),
        "widths": list(net.spec.widths),
        "weights": net.spec.weights,
        "yours": net.yours,
        "hand": net.hand,
        "emitted": net.emitted,
        "tools": {tool: asdict(outcome) for tool, outcome in net.outcomes.items()},
    }
