"""The benchmarks compute what they say, and their tables read right. Nothing here is timed."""

import json

import numpy as np
import pytest

from benchmarks import (
    asked,
    control,
    derivatives,
    estimators,
    gradients,
    growth,
    inside,
    planning,
    products,
    reference,
    training,
)
from benchmarks.crew import Crew, Disagreement, interpreter
from benchmarks.nets import INSIDE, ROWS, Net, Row, numbers, parse
from benchmarks.options import Options
from benchmarks.peers import PEERS, earlier_build
from benchmarks.report import report
from benchmarks.table import digits, duration, table, verdict
from symgrad.spec.spec import Spec
from tests.paths import ROOT

NETS = [
    Net((3, 4, 2)),
    Net((2, 2)),
    Net((2, 3, 3, 3, 2)),
    Net((3, 5, 4, 3), classifies=True),
]


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_the_reference_against_central_differences(net):
    theta, x, t = numbers(Row(net, 5), "float64")
    E, gradient = reference.loss_and_gradient(net, theta, x, t)
    error = {
        h: np.abs(reference.differences(net, theta, x, t, h) - gradient).max() for h in (1e-2, 1e-3)
    }
    assert error[1e-3] < 1e-5 * np.abs(gradient).max()
    if not net.classifies and len(net.widths) > 2:  # relu has kinks; a parabola has no error
        assert 90 < error[1e-2] / error[1e-3] < 110  # it shrinks as h²
    assert reference.loss(net, theta, x, t) == E


def test_the_reference_at_large_logits():
    net = Net((1, 2), classifies=True)
    theta, x, t = np.array([1e4, 0.0, 0.0, 0.0]), np.ones((1, 1)), np.array([[0.0, 1.0]])
    E, gradient = reference.loss_and_gradient(net, theta, x, t)
    assert E == 1e4 and np.array_equal(gradient, [1, -1, 1, -1])


def test_a_disagreement_is_relative_by_array_and_sees_what_is_not_finite():
    net = Net((1, 1))
    wanted = (2.0, np.array([4.0, 0.1]))
    assert reference.disagreement(net, wanted, wanted) == 0
    assert reference.disagreement(net, (2.0, np.array([4.0, 0.101])), wanted) == pytest.approx(0.01)
    assert reference.disagreement(net, (3.0, wanted[1]), wanted) == 0.5
    assert reference.disagreement(net, (2.0, np.array([np.nan, 0.1])), wanted) == np.inf


@pytest.mark.parametrize("row", ROWS + INSIDE, ids=lambda row: row.name)
def test_rows_have_names_that_can_be_asked_for(row):
    found = parse(row.name)
    assert (found.net, found.batch) == (row.net, row.batch)
    spec = Spec.parse({**row.net.spec, "dtype": "float32"})
    assert spec.weights == row.net.size
    _, units, w, b = row.net.layers[-1]
    assert b + units == row.net.size and w < b


def test_rows_that_are_not_listed_can_be_asked_for():
    assert parse("3-4-2x7") == Row(Net((3, 4, 2)), 7)
    assert parse("5-layers-of-8x2") == Row(Net((8,) * 6), 2)
    with pytest.raises(ValueError, match="no row is called '3-4-2'"):
        parse("3-4-2")
    for sweep, (_, rows) in growth.SWEEPS.items():
        for row in rows.values():
            assert parse(row.name).net == row.net, sweep


def test_all_peers_are_given_the_same_numbers():
    small, large = (numbers(ROWS[0], dtype) for dtype in ("float32", "float64"))
    for a, b in zip(small, large, strict=True):
        assert a.dtype == np.float32 and b.dtype == np.float64 and np.array_equal(a, b)


@pytest.mark.slow
def test_symgrad_and_numpy_agree_with_the_reference(monkeypatch):
    """And so does what the last commit's compiler emits, where there is one."""
    keys = ["symgrad", "numpy"]
    if (ROOT / ".git").exists():
        monkeypatch.setenv(earlier_build.COMMIT, earlier_build.known("HEAD"))
        keys.append("build")
    with Crew(keys) as crew:
        found = crew.measure(ROWS[0], "float32", rounds=0, seconds=0)
    assert [*found] == keys
    for timing in found.values():
        assert timing.reason == "" and timing.median is None
        assert timing.disagreement < reference.TOLERANCE["float32"]


