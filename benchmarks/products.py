"""products: matrix products as emitted modules do them, on one thread, against what the processor
can do at most: fused multiply-adds of numbers that lie in registers.
"""

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from benchmarks.crew import Disagreement
from benchmarks.options import Options
from benchmarks.table import digits, duration, table
from benchmarks.timing import time
from symgrad.targets.numba.emit import runtime, runtime_name
from symgrad.targets.numba.load import load

# What is multiplied: rows × terms of each sum × columns.
FORWARD = [
    (32, 32, 32), (32, 64, 64), (64, 32, 32), (256, 64, 64), (256, 128, 64), (256, 128, 128),
    (32, 64, 10),
]  # fmt: skip
SUMS = [(64, 32, 64), (64, 256, 64), (32, 1024, 32), (128, 128, 64), (64, 32, 10)]
BACKWARD = [(32, 64, 64), (256, 64, 64), (256, 64, 128), (32, 10, 64)]
KINDS = {"x·W + b": FORWARD, "aᵀ·d": SUMS, "d·Wᵀ": BACKWARD}
CHAINS = 12  # of multiply-adds that do not wait for one another: more than a processor has at once
TIMES = 20  # in a row, within compiled code
LIMIT = {"float32": 1e-4, "float64": 1e-12}  # of the largest number


