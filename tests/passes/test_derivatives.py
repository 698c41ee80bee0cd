"""derivatives: every order that partials can be multiplied in gives the same, exactly, modulo a
prime, and what one function gives is what others say of it.

Programs are compared as they are before `guard`, whose products end at a 0 and are no products
then.
"""

from random import Random

import numpy as np
import pytest

from symgrad.language.evaluate import PRIME, Residues, evaluate
from symgrad.language.program import name_of
from symgrad.language.verify import verify
from symgrad.passes.derivatives import DERIVATIVES, Network
from symgrad.passes.inner import inner
from symgrad.spec.spec import ACTIVATIONS, LOSSES
from tests import nets
from tests.passes.test_factor import random_net


class Exactly:
    """All the programs of a network's derivatives, at random points modulo the prime."""

    def __init__(self, spec):
        self.network = Network(spec, verify(inner(nets.forward(spec).shared, spec)))
        self.weights = {
            name_of(weight): tuple(map(int, self.network.shared.shape(weight)))
            for weight in self.network.shared.weights
        }
        self.given = {}

    def every(self, name):
        """By the orders: what the program of each gives."""
        return {orders: self.of(program) for orders, program in DERIVATIVES[name](self.network)}

    def of(self, program):
        for given, values in nets.residues(verify(program)).items():
            self.given.setdefault(given, values)
        values = evaluate(program, self.given, Residues())
        # sums over samples that a matrix is made of differ with the order
        results = (name for name in program.outputs if not name.startswith("sum_"))
        return {name: np.asarray(values[name]) % PRIME for name in results}

    def agreed(self, name):
        """What all orders give."""
        found = self.every(name)
        (first, wanted), *others = found.items()
        for orders, values in others:
            assert values.keys() == wanted.keys()
            for output, array in values.items():
                np.testing.assert_array_equal(array, wanted[output], err_msg=f"{first}, {orders}")
        return wanted

    def of_all_weights(self, values, form, axis=0):
        """Arrays by weight as one, along the axis that the weights begin at."""
        return np.concatenate(
            [
                array.reshape(*array.shape[:axis], -1, *array.shape[axis + len(shape) :])
                for name, shape in self.weights.items()
                for array in [values[form.format(name)]]
            ],
            axis,
        )

    def matrix(self, values, form):
        """The blocks of a symmetric matrix, of which one of two that mirror each other is given."""
        sizes = [int(np.prod(shape)) for shape in self.weights.values()]
        ends = np.cumsum(sizes)
        whole = np.zeros((ends[-1], ends[-1]), object)
        names = [*self.weights]
        for i, one in enumerate(names):
            for j, other in enumerate(names[i:], start=i):
                block = values[form.format(one, other)].reshape(sizes[i], sizes[j])
                rows, columns = (slice(end - size, end) for end, size in
                                 ((ends[i], sizes[i]), (ends[j], sizes[j])))  # fmt: skip
                whole[rows, columns] = block
                whole[columns, rows] = block.T
        return whole

    def vector(self):
        return np.concatenate([np.ravel(self.given[f"v_{name}"]) for name in self.weights])


def equal(found, wanted):
    np.testing.assert_array_equal(np.asarray(found) % PRIME, np.asarray(wanted) % PRIME)


def check(spec):
    exactly = Exactly(spec)
    agreed = {name: exactly.agreed(name) for name in DERIVATIVES if _has(spec, name)}
    by_inputs = agreed["jacobian"]["d_y_d_x"]
    second = agreed["second_derivatives"]["d_y_d_x_d_x"]
    by_weights = exactly.of_all_weights(agreed["jacobian_by_weights"], "d_y_d_{}", 2)
    v, v_x, d_y = exactly.vector(), exactly.given["v_x"], exactly.given["d_y"]
    equal(second, second.swapaxes(2, 3))
    equal(agreed["laplacian"]["laplacian"], np.trace(second, axis1=2, axis2=3))
    along = by_weights @ v + (by_inputs * v_x[:, None]).sum(axis=2)
    equal(agreed["pushforward"]["v_y"], along)
    back = exactly.of_all_weights(agreed["pullback"], "d_{}")
    equal(back, (d_y[:, :, None] * by_weights).sum(axis=(0, 1)))
    equal(agreed["pullback"]["d_x"], (d_y[:, :, None] * by_inputs).sum(axis=1))
    hessian = exactly.matrix(agreed["hessian"], "d_v_d_{}_d_v_{}")
    equal(exactly.of_all_weights(agreed["hessian_vector"], "v_d_{}"), hessian @ v)
    equal(exactly.of_all_weights(agreed["hessian_diagonal"], "diagonal_{}"), np.diag(hessian))
    if "gauss_newton" in agreed:
        matrix = exactly.matrix(agreed["gauss_newton"], "d_d_{}_d_v_{}")
        equal(exactly.of_all_weights(agreed["gauss_newton_vector"], "d_{}"), matrix @ v)


def _has(spec, name):
    return "gauss_newton" not in name or "D(" not in str(spec.loss.formula)


NETS = {
    "sigmoid": nets.net([1, 2], ["sigmoid"], kind="binary_cross_entropy", sample_weights=True),
}
SOFTMAX = nets.net([2, 2, 3], ["tanh", "softmax"], kind="cross_entropy", l2=0.5)
RESIDUAL = nets.net([2, 2, 2], ["silu", "elu"], residual=[1, 2], kind="huber", bias=False)


@pytest.mark.parametrize("spec", NETS.values(), ids=NETS)
def test_all_orders_and_functions_agree(spec):
    check(spec)


@pytest.mark.slow
@pytest.mark.parametrize("spec", [RESIDUAL, SOFTMAX], ids=["residual", "softmax"])
def test_more_layers(spec):
    check(spec)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_random_networks(seed):
    check(random_net(Random(seed)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_loss_after_every_activation(activation, kind):
    check(nets.net([2, 2], [activation], kind=kind))


@pytest.mark.slow
def test_derivatives_in_the_loss():
    check(nets.net([2, 1, 1], ["tanh", "identity"], formula="D(y, x[0], x[1])**2 + y*t"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "formula", ["sum(D(y[0], x)**2)*laplacian(y[1])", "D(y, x[0])*laplacian(y)"]
)
def test_other_derivatives_in_the_loss(formula):
    check(nets.net([2, 2, 2], ["tanh", "identity"], formula=formula))


def test_a_hessian_of_what_is_made_of_weights_alone():
    """Σ W1², which a Laplacian has: no row for each sample."""
    formula = "laplacian(y)**2"
    exactly = Exactly(nets.net([2, 1, 1], ["tanh", "identity"], formula=formula))
    hessian = exactly.matrix(exactly.agreed("hessian"), "d_v_d_{}_d_v_{}")
    product = exactly.of_all_weights(exactly.agreed("hessian_vector"), "v_d_{}")
    equal(product, hessian @ exactly.vector())
