"""growth: networks like the reader's, wider and deeper."""

from threading import Event

import pytest

from symgrad.explain.clock import Clock
from symgrad.explain.sections.counts import count
from symgrad.explain.sections.growth import _like, growth
from symgrad.spec.spec import Spec
from tests import nets


@pytest.fixture(scope="module")
def found():
    spec = nets.net([2, 5, 3, 1], ["tanh", "tanh", "identity"])
    return growth(spec, Clock(100))


def test_the_networks_have_the_readers_depth_and_all_widths(found):
    networks = found.data["width"]["networks"]
    assert [n["widths"] for n in networks] == [[w] * 4 for w in (2, 4, 8, 16, 32, 64)]
    assert [n["weights"] for n in networks] == [3 * w * (w + 1) for w in (2, 4, 8, 16, 32, 64)]
    depths = found.data["depth"]["networks"]
    assert [len(n["widths"]) - 1 for n in depths] == [1, 2, 3, 4, 6, 8, 12]


def test_the_figures_are_those_of_counts(found):
    network = found.data["width"]["networks"][2]
    assert network["widths"] == [8, 8, 8, 8]
    made = count(nets.net([8] * 4, ["tanh", "tanh", "identity"]))
    assert {key: network[key] for key in vars(made)} == vars(made)


def test_exponents_are_those_of_the_leading_terms(found):
    """n² weights: n² for the loss and its gradient, n²·n·(L - 1) for forward mode."""
    wide = found.data["width"]["exponents"]
    assert wide["loss"] == pytest.approx(2, abs=0.05)
    assert wide["loss_first"] == wide["hand_backprop"] == pytest.approx(2, abs=0.05)
    assert 2.8 < wide["shared_only"] <= 4
    deep = found.data["depth"]["exponents"]
    assert deep["loss_first"] == pytest.approx(1, abs=0.1)
    assert deep["shared_only"] > 2
    # each layer of 4 units multiplies a tree by 4 at least
    assert found.data["depth"]["per_layer"]["textbook_trees"] > 4


@pytest.mark.parametrize(
    "name", ["iris", *(pytest.param(n, marks=pytest.mark.slow) for n in ("custom", "residual"))]
)
def test_any_spec_grows(name):
    section = growth(Spec.load(f"specs/{name}.toml"), Clock(100))
    assert not section.missing
    assert set(section.data) == {"width", "depth"}


@pytest.mark.slow
def test_a_single_softmax_layer_grows_by_hidden_layers_of_tanh():
    section = growth(nets.net([3, 4], ["softmax"], kind="cross_entropy"), Clock(100))
    assert len(section.data["depth"]["networks"]) == 7


def test_out_of_time_it_keeps_what_it_has():
    stop = Event()
    calls = []

    def progress(what, share):
        calls.append(what)
        if len(calls) == 4:
            stop.set()

    spec = nets.net([2, 2, 1], ["tanh", "identity"])
    section = growth(spec, Clock(100, stop, progress))
    assert section.missing == "interrupted"
    assert len(section.data["width"]["networks"]) == 3 and "depth" not in section.data


def test_networks_like_one_with_names_have_none():
    layers = [{"units": 2, "activation": "tanh"}, {"names": ["u"]}]
    named = Spec.parse({"name": "net", "inputs": ["x", "t"], "layers": layers})
    assert _like(named, 4, 3) == _like(named.unnamed(), 4, 3)
    assert _like(named, 4, 3).widths == (4, 4, 4, 4)