def test_whoever_disagrees_stops_the_row(monkeypatch):
    monkeypatch.setitem(reference.TOLERANCE, "float32", 0.0)
    with Crew(["numpy"]) as crew, pytest.raises(Disagreement, match=r"2-8-1x4.*NumPy by hand.*off"):
        crew.measure(ROWS[0], "float32", rounds=0, seconds=0)


def test_what_is_not_there_is_missing(monkeypatch):
    from benchmarks import crew as module

    peer = next(peer for peer in PEERS if peer.key == "numpy")
    gone = type(peer)("gone", "Gone", "not_a_module", ())
    monkeypatch.setitem(module.BY_KEY, "gone", gone)
    said = []
    with Crew(["gone"], said.append) as crew:
        assert list(crew.missing) == ["gone"]
        assert crew.measure(ROWS[0], "float32", rounds=1, seconds=0) == {}
    assert said and "Gone is missing" in said[0]


def timing(median=None, **rest):
    spread = [median * 0.9, median * 1.1] if median else None
    return {
        "median": median,
        "spread": spread,
        "variant": "one",
        "disagreement": 1e-7,
        "preparing": 0.5,
        "reason": "",
        **rest,
    }


def made_up(times, target, **rest):
    return {
        "row": "2-8-1x4",
        "dtype": "float32",
        "target": target,
        "others": 0.0,
        "timings": {key: timing(time) for key, time in times.items()} | rest,
    }


def test_the_main_table_on_made_up_results():
    rows = [
        made_up({"symgrad": 1e-6, "numpy": 4e-6, "jax": 2.8e-6, "limit": 0.5e-6}, 3),
        made_up({"symgrad": 2e-6, "numpy": 2e-6, "limit": 0.5e-6}, 3, jax=timing(reason="too big")),
    ]
    result = {"rows": rows, "versions": {"numpy": "1"}, "missing": {"torch": "not installed"}}
    text = gradients.render(result)
    assert "| 2-8-1x4 | 1.00 µs | JAX jit, 2.80 µs | 2.80× | reached (3) | 500 ns | 2.00× |" in text
    assert "| NumPy by hand, 2.00 µs | 1.00× | missed by 3.0× (3) |" in text
    assert "- JAX jit: too big (2-8-1x4 float32)" in text
    assert "- PyTorch eager is missing: not installed" in text
    machine = {"processor": "a fast one"}
    found = {"gradients": {"machine": machine, "seconds": 3, **result}}
    whole = report(json.loads(json.dumps(found)), {"gradients": gradients})
    assert "| processor | a fast one |" in whole and text in whole


def test_the_table_of_compiled_loops_on_made_up_results():
    row = made_up({"symgrad": 0.5e-6, "numba": 1e-6, "casadi": 2e-6}, 0.5)
    text = inside.render({"rows": [row], "versions": {}, "missing": {}})
    assert "| 500 ns | 1.00 µs | 2.00 µs | – | 0.500 | reached (at most 0.5) |" in text


def test_an_earlier_build_is_named_and_compared_with_todays():
    row = made_up({"symgrad": 1e-6, "build": 2.5e-6}, 3)
    result = {"rows": [row], "versions": {}, "missing": {}}
    text = gradients.render({**result, "build": "c29f4c2" + 33 * "0"})
    assert "| against an earlier build | symgrad | c29f4c2 | its time, in symgrad's |" in text
    assert "| 2-8-1x4 | 1.00 µs | 2.50 µs | 2.50× |" in text
    assert "against an earlier build" not in gradients.render(result)


@pytest.mark.parametrize("wrong", [0.0, np.nan])
def test_wrong_products_stop_the_run(wrong):
    def call(left, right, into, row):
        into[:] = wrong

    with pytest.raises(Disagreement, match=r"d·Wᵀ, \(2, 3, 4\), float64 is off by"):
        products._measured(call, "d·Wᵀ", (2, 3, 4), "float64", Options(check=True))


def test_unknown_builds_are_refused():
    with pytest.raises(SystemExit, match=r"no commit never in|git, which is not"):
        earlier_build.known("never")


