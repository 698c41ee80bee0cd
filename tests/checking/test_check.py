"""The oracles agree with one another, and the check that uses them fails on what is wrong."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from symgrad.checking import scalars
from symgrad.checking.check import MOST, Report, check, find_point
from symgrad.checking.differences import (
    central_differences,
    choose,
    complex_step,
    slope,
    unit_vectors,
)
from symgrad.checking.reference import ACTIVATIONS, FUNCTIONS, erf, loss, predict, shapes
from symgrad.errors import FormulaError


def make_spec(
    widths: list[int],
    activations: list[str],
    *,
    dtype: str = "float64",
    bias: bool = True,
    residual: bool = False,
    own: dict[str, Any] | None = None,
    constants: dict[str, float] | None = None,
    **described: Any,
) -> dict[str, Any]:
    """A normalised spec; it names the loss by a kind or a formula, never by both."""
    if "formula" in described:
        described["constants"] = constants or {}
    else:
        described = {"kind": "squared", **described}
    return {
        "name": "net",
        "dtype": dtype,
        "inputs": widths[0],
        "layers": [
            {"units": units, "activation": name, "bias": bias, "residual": residual}
            for units, name in zip(widths[1:], activations, strict=True)
        ],
        "loss": {"l1": 0.0, "l2": 0.0, "sample_weights": False, **described},
        "activations": own or {},
    }


def own_activation(formula: str, **constants: float) -> dict[str, Any]:
    return {"mine": {"formula": formula, "constants": constants}}


class Exact:
    """A module that is right, by the complex step."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.PARAMETERS = parameters(spec)

    def loss_and_gradient(self, theta: Any, *data: Any) -> tuple[float, Any]:
        def along(theta: Any) -> Any:
            return loss(self.spec, theta, *data, dtype=np.clongdouble)

        gradient = complex_step(along, theta, unit_vectors(theta.size))
        return float(along(theta).real), gradient.astype(theta.dtype)


def parameters(spec: dict[str, Any]) -> dict[str, tuple[int, tuple[int, ...]]]:
    layout, offset = {}, 0
    for name, shape in shapes(spec).items():
        layout[name] = (offset, shape)
        offset += int(np.prod(shape))
    return layout


def assert_oracles_agree(spec: dict[str, Any]) -> None:
    assert scalars.affordable(spec)
    report = check(spec, Exact(spec))
    assert report.passed, report
    by_name = {verdict.oracle: verdict for verdict in report.verdicts}
    assert set(by_name) == {"scalars", "complex step", "differences"}
    # Exact answers in float64, so the errors below are those of the oracles and one rounding.
    assert by_name["scalars"].error < 1e-15 and by_name["scalars"].loss_error < 1e-14
    assert by_name["complex step"].error < 1e-15
    assert by_name["differences"].error < 1e-11 and by_name["differences"].skipped <= 2


# --- agreement --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_oracles_agree_on_every_activation(name: str) -> None:
    hidden = "tanh" if name == "softmax" else name
    assert_oracles_agree(make_spec([2, 2, 2], [hidden, name]))


@pytest.mark.parametrize(
    ("kind", "last"),
    [
        ("squared", "identity"),
        ("absolute", "identity"),
        ("huber", "identity"),
        ("log_cosh", "sin"),
        ("cross_entropy", "softmax"),
        ("cross_entropy", "sigmoid"),
        ("cross_entropy", "identity"),
        ("binary_cross_entropy", "sigmoid"),
        ("binary_cross_entropy", "softmax"),
        ("binary_cross_entropy", "tanh"),
        ("poisson", "softplus"),
        ("poisson", "relu"),
        ("kl", "softmax"),
        ("kl", "gaussian"),
    ],
)
def test_oracles_agree_on_every_loss(kind: str, last: str) -> None:
    assert_oracles_agree(make_spec([2, 3, 2], ["tanh", last], kind=kind))


