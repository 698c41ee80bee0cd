"""torch.compile: the compiled loss with autograd, and loss and gradient compiled as one graph."""

import torch

from benchmarks.peers.torch_eager import flattened, loss_of, on_threads, split


def prepare(net, theta, x, t):
    torch._dynamo.reset()
    loss, work = loss_of(net), len(x) * net.size
    x, t = torch.tensor(x), torch.tensor(t)
    weights, constants = split(net, theta), split(net, theta, requires_grad=False)
    whole = torch.compile(torch.func.grad_and_value(loss), fullgraph=True, dynamic=False)
    compiled = torch.compile(loss, fullgraph=True, dynamic=False)

    def as_one():
        with torch.no_grad():
            gradient, E = whole(constants, x, t)
        return E, gradient

    def by_autograd():
        E = compiled(weights, x, t)
        return E, torch.autograd.grad(E, weights)

    as_one()
    yield from on_threads("one graph", as_one, lambda: flattened(*as_one()), work)
    by_autograd()
    yield from on_threads("autograd", by_autograd, lambda: flattened(*by_autograd()), work)
