"""Section 8: the answer in words, from the numbers of the other sections and from nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from symgrad.showing.pages.blocks import Section, Words, several

# What the other sections have found, by their keys; a section that was not run is not there.
Found = Mapping[str, Mapping[str, Any]]


def answer(sections: Sequence[Section]) -> Section:
    """One sentence or two for each part of the question, where there are numbers for it.

    `data`: `answers`, a list of objects with `question` and `answer`.
    """
    found = {section.key: section.data for section in sections if section.data}
    answers = [
        {"question": question, "answer": said}
        for question, say in QUESTIONS
        if (said := " ".join(say(found)))
    ]
    blocks = tuple(Words(f"{each['question']} {each['answer']}") for each in answers)
    if not blocks:
        blocks = (Words("No section that is done has the numbers for an answer."),)
    return Section("answer", "The answer", blocks, {"answers": answers})


def _why_not(found: Found) -> Iterator[str]:
    if "counts" not in found:
        return
    counts = found["counts"]
    loss, trees, first = counts["loss"], counts["textbook_trees"], counts["loss_first"]
    yield (
        "It can be done, and symgrad does just that. Written out weight by weight it takes "
        f"{several(trees, 'operation')} for one sample, {trees / loss:,.0f} times the {loss:,} of "
        f"the loss; shared and factored, loss first, {first:,}, {first / loss:.2f} times the loss."
    )


def _larger(found: Found) -> Iterator[str]:
    if "counts" not in found:
        return
    counts = found["counts"]
    beyond = counts["loss_first"] - counts["loss"]
    yield (
        f"It has one entry a weight, {counts['weights']:,}, as have those of all "
        f"layers together; loss first, all of them take {beyond:,} operations beyond the loss, "
        f"{beyond / counts['weights']:.1f} a weight."
    )


def _dominant(found: Found) -> Iterator[str]:
    networks = [n for family in found.get("growth", {}).values() for n in family["networks"]]
    if not networks:
        return
    weights = [network["weights"] for network in networks]
    loss_first, shared = (
        [network[key] / network["loss"] for network in networks]
        for key in ("loss_first", "shared_only")
    )
    if max(shared) < 2 * max(loss_first):
        return  # networks too small for a difference to speak of
    yield (
        f"Loss first, a whole gradient costs {min(loss_first):.1f} to {max(loss_first):.1f} times "
        f"the loss in networks of {min(weights):,} to {max(weights):,} weights like this one; with "
        f"sharing alone it costs up to {max(shared):,.0f} times the loss."
    )


def _keeps(found: Found) -> Iterator[str]:
    if "counts" in found:
        counts = found["counts"]
        shared, first = counts["shared_only"], counts["loss_first"]
        if shared > first:
            yield (
                "Not the derivative, which is always there, but the order of its sums. Computing "
                f"everything that is equal only once leaves {shared:,} operations, "
                f"{shared / first:,.2f} times those of the right order, in which the sums nearest "
                "the loss are formed first."
            )
        else:
            yield "Nothing, for this network: sharing what is equal is already enough."
    literal = found.get("literal", {})
    for net in literal.get("nets", ()):
        left = net["tools"].get("sympy", {}).get("sizes", {}).get("shared")
        nested = found.get("counts", {}).get("shared_only", 0)
        if net["yours"] and left and net["hand"] and left <= net["hand"] < nested:
            yield (
                "For this shape SymPy's `cse` is enough all the same: it may regroup the factors "
                f"of products, and gets down to {left:,}; backpropagation takes {net['hand']:,}."
            )
    growth = found.get("growth", {})
    if "width" in growth and "depth" in growth:
        wide, deep = growth["width"]["exponents"], growth["depth"]["exponents"]
        yield (
            f"Sharing alone grows with the width to the power of {wide['shared_only']:.1f} and "
            f"with the depth to the power of {deep['shared_only']:.1f}; loss first to the powers "
            f"of {wide['loss_first']:.1f} and {deep['loss_first']:.1f}, and the loss itself to "
            f"those of {wide['loss']:.1f} and {deep['loss']:.1f}."
        )
    stopped = literal.get("stopped")
    if stopped:
        yield str(stopped)


def _is_backprop(found: Found) -> Iterator[str]:
    proof = found.get("proof")
    if not proof or not proof.get("comparable"):
        return
    last = proof["certificate"]["checks"][-1]
    if proof["isomorphic"]:
        yield (
            "Yes: the emitted program and backpropagation written by hand are one graph of "
            f"{proof['operations']['emitted']:,} operations on arrays."
        )
    elif proof["same_outputs"] and last["equal"]:
        yield (
            f"Yes, but for {', '.join(proof['but_for'])}, computed by other operations; what comes "
            f"out is equal, {'modulo a prime' if last['exact'] else 'to 40 digits'}."
        )
    else:
        yield "No: another program comes out, with another order of the sums or form of the loss"
        yield "(its values are the same)." if last["equal"] else "(its values were not confirmed)."


def _at_once(found: Found) -> Iterator[str]:
    layerwise = found.get("layerwise")
    if not layerwise or len(layerwise["layers"]) < 2:
        return
    yield (
        "Backpropagation computes the gradient by all weights at one point, and all weights are "
        "updated with it. Updating layer by layer is another method"
    )
    apart = layerwise["layers"][-1]["afresh"][0]
    if apart is not None:
        yield (
            f"(here, with the rate {layerwise['rate']:.3g}, its first update of the first layer "
            f"differs by {100 * apart:.0f} % of the update's size)"
        )
    yield "and no gradient asks for it."


def _gradient_free(found: Found) -> Iterator[str]:
    summary = found.get("gradient_free", {}).get("summary", ())
    yield from summary


QUESTIONS = (
    ("Why not differentiate the whole error function by all the weights at once?", _why_not),
    ("Is that gradient much larger than those of the layers, one by one?", _larger),
    ("What keeps one from it?", _keeps),
    ("Is what comes out backpropagation?", _is_backprop),
    ("Must one update layer by layer?", _at_once),
    ("Why not without gradients?", _gradient_free),
    ("Why is backpropagation so dominant?", _dominant),
)