@pytest.mark.parametrize(
    "formula",
    [
        "log(cosh(y - t))",
        "sum(y * t) / sqrt(sum(y**2) * sum(t**2))",
        "sum((y - t)**2) / sum(1)",
        "y - t * log(y)",
        "max(lambda * (t - y), (lambda - 1) * (t - y))",
        "(y - t)**2 / sum(y**2) + 007",
        "3.5e-1 *\n -y**-2 + +t",
    ],
)
def test_oracles_agree_on_loss_formulas(formula: str) -> None:
    spec = make_spec([2, 2, 2], ["tanh", "identity"], formula=formula, constants={"lambda": 0.3})
    assert_oracles_agree(spec)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_oracles_agree_on_every_function_of_formulas(function: str) -> None:
    arguments = "z, beta * z**2" if function in ("min", "max") else "beta * z"
    own = own_activation(f"z / 4 + {function}({arguments})", beta=1.3)
    assert_oracles_agree(make_spec([2, 2, 1], ["mine", "identity"], own=own))


def test_oracles_agree_on_sums_over_a_layer() -> None:
    own = own_activation("exp(z) / (1 + sum(exp(z)))")
    assert_oracles_agree(make_spec([2, 2, 3], ["tanh", "mine"], own=own))


def test_oracles_agree_on_penalties_weights_residuals_and_missing_biases() -> None:
    spec = make_spec(
        [2, 2, 2], ["relu", "softmax"], bias=False, residual=True,
        l1=0.1, l2=0.2, sample_weights=True,
    )  # fmt: skip
    assert_oracles_agree(spec)


@pytest.mark.parametrize(
    ("formula", "derivative"),
    [
        ("relu", 0), ("leaky_relu", 0.01), ("elu", 1), ("selu", 1.7580993408473766),
        ("softsign", 1), ("abs(z)", 0), ("max(z, 0)", 0), ("max(0, z)", 1), ("min(z, 0)", 0),
        ("min(0, z)", 1), ("softplus(z)", 0.5),
    ],
)  # fmt: skip
def test_conventions_at_a_kink(formula: str, derivative: float) -> None:
    built_in = formula in ACTIVATIONS
    own = {} if built_in else own_activation(formula)
    spec = make_spec([1, 1], [formula if built_in else "mine"], own=own, formula="y")
    theta, x, t = np.zeros(2), np.ones((1, 1)), np.ones((1, 1))
    exact = Exact(spec).loss_and_gradient(theta, x, t)[1]
    literal = scalars.gradient(spec, theta, x, t)[1]
    assert exact == pytest.approx([derivative] * 2, rel=1e-15)
    assert [float(value) for value in literal] == pytest.approx([derivative] * 2, rel=1e-15)


def test_by_hand() -> None:
    """One number computed on paper, so that the oracles can't all be wrong together."""
    spec = make_spec([2, 2], ["identity"], l2=0.5, l1=0.25, sample_weights=True)
    theta = [1.0, 2, -3, 4, 0.5, -0.5]  # W = [[1, 2], [-3, 4]], b = [0.5, -0.5]
    x, t, w = [[1.0, 1], [2, 0]], [[0.0, 0], [1, 1]], [1.0, 3]
    assert predict(spec, theta, x).tolist() == [[-1.5, 5.5], [2.5, 3.5]]
    errors = [(1.5**2 + 5.5**2) / 2, (1.5**2 + 2.5**2) / 2]
    expected = (errors[0] + 3 * errors[1]) / 4 + 0.25 * 30 + 0.25 * 10
    assert loss(spec, theta, x, t, w) == pytest.approx(expected, rel=1e-15)
    assert float(scalars.gradient(spec, theta, x, t, w)[0]) == pytest.approx(expected, rel=1e-15)
    # ∂E/∂b1: the weighted mean of y - t
    literal = scalars.gradient(spec, theta, x, t, w)[1]
    assert [float(value) for value in literal[4:]] == [(-1.5 + 3 * 1.5) / 4, (5.5 + 3 * 2.5) / 4]


