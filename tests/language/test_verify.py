"""verify: each rule, broken once, is caught with its own message."""

import pytest
from sympy import Integer, Sum

from symgrad.language.functions import Peak
from symgrad.language.indices import SAMPLE, SAMPLES, fresh, unit
from symgrad.language.program import Definition, Program, array
from symgrad.language.verify import Unsound, verify

n, i0, i1, i2 = SAMPLE, unit(0), unit(1), unit(2)
j1, k1 = fresh(i1, [i1]), fresh(i1, [i1, fresh(i1, [i1])])
x, W1 = array("x", n, i0), array("W1", i0, i1)
z1 = array("z1", n, i1)
product = Sum(x * W1, (i0, 0, 1))


def program(*pairs, outputs=()):
    return Program(
        name="net",
        inputs=(x,),
        weights=(W1,),
        extents={"n": SAMPLES, "0": Integer(2), "1": Integer(3), "2": Integer(3), "3": Integer(4)},
        definitions=tuple(Definition(target, value) for target, value in pairs),
        outputs=outputs,
    )


def test_a_sound_program_comes_back_unchanged():
    softmax = z1 - Peak(array("z1", n, j1), (j1, 0, 2))
    sound = program((z1, product), (array("y", n, i1), softmax), outputs=("y",))
    assert verify(sound) is sound


@pytest.mark.parametrize(
    ("pairs", "outputs", "message"),
    [
        pytest.param([(z1, product), (z1, product)], (), "z1 is defined twice", id="twice"),
        pytest.param([(x, product)], (), "x is defined twice", id="an input is redefined"),
        pytest.param([(W1, 2 * W1)], (), "W1 is defined twice", id="a weight is redefined"),
        pytest.param(
            [(array("a1", n, i1), 2 * z1), (z1, product)], (), "not defined before", id="too early"
        ),
        pytest.param([(z1, z1 + product)], (), "not defined before", id="reads itself"),
        pytest.param(
            [(z1, product * array("beta"))], (), "beta is not defined before", id="unknown scalar"
        ),
        pytest.param(
            [(array("u", i1, i1), array("W1", i0, i1))], (), "repeated", id="a repeated index"
        ),
        pytest.param(
            [(z1, Sum(x * array("W1", i1, i0), (i0, 0, 1)))], (), "other extents", id="transposed"
        ),
        pytest.param(
            [(z1, product), (array("a", n, i2), array("z1", n, unit(3)))],
            (),
            "other extents",
            id="read over another axis",
        ),
        pytest.param([(z1, x * W1)], (), "free on the right-hand side only", id="no sum"),
        pytest.param(
            [(z1, product), (array("E"), z1)], (), "free on the right-hand side", id="a free index"
        ),
        pytest.param(
            [(z1, product), (array("a", n, i1), Sum(z1, (i1, 0, 2)))],
            (),
            "i1 is bound where it has a meaning already",
            id="captured by the target",
        ),
        pytest.param(
            [(z1, product),
             (array("e", n), Sum(z1 * Peak(z1, (i1, 0, 2)), (i1, 0, 2)))],
            (),
            "i1 is bound where it has a meaning already",
            id="captured by an outer sum",
        ),
        pytest.param(
            [(z1, product), (array("e", n), Sum(array("x", n, i0) * 0 + 1, (i1, 0, 2)))],
            (),
            "does not depend on it",
            id="a sum over nothing",
        ),
        pytest.param(
            [(array("z1", n, i1), Sum(x * W1, (i0, 0, 2)))], (), "i0 takes 3 values", id="extent"
        ),
        pytest.param(
            [(z1, product), (array("e", i1), Sum(z1, (n, 0, 6)))], (), "7 values", id="samples"
        ),
        pytest.param([(z1, product)], ("y",), "output y is not defined", id="missing output"),
    ],
)  # fmt: skip
def test_each_rule_is_enforced(pairs, outputs, message):
    with pytest.raises(Unsound, match=message):
        verify(program(*pairs, outputs=outputs))


def test_the_message_names_the_program_and_the_definition():
    with pytest.raises(Unsound, match=r"net, z1\[n, i1\] = "):
        verify(program((z1, x * W1)))


def test_an_index_may_be_bound_again_beside_its_sum_but_not_inside():
    twice = Sum(z1, (i1, 0, 2)) * Sum(z1**2, (i1, 0, 2))
    verify(program((z1, product), (array("e", n), twice)))


def test_two_axes_of_equal_extent_may_be_read_under_each_other_s_index():
    """A residual layer reads a1[n,i2]: the widths agree."""
    verify(program((z1, product), (array("a2", n, i2), array("z1", n, i2))))
