"""Products of matrices: every number one chain of fused multiply-adds, at every size and edge."""

from fractions import Fraction
from random import Random

import numba as nb
import numpy as np
import pytest
from mpmath.libmp import from_rational, to_float

from symgrad.targets.numba.emit import runtime, runtime_name
from symgrad.targets.numba.load import load

PRECISION = {np.float32: 24, np.float64: 53}
SIZES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 65, 129, 257)
GUARD = 64  # numbers before and after an array, which nothing may touch


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Compiled calls, by whether the matrices are transposed: left, right."""
    file = tmp_path_factory.mktemp("products") / f"{runtime_name()}.py"
    file.write_text(runtime(), encoding="utf-8")
    matmul = load(file).matmul

    @nb.njit
    def plain(a, b, c, start):
        matmul(a, b, c, start)

    @nb.njit
    def left(a, b, c, start):
        matmul(a.T, b, c, start)

    @nb.njit
    def right(a, b, c, start):
        matmul(a, b.T, c, start)

    return {(False, False): plain, (True, False): left, (False, True): right}


def rounded(exact, dtype):
    """The nearest number of a dtype, ties to even, of numbers that are no less than normal."""
    nearest = from_rational(exact.numerator, exact.denominator, PRECISION[dtype], "n")
    return dtype(to_float(nearest))


def chain(a, b, start, dtype):
    """Σ a·b on top of `start`, each term added exactly and rounded once."""
    total = start
    for x, y in zip(a, b, strict=True):
        total = rounded(Fraction(float(x)) * Fraction(float(y)) + Fraction(float(total)), dtype)
    return total


def guarded(array, offset):
    """The array within memory that is NaN on both sides, not aligned to more than its numbers."""
    memory = np.full(array.size + 2 * GUARD + offset, np.nan, array.dtype)
    inside = memory[GUARD + offset : GUARD + offset + array.size].reshape(array.shape)
    inside[...] = array
    return memory, inside


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("seed", range(16))
def test_every_number_is_a_chain_of_fused_multiply_adds(seed, dtype, products):
    random, numbers = Random(seed), np.random.default_rng(seed)
    for (a_turned, b_turned), product in products.items():
        m, k, n = (random.choice(SIZES) for _ in range(3))
        a, b = (numbers.normal(size=s).astype(dtype) for s in ((m, k), (k, n)))
        row, before = (
            numbers.normal(size=n).astype(dtype),
            numbers.normal(size=(m, n)).astype(dtype),
        )
        for start in ("zero", "before", "row"):
            _, left = guarded(a.T if a_turned else a, seed % 3)
            _, right = guarded(b.T if b_turned else b, seed % 5)
            old = np.full((m, n), np.nan, dtype) if start != "before" else before
            memory, into = guarded(old, seed % 7)
            begun = {"zero": np.zeros((m, n), dtype), "before": before, "row": np.tile(row, (m, 1))}
            given = {"zero": dtype(0), "before": dtype(1), "row": row}[start]
            product(left, right, into, given)
            np.testing.assert_allclose(into, a.astype(float) @ b + begun[start], 1e-4, 1e-4)
            for _ in range(3):
                i, j = random.randrange(m), random.randrange(n)
                assert into[i, j] == chain(a[i], b[:, j], begun[start][i, j], dtype)
            outside = memory.copy()
            outside[GUARD + seed % 7 : GUARD + seed % 7 + m * n] = np.nan
            assert np.isnan(outside).all()


@pytest.mark.parametrize("dtype", PRECISION)
def test_a_sum_of_no_terms_is_what_it_starts_from(dtype, products):
    for (a_turned, b_turned), product in products.items():
        a = np.empty((0, 9) if a_turned else (9, 0), dtype)
        b = np.empty((35, 0) if b_turned else (0, 35), dtype)
        into, row = np.full((9, 35), 7, dtype), np.arange(35, dtype=dtype)
        for start, expected in ((dtype(1), 7), (dtype(0), 0), (row, row)):
            product(a, b, into, start)
            np.testing.assert_array_equal(into, np.broadcast_to(expected, (9, 35)))


def test_other_arrays_are_refused(products):
    a, b, c = np.ones((4, 6)), np.ones((3, 5)), np.ones((4, 5))

    @nb.njit
    def strided(product, a, b, c):
        product(a[:, ::2], b, c, 0.0)

    with pytest.raises(nb.errors.TypingError):
        strided(products[False, False], a, b, c)
