"""indices: renaming is simultaneous and captures nothing."""

import pytest
from sympy import Integer, Sum

from symgrad.language.functions import Peak
from symgrad.language.indices import (
    SAMPLE,
    SAMPLES,
    apart,
    axis,
    bounds,
    canonical,
    free_indices,
    fresh,
    is_index,
    rename,
    sum_over,
    unit,
    walk,
)
from symgrad.language.program import array

i0, i1, i2 = unit(0), unit(1), unit(2)
j1, k1 = fresh(i1, [i1]), fresh(i1, [i1, fresh(i1, [i1])])
n = SAMPLE


def u(*indices):
    return array("u", *indices)


def v(*indices):
    return array("v", *indices)


def total(body, *indices):
    return Sum(body, *((index, 0, 2) for index in indices))


def test_renaming_swaps_simultaneously():
    assert rename(u(i1, j1), {i1: j1, j1: i1}) == u(j1, i1)
    assert rename(u(i1) * v(j1), {i1: j1, j1: k1}) == u(j1) * v(k1)


def test_renaming_leaves_bound_indices_alone():
    assert rename(total(u(i1), i1), {i1: k1}) == total(u(i1), i1)
    # i1 is free in the first factor, bound in the second
    assert rename(v(i1) * total(u(i1), i1), {i1: k1}) == v(k1) * total(u(i1), i1)


@pytest.mark.parametrize("kind", [Sum, Peak])
def test_a_sum_that_would_capture_gets_another_index(kind):
    expression = kind(u(i1, j1), (j1, 0, 2))
    renamed = rename(expression, {i1: j1})
    ((bound, extent),) = bounds(renamed).items()
    assert bound not in (i1, j1) and axis(bound) == "1" and extent == 3
    assert renamed == kind(u(j1, bound), (bound, 0, 2))
    assert free_indices(renamed) == {j1}


def test_swapping_into_a_sum_captures_nothing():
    # Σ_k1 u[i1,j1,k1] with i1 → k1, k1 is not free
    renamed = rename(total(u(i1, j1, k1), k1), {i1: j1, j1: i1})
    assert renamed == total(u(j1, i1, k1), k1)
    renamed = rename(total(u(i1, j1, k1), k1), {i1: k1})
    ((bound, _),) = bounds(renamed).items()
    assert renamed == total(u(k1, j1, bound), bound) and bound not in (i1, j1, k1)


def test_sums_over_several_indices_are_renamed_apart_from_each_other():
    nested = total(u(i1, j1) * v(k1), i1, j1)
    renamed = rename(nested, {k1: i1})
    first, second = bounds(renamed)
    assert len({first, second, i1}) == 3
    assert renamed == total(u(first, second) * v(i1), first, second)


def test_sympy_s_own_replacement_would_capture():
    """The reason for `rename`: this is what must not happen."""
    captured = total(u(i1, j1), j1).xreplace({i1: j1})
    assert free_indices(captured) == frozenset()


def test_apart_renames_what_is_bound_only():
    expression = u(i1) + total(v(i1) * u(i2), i1)
    moved = apart(expression, [i1])
    (bound,) = bounds(next(node for node in walk(moved) if isinstance(node, Sum)))
    assert bound not in (i1, i2)
    assert moved == u(i1) + total(v(bound) * u(i2), bound)


def test_apart_avoids_what_is_free_inside_and_what_it_has_just_chosen():
    moved = apart(total(u(i1, j1) * v(k1), i1, j1), [i1, j1])
    first, second = bounds(moved)
    assert len({first, second, i1, j1, k1}) == 5
    assert moved == total(u(first, second) * v(k1), first, second)


def test_apart_reaches_nested_sums():
    nested = Peak(u(i1) * total(v(j1), j1), (i1, 0, 2))
    moved = apart(nested, [i1, j1])
    assert free_indices(moved) == frozenset()
    reductions = [node for node in walk(moved) if isinstance(node, Sum | Peak)]
    assert len(reductions) == 2
    assert not {i1, j1} & {index for reduction in reductions for index in bounds(reduction)}


def test_apart_without_reductions_is_the_expression_itself():
    expression = u(i1) * v(i1) + 1
    assert apart(expression, [i1]) is expression


@pytest.mark.parametrize("index", [i0, i1, unit(12), SAMPLE])
def test_fresh_indices_are_distinct_and_count_the_same(index):
    taken = [index]
    for _ in range(30):
        new = fresh(index, taken)
        assert new not in taken
        assert axis(new) == axis(index), f"{new} is over another axis than {index}"
        assert is_index(new)
        taken.append(new)


def test_the_first_fresh_names_are_the_ones_people_write():
    assert [fresh(i1, [i1]).name, fresh(i1, [i1, j1]).name] == ["j1", "k1"]
    assert fresh(i1, []) == i1


def test_axes():
    assert axis(n) == "n" and axis(i0) == "0" and axis(unit(10)) == "10" and axis(j1) == "1"
    assert not is_index(SAMPLES) and not is_index(u(i1)) and not is_index(array("E"))


def test_canonical_names_depend_on_axes_and_order_only():
    assert canonical([n, k1]) == (n, i1)
    assert canonical([k1, j1]) == (i1, j1)
    assert canonical([i2, k1, j1, n]) == (i2, i1, j1, n)


def test_free_indices():
    assert free_indices(total(u(i1, j1), j1) * v(n)) == {i1, n}
    assert free_indices(total(u(i1, j1), i1, j1)) == frozenset()
    assert free_indices(v(i1) * total(u(i1), i1)) == {i1}
    assert free_indices(SAMPLES * array("E")) == frozenset()


def test_sum_over_pulls_out_what_does_not_depend_on_the_index():
    assert sum_over(2 * u(i1) * v(i2), i1, Integer(3)) == 2 * v(i2) * total(u(i1), i1)
    assert sum_over(u(i1) * v(i1), i1, Integer(3)) == total(u(i1) * v(i1), i1)
    assert sum_over(v(i2), i1, Integer(3)) == 3 * v(i2)
    assert sum_over(u(i1) + v(i2), i1, Integer(3)) == total(u(i1) + v(i2), i1)


def test_sum_over_the_samples_keeps_their_number_a_symbol():
    assert sum_over(v(i2), n, SAMPLES) == SAMPLES * v(i2)
    assert sum_over(u(n), n, SAMPLES) == Sum(u(n), (n, 0, SAMPLES - 1))


def test_walk_leaves_out_limits_and_names():
    nodes = list(walk(total(u(i1) + 1, i1)))
    assert nodes[0] == total(u(i1) + 1, i1)
    assert set(nodes) == {nodes[0], u(i1) + 1, u(i1), Integer(1)}
