"""PyTorch, eager: addmm by layer, autograd.grad; on one thread, and on all."""

import os
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks import training
from benchmarks.peers import Variant
from benchmarks.peers.torch_derivatives import derive as derive


def split(net, theta, requires_grad=True):
    """The weights by layer: W1, b1, W2, …"""
    parts = []
    for m, k, w, b in net.layers:
        parts += [torch.tensor(theta[w:b].reshape(m, k)), torch.tensor(theta[b : b + k])]
    return [part.requires_grad_(requires_grad) for part in parts]


def loss_of(net):
    layers = len(net.layers)

    def loss(weights, x, t):
        a = x
        for number in range(layers - 1):
            z = torch.addmm(weights[2 * number + 1], a, weights[2 * number])
            a = torch.relu(z) if net.classifies else torch.tanh(z)
        y = torch.addmm(weights[-1], a, weights[-2])
        if net.classifies:
            return F.cross_entropy(y, t)
        return 0.5 / x.shape[0] * F.mse_loss(y, t, reduction="sum")

    return loss


def flattened(E, gradient):
    return float(E.detach()), np.concatenate([part.detach().numpy().ravel() for part in gradient])


def on_threads(call, value, work):
    """The call on one thread, and where there is work for more, on all."""
    one = Variant("1 thread", call, value, lambda: torch.set_num_threads(1))
    if work < 50_000:
        return [one]
    everything = os.cpu_count() or 1
    rest = Variant("all threads", call, value, lambda: torch.set_num_threads(everything))
    return [one, rest]


def prepare(net, theta, x, t):
    loss, weights = loss_of(net), split(net, theta)
    x, t = torch.tensor(x), torch.tensor(t)

    def call():
        E = loss(weights, x, t)
        return E, torch.autograd.grad(E, weights)

    def value():
        return flattened(*call())

    yield from on_threads(call, value, len(x) * net.size)


def train(net, theta, x, t):
    """torch.optim.Adam, fused and not; batches by an index, from a random order."""
    loss = loss_of(net)
    x, t = torch.tensor(x), torch.tensor(t)
    steps = training.batches(net, len(x))

    for name, how in (("fused", {"fused": True}), ("foreach", {"foreach": True})):

        def started(how=how):
            weights = split(net, theta)
            rules = {"betas": (training.BETA1, training.BETA2), "eps": training.EPSILON}
            return weights, torch.optim.Adam(weights, lr=training.RATE, **rules, **how)

        def epoch(weights, optimizer):
            order = torch.randperm(len(x)).split(training.BATCH) if steps > 1 else [slice(None)]
            for rows in order:
                optimizer.zero_grad()
                loss(weights, x[rows], t[rows]).backward()
                optimizer.step()

        def value(started=started):
            weights, optimizer = started()
            for _ in range(training.LEARN):
                epoch(weights, optimizer)
            parts = [part.detach().numpy().ravel() for part in weights]
            return float(loss(weights, x, t)), np.concatenate(parts)

        running = started()

        def call(running=running):
            for _ in range(training.CALL):
                epoch(*running)

        for variant in on_threads(call, value, len(x) * net.size // steps):
            yield replace(variant, name=f"{name}, {variant.name}")