def test_erf_in_longdouble() -> None:
    z = np.append(np.linspace(-8, 8, 161), [1e-9, 0]).astype(np.longdouble)
    with mpmath.workdps(30):
        expected = scalars.as_array([mpmath.erf(mpmath.mpf(float(value))) for value in z])
    assert np.abs(erf(z) - expected).max() < 1e-16


def test_zero_log_zero_is_zero() -> None:
    spec = make_spec([1, 2], ["softmax"], kind="kl")
    theta, x, t = [0.1, 0.2, 0.3, 0.4], [[1.0]], [[1.0, 0.0]]
    expected = -np.log(predict(spec, theta, x)[0, 0])
    assert loss(spec, theta, x, t) == pytest.approx(expected, rel=1e-15)
    assert float(scalars.gradient(spec, theta, x, t)[0]) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("formula", ["z.real", "(z, z)", "[z]", "exp(z, base=2)", "z @ z"])
def test_other_python_is_refused(formula: str) -> None:
    spec = make_spec([1, 1], ["mine"], own=own_activation(formula))
    with pytest.raises(FormulaError, match="formulas don't have"):
        loss(spec, [1, 1], [[1]], [[1]])
    with pytest.raises(FormulaError, match="formulas don't have"):
        scalars.gradient(spec, [1, 1], [[1]], [[1]])


@pytest.mark.parametrize("formula", ["q + z", "eval(z)"])
def test_unknown_names_are_refused(formula: str) -> None:
    with pytest.raises(FormulaError, match="not known here"):
        loss(make_spec([1, 1], ["mine"], own=own_activation(formula)), [1, 1], [[1]], [[1]])


def test_large_networks_are_not_for_scalars() -> None:
    assert scalars.affordable(make_spec([2, 4, 4, 2], ["tanh"] * 3))
    assert not scalars.affordable(make_spec([4, 8, 8, 4], ["tanh"] * 3))
    assert not scalars.affordable(make_spec([784, 128, 10], ["relu", "softmax"]))
    assert not scalars.affordable(make_spec([1] * 41, ["tanh"] * 40))


