"""Sums over samples, with all that is the same for every sample outside of them."""

import pytest

import symgrad
from symgrad.language.indices import SAMPLE
from symgrad.language.unicode import equation
from symgrad.lowering.canonical import sums_over_samples

TANH = {"units": 4, "activation": "tanh"}


def made(name, layers, **more):
    spec = {"name": "net", "dtype": "float64", "inputs": 3, "layers": layers, **more}
    compiled = symgrad.compile({**spec, "derivatives": [name]})
    return compiled.stages.derivatives[name].program


def written(program):
    return {d.name: equation(d) for d in program.definitions}


def test_weights_and_deltas_are_pulled_out_of_the_sums():
    found = written(made("gauss_newton", [TANH, {"units": 2}]))
    assert found["sum_a1_a1"] == "sum_a1_a1[i1,j1] = Σ_n a1[n,i1]·a1[n,j1]"
    assert found["d_d_W2_d_v_W2"] == "d_d_W2_d_v_W2[i1,i2,j1,j2] = sum_a1_a1[i1,j1]·δ(i2,j2)/N"
    slope, outer = "d_end_d_z1_d_d_a1", "d_x_times_d_end_d_z1_d_d_a1"
    assert found[outer] == f"{outer}[n,i0,i1] = x[n,i0]·{slope}[n,i1]"
    total = "sum_for_d_d_W1_d_v_W1"
    assert found[total] == f"{total}[i0,i1,j0,j1] = Σ_n {outer}[n,i0,i1]·{outer}[n,j0,j1]"
    block, squares = "d_d_W1_d_v_W1[i0,i1,j0,j1]", "sum_W2_times_W2[i1,j1]"
    assert found["d_d_W1_d_v_W1"] == f"{block} = {squares}·{total}[i0,i1,j0,j1]/N"


def test_a_difference_of_large_numbers_stays_in_its_sum():
    softmax = [TANH, {"units": 2, "activation": "softmax"}]
    found = written(made("gauss_newton", softmax, loss={"kind": "cross_entropy"}))
    curved = "d_end_d_z2_d_from_v_z2"
    assert found["d_d_b2_d_v_b2"] == f"d_d_b2_d_v_b2[i2,j2] = sum_{curved}[i2,j2]"


@pytest.mark.parametrize(
    "name", ["gauss_newton", pytest.param("hessian", marks=pytest.mark.slow)]
)
def test_samples_have_no_more_than_a_matrix_each(name):
    program = made(name, [TANH, {"units": 5, "activation": "silu"}, {"units": 2}])
    axes = {len(d.indices) for d in program.definitions if SAMPLE in d.indices}
    assert max(axes) == 3
    sums = [d for d in program.definitions if sums_over_samples(d)]
    assert sums and all(d.name in program.outputs for d in sums)
    blocks = [n for n in program.outputs if not sums_over_samples(program.by_name[n])]
    assert len(blocks) == 6 * 7 // 2  # of three weights and three biases, on and above the diagonal


@pytest.mark.slow
def test_each_sum_is_there_once():
    heat = {
        "name": "net",
        "inputs": ["x", "t"],
        "layers": [TANH, {"names": ["u"]}],
        "loss": {"formula": "(D(u, t) - 0.1*D(u, x, x))**2"},
        "derivatives": ["hessian"],
    }
    program = symgrad.compile(heat).stages.derivatives["hessian"].program
    sums = [d for d in program.definitions if sums_over_samples(d)]
    assert len({str(d.value) for d in sums}) == len(sums) > 10
