"""The functions that a spec asks for beside the gradient, against differences of those that others
are tested by, against each other, and to the bit where that is promised."""

import numpy as np
import pytest

import symgrad
from symgrad.errors import SpecError
from symgrad.runtime.forks import several_threads
from symgrad.spec.derivatives import DERIVATIVES
from symgrad.spec.spec import Spec

ALL = [*DERIVATIVES]
STEP = 1e-3


def layer(units, activation="identity", **more):
    return {"units": units, "activation": activation, **more}


NETS = {
    "linear": {"inputs": 2, "layers": [layer(3)]},
    "tanh": {"inputs": 3, "layers": [layer(4, "tanh"), layer(2)]},
    "residual": {
        "inputs": 3,
        "layers": [layer(3, "silu", residual=True), layer(2, "softplus", bias=False)],
        "loss": {"kind": "log_cosh", "l2": 0.1},
    },
    "softmax": {
        "inputs": 2,
        "layers": [layer(3, "softplus"), layer(3, "softmax")],
        "loss": {"kind": "cross_entropy", "sample_weights": True},
    },
}


class Case:
    """A network with all its derivatives in float64, at random weights and samples."""

    def __init__(self, spec, samples=5, derivatives=ALL):
        self.spec = {"name": "net", "dtype": "float64", "derivatives": derivatives, **spec}
        self.module = symgrad.compile(self.spec).module
        random = np.random.default_rng(1)
        known = Spec.parse(self.spec)
        self.theta = self.module.init(1) + 0.1 * random.normal(size=self.module.SIZE)
        self.x = random.normal(size=(samples, known.inputs))
        self.t = random.dirichlet(np.ones(known.outputs), samples)
        self.w = random.random(samples) if known.loss.sample_weights else None
        self.v, self.v_x = random.normal(size=self.module.SIZE), random.normal(size=self.x.shape)
        self.d_y = random.normal(size=self.t.shape)
        self.of_loss = (self.x, self.t, *(() if self.w is None else (self.w,)))

    def gradient(self, theta):
        return self.module.loss_and_gradient(theta, *self.of_loss)[1]

    def __getattr__(self, name):
        function = getattr(self.module, name)
        signature = DERIVATIVES[name.removesuffix("_into")]
        given = self.of_loss if signature.loss else (self.x,)
        more = {"d_y": self.d_y, "v": self.v, "v_theta": self.v, "v_x": self.v_x}
        arguments = (self.theta, *given, *(more[each] for each in signature.more))
        return lambda *results: function(*arguments, *results)


def slopes(function, at):
    """The derivative by each number of an array, by differences of order 4, along a last axis."""
    columns = []
    for place in np.ndindex(at.shape):
        values = []
        for k in (-2, -1, 1, 2):
            moved = at.copy()
            moved[place] += k * STEP
            values.append(np.asarray(function(moved)))
        columns.append((values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * STEP))
    return np.stack(columns, axis=-1)


SLOW = ("residual",)  # to compile all of it


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in NETS],
)
def case(request):
    return Case(NETS[request.param])


def by_inputs(case):
    """∂y/∂x of each sample."""
    predict, x = case.module.predict, case.x
    return np.stack([slopes(lambda row: predict(case.theta, row[None])[0], each) for each in x])


def by_weights(case):
    return slopes(lambda theta: case.module.predict(theta, case.x), case.theta)


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-8 * (1 + np.abs(wanted).max()))


def test_by_inputs(case):
    close(case.jacobian(), by_inputs(case))
    second = case.second_derivatives()
    rows = [slopes(lambda row: case.module.jacobian(case.theta, row[None])[0], x) for x in case.x]
    close(second, np.stack(rows))
    close(second, second.swapaxes(2, 3))
    close(case.laplacian(), np.einsum("noii->no", second))
    E, d_x = case.loss_and_input_gradient()
    assert case.module.loss(case.theta, *case.of_loss) == E
    of_x = slopes(lambda x: case.module.loss(case.theta, x, *case.of_loss[1:]), case.x)
    close(d_x, of_x.reshape(case.x.shape))


