"""Names of inputs and outputs in a module: its SPEC, its docstrings and its messages have them."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

import symgrad
from symgrad.checking.bits import bits
from symgrad.checking.check import check
from symgrad.explain.backprop.by_hand import backprop
from symgrad.spec.spec import Spec
from symgrad.targets.public import public

HEAT = Spec.parse(
    {
        "name": "heat",
        "dtype": "float64",
        "inputs": ["x", "t"],
        "layers": [{"units": 3, "activation": "tanh"}, {"names": ["u"]}],
        "training": {},
    }
)


@pytest.fixture(scope="module", params=["object code", "source"])
def heat(request, native: Callable, interpret: Callable) -> ModuleType:
    if request.param == "object code":
        return native(HEAT)
    return interpret(symgrad.compile(HEAT).source)


def test_spec_and_docstrings_have_the_names(heat):
    assert (heat.SPEC["inputs"], heat.SPEC["layers"][-1]["names"]) == (["x", "t"], ["u"])
    assert "Columns of x: x, t.\n    Columns of y: u.\n" in heat.predict.__doc__
    assert "Columns of x: x, t.\n    Columns of t: u.\n" in heat.loss.__doc__


def test_the_source_says_them_at_its_head():
    source = symgrad.compile(HEAT).source
    assert "Columns of x: x, t.\nColumns of t: u.\n" in source
    assert 'I0, I1, I2 = len(SPEC["inputs"]), *(' in source
    plain = symgrad.compile(HEAT.unnamed()).source
    assert "Columns of" not in plain and 'I0, I1, I2 = SPEC["inputs"], *(' in plain


def test_messages_about_widths_have_the_names(heat):
    theta, x, t = heat.init(), np.ones((4, 2)), np.ones((4, 1))
    wide = np.ones((4, 3))
    for call in (
        lambda: heat.loss(theta, wide, t),
        lambda: heat.predict(theta, wide),
        lambda: heat.step(theta, wide, t, 0.1),
        lambda: heat.train_epoch(theta, wide, t, *heat.train_state(), heat.train_settings()),
    ):
        with pytest.raises(ValueError) as caught:
            call()
        assert str(caught.value) == (
            "x must be of shape (samples, 2), came one of width 3; its columns are x, t"
        )
    with pytest.raises(ValueError, match=r"came \(3,\); its columns are u$"):
        heat.loss(theta, x, np.ones(3))
    with pytest.raises(ValueError, match=r"came one of length 2$"):
        heat.predict(theta[:2], x)
    with pytest.raises(TypeError, match=r"float32; its columns are x, t$"):
        heat.step(theta, x.astype("float32"), t, 0.1)


def test_names_change_no_bit_and_pass_the_check(native):
    named = native(HEAT)
    assert bits(named) == bits(native(HEAT.unnamed()))
    assert check(HEAT.normalised(), named, 3, 0).passed
    assert backprop(HEAT.normalised()) == backprop(HEAT.unnamed().normalised())


def test_many_names_are_not_all_listed():
    names = [f"a_long_name_of_input_{k}" for k in range(40)]
    spec = Spec.parse({"name": "wide", "inputs": names, "layers": [{"units": 1}]})
    predict, *_ = public(spec.normalised(), 0, trained=False)
    lines = predict.says.splitlines()
    assert "input_11, …." in predict.says and "input_12" not in predict.says
    assert max(map(len, lines)) <= 100 and "Columns of y" not in predict.says