def test_no_code_is_shared_with_the_compiler() -> None:
    program = (
        "import sys, symgrad; before = set(sys.modules); import symgrad.checking.check;"
        "new = set(sys.modules) - before;"
        "rooms = 'compiler', 'spec', 'language', 'passes', 'lowering', 'targets';"
        "print([name for name in new if name.startswith(tuple(f'symgrad.{r}' for r in rooms))])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr


# --- differences ------------------------------------------------------------------------------


def test_central_differences_err_by_the_square_of_the_step() -> None:
    theta = np.array([0.3, -0.8])
    exact = np.cos(np.asarray(theta, np.longdouble))
    errors = [
        np.abs(central_differences(lambda v: np.sin(v).sum(), theta, step) - exact)
        for step in (1e-2, 5e-3)
    ]
    assert errors[0] / errors[1] == pytest.approx([4, 4], rel=1e-4)


def test_extrapolation_is_sharp_and_knows_it() -> None:
    found = slope(lambda v: np.exp(3 * v).sum(), np.array([0.5]), np.array([1.0]))
    exact = 3 * np.exp(np.longdouble(1.5))
    assert abs(found.value - exact) <= found.error < 1e-12 * exact
    assert found.trusted(1e-10)


@pytest.mark.parametrize("distance", [0.0, 1e-9, 1e-7])
def test_a_kink_at_the_point_is_recognised(distance: float) -> None:
    found = slope(lambda v: np.abs(v).sum() + v.sum(), np.array([distance]), np.array([1.0]))
    assert not found.trusted(1e-6)


@pytest.mark.parametrize("distance", [1e-4, 1e-3, 1e-2])
def test_a_kink_beside_the_point_is_left_behind(distance: float) -> None:
    found = slope(lambda v: (np.abs(v) * np.exp(v)).sum(), np.array([distance]), np.array([1.0]))
    d = np.longdouble(distance)
    assert found.trusted(1e-10)
    assert abs(found.value - (1 + d) * np.exp(d)) < 1e-11


def test_a_larger_network_gives_some_weights_of_every_array() -> None:
    assert choose([6, 2], 8).tolist() == list(range(8))
    chosen = choose([1000, 3, 500], 30, seed=1)
    assert len(set(chosen)) == len(chosen) == 23
    assert [np.sum((low <= chosen) & (chosen < high)) for low, high in
            ((0, 1000), (1000, 1003), (1003, 1503))] == [10, 3, 10]  # fmt: skip
    assert chosen.tolist() == choose([1000, 3, 500], 30, seed=1).tolist()


# --- the check, and its negative controls -----------------------------------------------------

Change = Callable[[float, Any], tuple[float, Any]]


class Handwritten:
    """Backpropagation for 3-4-2, tanh and identity, squared loss, as a textbook has it."""

    def __init__(self, change: Change = lambda value, gradient: (value, gradient)) -> None:
        self.PARAMETERS = {
            "W1": (0, (3, 4)),
            "b1": (12, (4,)),
            "W2": (16, (4, 2)),
            "b2": (24, (2,)),
        }
        self.change = change

    def loss_and_gradient(self, theta: Any, x: Any, t: Any) -> tuple[float, Any]:
        w1, b1 = theta[:12].reshape(3, 4), theta[12:16]
        w2, b2 = theta[16:24].reshape(4, 2), theta[24:]
        a1 = np.tanh(x @ w1 + b1)
        d_y = (a1 @ w2 + b2 - t) / len(x)
        d_z1 = d_y @ w2.T * (1 - a1 * a1)
        parts = (x.T @ d_z1, d_z1.sum(0), a1.T @ d_y, d_y.sum(0))
        value = float((d_y * d_y).sum() * len(x) / 2)
        return self.change(value, np.concatenate([part.ravel() for part in parts]))


def judge(change: Change | None = None, dtype: str = "float64", **options: Any) -> Report:
    spec = make_spec([3, 4, 2], ["tanh", "identity"], dtype=dtype)
    return check(spec, Handwritten(change) if change else Handwritten(), **options)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("samples", [1, 3, 7])
def test_handwritten_backpropagation_passes(dtype: str, samples: int) -> None:
    report = judge(dtype=dtype, samples=samples, seed=samples)
    assert report.passed, report
    assert [row.name for row in report.rows] == ["W1", "b1", "W2", "b2"]
    assert [row.shape for row in report.rows] == [(3, 4), (4,), (4, 2), (2,)]
    assert [verdict.compared for verdict in report.verdicts] == [26, 26, 26]
    assert report.shrinking is not None
    assert np.all(np.abs(report.shrinking.ratios[-2:] - 4) < 0.5)


def one_entry(index: int, error: float) -> Change:
    def change(value: float, gradient: Any) -> tuple[float, Any]:
        gradient[index] += error * np.abs(gradient).max()
        return value, gradient

    return change


@pytest.mark.parametrize("index", range(26))
def test_one_wrong_entry_fails(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scalars, "LIMIT", 0)  # the other oracles must see it by themselves
    report = judge(one_entry(index, 2e-9))
    assert not report.passed
    wrong = [row.name for row in report.rows if not row.passed]
    assert wrong == [(["W1"] * 12 + ["b1"] * 4 + ["W2"] * 8 + ["b2"] * 2)[index]]
    assert [verdict.passed for verdict in report.verdicts[1:]] == [False, False]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "change",
    [
        lambda value, gradient: (value, gradient * gradient.dtype.type(1.001)),
        lambda value, gradient: (value, gradient * 3),
        lambda value, gradient: (value, -gradient),
        lambda value, gradient: (value, np.roll(gradient, 1)),
        lambda value, gradient: (value, gradient * 0),
        lambda value, gradient: (value, gradient * np.nan),
        lambda value, gradient: (value, np.where(np.arange(26) == 5, np.nan, gradient)),
        lambda value, gradient: (value, gradient.reshape(2, 13).T.ravel()),
    ],
    ids=["scaled", "tripled", "sign", "shifted", "zero", "nan", "one nan", "transposed"],
)
def test_wrong_gradients_fail_by_every_evidence(change: Change, dtype: str) -> None:
    report = judge(change, dtype)
    assert not report.passed
    assert [verdict.passed for verdict in report.verdicts] == [False, False, False]
    assert report.shrinking is not None and not report.shrinking.passed


