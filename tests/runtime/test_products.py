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
    module = load(file)
    matmul, matmul_piece = module.matmul, module.matmul_piece

    @nb.njit
    def plain(a, b, c, *row):
        matmul(a, b, c, *row)

    @nb.njit
    def left(a, b, c, *row):
        matmul(a.T, b, c, *row)

    @nb.njit
    def right(a, b, c, *row):
        matmul(a, b.T, c, *row)

    @nb.njit
    def piece(a, b, c, k, n):
        matmul_piece(a.T, b, c, k, n)

    known = {(False, False): plain, (True, False): left, (False, True): right}
    return known | {"piece": piece, "in python": matmul_piece}


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
    for (a_turned, b_turned), product in [*products.items()][:3]:
        m, k, n = (random.choice(SIZES) for _ in range(3))
        a, b = (numbers.normal(size=s).astype(dtype) for s in ((m, k), (k, n)))
        row = numbers.normal(size=n).astype(dtype)
        for begun in (np.zeros(n, dtype), row):
            _, left = guarded(a.T if a_turned else a, seed % 3)
            _, right = guarded(b.T if b_turned else b, seed % 5)
            memory, into = guarded(np.full((m, n), np.nan, dtype), seed % 7)
            product(left, right, into, *([row] if begun is row else []))
            np.testing.assert_allclose(into, a.astype(float) @ b + begun, 1e-4, 1e-4)
            for _ in range(3):
                i, j = random.randrange(m), random.randrange(n)
                assert into[i, j] == chain(a[i], b[:, j], begun[j], dtype)
            outside = memory.copy()
            outside[GUARD + seed % 7 : GUARD + seed % 7 + m * n] = np.nan
            assert np.isnan(outside).all()


@pytest.mark.parametrize("dtype", PRECISION)
def test_a_sum_of_no_terms_is_what_it_starts_from(dtype, products):
    for (a_turned, b_turned), product in [*products.items()][:3]:
        a = np.empty((0, 9) if a_turned else (9, 0), dtype)
        b = np.empty((35, 0) if b_turned else (0, 35), dtype)
        into, row = np.full((9, 35), 7, dtype), np.arange(35, dtype=dtype)
        for given, expected in (((), 0), ((row,), row)):
            product(a, b, into, *given)
            np.testing.assert_array_equal(into, np.broadcast_to(expected, (9, 35)))


@pytest.mark.parametrize("dtype", PRECISION)
def test_pieces_are_all_of_a_product(dtype, products):
    """Each writes its rows and no others; compiled and in Python they are the same rows."""
    numbers = np.random.default_rng(0)
    for m, pieces in ((1, 3), (7, 2), (17, 2), (64, 5), (129, 8)):
        a, b = (numbers.normal(size=s).astype(dtype) for s in ((33, m), (33, 17)))
        whole, together = np.empty((m, 17), dtype), np.full((m, 17), np.nan, dtype)
        products[True, False](a, b, whole)
        for piece in range(pieces):
            alone, plain = np.full_like(whole, np.nan), np.full_like(whole, np.nan)
            products["piece"](a, b, alone, piece, pieces)
            products["in python"](a.T, b, plain, piece, pieces)
            mine = ~np.isnan(alone)
            np.testing.assert_array_equal(mine, ~np.isnan(plain))
            assert not (mine & ~np.isnan(together)).any()
            together[mine] = alone[mine]
        np.testing.assert_array_equal(together, whole)


def test_other_arrays_are_refused(products):
    a, b, c = np.ones((4, 6)), np.ones((3, 5)), np.ones((4, 5))

    @nb.njit
    def strided(product, a, b, c):
        product(a[:, ::2], b, c)

    with pytest.raises(nb.errors.TypingError):
        strided(products[False, False], a, b, c)
