"""What tests of shared samples have in common: networks, samples for them, and how bits compare."""

from functools import cache

import numpy as np

import symgrad

NETS = {
    "plain": {"loss": {"kind": "squared"}},
    "penalised": {"loss": {"kind": "squared", "l2": 1e-3, "l1": "argument"}},
    "weighted": {"loss": {"kind": "huber", "l2": 1e-3, "sample_weights": True}},
}


def spec_of(name, dtype="float64", units=8):
    layers = [{"units": units, "activation": "tanh"}, {"units": 3}]
    return {"name": name, "dtype": dtype, "inputs": 4, "layers": layers} | NETS[name]


@cache
def module_of(name, dtype="float64", units=8):
    return symgrad.compile(spec_of(name, dtype, units)).module


def penalties_of(name):
    return {"l1": 0.01} if name == "penalised" else {}


def samples_of(name, samples, dtype="float64"):
    """x, t and, if they have some, w."""
    random = np.random.default_rng(samples)
    shapes = [(samples, 4), (samples, 3), *[(samples,)] * (name == "weighted")]
    return tuple(random.random(shape).astype(dtype) for shape in shapes)


def same_bits(one, other):
    """Whether losses and gradients are the same numbers, to the last bit."""
    (E, gradient), (F, slope) = one, other
    return E == F and gradient.dtype == slope.dtype and gradient.tobytes() == slope.tobytes()
