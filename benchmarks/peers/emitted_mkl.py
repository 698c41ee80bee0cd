"""symgrad where MKL is installed: emitted modules take large matrix products from it."""

from threadpoolctl import threadpool_info

from benchmarks.peers import NotPractical, emitted


def prepare(net, theta, x, t):
    variants = list(emitted.prepare(net, theta, x, t))
    if not any(pool["internal_api"] == "mkl" for pool in threadpool_info()):
        raise NotPractical("the emitted module has no product large enough for MKL")
    yield from variants
