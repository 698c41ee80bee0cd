"""Functions for lanes do in each what they do alone: to the bit, run by a plain interpreter."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from symgrad.lowering.across import Diverges, across, called
from symgrad.lowering.program import Assign, Branch, Finite, Function, Parameter, Variable
from symgrad.lowering.verify import verify
from symgrad.pipeline import passes
from symgrad.spec.spec import Spec
from tests.interpreter import Interpreter
from tests.lowering.test_lowered import elementary
from tests.nets import net
from tests.paths import ROOT

LANES = 2
NETS = {
    "xor": Spec.load(ROOT / "specs" / "xor.toml"),
    "products": net([8, 12, 11, 2], ["tanh", "relu", "identity"], l2="argument"),
    "weighted": net([2, 3, 2], ["tanh", "softmax"], kind="cross_entropy", sample_weights=True),
    "derived": net([2, 3, 1], ["tanh", "identity"], formula="(D(y[0], x[0]) - t)**2"),
}
LARGE = {
    "custom": Spec.load(ROOT / "specs" / "custom.toml"),
    "prices": Spec.load(ROOT / "specs" / "prices.toml"),  # derivatives in the loss
}
SAMPLES = 5  # a leaf of 3 and a rest


def given(spec, own):
    """The arguments of a gradient of each lane."""
    random = np.random.default_rng(0)
    lanes = LANES if own else 1
    theta = random.normal(0, 0.5, (LANES, spec.weights))
    x = random.normal(size=(lanes, SAMPLES, spec.inputs))
    t = random.uniform(0.1, 0.9, (lanes, SAMPLES, spec.targets))
    w = random.uniform(0.5, 2, (LANES, SAMPLES))
    return [
        {
            "theta": theta[k], "x": x[k % lanes], "t": t[k % lanes], "w": w[k],
            "l1": 0.01 * k, "l2": 0.01 + 0.01 * k,
        }
        for k in range(LANES)
    ]  # fmt: skip


def side_by_side(values):
    return np.ascontiguousarray(np.stack(values, axis=-1))


@cache
def of_leaves(spec):
    """The functions of a network, with leaves of 3 samples."""
    module = passes(spec).lowered
    numbers = {**module.network.numbers, "LEAF": 3}
    return tuple(replace(module, network=replace(module.network, numbers=numbers)).functions)


def machines(spec, root, differing):
    functions = tuple(of_leaves(spec))
    of_lanes = across(functions, [(root, frozenset(differing))], LANES)
    verify((*functions, *of_lanes))
    known = {function.name: function for function in functions}
    return (
        known,
        Interpreter(list(functions), elementary),
        Interpreter([*functions, *of_lanes], elementary),
    )


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in LARGE]


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("which", [*NETS, *SLOW])
def test_every_lane_of_a_gradient_is_the_gradient_alone(which, own):
    spec = (NETS | LARGE)[which]
    each = given(spec, own)
    root = "_gradient_at_once"
    differing = {"theta", "w", "l1", "l2", *(("x", "t") if own else ())}
    known, alone, together = machines(spec, root, differing)
    names = [parameter.name for parameter in known[root].parameters]
    wanted = []
    for arguments in each:
        gradient = np.full(spec.weights, np.nan)
        E = alone.call(root, *(arguments.get(name) for name in names[:-1]), gradient)
        wanted.append((E, gradient))
    lanes = {
        name: side_by_side([arguments[name] for arguments in each])
        if name in differing
        else each[0][name]
        for name in names[:-1]
    }
    gradient, E = np.full((spec.weights, LANES), np.nan), np.full(LANES, np.nan)
    together.call(called(root, differing), *(lanes[name] for name in names[:-1]), gradient, E)
    for k, (loss, slopes) in enumerate(wanted):
        assert np.isfinite(loss) and loss == E[k]
        assert slopes.tobytes() == np.ascontiguousarray(gradient[:, k]).tobytes()


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("which", NETS)
def test_every_lane_of_a_prediction_is_the_prediction_alone(which, own):
    spec = NETS[which]
    each = given(spec, own)
    root, differing = "_prediction_at_once", {"theta", *(("x",) if own else ())}
    _, alone, together = machines(spec, root, differing)
    shape = SAMPLES, spec.outputs
    x = side_by_side([a["x"] for a in each]) if own else each[0]["x"]
    y = np.full((*shape, LANES), np.nan)
    together.call(called(root, differing), side_by_side([a["theta"] for a in each]), x, y)
    for k, arguments in enumerate(each):
        found = np.full(shape, np.nan)
        alone.call(root, arguments["theta"], arguments["x"], found)
        assert found.tobytes() == np.ascontiguousarray(y[..., k]).tobytes()


def test_what_decides_where_a_function_goes_on_must_not_differ():
    x, y = Variable("x", "real"), Variable("y", "real")
    body = Branch(Finite(x), (Assign(y, x),))
    parameters = (Parameter("x", "real"),)
    with pytest.raises(Diverges, match=r"skipped: .* differs between members"):
        across([Function("skipped", parameters, (body,))], [("skipped", frozenset({"x"}))], LANES)


def test_what_does_not_differ_is_computed_once():
    xor = of_leaves(NETS["xor"])
    (kernel,) = (
        function
        for function in across(xor, [("_gradient_at_once", frozenset({"theta"}))], LANES)
        if function.name == "_gradient_of_leaf_across"
    )
    shapes = {parameter.name: parameter.extents for parameter in kernel.parameters}
    assert shapes["theta"] == (9, LANES) and shapes["x"] == ("samples", 2) and shapes["N"] == ()
