"""terms: a loss that is a sum of several, each of samples of its own: kernels and drivers for each,
as for a loss by itself, and the functions that add up what comes of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from symgrad.lowering import heads
from symgrad.lowering.derivatives import LoweredDerivative, handed_to_drivers, own_names
from symgrad.lowering.drivers import descend, of_loss, stepping
from symgrad.lowering.interface import (
    GRADIENT,
    KERNELS,
    L1,
    L2,
    MORE,
    PENALTIES,
    RATE,
    SIZE,
    THETA,
    K,
    T,
    W,
    X,
    called,
)
from symgrad.lowering.kernels import E, called_with, kernels
from symgrad.lowering.lower import Layout
from symgrad.lowering.program import (
    Accumulate,
    Allocate,
    Argument,
    Array,
    Assign,
    Branch,
    Buffer,
    Compare,
    Element,
    Extent,
    Function,
    Given,
    Invoke,
    Loop,
    Nothing,
    Parameter,
    Pick,
    Return,
    Run,
    Statement,
    Variable,
    whole,
)
from symgrad.lowering.results import Results
from symgrad.lowering.schedule import Schedule
from symgrad.lowering.specialize import Network, numbers_of
from symgrad.lowering.training import Points, TrainedOn
from symgrad.spec.spec import Spec


@dataclass(frozen=True)
class Term:
    """What functions are given of a term's samples, `arrays` of x, t and w, and which penalties; of
    all terms, or of one alone, whose arguments have no name of a term in theirs. `threaded` is from
    how many samples on threads pay."""

    name: str
    arrays: tuple[str, ...]
    penalties: tuple[str, ...]
    threaded: int

    @property
    def own(self) -> tuple[Parameter, ...]:
        """Its data, as its own functions have it."""
        known = {"x": X, "t": T, "w": replace(W, optional=False)}
        return tuple(known[name] for name in self.arrays)

    @property
    def data(self) -> tuple[Parameter, ...]:
        """The same beside that of others."""
        return tuple(
            replace(
                each,
                name=f"{each.name}_{self.name}",
                extents=(f"samples_{self.name}", *each.extents[1:]),
            )
            for each in self.own
        )

    @property
    def given(self) -> tuple[Argument, ...]:
        """What its own functions are given by those of all terms, but for what they write."""
        numbers = (Variable(name, "double") for name in self.penalties)
        return (Array("theta"), *(Array(each.name) for each in self.data), *numbers)

    @property
    def samples(self) -> Extent:
        return Extent(f"x_{self.name}", 0)

    def invoked(self, function: str, gradient: Argument) -> Invoke:
        """One of the drivers that it has of its own."""
        return Invoke(f"_{self.name}{function}", (*self.given, gradient))


def lower_term(name: str, spec: Spec, plan: Schedule, layout: Layout) -> LoweredDerivative:
    """`spec` has the term alone as its loss, `plan` computes it and its gradient."""
    called = f"{name}_gradient"
    results = heads.gradient(spec, Results(called, vector="gradient", optional=True))
    own = kernels(results, plan, layout, spec.dtype == "float32")
    handed = handed_to_drivers(called, own)
    numbers = numbers_of(
        spec, GRADIENT_SCRATCH=own.scratch, SHARED=int(own.shared), TERM=f"_{name}"
    )
    absent = {parameter.name for parameter in MORE} | {*PENALTIES} - {*spec.loss.arguments}
    absent |= set() if spec.reads_target else {"t"}
    absent |= set() if spec.loss.sample_weights else {"w", "ws"}
    network = Network(
        numbers=numbers,
        absent=frozenset(absent),
        taken={known: tuple(called_with(f, results)) for known, f in handed.items()},
        given=KERNELS,
        names=own_names(name, handed),
    )
    own_functions = {known: f.name for known, f in handed.items()}
    return LoweredDerivative(name, own, results, network, own_functions)


def of_spec(spec: Spec, threaded: Mapping[str, int]) -> tuple[Term, ...]:
    """The terms of a spec's loss; `threaded` has, of each, from how many samples on threads pay."""
    return tuple(
        Term(name, alone.data_of_term, alone.loss.arguments, threaded[name])
        for name, alone in spec.of_terms.items()
    )