def test_by_weights_and_along_vectors(case):
    by_theta = by_weights(case)
    close(case.jacobian_by_weights(), by_theta)
    close(
        case.pushforward(), by_theta @ case.v + np.einsum("noi,ni->no", by_inputs(case), case.v_x)
    )
    d_theta, d_x = np.empty_like(case.theta), np.empty_like(case.x)
    assert case.pullback(d_theta, d_x) is None
    close(d_theta, np.einsum("no,nok->k", case.d_y, by_theta))
    close(d_x, np.einsum("no,noi->ni", case.d_y, by_inputs(case)))
    each = case.gradients()
    for n, row in enumerate(each):
        given = [array[n : n + 1] for array in case.of_loss]
        loss = {"kind": "squared", **case.spec.get("loss", {}), "l2": 0.0}
        plain = {**case.spec, "loss": loss, "derivatives": []}
        close(row, symgrad.compile(plain).module.loss_and_gradient(case.theta, *given)[1])


def test_of_second_order(case):
    hessian = case.hessian()
    close(hessian, slopes(case.gradient, case.theta))
    assert np.array_equal(hessian, hessian.T)
    close(case.hessian_vector(), hessian @ case.v)
    close(case.hessian_diagonal(), np.diag(hessian))


def test_gauss_newton(case):
    """Jᵀ·(∂²E/∂y²)·J, the middle by differences of the loss as a function of the outputs alone."""
    known = Spec.parse(case.spec)
    y, by_theta = case.module.predict(case.theta, case.x), by_weights(case)
    weights = np.ones(len(y)) if case.w is None else case.w
    of_kind = {
        "squared": lambda y, t: np.ones_like(y),
        "log_cosh": lambda y, t: 1 / np.cosh(y - t) ** 2,
        "cross_entropy": lambda y, t: t / y**2,
    }[known.loss.kind]
    curved = of_kind(y, case.t) * weights[:, None] / weights.sum()
    matrix = np.einsum("nok,no,nol->kl", by_theta, curved, by_theta)
    close(case.gauss_newton(), matrix)
    close(case.gauss_newton_vector(), matrix @ case.v)


def test_written_into_arrays_of_the_callers():
    case = Case(NETS["tanh"], derivatives=["jacobian", "hessian", "loss_and_input_gradient"])
    jacobian, hessian = np.empty((5, 2, 3)), np.empty((case.module.SIZE,) * 2)
    assert case.jacobian_into(jacobian) is None and case.hessian_into(hessian) is None
    assert np.array_equal(jacobian, case.jacobian())
    assert np.array_equal(hessian, case.hessian())
    d_x = np.empty_like(case.x)
    assert case.loss_and_input_gradient_into(d_x) == case.module.loss(case.theta, case.x, case.t)


@pytest.mark.parametrize("units", [4, 24])
def test_a_sample_s_result_does_not_depend_on_the_others(units):
    names = ["jacobian", "laplacian", "gradients", "pushforward"]
    spec = {"inputs": 8, "layers": [layer(units, "tanh"), layer(units, "tanh"), layer(2)]}
    case = Case(spec, 700, names)
    for n in (0, 300, 699):
        x, t, one = case.x[n : n + 1], case.t[n : n + 1], case.module
        assert np.array_equal(case.jacobian()[n], one.jacobian(case.theta, x)[0])
        assert np.array_equal(case.laplacian()[n], one.laplacian(case.theta, x)[0])
        assert np.array_equal(case.gradients()[n], one.gradients(case.theta, x, t)[0])
        alone = one.pushforward(case.theta, x, case.v, case.v_x[n : n + 1])[0]
        assert np.array_equal(case.pushforward()[n], alone)


