"""fma written out, where a processor has no instruction for it: to the bit what others compute."""

from fractions import Fraction

import numpy as np
import pytest
from llvmlite import ir
from numba import njit
from numba.extending import intrinsic

from symgrad.targets.numba import emit
from symgrad.targets.numba.load import load_text

RUNTIME = load_text(emit.runtime(), "runtime_of_fma")
WRITTEN_OUT = {"float32": RUNTIME._fma_by_doubles, "float64": RUNTIME._fma_by_integers}
MANY = 500_000


def loop(write):
    """A compiled loop over what `write(builder, a, b, c)` computes."""

    @intrinsic
    def one(typing, a, b, c):
        return a(a, b, c), lambda context, builder, signature, numbers: write(builder, *numbers)

    @njit
    def every(a, b, c, out):
        for place in range(len(out)):
            out[place] = one(a[place], b[place], c[place])

    return every


def in_vectors(write):
    """The same, the numbers being one place of vectors of four."""

    def inside(builder, *numbers):
        kind, place = ir.VectorType(numbers[0].type, 4), ir.IntType(32)(2)
        ones = ir.Constant(kind, [1.0] * 4)
        vectors = [builder.insert_element(ones, each, place) for each in numbers]
        return builder.extract_element(write(builder, *vectors), place)

    return inside


LOOPS = {
    name: {"numbers": loop(write), "vectors": loop(in_vectors(write))}
    for name, write in WRITTEN_OUT.items()
}
PROCESSOR = loop(lambda builder, *numbers: builder.fma(*numbers))


def applied(compiled, *numbers):
    out = np.empty_like(numbers[0])
    compiled(*numbers, out)
    return out


def ends(dtype):
    """Every triple of some numbers where methods change or fail."""
    limits = np.finfo(dtype)
    tiny, eps = float(limits.smallest_subnormal), float(limits.eps)
    some = [0, 1, 1.5, 3, 1 + eps, 1 - eps / 2, eps, eps / 2, 2 / eps, np.inf, tiny, 3 * tiny]
    normal = float(limits.smallest_normal)
    some += [normal, normal - tiny, limits.max, float(limits.max) / 2, 2.0 ** (limits.minexp // 2)]
    numbers = np.array(some).astype(dtype)
    numbers = np.concatenate([numbers, -numbers, [np.nan]]).astype(dtype)
    return [each.ravel() for each in np.meshgrid(numbers, numbers, numbers)]


def any_bits(dtype):
    size = np.dtype(dtype).itemsize
    random = np.random.default_rng(size)
    return [np.frombuffer(random.bytes(MANY * size), dtype) for _ in range(3)]


def scaled(random, dtype, low, high):
    """Numbers in ±[1, 2) times powers of two."""
    number = random.uniform(1, 2, MANY) * random.choice([-1, 1], MANY)
    return np.ldexp(number, random.integers(low, high, MANY)).astype(dtype)


def beside_the_product(dtype):
    """c near ±a·b, much smaller and much larger."""
    random, half = np.random.default_rng(1), int(np.finfo(dtype).maxexp) // 2
    a, b = (scaled(random, dtype, -half - 30, half) for _ in range(2))
    near = a.astype(np.longdouble) * b * random.choice([-1, -1, 1], MANY)
    spread = random.choice([0, 3, 60, 130], MANY)
    return a, b, np.ldexp(near, random.integers(-spread, spread + 1)).astype(dtype)


def halfway(dtype):
    """a·b is half a unit in the last place of c, or more or less by very little."""
    random, limits = np.random.default_rng(3), np.finfo(dtype)
    i, j = random.integers(-4, 5, MANY), random.integers(-8, 9, MANY)
    a, b = 1 + i * limits.eps, (1 + j * limits.eps / 2) / 2
    last = 2 ** int(limits.nmant)
    c = random.integers(last, 2 * last, MANY) * random.choice([-1, 1], MANY)
    by = random.integers(int(limits.minexp) - int(limits.nmant), limits.maxexp - limits.nmant, MANY)
    return a.astype(dtype), np.ldexp(b, by).astype(dtype), np.ldexp(c * 1.0, by).astype(dtype)


def below_the_normal(dtype):
    """Products and sums that lose digits because they are small."""
    random, limits = np.random.default_rng(2), np.finfo(dtype)
    half = int(limits.minexp) // 2
    a, b = (scaled(random, dtype, half - 40, half + 10) for _ in range(2))
    return a, b, random.integers(-4000, 4000, MANY).astype(dtype) * limits.smallest_subnormal


SETS = {
    "ends": ends,
    "any bits": any_bits,
    "beside the product": beside_the_product,
    "halfway": halfway,
    "below the normal": below_the_normal,
}


@pytest.mark.parametrize("way", ["numbers", "vectors"])
@pytest.mark.parametrize("dtype", WRITTEN_OUT)
@pytest.mark.parametrize("name", SETS)
def test_it_is_what_the_processor_computes(name, dtype, way):
    with np.errstate(all="ignore"):
        numbers = SETS[name](dtype)
    right, found = applied(PROCESSOR, *numbers), applied(LOOPS[dtype][way], *numbers)
    word = f"u{right.itemsize}"
    same = (right.view(word) == found.view(word)) | (np.isnan(right) & np.isnan(found))
    wrong = np.flatnonzero(~same)
    assert not wrong.size, [(*(each[k] for each in numbers), found[k]) for k in wrong[:3]]


def nearest(exact, dtype):
    """An exact number rounded to nearest, ties to even; below the normal numbers too."""
    limits = np.finfo(dtype)
    exponent = len(bin(abs(exact.numerator))) - len(bin(exact.denominator)) - int(limits.nmant) - 2
    exponent = max(exponent, int(limits.minexp) - int(limits.nmant))
    while abs(exact) >= Fraction(2) ** (exponent + int(limits.nmant) + 1):
        exponent += 1
    return float(round(exact / Fraction(2) ** exponent) * Fraction(2) ** exponent)


@pytest.mark.parametrize("dtype", WRITTEN_OUT)
@pytest.mark.parametrize("name", ["beside the product", "halfway", "below the normal"])
def test_it_is_the_exact_number_rounded(name, dtype):
    with np.errstate(all="ignore"):
        numbers = [each[:3000] for each in SETS[name](dtype)]
    found = applied(LOOPS[dtype]["numbers"], *numbers)
    for a, b, c, each in zip(*(n.tolist() for n in numbers), found.tolist(), strict=True):
        if np.isfinite([a, b, c, each]).all():
            assert each == nearest(Fraction(a) * Fraction(b) + Fraction(c), dtype), (a, b, c)


def test_what_is_compared_shows_a_second_rounding():
    """The negative control: by float64, without more care, some float32 are others."""
    a, b, c = (each.astype(float) for each in SETS["halfway"]("float32"))
    right = applied(PROCESSOR, *SETS["halfway"]("float32"))
    assert ((a * b + c).astype("float32") != right).mean() > 0.01
