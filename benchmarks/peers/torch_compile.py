"""torch.compile: loss and gradient compiled as one graph, on one thread, and on all.

A compiled loss differentiated by autograd was slower on every row.
"""

import torch

from benchmarks.peers.torch_eager import flattened, loss_of, on_threads, split


def prepare(net, theta, x, t):
    torch._dynamo.reset()
    loss, weights = loss_of(net), split(net, theta, requires_grad=False)
    work = len(x) * net.size
    x, t = torch.tensor(x), torch.tensor(t)
    compiled = torch.compile(torch.func.grad_and_value(loss), fullgraph=True, dynamic=False)

    def call():
        with torch.no_grad():
            gradient, E = compiled(weights, x, t)
        return E, gradient

    def value():
        return flattened(*call())

    value()
    yield from on_threads(call, value, work)