def test_products_are_right_and_told_with_their_share_of_the_peak():
    assert products.run(Options(dtypes=("float64",), check=True), print)["rows"] == []
    row = {"kind": "aᵀ·d", "size": [64, 32, 10], "dtype": "float32", "width": 16}
    row |= {"seconds": 512e-9, "rate": 80e9, "numpy": 20e9}
    text = products.render({"rows": [row], "peaks": {"float32": 160e9}})
    line = "| aᵀ·d, 64 × 32 × 10, float32 | 512 ns | 80.0 | 50% | 80% | 20.0 |"
    assert line in text and "160 GF/s in float32" in text


def test_exponents_are_of_the_upper_half():
    sizes = [1.0, 2.0, 4.0, 8.0, 16.0]
    assert growth.exponent(sizes, [5, 5, 16, 64, 256]) == pytest.approx(2)
    assert growth.exponent([1.0], [1.0]) is None


def test_numbers_as_people_read_them():
    assert duration(1.234e-6) == "1.23 µs" and duration(0.9996) == "1.00 s"
    assert duration(12.34) == "12.3 s" and duration(None) == "–" and duration(250e-9) == "250 ns"
    assert digits(123.4) == "123" and digits(0.1234) == "0.123" and digits(0) == "0"
    assert verdict(2.75, 3) == "reached (3)" and verdict(1.5, 3) == "missed by 2.0× (3)"
    assert verdict(0.54, 0.5, smaller=True) == "reached (at most 0.5)"
    assert verdict(1.0, 0.5, smaller=True) == "missed by 2.0× (at most 0.5)"
    assert verdict(None, 3) == verdict(3, None) == "–"
    assert table(["a", "b"], [[1, 2]]) == "| a | b |\n| --- | --: |\n| 1 | 2 |\n"


@pytest.mark.slow
def test_training_comes_to_the_loss_of_the_reference():
    """All samples in one batch, so that orders cannot differ; nothing is timed."""
    row = Row(Net((4, 6, 4)), 50)
    with Crew(["symgrad"]) as crew:
        found = crew.measure(row, "float64", 0, 0, how="train")["symgrad"]
    assert found.reason == "" and found.disagreement < training.TOLERANCE["float64"]


def test_the_reference_of_training_descends():
    row = Row(Net((4, 6, 4)), 50)
    theta, x, t = training.numbers(row, "float64")
    before = reference.loss(row.net, theta, x, t)
    loss, trained = training.run(row.net, theta, x, t)
    assert loss < before and loss == reference.loss(row.net, trained, x, t)


def test_estimators_are_told_with_their_disagreement_and_their_first_fit():
    row = {
        "task": "iris",
        "off": 2e-16,
        "times": {"symgrad": [0.003, 0.001, 0.002], "scikit-learn": [0.01, 0.03, 0.02]},
        "first": 11.5,
    }
    unmeasured = {"task": "digits", "off": 0.5, "times": {"symgrad": [], "scikit-learn": []}}
    text = estimators.render(
        {
            "rows": [row, {**unmeasured, "first": None}],
            "versions": {"scikit-learn": "1.9"},
            "missing": {},
        }
    )
    assert "| iris | 2.00 ms | 20.0 ms | 10.0× | 11.5 s | 2e-16 |" in text
    assert "| digits | – | – | – | – | 5e-01 |" in text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("task", estimators.TASKS[2:3], ids=lambda task: task.title)
def test_estimators_learn_the_same(task):
    assert estimators.disagreement(task, *estimators.samples(task.data)) <= estimators.TOLERANCE


@pytest.mark.parametrize("what", asked.ROWS, ids=lambda what: what.title)
def test_what_is_asked_is_a_spec_of_its_row(what):
    spec = Spec.parse({**what.spec, "dtype": "float32"})
    assert spec.weights == what.row.net.size
    assert parse(what.row.name) == what.row and asked.BY_WIDTHS[what.row.net.widths] is what


def test_derivatives_are_compared_by_array_and_a_bias_without_one_must_have_none():
    net = asked.ROWS[-1].row.net
    gradient = np.ones(net.size)
    gradient[-1] = 0
    assert asked.off(net, (2.0, gradient), (2.0, gradient)) == 0
    other = gradient.copy()
    other[-1] = 0.5
    assert asked.off(net, (2.0, other), (2.0, gradient)) == 0.5
    other[0] = np.nan
    assert asked.off(net, (2.0, other), (2.0, gradient)) == np.inf
    assert asked.off(net, (2.0, gradient[1:]), (2.0, gradient)) == np.inf
    assert asked.off(asked.ROWS[0].row.net, (0.0, gradient), (0.0, 2 * gradient)) == 0.5


