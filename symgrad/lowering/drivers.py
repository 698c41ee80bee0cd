"""lower_drivers: the functions of a module that others call, and what they check first."""

from collections.abc import Iterator

from symgrad.lowering.kernels import Kernels, argument
from symgrad.lowering.program import (
    WHOLE_ZERO,
    Accumulate,
    Allocate,
    Argument,
    Array,
    Assign,
    Branch,
    Buffer,
    Compare,
    Condition,
    Convert,
    Element,
    Extent,
    Function,
    Given,
    Invoke,
    Loop,
    Not,
    Number,
    Overlap,
    Parameter,
    Refuse,
    Return,
    Run,
    Statement,
    Value,
    Variable,
    equal,
    index,
    times,
    whole,
)

E = Variable("E", "double")
SAMPLES = Extent("x", 0)


def lower_drivers(
    families: tuple[Kernels, Kernels, Kernels],
    inputs: int,
    outputs: int,
    weights: int,
    weighted: bool,
    penalties: tuple[str, ...],
) -> tuple[Function, ...]:
    """The functions in the order that they stand in a module; `families` are for the prediction,
    the loss and the gradient."""
    drivers = _Drivers(inputs, outputs, weights, weighted, penalties)
    return tuple(drivers.functions(*families))


class _Drivers:
    def __init__(
        self, inputs: int, outputs: int, weights: int, weighted: bool, penalties: tuple[str, ...]
    ) -> None:
        self.inputs, self.outputs, self.weights = inputs, outputs, weights
        self.penalties = penalties
        self.arrays = ["t", *["w"] * weighted]
        self.theta = Parameter("theta", "real", (weights,))
        self.x = Parameter("x", "real", ("samples", inputs))
        self.y = Parameter("y", "real", ("samples", outputs))
        self.gradient = Parameter("gradient", "real", (weights,))
        self.targets = [
            Parameter("t", "real", ("samples", outputs)),
            *[Parameter("w", "real", ("samples",))] * weighted,
            *(Parameter(name, "double") for name in penalties),
        ]
        self.given = (self.theta, self.x, *self.targets)

    def functions(
        self, prediction: Kernels, loss: Kernels, gradient: Kernels
    ) -> Iterator[Function]:
        of = f"for x of shape (samples, {self.inputs})"
        with_y, with_gradient = (self.theta, self.x, self.y), (*self.given, self.gradient)
        with_rate = (*self.given, Parameter("rate", "double"))
        yield self._check()
        y = Allocate((Buffer("y", "real", (SAMPLES, whole(self.outputs))),))
        predicted = Run(_called("_prediction_in_turn", with_y))
        yield self._public(
            "predict",
            (self.theta, self.x),
            (y, predicted, Return((Array("y"),))),
            f"The network's output y, of shape (samples, {self.outputs}), {of}.",
        )
        yield Function(
            "_prediction_in_turn",
            with_y,
            (Run(_called("_check", with_y)), *prediction.in_turn),
            "The same into y, one chunk after the other.",
        )
        yield self._public(
            "loss",
            self.given,
            (Run(_called("_check", self.given)), *loss.in_turn, Return((E,))),
            f"The loss E, a float, {of} and t of shape (samples, {self.outputs}).",
        )
        yield self._public(
            "loss_and_gradient_into",
            with_gradient,
            (Run(_called("_check", with_gradient)), *gradient.in_turn, Return((E,))),
            "The loss E; its derivative by every weight is written into `gradient`, laid out like"
            " theta.",
        )
        both = Return((_called("loss_and_gradient_into", with_gradient), Array("gradient")))
        yield self._public(
            "loss_and_gradient",
            self.given,
            (self._fresh(), both),
            "The loss E and its derivative by every weight, an array like theta.",
        )
        yield self._descend()
        yield self._public(
            "step",
            with_rate,
            self._stepping("loss_and_gradient_into"),
            "One step of gradient descent: theta -= rate·gradient, in place. Returns the loss"
            " before it.",
        )
        yield Function(
            "_step_on_threads",
            with_rate,
            self._stepping("_gradient_on_threads"),
            "The same, many samples on several threads.",
        )

    def _public(
        self,
        name: str,
        parameters: tuple[Parameter, ...],
        body: tuple[Statement, ...],
        says: str,
    ) -> Function:
        return Function(name, parameters, body, says, role="public")

    def _fresh(self) -> Allocate:
        return Allocate((Buffer("gradient", "real", (whole(self.weights),)),))

    def _descend(self) -> Function:
        k = index("k")
        slope = Element("gradient", (k,), "real")
        change = times(Convert(Variable("rate", "double"), "real"), slope)
        down = Accumulate(Element("theta", (k,), "real"), change, "-")
        return Function(
            "_descend",
            (self.theta, Parameter("rate", "double"), self.gradient),
            (Loop("k", whole(self.weights), (down,)),),
            "The weights go down the gradient, all at once.",
        )

    def _stepping(self, differentiate: str) -> tuple[Statement, ...]:
        down = (Array("theta"), Variable("rate", "double"), Array("gradient"))
        return (
            self._fresh(),
            Assign(E, _called(differentiate, (*self.given, self.gradient))),
            Run(Invoke("_descend", down)),
            Return((E,)),
        )

    # Checks

    def _check(self) -> Function:
        left_out = (
            Parameter(each.name, each.kind, each.extents, left_out=True)
            for each in (*self.targets, self.gradient)
        )
        body: list[Statement] = [
            self._length("theta", self.weights),
            self._width("x", self.inputs),
            _refused(equal(SAMPLES, WHOLE_ZERO), "x must hold at least one sample, came", SAMPLES),
            _where_given("t", self._width("t", self.outputs), _as_many("t")),
        ]
        if "w" in self.arrays:
            body.append(_where_given("w", _as_many("w")))
        for name in self.penalties:
            number = Variable(name, "double")
            negative = Not(Compare((">=",), (number, Number(0.0, "double"))))
            refused = _refused(negative, f"{name} must be at least 0, came", number)
            body.append(_where_given(name, refused))
        apart = (
            _refused(Overlap("gradient", name), f"gradient must not overlap {name} in memory")
            for name in ("theta", "x", *self.arrays)
        )
        body.append(_where_given("gradient", self._length("gradient", self.weights), *apart))
        return Function(
            "_check",
            (self.theta, self.x, *left_out),
            tuple(body),
            "The shapes of what is given: compiled code would read and write beyond other ones.",
        )

    def _length(self, name: str, length: int) -> Branch:
        found = Extent(name, 0)
        says = f"{name} must be of shape ({length},), came one of length"
        return _refused(_differs(found, whole(length)), says, found)

    def _width(self, name: str, width: int) -> Branch:
        found = Extent(name, 1)
        says = f"{name} must be of shape (samples, {width}), came one of width"
        return _refused(_differs(found, whole(width)), says, found)


def _as_many(name: str) -> Branch:
    found = Extent(name, 0)
    says = f"{name} must have as many samples as x, came"
    return _refused(_differs(found, SAMPLES), says, found, "and", SAMPLES)


def _refused(condition: Condition, *parts: str | Value) -> Branch:
    return Branch(condition, (Refuse(parts),))


def _where_given(name: str, *checks: Statement) -> Branch:
    return Branch(Given(name), checks)


def _differs(one: Value, other: Value) -> Compare:
    return Compare(("!=",), (one, other))


def _called(name: str, parameters: tuple[Parameter, ...]) -> Invoke:
    arguments: tuple[Argument, ...] = tuple(map(argument, parameters))
    return Invoke(name, arguments)