@pytest.mark.parametrize(
    "name", ["jacobian", "gradients", "loss_and_input_gradient", "hessian_vector", "pushforward"]
)
def test_threads_change_no_bit(name):
    """On threads, as calls are once a function has computed for long."""
    spec = {"inputs": 3, "layers": [layer(12, "tanh"), layer(2)]}
    case = Case(spec, 9000, [name])
    wanted = getattr(case, name)()
    work = getattr(case.module, name).work
    assert len(case.x) >= work.many and not work.is_threaded
    work.seconds = 10.0
    found = getattr(case, name)()
    assert work.is_threaded == several_threads()
    pairs = zip(found, wanted, strict=True) if isinstance(found, tuple) else [(found, wanted)]
    assert all(np.array_equal(one, other) for one, other in pairs)


@pytest.mark.slow
def test_numba_s_code_gives_the_same_bits():
    case = Case(NETS["tanh"], 300, ["jacobian", "hessian_vector"])
    emitted = symgrad.compile(case.spec).emitted
    assert np.array_equal(emitted.jacobian(case.theta, case.x), case.jacobian())
    given = (case.theta, case.x, case.t, case.v)
    assert np.array_equal(emitted.hessian_vector(*given), case.hessian_vector())


def test_what_does_not_fit_is_refused(monkeypatch):
    case = Case(NETS["tanh"], derivatives=["jacobian", "pullback", "hessian"])
    module, theta, x = case.module, case.theta, case.x
    d_theta, d_x = np.empty_like(theta), np.empty_like(x)
    with pytest.raises(ValueError, match="must have rows of shape"):
        module.jacobian_into(theta, x, np.empty((5, 3, 2)))
    with pytest.raises(ValueError, match="d_y must have as many samples as x"):
        module.pullback(theta, x, case.d_y[:2], d_theta, d_x)
    with pytest.raises(ValueError, match="d_x must not overlap x in memory"):
        module.pullback(theta, x, case.d_y, d_theta, x)
    with pytest.raises(ValueError, match="d_theta must be of shape"):
        module.pullback(theta, x, case.d_y, np.empty(3), d_x)
    with pytest.raises(TypeError, match="missing a required argument: 't'"):
        module.hessian(theta, x)
    monkeypatch.setattr("symgrad.runtime.calling.LARGE", 0)
    monkeypatch.setattr("symgrad.runtime.calling.memory_available", lambda: 100)
    with pytest.raises(MemoryError, match=r"jacobian gives an array of shape \(5, 2, 3\)"):
        module.jacobian(theta, x)


@pytest.mark.parametrize(
    ("names", "message"),
    [(["jakobian"], "did you mean 'jacobian'"), (["hessian", "hessian"], "is named twice")],
)
def test_unknown_names_are_refused(names, message):
    with pytest.raises(SpecError, match=message):
        Spec.parse({"name": "net", **NETS["tanh"], "derivatives": names})


def test_penalties_that_are_given_at_run_time():
    loss = {"loss": {"kind": "squared", "l2": "argument"}}
    case = Case({**NETS["tanh"], **loss}, derivatives=["hessian_vector", "hessian"])
    given = (case.theta, case.x, case.t)
    plain, more = (case.module.hessian_vector(*given, l2, case.v) for l2 in (0.0, 0.5))
    of_weights = np.ones(case.module.SIZE)
    for name, (start, shape) in case.module.PARAMETERS.items():
        if name.startswith("b"):
            of_weights[start : start + np.prod(shape)] = 0
    close(more - plain, 0.5 * of_weights * case.v)
    close(case.module.hessian(*given, 0.5) @ case.v, more)


def test_a_short_name():
    spec = Spec.parse({"name": "net", **NETS["tanh"], "derivatives": ["input_gradient"]})
    assert spec.derivatives == ("loss_and_input_gradient",)


def test_the_header_says_which_order_was_taken_and_what_others_cost():
    text = symgrad.compile({"name": "net", **NETS["tanh"], "derivatives": ["jacobian"]}).source
    assert "jacobian: 94 operations" in text or "weights-first" in text