def test_symgrad_and_numpy_agree_on_a_jacobian():
    with Crew(["symgrad", "numpy"]) as crew:
        found = crew.measure(asked.ROWS[0].row, "float32", 0, 0, how="derive")
    for timing in found.values():
        assert timing.reason == "" and timing.disagreement < reference.TOLERANCE["float32"]


def test_the_planned_powers_bring_the_tank_nearer_to_what_is_wanted():
    theta, x, t = planning.numbers(planning.ROW, "float64")
    predict, jacobian = planning.by_hand(planning.NET, theta)
    points, h = np.column_stack([x[:, :2], x[:, 2]]), 1e-4
    ends = [[predict(points + s * h * e)[:, 0] for e in np.eye(3)] for s in (-1, 1)]
    slopes = (np.array(ends[1]) - ends[0]).T / (2 * h)
    np.testing.assert_allclose(jacobian(points)[:, 0], slopes, rtol=1e-6)
    known = planning.tank(*points.T)
    assert np.abs(predict(points)[:, 0] - known).max() < 1  # °C: the network knows the tank

    def cost(n, powers):
        celsius, found = x[n, 0], 0.0
        for power in powers:
            celsius = predict(np.array([[celsius, x[n, 1], power]]))[0, 0]
            found += (celsius - t[n]) ** 2
        return found

    plans = planning.wanted(planning.NET, theta, x, t)[1].reshape(len(x), planning.HORIZON)
    assert ((plans >= 0) & (plans <= planning.MOST)).all()
    before, after = (sum(map(cost, range(len(x)), each)) for each in (x[:, 2:], plans))
    assert after < before / 2


@pytest.mark.slow
def test_symgrad_and_numpy_plan_the_same():
    with Crew(["symgrad", "numpy"]) as crew:
        for dtype in ("float32", "float64"):
            found = crew.measure(planning.ROW, dtype, 0, 0, how="control")
            for timing in found.values():
                assert timing.reason == ""
                assert timing.disagreement < planning.allowed(planning.NET, dtype)


def test_the_table_of_a_controller_on_made_up_results():
    row = made_up({"symgrad": 1e-5, "numpy": 1e-3, "casadi": 2e-5}, None)
    row["timings"]["jax"] = timing(reason="too slow")
    row["dtype"] = "float32"
    text = control.render({"rows": [row], "missing": {"casadi": "no module"}})
    assert "| float32 | 10.0 µs | 1.00 ms | – | 20.0 µs | 100× | – | 2.00× |" in text
    assert "- JAX jit, float32: too slow" in text and "- CasADi is missing: no module" in text


def test_a_peer_may_have_an_environment_of_its_own(monkeypatch):
    monkeypatch.setenv("PYTHON_TORCH_COMPILE", "/there/python")
    assert interpreter("torch-compile") == "/there/python"


def test_the_table_of_derivatives_on_made_up_results():
    row = {"title": "Jacobian", **made_up({"symgrad": 1e-6, "numpy": 4e-6, "jax": 2e-6}, None)}
    row["timings"]["torch"] = timing(reason="too slow")
    own = [
        ("gradients", {"call": 3e-6, "gradient": 1e-6, "fill": 1e-6}),
        ("hessian_vector", {"call": 3e-6, "gradient": 1.5e-6}),
    ]
    own = [{"function": f, "row": "2-2", "dtype": "float32", "times": each} for f, each in own]
    text = derivatives.render({"rows": [row], "own": own, "quick": True, "missing": {}})
    assert "| Jacobian, 2-8-1x4 | 1.00 µs | 4.00 µs | 2.00 µs | – | JAX jit | 2.00× |" in text
    assert "- PyTorch eager, Jacobian, 2-8-1x4: too slow" in text and "A quick run" in text
    assert "| gradients, 2-2, float32 | 3.00 µs | a gradient and filling as many bytes |" in text
    assert "| hessian_vector, 2-2, float32 | 3.00 µs | a gradient | 1.50 µs | 2.00× |" in text