def data_of(terms: Iterable[Term]) -> tuple[Parameter, ...]:
    """What the functions of the loss are given."""
    terms = tuple(terms)
    penalties = {"l1": L1, "l2": L2}
    known = (penalties[name] for name in terms[0].penalties)
    return (THETA, *(each for term in terms for each in term.data), *known)


def trained_on(terms: tuple[Term, ...]) -> TrainedOn:
    """What an epoch goes through: batches of each term by itself."""
    points = tuple(Points(term.data, f"_{term.name}") for term in terms)
    return TrainedOn(data_of(terms), points, "_check_terms", ())


def drivers(terms: tuple[Term, ...]) -> tuple[Function, ...]:
    """The functions of all terms, in the order that they stand in a module."""
    data = data_of(terms)
    written = replace(GRADIENT, optional=True)
    fresh = Allocate((Buffer("gradient", "real", (SIZE,)),))
    return (
        Function(
            "_check_terms",
            (*data, replace(GRADIENT, left_out=True)),
            tuple(Run(term.invoked("_check", Array("gradient"))) for term in terms),
            "The shapes of what is given, term by term.",
        ),
        Function(
            "_add_gradient",
            (GRADIENT, replace(GRADIENT, name="part")),
            (Loop("k", SIZE, (Accumulate(_at("gradient"), _at("part")),)),),
            "A term's gradient is added to that of the terms before.",
        ),
        Function(
            "_gradient_at_once",
            (*data, written),
            tuple(_summed(terms, threads=False)),
            "The loss E, and its gradient if that is given: the terms, one after the other, added"
            " up. Unchecked.",
        ),
        Function(
            "_gradient_in_turn",
            (*data, written),
            (
                Run(called("_check_terms", data, Array("gradient"))),
                Return((called("_gradient_at_once", data, Array("gradient")),)),
            ),
            "The same, checked.",
        ),
        Function(
            "_gradient_on_threads",
            (*data, written),
            (
                Run(called("_check_terms", data, Array("gradient"))),
                *_summed(terms, threads=True),
            ),
            "The same, terms of many samples on several threads.",
        ),
        *of_loss(data),
        descend(),
        Function(
            "step",
            (*data, RATE),
            stepping("_gradient_in_turn", fresh, data),
            role="public",
        ),
        Function(
            "_step_on_threads",
            (*data, RATE),
            stepping("_gradient_on_threads", fresh, data),
            "The same, terms of many samples on several threads.",
        ),
    )


def _at(array: str) -> Element:
    return Element(array, (K,), "real")


def _summed(terms: tuple[Term, ...], threads: bool) -> Iterator[Statement]:
    first, *others = terms
    yield from _term(first, Assign, "gradient", threads)
    if others:
        part = Buffer("part", "real", (SIZE,))
        yield Pick("part", Given("gradient"), part, Nothing())
    for term in others:
        yield from _term(term, Accumulate, "part", threads)
        added = Run(Invoke("_add_gradient", (Array("gradient"), Array("part"))))
        yield Branch(Given("gradient"), (added,))
    yield Return((E,))


def _term(
    term: Term, assign: type[Assign] | type[Accumulate], gradient: str, threads: bool
) -> Iterator[Statement]:
    at_once = assign(E, term.invoked("_gradient_at_once", Array(gradient)))
    if not threads:
        yield at_once
        return
    many = Compare((">=",), (term.samples, whole(term.threaded)))
    on_threads = assign(E, term.invoked("_gradient_on_threads", Array(gradient)))
    yield Branch(many, (on_threads,), (at_once,))
