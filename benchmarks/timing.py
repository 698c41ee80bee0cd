"""timing: how long a call takes, from many samples of it."""

import gc
from collections.abc import Callable
from itertools import repeat
from statistics import median
from time import perf_counter, perf_counter_ns

SAMPLE = 200e-6  # seconds; shorter calls are timed several at once


def sample(call: Callable[[], object], number: int) -> float:
    """Seconds of one call, from `number` in a row."""
    calls = repeat(None, number)
    start = perf_counter_ns()
    for _ in calls:
        call()
    return (perf_counter_ns() - start) * 1e-9 / number


def time(call: Callable[[], object], seconds: float) -> dict[str, float]:
    """Median and least time of a call, measured for about `seconds`, three calls at least."""
    gc.collect()
    gc.disable()
    try:
        number = 1
        while (first := sample(call, number)) * number < SAMPLE:
            number = min(2 * number + int(SAMPLE / max(first, 1e-9) / 4), int(SAMPLE / 1e-8))
        warm = perf_counter() + seconds / 5
        while perf_counter() < warm:
            call()
        samples = []
        until = perf_counter() + seconds
        while perf_counter() < until or len(samples) < 3:
            samples.append(sample(call, number))
    finally:
        gc.enable()
    return {"median": median(samples), "least": min(samples), "samples": len(samples)}
