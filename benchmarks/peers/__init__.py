"""What is measured: symgrad, and the peers, each in its best honest use.

A peer is a module with

    prepare(net, theta, x, t)   yields Variants: one loss and full gradient, called from Python
    inside(net, theta, x, t)    if it can, the same: CALLS of them, from a compiled loop
    train(net, theta, x, t)     if it is asked to, epochs of training: see `training.py`
    derive(net, theta, x, t)    if it can, derivatives by inputs: see `asked.py`
    control(net, theta, x, t)   if it is asked to, plans of a controller: see `planning.py`

where arrays are NumPy's, of the dtype that is wanted. Several variants are ways to use a peer that
a user would have to choose from, the usual one first; the fastest on a row is measured there.
All raise `NotPractical`, saying why, where no one would use the peer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

import numpy as np

CALLS = 10_000  # loss and gradient, in one call of what `inside` returns


@dataclass(frozen=True)
class Variant:
    """One way to use a peer on a row, ready to run."""

    name: str
    call: Callable[[], object]  # what is timed
    value: Callable[[], tuple[float, np.ndarray]] | None  # loss and gradient, for the check
    begin: Callable[[], object] = lambda: None  # run before timing: the number of threads, …


class NotPractical(Exception):
    """No one would use this peer for this row; the reason is the message."""


@dataclass(frozen=True)
class Peer:
    key: str  # on the command line
    title: str
    module: str  # in this package
    packages: tuple[str, ...]  # whose versions are reported
    environment: tuple[tuple[str, str], ...] = ()
    # or "ours", symgrad in some setting; "expert", written by hand; "bound", what nothing can beat
    kind: str = "peer"

    @property
    def versions(self) -> dict[str, str]:
        """Raises PackageNotFoundError where one is missing."""
        return {package: metadata.version(package) for package in self.packages}


_ONE_THREAD = (
    ("NUMBA_NUM_THREADS", "1"),
    ("OMP_NUM_THREADS", "1"),
    ("OPENBLAS_NUM_THREADS", "1"),
    ("MKL_NUM_THREADS", "1"),
)

PEERS = [
    Peer("symgrad", "symgrad", "emitted", ("numba",), kind="ours"),
    Peer("symgrad-1", "symgrad, one thread", "emitted", ("numba",), _ONE_THREAD, kind="ours"),
    Peer("build", "an earlier build", "earlier_build", ("numba", "scipy"), kind="ours"),
    Peer("numpy", "NumPy by hand", "numpy_by_hand", ("numpy",)),
    Peer("numba", "Numba by hand", "numba_by_hand", ("numba", "scipy"), kind="expert"),
    Peer("jax", "JAX jit", "jax_jit", ("jax", "jaxlib"), (("JAX_ENABLE_X64", "1"),)),
    Peer("torch", "PyTorch eager", "torch_eager", ("torch",)),
    Peer("torch-compile", "torch.compile", "torch_compile", ("torch",)),
    Peer("tensorflow", "TensorFlow", "tensorflow_function", ("tensorflow-cpu",)),
    Peer("pytensor", "PyTensor", "pytensor_function", ("pytensor",)),
    Peer("casadi", "CasADi", "casadi_generated", ("casadi",)),
    Peer("heyoka", "heyoka", "heyoka_cfunc", ("heyoka",)),
    Peer("wrenfold", "wrenfold", "wrenfold_generated", ("wrenfold",)),
    Peer("limit", "products alone", "limit", ("numba", "scipy"), kind="bound"),
    Peer("floor", "empty function", "floor", ("numba",), kind="bound"),
]
BY_KEY = {peer.key: peer for peer in PEERS}


def title(key: str) -> str:
    """A peer's title; of one that results of before still have, its key."""
    return BY_KEY[key].title if key in BY_KEY else key
