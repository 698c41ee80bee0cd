"""NumPy by hand, for the Jacobian of one hidden layer of tanh, one product.

∂yₒ/∂xᵢ is Σₕ (1 − aₕ²) W1ᵢₕ W2ₕₒ, for all samples (1 − a²) times one matrix.
"""

import numpy as np

from benchmarks import asked
from benchmarks.peers import NotPractical, Variant


def derive(net, theta, x, t):
    if asked.BY_WIDTHS[net.widths].formula is not None:
        raise NotPractical("only the Jacobian is written by hand")
    (W1, b1), (W2, _) = ((theta[w:b].reshape(m, k), theta[b : b + k]) for m, k, w, b in net.layers)
    hidden, outputs, inputs = len(b1), W2.shape[1], len(W1)
    a = np.empty((len(x), hidden), theta.dtype)
    into = np.empty((len(x), outputs * inputs), theta.dtype)
    one = theta.dtype.type(1)

    def call():
        both = (W2[:, :, None] * W1.T[:, None, :]).reshape(hidden, outputs * inputs)
        np.dot(x, W1, out=a)
        np.add(a, b1, out=a)
        np.tanh(a, out=a)
        np.multiply(a, a, out=a)
        np.subtract(one, a, out=a)
        np.dot(a, both, out=into)
        return into

    yield Variant("one product", call, lambda: asked.summed(call()))
