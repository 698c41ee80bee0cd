"""The tree over leaves: however these are shared out, and in whatever order sums come, the bits are
those of all in one place."""

from itertools import pairwise

import numba as nb
import numpy as np
import pytest

from symgrad.distributed.sources import InMemory, total_of
from symgrad.distributed.tree import Tree, leaves_of, ranges, spans
from symgrad.lowering.arithmetic import LEAF
from symgrad.targets.numba.load import load
from tests.distributed.samples import (
    NETS,
    module_of,
    penalties_of,
    same_bits,
    samples_of,
    spec_of,
)


def shared_out(module, name, theta, arrays, cuts, random=None):
    """The loss and its gradient by way of ranges between cuts, which come in a random order."""
    penalties, samples = [*penalties_of(name).values()], len(arrays[0])
    total = total_of(InMemory(arrays), name == "weighted")
    tree = Tree(leaves_of(samples))
    parts = [(a, b) for a, b in pairwise(cuts) if a < b]
    for a, b in random.permutation(parts).tolist() if random else parts:
        places = len([*spans(a, b - a)])
        losses, gradients = np.empty(places), np.empty((places, module.SIZE), theta.dtype)
        given = [array[a * LEAF : b * LEAF] for array in arrays]
        count = module.gradient_of_leaves(
            theta, *given, *penalties, total, float(a), losses, gradients
        )
        assert count == places
        tree.add(a, b - a, losses, gradients)
    loss, gradient = tree.sum()
    return module.complete_gradient(theta, *penalties, total, loss, gradient), gradient


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NETS)
def test_any_partition_has_the_bits_of_the_whole(name, dtype):
    module, random = module_of(name, dtype), np.random.default_rng(0)
    theta = module.init(3)
    for samples in (1, LEAF, LEAF + 1, 7 * LEAF, 64 * LEAF + 5, 71 * LEAF - 1):
        arrays, leaves = samples_of(name, samples, dtype), leaves_of(samples)
        expected = module.loss_and_gradient(theta, *arrays, *penalties_of(name).values())
        for parts in (1, 2, 7, 64):
            cuts = sorted(random.integers(0, leaves + 1, parts - 1).tolist())
            found = shared_out(module, name, theta, arrays, [0, *cuts, leaves], random)
            assert same_bits(found, expected), (samples, parts)


def test_leaves_with_products_are_shared_out_likewise():
    """Larger layers are computed in blocks of samples, by matrix products."""
    module = module_of("plain", "float32", 64)
    theta, arrays = module.init(0), samples_of("plain", 20 * LEAF + 9, "float32")
    found = shared_out(module, "plain", theta, arrays, [0, 3, 4, 17, 21], np.random.default_rng(1))
    assert same_bits(found, module.loss_and_gradient(theta, *arrays))


@pytest.mark.slow
def test_the_emitted_module_and_its_callers_have_the_same_bits(tmp_path):
    import symgrad

    compiled = symgrad.compile(spec_of("penalised"))
    emitted, native = load(compiled.write(tmp_path)), compiled.module
    theta, arrays = native.init(1), samples_of("penalised", 9 * LEAF + 1)
    expected = native.loss_and_gradient(theta, *arrays, 0.01)
    found = shared_out(emitted, "penalised", theta, arrays, [0, 2, 7, 10])
    assert same_bits(found, expected)

    @nb.njit
    def call(theta, x, t, losses, gradients):
        count = emitted.gradient_of_leaves(theta, x, t, 0.01, 9.0 * LEAF, 0.0, losses, gradients)
        return count, emitted.complete_gradient(theta, 0.01, 9.0 * LEAF, losses[0], gradients[0])

    losses, gradients = np.empty(4), np.empty((4, native.SIZE))
    first = [array[: 8 * LEAF] for array in arrays]
    count, _ = call(theta, *first, losses, gradients)
    other, slopes = np.empty(4), np.empty((4, native.SIZE))
    again = native.gradient_of_leaves(theta, *first, 0.01, 9.0 * LEAF, 0.0, other, slopes)
    native.complete_gradient(theta, 0.01, 9.0 * LEAF, other[0], slopes[0])
    assert count == again == 1 and losses[0] == other[0]
    assert gradients[0].tobytes() == slopes[0].tobytes()


def test_on_threads_a_range_has_the_same_bits():
    module = module_of("plain")
    theta, arrays = module.init(0), samples_of("plain", 300 * LEAF + 1)
    work = module.gradient_of_leaves.work
    places = len([*spans(4, 297)])
    given = theta, *(array[4 * LEAF :] for array in arrays), float(len(arrays[0])), 4.0
    found = []
    for threads in (False, True):
        sums = np.empty(places), np.empty((places, module.SIZE))
        work.alone(pytest.fail, threads)(*given, *sums)
        found.append([array.tobytes() for array in sums])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"total": 0.0}, "total must be above 0, came 0.0"),
        ({"first": 0.5}, "first must be a whole number from 0 on, came 0.5"),
        ({"first": -1}, "first must be a whole number from 0 on, came -1.0"),
        ({"losses": np.empty(2)}, "gradients must have as many rows as losses, came 3 and 2"),
        (
            {"losses": np.empty(1), "gradients": np.empty((1, 67))},
            "losses must have room for 2 subtrees, came 1",
        ),
        ({"gradients": np.empty((3, 66))}, "gradients must be of shape"),
        ({"x": np.empty((300, 5))}, r"x must be of shape \(samples, 4\)"),
    ],
)
def test_what_does_not_fit_is_refused(changed, said):
    module = module_of("plain")
    x, t = samples_of("plain", 3 * LEAF)
    given = {
        "theta": module.init(0), "x": x, "t": t, "total": 900, "first": 0,
        "losses": np.empty(3), "gradients": np.empty((3, module.SIZE)),
    }  # fmt: skip
    with pytest.raises(ValueError, match=said):
        module.gradient_of_leaves(**given | changed)
    assert module.gradient_of_leaves(**given) == 2


def test_ranges_are_all_leaves_and_nearly_of_the_same_length():
    for leaves in (1, 2, 63, 100, 7813, 78125):
        for parts in (1, 2, 7, 64):
            found = ranges(leaves, parts)
            ends = [first + count for first, count in found]
            assert [first for first, _ in found] == [0, *ends[:-1]] and ends[-1] == leaves
            counts = [count for _, count in found]
            assert len(found) == min(parts, leaves) and max(counts) <= 1.05 * leaves / parts + 1


def test_a_tree_that_lacks_leaves_or_has_some_twice_says_so():
    tree, row = Tree(4), (np.zeros(1), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="not all leaves have come"):
        tree.sum()
    tree.add(0, 1, *row)
    with pytest.raises(ValueError, match="came twice"):
        tree.add(0, 1, *row)
    tree.add(2, 2, *row)
    with pytest.raises(ValueError, match="not all leaves have come"):
        tree.sum()
    tree.add(1, 1, *row)
    assert tree.sum()[0] == 0.0
