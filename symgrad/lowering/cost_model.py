"""What computing costs: the one place for the figures that a schedule is decided by.

They were measured on x86-64 with AVX-512, in float32, and are used as ratios: a machine that is
twice as fast at everything is scheduled the same. Nothing here looks at the machine that compiles,
so that the same spec gives the same source anywhere.
"""

from symgrad.language.count import of_definition
from symgrad.language.program import Program
from symgrad.lowering.canonical import (
    canonical,
    matrices,
    multiplications,
    over_samples,
    size,
    sums_over_samples,
)

# Matrix products are computed as such from so many multiplications a sample on. Below, calls cost
# more than the work: a 2-8-1 network with 4 samples takes 0.15 µs in loops, and 0.5 µs in products
# and passes over arrays.
PRODUCT_FROM = 96

# The same for the other products of a network whose largest is worth it. Below, as at an output of
# one unit, a loop that also does what is done with the product next is faster: 10-32-32-1 with 64
# samples takes 7.8 µs instead of 8.7. But with 64 multiplications a sample left to loops, as the
# last layer of 4-32-16-4 has, 10,000 samples took 610 µs instead of 450.
PRODUCT_WITHIN = 48

NEVER = 1 << 60  # samples

# Arrays that are computed together should stay in a core's cache.
CACHE_BYTES = 1 << 18

# How many samples are computed together: enough that a product is worth its call, and where the
# gradient is larger than the cache, enough that adding to it does not cost more than computing it.
ROWS = (64, 512)

# Nanoseconds: of an operation inside a product, of one elsewhere, of adding one number of a part of
# the gradient to the whole, and the least work that is worth handing to another thread.
PRODUCT_NS = 1 / 100
LOOP_NS = 1 / 5
ADD_NS = 1 / 4
THREAD_NS = 14_000

# Two threads gain nothing by more than two parts, and more threads do. Parts are so large that two
# threads lose a twenty-fifth at most by adding up more of them than they need.
MORE_NS = 40_000
MORE_SUMS = 12

# No more parts than this, however many samples: each has a gradient of its own; and where there are
# more than two, these hold no more numbers than that together.
MOST_CHUNKS = 16
MOST_NUMBERS = 1 << 26

# A loop over so many units or more is left to run at run time; LLVM would otherwise unroll it
# before it vectorises, and then not vectorise.
OPAQUE_FROM = 8

# Sums of at most so many terms within a loop over units are unrolled, so that the loop outside is
# the one that is vectorised.
UNROLLED = 16

# So many loops that differ in names only share one function, which is compiled once.
ALIKE_FROM = 4

# Numbers in arrays of one sample that lie on the stack.
STACK = 1 << 10


def least_product(program: Program) -> int:
    """From how many multiplications a sample on products are computed as such."""
    whole = canonical(program, least=0)
    products = [d for d in whole.definitions if matrices(whole, d, 0)]
    largest = max((multiplications(whole, d) for d in products), default=0)
    return PRODUCT_WITHIN if largest >= PRODUCT_FROM else NEVER


def block_rows(program: Program, numbers_a_sample: int, itemsize: int) -> int:
    """How many samples are computed together where each needs so many numbers in memory."""
    least, most = ROWS
    weights = sum(size(program, d.indices) for d in program.definitions if sums_over_samples(d))
    rows = least
    while rows < most and (
        2 * rows * numbers_a_sample * itemsize <= CACHE_BYTES
        or (weights * itemsize > CACHE_BYTES and rows < 4 * least)
    ):
        rows *= 2
    return rows


def chunks_from(program: Program, least_product: int) -> tuple[int, ...]:
    """How many samples are computed in 2, 4, 8, … parts, each with a gradient of its own.

    Two where each is worth a thread, and more where those with two threads only would hardly lose
    by it.
    """
    sums = sum(size(program, d.indices) for d in program.definitions if sums_over_samples(d))
    a_sample = max(nanoseconds(program, least_product), LOOP_NS)  # a constant loss takes nothing
    thresholds = []
    chunks = 2
    while chunks == 2 or (chunks <= MOST_CHUNKS and chunks * sums <= MOST_NUMBERS):
        if chunks == 2:
            least = max(2 * THREAD_NS, 4 * sums * ADD_NS)
        else:
            least = chunks * max(MORE_NS, MORE_SUMS * sums * ADD_NS)
        thresholds.append(_round(least / a_sample))
        chunks *= 2
    return tuple(thresholds)


def nanoseconds(program: Program, least_product: int) -> float:
    """What the definitions over samples cost, for one sample among many."""
    return sum(
        of_definition(program, definition)
        * (PRODUCT_NS if matrices(program, definition, least_product) else LOOP_NS)
        for definition in program.definitions
        if over_samples(definition)
    )


def _round(samples: float) -> int:
    """A whole number of two digits, for reading."""
    number = max(2, int(samples))
    scale = 10 ** max(len(str(number)) - 2, 0)
    return -(-number // scale) * scale
