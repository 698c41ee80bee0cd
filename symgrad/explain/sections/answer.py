"""Section 8: the answer in words, from the numbers of the other sections and from nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from symgrad.explain.report import Section, Words

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
        blocks = (Words("No other section was run, and there is nothing to answer from."),)
    return Section("answer", "The answer", blocks, {"answers": answers})


def _why_not(found: Found) -> Iterator[str]:
    if "counts" not in found:
        return
    counts = found["counts"]
    loss, trees, first = counts["loss"], counts["textbook_trees"], counts["loss_first"]
    yield (
        "It can be done, and symgrad does just that. Written out weight by weight it takes "
        f"{trees:,} operations for one sample, {trees / loss:,.0f} times the {loss:,} of the loss; "
        f"shared and factored, {first:,}, {first / loss:.2f} times the loss."
    )


def _larger(found: Found) -> Iterator[str]:
    if "counts" not in found:
        return
    counts = found["counts"]
    beyond = counts["emitted"] - counts["loss"]
    yield (
        f"No. It has {counts['weights']:,} entries, which are those of all layers one after the "
        f"other; all together take {beyond:,} operations beyond the loss, "
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
    yield (
        f"A whole gradient costs {min(loss_first):.1f} to {max(loss_first):.1f} times the loss in "
        f"networks of {min(weights):,} to {max(weights):,} weights like this one; with sharing "
        f"alone it costs up to {max(shared):,.0f} times the loss."
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
        if net["yours"] and left and net["hand"] and left <= net["hand"]:
            yield (
                "For so small a shape SymPy's `cse` is enough all the same: it may regroup the "
                f"factors of products, and gets down to {left:,}, backpropagation's count."
            )
    growth = found.get("growth", {})
    if "width" in growth and "depth" in growth:
        wide, deep = growth["width"]["exponents"], growth["depth"]["exponents"]
        yield (
            f"Sharing alone grows with the width to the power of {wide['shared_only']:.1f} and "
            f"with the depth to the power of {deep['shared_only']:.1f}; loss first to the powers "
            f"of {wide['loss_first']:.1f} and {deep['loss_first']:.1f}, like the loss itself "
            f"({wide['loss']:.1f} and {deep['loss']:.1f})."
        )
    stopped = literal.get("stopped")
    if stopped:
        yield str(stopped)


def _is_backprop(found: Found) -> Iterator[str]:
    proof = found.get("proof")
    if not proof or not proof.get("comparable"):
        return
    if proof["isomorphic"]:
        yield (
            "Yes: the emitted program and backpropagation written by hand are one graph of "
            f"{proof['operations']['emitted']:,} operations on arrays."
        )
    elif proof["same_outputs"]:
        yield (
            "Yes, but for statements that reach an equal value by other operations: "
            f"{', '.join(proof['but_for'])}."
        )
    else:
        yield "No: with this order of the sums, or this loss, another program comes out."


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
