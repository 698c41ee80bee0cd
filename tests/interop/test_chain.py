"""Chains of layers: where affine maps of each feature go."""

import numpy as np
import pytest

from symgrad.interop import InteropError
from symgrad.interop.chain import Chain
from symgrad.interop.network import Network, assemble
from tests.interop.test_network import forward

W = np.float32([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]])
V = np.float32([[1.5], [-1.0], [0.75]])
X = np.random.default_rng(0).normal(size=(5, 2))
SCALE, SHIFT = np.array([2.0, -0.5, 4.0]), np.array([1.0, 0.25, -3.0])


def network(chain: Chain) -> Network:
    return assemble(chain.layers, "net", chain.dtype)


def test_a_map_goes_into_the_layer_before_it():
    chain = Chain()
    chain.linear("a", W, None)
    chain.affine("map", SCALE, SHIFT)
    net = network(chain)
    assert len(net.spec.layers) == 1 and net.spec.dtype == "float32"
    assert np.allclose(forward(net, X), X @ W * SCALE + SHIFT)


def test_behind_an_activation_it_goes_into_the_layer_after_it():
    chain = Chain()
    chain.linear("a", W, None)
    chain.activation("tanh", "tanh", "tanh")
    chain.affine("map", SCALE, SHIFT)
    chain.affine("again", np.array(0.5), np.array(1.0))
    chain.linear("b", V, None)
    net = network(chain)
    assert len(net.spec.layers) == 2
    expected = ((np.tanh(X @ W) * SCALE + SHIFT) * 0.5 + 1) @ V
    assert np.allclose(forward(net, X), expected, rtol=1e-6)


def test_between_activations_it_is_a_layer():
    chain = Chain()
    chain.linear("a", W, None)
    chain.activation("tanh", "tanh", "tanh")
    chain.affine("map", SCALE, SHIFT)
    chain.activation("relu", "relu", "relu")
    net = network(chain)
    assert [layer.activation for layer in net.spec.layers] == ["tanh", "relu"]
    assert np.allclose(forward(net, X), np.maximum(np.tanh(X @ W) * SCALE + SHIFT, 0))


def test_float64_weights_make_a_network_of_float64():
    chain = Chain()
    chain.affine("map", SCALE[:2], SHIFT[:2])
    chain.linear("a", W.astype(np.float64), None)
    assert network(chain).spec.dtype == "float64"


def test_maps_of_other_widths_are_refused():
    chain = Chain()
    chain.affine("the map", SCALE, SHIFT)
    with pytest.raises(InteropError, match="the map is of 3 features, and there are 2"):
        chain.linear("a", W, None)
