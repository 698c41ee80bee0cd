"""Small networks for tests, numbers for them, and a brute-force reading of formulas."""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

import numpy as np
import sympy
from sympy import Expr, Indexed, Piecewise, Sum, Symbol

from symgrad.language.evaluate import Floats, evaluate
from symgrad.language.functions import Peak, is_opaque, meaning
from symgrad.language.indices import SAMPLES, bounds
from symgrad.language.program import Definition, Program, array, name_of
from symgrad.language.verify import verify
from symgrad.passes.differentiate import DerivativeGraph, differentiate, textbook
from symgrad.passes.expand import expand
from symgrad.passes.factor import factor
from symgrad.passes.share import share
from symgrad.passes.stabilize import stabilize
from symgrad.spec.spec import Spec

SAMPLES_IN_TESTS = 3


def net(
    widths: Sequence[int],
    activations: Sequence[str],
    *,
    residual: Sequence[int] = (),
    bias: bool = True,
    dtype: str = "float64",
    own: Mapping[str, str] | None = None,
    scaled: bool = False,
    **loss: Any,
) -> Spec:
    """A network; `residual` names layers from 1, `own` holds formulas by name, `loss` options;
    `scaled` gives both ends a scaling, of all columns and of each."""
    if "formula" not in loss:
        loss.setdefault("kind", "squared")
    return Spec.parse(
        {
            "name": "net",
            "dtype": dtype,
            "inputs": {"count": widths[0], **(scaling(widths[0]) if scaled else {})},
            "outputs": {"scale": 3.0, "shift": [*range(widths[-1])], "clip": 2.5} if scaled else {},
            "layers": [
                {
                    "units": units,
                    "activation": activation,
                    "bias": bias,
                    "residual": number in residual,
                }
                for number, (units, activation) in enumerate(
                    zip(widths[1:], activations, strict=True), start=1
                )
            ],
            "loss": loss,
            "activations": {name: {"formula": text} for name, text in (own or {}).items()},
        }
    )


def scaling(columns: int) -> dict[str, Any]:
    """Numbers for columns, different ones, and the same for all."""
    ends = [[-1.0 - k / 8, 0.5 + k / 4] for k in range(columns)]
    return {"shift": 0.25, "scale": [1.5 + k / 2 for k in range(columns)], "clip": ends}


def with_formula(formula: str, units: int = 3, **loss: Any) -> Spec:
    """One layer of 2 inputs whose activation is a formula in z."""
    return net([2, units], ["mine"], own={"mine": formula}, **loss)


