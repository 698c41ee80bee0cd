"""Penalties of layers: against the definition, and what specs without them were before."""

import numpy as np
import pytest

import symgrad
from symgrad.checking import reference
from symgrad.checking.check import check
from symgrad.explain.backprop.by_hand import backprop
from symgrad.language.evaluate import Floats, evaluate
from symgrad.spec.spec import Spec
from tests import nets

# Of three layers, the last of which takes two sources: own penalties, and those of the loss.
LAYERS = {
    "one": ([{"l2": 0.5}, {}, {}], {}),
    "over": ([{"l2": 0.5}, {}, {"l1": 0.25}], {"l1": 0.125, "l2": 2.0}),
    "off": ([{}, {"l2": 0, "l1": 0}, {"l2": 0}], {"l1": 0.125, "l2": 2.0}),
    "argument": ([{"l2": 0.5}, {"l1": 0.75}, {}], {"l2": "argument"}),
    "unread": ([{"l2": 0.5}, {"l2": 0}, {"l2": 0}], {"l2": "argument"}),
}


def spec_of(own, loss, **more):
    layers = [{"units": 3, "activation": "tanh"}, {"units": 4, "activation": "silu"}, {"units": 2}]
    layers[2]["from"] = ["x", "a2"]
    return {
        "name": "net", "dtype": "float64", "inputs": 2,
        "layers": [layer | penalties for layer, penalties in zip(layers, own, strict=True)],
        "loss": {"kind": "squared", **loss},
    } | more  # fmt: skip


def by_definition(weights, own, loss, given):
    """The penalties, and their slopes by each array of weights."""
    total, slopes = 0.0, {}
    for name, W in weights.items():
        slopes[name] = np.zeros_like(W)
        if name.startswith("W"):
            rates = {"l1": 0.0, "l2": 0.0} | loss | own[int(name[1]) - 1]
            l1, l2 = (given if rates[each] == "argument" else rates[each] for each in ("l1", "l2"))
            total += l1 * abs(W).sum() + l2 / 2 * (W * W).sum()
            slopes[name] = l1 * np.sign(W) + l2 * W
    return total, slopes


@pytest.mark.parametrize(("own", "loss"), LAYERS.values(), ids=LAYERS)
def test_each_layer_has_its_own(own, loss):
    module = symgrad.compile(spec_of(own, loss)).module
    plain = symgrad.compile(spec_of([{}, {}, {}], {})).module
    random = np.random.default_rng(0)
    theta, x, t = random.normal(size=module.SIZE), random.normal(size=(5, 2)), np.ones((5, 2))
    given = [0.375] * ("argument" in loss.values())
    E, gradient = module.loss_and_gradient(theta, x, t, *given)
    without, slopes = plain.loss_and_gradient(theta, x, t)
    penalty, wanted = by_definition(module.unpack(theta), own, loss, 0.375)
    assert pytest.approx(without + penalty, rel=1e-14) == E
    np.testing.assert_allclose(gradient - slopes, module.pack(wanted), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("own", "loss"),
    [
        pytest.param(*each, id=name, marks=() if name == "one" else pytest.mark.slow)
        for name, each in LAYERS.items()
    ],
)
def test_oracles_have_them(own, loss):
    compiled = symgrad.compile(spec_of(own, loss, derivatives=["hessian_vector", "gradients"]))
    spec = compiled.spec.normalised()
    assert check(spec, compiled.module).passed
    other = [{**layer, "l2": 0.1} for layer in own]
    wrong = Spec.parse(spec_of(other, loss)).normalised()
    assert not check(wrong, compiled.module).passed


def test_the_equations_by_hand_have_them():
    spec = nets.net([2, 3, 2], ["tanh", "identity"], l1=0.5, l2=0.25)
    data = spec.normalised()
    data["layers"][0] |= {"l1": 0, "l2": 1.5}
    hand = backprop(data)
    given = nets.floats(hand)
    found = evaluate(hand, given, Floats())["E"]
    plain = spec.without_penalties().normalised()
    bare = evaluate(backprop(plain), given, Floats())["E"]
    wanted = 0.75 * (given["W1"] ** 2).sum() + 0.125 * (given["W2"] ** 2).sum()
    assert found - bare == pytest.approx(wanted + 0.5 * abs(given["W2"]).sum(), rel=1e-12)


def test_what_says_nothing_is_what_it_was():
    """A layer that has what the loss has is another spec, of the same numbers to the bit."""
    plain = symgrad.compile(spec_of([{}, {}, {}], {"l2": 0.5}))
    stated = symgrad.compile(spec_of([{"l2": 0.5}] * 3, {"l2": 0.5}))
    own = symgrad.compile(spec_of([{"l2": 0.5}] * 3, {}))
    theta, x = plain.module.init(1), np.random.default_rng(2).normal(size=(300, 2))
    results = [each.module.loss_and_gradient(theta, x, x) for each in (plain, stated, own)]
    for E, gradient in results[1:]:
        assert results[0][0] == E
        np.testing.assert_array_equal(gradient, results[0][1])
    assert not {"l1", "l2"} & {key for layer in plain.spec.normalised()["layers"] for key in layer}


def test_the_spec_keeps_them():
    spec = Spec.parse(spec_of([{"l2": 0.5}, {"l1": 0}, {}], {"l2": 1}))
    assert [spec.penalty(number, "l2") for number in (1, 2, 3)] == [0.5, 1, 1]
    assert Spec.parse(spec.normalised()) == spec
    assert spec.without_penalties() == Spec.parse(spec_of([{}, {}, {}], {}))


def test_terms_have_them_once():
    terms = [{"name": "a", "kind": "squared"}, {"name": "b", "kind": "squared"}]
    spec = spec_of([{"l2": 0.5}, {}, {"l1": 0.25}], {"l2": 0.125})
    spec["loss"] = {"terms": terms, "l2": 0.125}
    compiled = symgrad.compile(spec)
    random = np.random.default_rng(0)
    theta, x, t = random.normal(size=compiled.module.SIZE), np.ones((3, 2)), np.zeros((3, 2))
    expected = reference.loss(compiled.spec.normalised(), theta, x, t, x, t)
    assert compiled.module.loss(theta, x, t, x, t) == pytest.approx(float(expected), rel=1e-13)
    assert check(compiled.spec.normalised(), compiled.module).passed
