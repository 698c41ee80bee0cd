"""threads: the same call with BLAS on one thread, and on all."""

import os
from collections.abc import Callable

import numpy as np

from benchmarks.peers import Variant

try:
    from threadpoolctl import threadpool_limits
except ImportError:  # then BLAS keeps its number of threads, whatever the variant is called

    def threadpool_limits(limits: int) -> None:
        pass


Value = Callable[[], tuple[float, np.ndarray]]


def blas_threads(
    call: Callable[[], object], value: Value, name: str = "", work: float = np.inf
) -> list[Variant]:
    """Both variants; the first alone where `work`, in multiplications, is too little for two."""
    prefix = f"{name}, " if name else ""
    cores = os.cpu_count() or 1
    one = Variant(f"{prefix}BLAS on 1 thread", call, value, lambda: threadpool_limits(1))
    if work < 50_000:
        return [one]
    return [one, Variant(f"{prefix}BLAS on all", call, value, lambda: threadpool_limits(cores))]