class Forward:
    """What the passes make of a spec that know no order, each verified as it is asked for."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    @cached_property
    def expanded(self) -> Program:
        return verify(expand(self.spec))

    @cached_property
    def stable(self) -> Program:
        return verify(stabilize(self.expanded))

    @cached_property
    def shared(self) -> Program:
        return verify(share(self.stable))

    @cached_property
    def graph(self) -> DerivativeGraph:
        return differentiate(self.shared)


class Steps:
    """What every pass makes of a spec, each verified as it is asked for."""

    def __init__(self, forward: Forward, order: Any) -> None:
        self.forward, self.order = forward, order

    @property
    def expanded(self) -> Program:
        return self.forward.expanded

    @property
    def stable(self) -> Program:
        return self.forward.stable

    @property
    def shared(self) -> Program:
        return self.forward.shared

    @property
    def graph(self) -> DerivativeGraph:
        return self.forward.graph

    @cached_property
    def factored(self) -> Program:
        return verify(factor(self.graph, self.order))

    @cached_property
    def gradient(self) -> Program:
        return verify(share(self.factored))


@lru_cache(maxsize=128)
def forward(spec: Spec) -> Forward:
    return Forward(spec)


@lru_cache(maxsize=128)
def steps(spec: Spec, order: Any = "loss-first") -> Steps:
    """The passes run once for a spec, in whichever tests: what they make is never changed."""
    return Steps(forward(spec), order)


def textbook_program(graph: DerivativeGraph) -> Program:
    """The forward definitions, and each derivative as the sum over all its paths."""
    derivatives = [
        Definition(array(f"d_{name_of(w)}", *w.indices), textbook(graph, name_of(w)))
        for w in graph.program.weights
    ]
    return verify(graph.program.with_definitions((*graph.program.definitions, *derivatives)))


def shapes(program: Program, samples: int = SAMPLES_IN_TESTS) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(int(extent.subs(SAMPLES, samples)) for extent in program.shape(target))
        for name, target in program.given.items()
    }


def residues(program: Program, seed: int = 0) -> dict[str, np.ndarray]:
    """Random integers for all inputs and weights."""
    random = np.random.default_rng(seed)
    return {
        name: random.integers(1, 2**61 - 1, shape).astype(object)
        for name, shape in shapes(program).items()
    }


def floats(program: Program, seed: int = 0, samples: int = SAMPLES_IN_TESTS) -> dict[str, Any]:
    """Random numbers for all inputs and weights: targets and sample weights lie in (0, 1);
    constants are what they are."""
    random = np.random.default_rng(seed)
    found = {
        name: random.uniform(0.1, 0.9, shape) if name in ("t", "w") else random.normal(size=shape)
        for name, shape in shapes(program, samples).items()
    }
    return found | {each.name: np.array(each.values, float) for each in program.constants}


def rationals(program: Program, seed: int = 0) -> dict[str, np.ndarray]:
    """Random exact numbers, of moderate size."""
    exact = np.vectorize(lambda v: sympy.Rational(round(float(v) * 1000), 1000), otypes=[object])
    return {name: exact(values) for name, values in floats(program, seed).items()}


def decimals(program: Program, seed: int = 0) -> dict[str, np.ndarray]:
    """Random numbers of 30 digits, for `scalar` of large formulas: exact ones take long."""
    rounded = np.vectorize(lambda v: sympy.Float(v, 30), otypes=[object])
    return {name: rounded(values) for name, values in rationals(program, seed).items()}


def symbols(program: Program) -> dict[str, np.ndarray]:
    """A symbol for every number: W1_0_1."""
    result = {}
    for name, shape in shapes(program).items():
        values = np.empty(shape, dtype=object)
        for place in np.ndindex(shape):
            values[place] = Symbol("_".join([name, *map(str, place)]), real=True)
        result[name] = values
    return result


def value_of(spec: Spec, given: Mapping[str, Any], arithmetic: Any = None) -> dict[str, Any]:
    """The loss, its gradient, and all between, by the interpreter."""
    return evaluate(steps(spec).gradient, given, arithmetic or Floats())


def scalar(
    expression: Expr, arrays: Mapping[str, Any], at: Mapping[Symbol, int] | None = None
) -> Expr:
    """`expression` with every sum written out and every array element looked up, one scalar.

    `arrays` holds SymPy numbers or symbols by name, `at` the values of the free indices. It shares
    nothing with symgrad's interpreter but the meanings of the opaque functions.
    """
    at = at or {}
    if isinstance(expression, Indexed):
        return arrays[name_of(expression)][tuple(at[index] for index in expression.indices)]
    if isinstance(expression, Symbol):
        return sympy.Integer(SAMPLES_IN_TESTS) if expression == SAMPLES else arrays[expression.name]
    if isinstance(expression, Peak):
        return sympy.Integer(0)  # whatever is subtracted from all exponents, nothing changes
    if isinstance(expression, Sum):
        extents = [int(e.subs(SAMPLES, SAMPLES_IN_TESTS)) for e in bounds(expression).values()]
        terms = [
            scalar(expression.function, arrays, {**at, **dict(zip(bounds(expression), place,
                                                                  strict=True))})
            for place in product(*map(range, extents))
        ]  # fmt: skip
        return sympy.Add(*terms)
    if isinstance(expression, Piecewise):
        (yes, condition), (no, _) = expression.args
        over = condition.gts - condition.lts
        case = (scalar(yes, arrays, at), scalar(over, arrays, at) > 0)
        return Piecewise(case, (scalar(no, arrays, at), True))
    if is_opaque(expression):
        return scalar(meaning(expression), arrays, at)
    if not expression.args:
        return expression
    return expression.func(*(scalar(argument, arrays, at) for argument in expression.args))


def run(program: Program, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every definition of a program by `scalar`, as arrays of SymPy expressions."""
    values: dict[str, Any] = dict(given)
    for definition in program.definitions:
        extents = [int(e.subs(SAMPLES, SAMPLES_IN_TESTS)) for e in program.shape(definition.target)]
        result = np.empty(extents, dtype=object)
        for place in np.ndindex(*extents):
            at = dict(zip(definition.indices, place, strict=True))
            result[place] = scalar(definition.value, values, at)
        values[definition.name] = result if extents else result[()]
    return values