def run(options: Options, say: Callable[[str], None]) -> dict:
    results, peaks = [], {}
    with tempfile.TemporaryDirectory() as folder, _blas_on_one_thread():
        file = Path(folder) / f"{runtime_name()}.py"
        file.write_text(runtime(), encoding="utf-8")
        module = load(file)
        for dtype in options.dtypes:
            say(f"  products, {dtype}")
            calls = _calls(module)
            lanes, peaks[dtype] = _peak(module, np.dtype(dtype), options.seconds)
            for kind, sizes in KINDS.items():
                for size in sizes:
                    found = _measured(calls[kind], kind, size, dtype, options)
                    if options.check:
                        continue
                    width = -(-size[2] // lanes) * lanes
                    results.append(
                        {"kind": kind, "size": size, "dtype": dtype, "width": width, **found}
                    )
    return {"rows": results, "peaks": peaks, "versions": {}, "missing": {}}


def render(result: dict) -> str:
    peaks = result["peaks"]
    lines = []
    for row in result["rows"]:
        m, k, n = row["size"]
        rate, peak = row["rate"], peaks[row["dtype"]]
        lines.append(
            [
                f"{row['kind']}, {m} × {k} × {n}, {row['dtype']}",
                duration(row["seconds"]),
                digits(rate / 1e9),
                f"{rate / peak:.0%}",
                f"{rate / peak * row['width'] / n:.0%}",
                digits(row["numpy"] / 1e9),
            ]
        )
    known = ", ".join(f"{digits(peak / 1e9)} GF/s in {dtype}" for dtype, peak in peaks.items())
    head = ["product", "time", "GF/s", "of the peak", "with its padding", "NumPy, GF/s"]
    return (
        "## Matrix products\n\n"
        f"On one thread. The peak was measured in the same run: {known}, by multiply-adds of"
        " numbers in registers. A width that is no multiple of a vector is padded to one: the share"
        " *with its padding* counts that too. NumPy's is its BLAS's, called from Python. Times are"
        " the least of many samples.\n\n"
        f"{table(head, lines)}"
    )


def _blas_on_one_thread() -> Any:
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:  # then OPENBLAS_NUM_THREADS=1 does it
        return nullcontext()
    return threadpool_limits(1)


def _calls(module: ModuleType) -> dict[str, Callable[..., None]]:
    """Compiled functions that multiply several times in a row, by kind."""
    matmul = module.matmul

    @nb.njit
    def forward(a: Any, b: Any, into: Any, row: Any) -> None:
        for _ in range(TIMES):
            matmul(a, b, into, row)

    @nb.njit
    def sums(a: Any, b: Any, into: Any, row: Any) -> None:
        for _ in range(TIMES):
            matmul(a.T, b, into)

    @nb.njit
    def backward(a: Any, b: Any, into: Any, row: Any) -> None:
        for _ in range(TIMES):
            matmul(a, b.T, into)

    return dict(zip(KINDS, (forward, sums, backward), strict=True))


def _measured(
    call: Callable[..., None], kind: str, size: tuple[int, int, int], dtype: str, options: Options
) -> dict:
    """Seconds of a product, and its operations a second; first whether it is right."""
    m, k, n = size
    random = np.random.default_rng(0)
    a, b, row = (random.normal(size=s).astype(dtype) for s in ((m, k), (k, n), n))
    right = a.astype(float) @ b + (row if kind == "x·W + b" else 0.0)
    left_given = np.ascontiguousarray(a.T) if kind == "aᵀ·d" else a
    right_given = np.ascontiguousarray(b.T) if kind == "d·Wᵀ" else b
    into = np.empty((m, n), dtype)
    call(left_given, right_given, into, row)
    off = float(np.abs(into - right).max() / np.abs(right).max())
    if not off <= LIMIT[dtype]:  # NaN is off too
        raise Disagreement(f"{kind}, {size}, {dtype} is off by {off:.1e}")
    if options.check:
        return {}
    given = left_given.T if kind == "aᵀ·d" else a, right_given.T if kind == "d·Wᵀ" else b
    # Least times, as the peak's is: what else the machine does can only add to them.
    ours = time(lambda: call(left_given, right_given, into, row), options.seconds)["least"] / TIMES
    theirs = time(lambda: np.matmul(*given, out=into), options.seconds)["least"]
    return {"seconds": ours, "rate": 2 * m * k * n / ours, "numpy": 2 * m * k * n / theirs}


def _peak(module: ModuleType, dtype: np.dtype, seconds: float) -> tuple[int, float]:
    """How many numbers a vector has, and the operations of multiply-adds in registers a second."""
    known: list[int] = []

    @intrinsic
    def chains(typing: Any, start: Any, number: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            lanes, _, _ = module._tile(module._processor(context), dtype.itemsize)
            known.append(lanes)
            return _chains(context.get_data_type(start), lanes, builder, *arguments)

        return start(start, number), generate

    @nb.njit
    def spin(start: Any, number: int) -> Any:
        return chains(start, number)

    number = 20_000
    start = dtype.type(0.5)
    spin(start, number)
    taken = time(lambda: spin(start, number), seconds)["least"]
    return known[0], 2 * known[0] * CHAINS * number / taken


def _chains(kind: ir.Type, lanes: int, builder: ir.IRBuilder, start: Any, number: Any) -> Any:
    """Sums s ← s·u + u of vectors, `number` times; one number that depends on all of them."""
    vector, short = ir.VectorType(kind, lanes), ir.IntType(32)
    suffix = f"v{lanes}f{32 if isinstance(kind, ir.FloatType) else 64}"
    signature = ir.FunctionType(vector, [vector] * 3)
    fma = builder.module.globals.get(f"llvm.fma.{suffix}") or ir.Function(
        builder.module, signature, f"llvm.fma.{suffix}"
    )
    empty = ir.Constant(vector, ir.Undefined)
    given = builder.insert_element(empty, start, short(0))
    mask = ir.Constant(ir.VectorType(short, lanes), [0] * lanes)
    given = builder.shuffle_vector(given, empty, mask)
    before, loop, after = builder.block, *(builder.append_basic_block() for _ in range(2))
    builder.branch(loop)
    builder.position_at_end(loop)
    count, sums = builder.phi(number.type), [builder.phi(vector) for _ in range(CHAINS)]
    added = [builder.call(fma, [each, given, given]) for each in sums]
    counted = builder.add(count, number.type(1))
    builder.cbranch(builder.icmp_signed("<", counted, number), loop, after)
    count.add_incoming(number.type(0), before)
    count.add_incoming(counted, loop)
    for each, total in zip(sums, added, strict=True):
        each.add_incoming(given, before)
        each.add_incoming(total, loop)
    builder.position_at_end(after)
    total = added[0]
    for each in added[1:]:
        total = builder.fadd(total, each)
    return builder.extract_element(total, short(0))
