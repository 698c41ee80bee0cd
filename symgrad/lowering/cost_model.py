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
)

# Matrix products are computed as such from so many multiplications a sample on. With one sample,
# loops take half the time, since nothing is called: 0.19 µs for 2-8-1 in place of 0.41, 0.27 for
# 8-8-8-2 in place of 0.55. With 4 they are even (0.57 and 0.61 µs for 8-8-8-2), and with 32 and
# more products take half the time of loops.
PRODUCT_FROM = 64

# The same for the other products of a network whose largest is worth it. 10-32-32-1 with 64 samples
# takes 7.1 µs with a product for its output and 8.2 with a loop, which waits for each of its terms.
PRODUCT_WITHIN = 8

NEVER = 1 << 60  # samples

# Arrays that are computed together should stay in a core's cache.
CACHE_BYTES = 1 << 18

# How many samples are computed together: enough that a product is worth its call.
ROWS = (64, 512)

# Nanoseconds: of an operation inside a product, of one elsewhere, and the least work that is worth
# handing to another thread.
PRODUCT_NS = 1 / 100
LOOP_NS = 1 / 5
THREAD_NS = 14_000

# On threads, the samples are cut into no more subtrees than this, however many they are: each has
# gradients of its own, which together hold no more numbers than that but for one a thread.
MOST_SUBTREES = 64
MOST_NUMBERS = 1 << 23

# Where more numbers than this are summed for a matrix, leaves are added one after the other to one
# sum, which all threads share; fewer, in a tree, for which each thread has several sums.
MOST_IN_TREE = 1 << 16

# A leaf is shared by no more threads than this, and is so that samples are computed so many
# together; what threads lose by it, as a share of five.
SHARED_AMONG = 8
SHARED_ROWS = 8
SHARED_LOSS = 1

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


def block_rows(numbers_a_sample: int, itemsize: int) -> int:
    """How many samples are computed together where each needs so many numbers in memory."""
    rows, most = ROWS
    while rows < most and 2 * rows * numbers_a_sample * itemsize <= CACHE_BYTES:
        rows *= 2
    return rows


def threaded_from(program: Program, least_product: int) -> int:
    """From how many samples on two threads have enough to do: a number of two digits, to read."""
    a_sample = max(nanoseconds(program, least_product), LOOP_NS)  # a constant loss takes nothing
    return _round(2 * THREAD_NS / a_sample)


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