@pytest.mark.parametrize("wrong", [1.001, -1, np.nan, np.inf])
def test_a_wrong_loss_fails(wrong: float) -> None:
    report = judge(lambda value, gradient: (value * wrong, gradient), "float32")
    assert not report.passed
    assert all(row.passed for row in report.rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda value, gradient: (value, gradient[:-1]),
            "the gradient is float64 of shape (25,)",
        ),
        (lambda value, gradient: (value, gradient.astype("f4")), "the gradient is float32"),
    ],
)
def test_a_malformed_gradient_fails(change: Change, message: str) -> None:
    report = judge(change)
    assert not report.passed
    assert message in report.note


def test_another_layout_fails() -> None:
    report = check(make_spec([3, 5, 2], ["tanh", "identity"]), Handwritten())
    assert not report.passed
    assert "PARAMETERS" in report.note


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_weight_that_is_not_sampled_is_seen_by_the_direction(activation: str) -> None:
    spec = make_spec([20, 12, 2], [activation, "identity"])
    point = find_point(spec, 3, 0)
    assert point is not None and len(point.chosen) <= MOST < point.theta.size
    unseen = min(set(range(point.theta.size)) - set(point.chosen.tolist()))
    assert check(spec, Exact(spec)).passed

    class Wrong(Exact):
        def loss_and_gradient(self, theta: Any, *data: Any) -> tuple[float, Any]:
            return one_entry(unseen, 1e-3)(*super().loss_and_gradient(theta, *data))

    report = check(spec, Wrong(spec))
    assert all(row.passed for row in report.rows)
    assert report.shrinking is not None and not report.shrinking.passed
    assert not report.passed


def test_kinks_don_t_hide_a_wrong_gradient() -> None:
    """A network with kinks everywhere: the module can't choose what is skipped."""
    spec = make_spec([2, 6, 6, 2], ["relu"] * 3, kind="absolute", l1=0.01)

    class Wrong(Exact):
        def loss_and_gradient(self, theta: Any, *data: Any) -> tuple[float, Any]:
            value, gradient = super().loss_and_gradient(theta, *data)
            return value, gradient * 1.0001

    for seed in range(5):
        assert check(spec, Exact(spec), seed=seed).passed
        report = check(spec, Wrong(spec), seed=seed)
        assert not report.passed
        differences = report.verdicts[-1]
        assert not differences.passed
        assert differences.skipped <= 0.1 * (differences.compared + differences.skipped)


def test_no_point_in_the_domain_is_no_pass() -> None:
    spec = make_spec([2, 2], ["tanh"], formula="log(-1 - y**2) + t")
    report = check(spec, Exact(spec))
    assert not report.passed
    assert "outside the loss's domain" in report.note


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["cross_entropy", "binary_cross_entropy", "poisson", "kl"])
@pytest.mark.parametrize("last", ["identity", "relu", "tanh", "sin"])
def test_a_point_in_the_domain_of_logarithms_is_found(kind: str, last: str, dtype: str) -> None:
    for bias in (True, False):
        spec = make_spec([3, 4, 3], ["tanh", last], kind=kind, dtype=dtype, bias=bias)
        point = find_point(spec, 5, seed=0)
        assert point is not None
        assert np.isfinite(point.value)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["squared", "cross_entropy"])
def test_a_loss_without_any_slope_passes(kind: str, dtype: str) -> None:
    """One softmax unit is always 1: what remains is rounding, and no scale to measure it by."""
    spec = make_spec([2, 1], ["softmax"], kind=kind, dtype=dtype)
    assert check(spec, Exact(spec)).passed
