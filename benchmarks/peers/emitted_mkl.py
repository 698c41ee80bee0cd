"""symgrad with MKL, where the emitted module chooses it."""

import os

from threadpoolctl import threadpool_info

from benchmarks.peers import NotPractical, emitted

# How a module is told to take its matrix products from MKL, before it is imported.
ENVIRONMENT = {"SYMGRAD_BLAS": "mkl"}


def prepare(net, theta, x, t):
    os.environ.update(ENVIRONMENT)
    variants = list(emitted.prepare(net, theta, x, t))
    if not any(pool["internal_api"] == "mkl" for pool in threadpool_info()):
        raise NotPractical("the emitted module does not use MKL here")
    yield from variants
