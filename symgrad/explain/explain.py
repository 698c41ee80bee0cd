"""explain: the sections in order, each with its share of the time."""

import platform
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from typing import Any

import symgrad
from symgrad.compiler import Compiled
from symgrad.errors import SymgradError
from symgrad.explain.clock import Clock
from symgrad.explain.scalars.peers import check_peers
from symgrad.explain.sections.answer import answer
from symgrad.explain.sections.counts import counts
from symgrad.explain.sections.expression import expression
from symgrad.explain.sections.growth import growth
from symgrad.explain.sections.layerwise import layerwise
from symgrad.explain.sections.literal import literal
from symgrad.explain.sections.orders import orders
from symgrad.explain.sections.proof import proof
from symgrad.showing.pages.blocks import Report, Section
from symgrad.spec.formula import listed

BUDGET = 180.0  # seconds for all that takes long
SEEDS = 10

# The sections in order; of those that take long, the share of what is left of the budget then.
SECTIONS: dict[str, float] = {
    "expression": 0.0,
    "counts": 0.0,
    "orders": 0.0,
    "proof": 0.0,
    "growth": 0.2,
    "literal": 0.25,
    "layerwise": 0.2,
    "gradient_free": 1.0,
    "answer": 0.0,
}


# A section that is there for who asks for it.
ASKED_FOR = ("orders",)


def chosen(only: Sequence[str]) -> list[str]:
    """The keys of the sections wanted, in their order; where nothing is said, all but those that
    have to be asked for."""
    if unknown := [key for key in only if key not in SECTIONS]:
        raise SymgradError(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    return [key for key in SECTIONS if (key in only if only else key not in ASKED_FOR)]


def explain(
    compiled: Compiled,
    clock: Clock,
    *,
    only: Sequence[str] = (),
    against: Sequence[str] = (),
    seeds: int = SEEDS,
) -> Iterator[Section]:
    """The sections of the explanation, one after the other, as they are done.

    `clock` holds the budget of all together; a section that it cuts short says so in `missing`.
    Once the reader has asked to stop, no further section is begun but the answer from those that
    are done. Raises SymgradError for an unknown section, or a peer that is not there.
    """
    keys = chosen(only)
    if compiled.terms:
        first = next(iter(compiled.terms))
        raise SymgradError(
            f"{compiled.spec.name}: the loss has terms, {listed(compiled.terms)}: say which is to"
            f" be explained, as by --term {first}, in Python compiled.terms[{first!r}]"
        )
    if compiled.spec.loss.arguments:
        raise SymgradError(
            f"{compiled.spec.name}: loss.{compiled.spec.loss.arguments[0]} is left to be given at"
            " run time; write a number there to have it explained"
        )
    if not all(layer.trainable for layer in compiled.spec.layers):
        raise SymgradError(
            f"{compiled.spec.name}: not all layers are trainable, and what is explained is the"
            " derivative by all the weights; leave trainable out to have it explained"
        )
    check_peers(against)
    done: list[Section] = []
    make: dict[str, Callable[[Clock], Section]] = {
        "expression": lambda _: expression(compiled),
        "counts": lambda _: counts(compiled),
        "orders": lambda _: orders(compiled),
        "proof": lambda _: proof(compiled),
        "growth": lambda part: growth(compiled.spec, part),
        "literal": lambda part: literal(compiled.spec, part, against),
        "layerwise": lambda part: layerwise(compiled, part),
        "gradient_free": lambda part: _gradient_free(part, seeds),
        "answer": lambda _: answer(done),
    }
    for key in keys:
        if clock.stop.is_set() and key != "answer":
            continue
        # the last long section that is wanted gets all that is left
        last = not any(SECTIONS[later] for later in keys[keys.index(key) + 1 :])
        section = make[key](clock.part(1.0 if last else SECTIONS[key]))
        done.append(section)
        yield section


def _gradient_free(clock: Clock, seeds: int) -> Section:
    # CMA-ES takes a third of a second to import: only when it is wanted, and before it is timed
    from symgrad.explain.sections.gradient_free import gradient_free

    return gradient_free(clock, seeds=seeds)


def report(compiled: Compiled, sections: Sequence[Section]) -> Report:
    """The sections that are done, with what they were made of and with."""
    spec = compiled.spec
    facts = {
        "network": "-".join(map(str, spec.widths)),
        "weights": f"{spec.weights:,}",
        "spec": spec.file_name or spec.name,
        "digest": spec.digest()[:16],
        "order": compiled.order,
        "made with": f"symgrad {symgrad.__version__}, SymPy {version('sympy')}, "
        f"NumPy {version('numpy')}, Numba {version('numba')}, Python {platform.python_version()}",
    }
    return Report(spec.name, facts, tuple(sections))


def not_begun(only: Sequence[str], sections: Sequence[Section]) -> list[str]:
    """The keys of sections that were wanted, and not begun before the reader stopped."""
    return [key for key in chosen(only) if key not in {section.key for section in sections}]


def as_data(
    compiled: Compiled, sections: Sequence[Section], only: Sequence[str] = ()
) -> dict[str, Any]:
    """All numbers as plain data, for JSON: the facts, and each section's `data` by its key.

    `missing` says why a section is not whole, or that it was not begun, of those wanted by `only`.
    """
    made = report(compiled, sections)
    return {
        "name": made.name,
        "facts": dict(made.facts),
        "weights": compiled.spec.weights,
        **{section.key: dict(section.data) for section in made.sections},
        "missing": {section.key: section.missing for section in made.sections if section.missing}
        | dict.fromkeys(not_begun(only, sections), "not begun"),
    }
