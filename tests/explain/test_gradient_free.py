"""Minimising with gradients and without: the methods on a quadratic, the counts, the section."""

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from symgrad.explain.clock import Clock
from symgrad.explain.minimising import contest as contests
from symgrad.explain.minimising.cases import Case
from symgrad.explain.minimising.contest import contest, quartiles
from symgrad.explain.minimising.methods import (
    METHODS,
    Array,
    Limit,
    Method,
    Problem,
    Run,
    marks,
    minimise,
)
from symgrad.explain.minimising.zero_one import ellipse, step_case
from symgrad.explain.sections.gradient_free import gradient_free
from symgrad.showing.pages.blocks import Lines, Section, Table, Words

CURVATURES = np.array([1.0, 2.0, 4.0])
MINIMUM = np.array([0.5, -1.0, 0.25])
START = np.zeros(3)  # the loss is 1.25 there
BY_NAME = {method.name: method for method in METHODS}

# Evaluations, and the loss that they are enough for, with the method's fourth candidate.
ENOUGH = {
    "L-BFGS": (40, 1e-12),
    "Adam": (2_000, 1e-12),
    "descent": (400, 1e-12),
    "finite differences": (800, 1e-12),
    "SPSA": (3_000, 1e-4),
    "evolution strategy": (2_000, 1e-4),
    "CMA-ES": (1_000, 1e-8),
    "Nelder–Mead": (300, 1e-12),
    "random search": (3_000, 1e-2),
}


class Spied:
    """A quadratic that remembers what it was asked for: each call's value and cost."""

    def __init__(self, gradient_cost: float = 2.5) -> None:
        self.values: list[float] = []
        self.costs: list[float] = []
        self.gradient_cost = gradient_cost
        self.problem = Problem(self.loss, self.loss_and_gradient, gradient_cost)

    def loss(self, theta: Array, cost: float = 1.0) -> float:
        apart = theta - MINIMUM
        self.values.append(float(0.5 * CURVATURES @ (apart * apart)))
        self.costs.append(cost)
        return self.values[-1]

    def loss_and_gradient(self, theta: Array) -> tuple[float, Array]:
        return self.loss(theta, self.gradient_cost), CURVATURES * (theta - MINIMUM)


@pytest.fixture(params=METHODS, ids=lambda method: method.name)
def method(request: pytest.FixtureRequest) -> Method:
    return request.param


def run(method: Method, problem: Problem, limit: Limit, seed: int = 0, candidate: int = 3) -> Run:
    return minimise(method, problem, START, method.candidates[candidate], limit, (seed,))


def test_every_method_gets_to_the_minimum_of_a_quadratic(method: Method) -> None:
    evaluations, loss = ENOUGH[method.name]
    for seed in range(5):
        found = run(method, Spied().problem, Limit(evaluations, target=loss), seed)
        assert found.best <= loss
        assert found.to_target is not None


def test_calls_are_counted_and_the_limit_is_kept(method: Method) -> None:
    spied = Spied()
    found = run(method, spied.problem, Limit(101))
    assert (found.losses, found.gradients) == (spied.costs.count(1.0), spied.costs.count(2.5))
    assert (found.gradients > 0) == method.with_gradient
    assert (found.losses > 0) == (not method.with_gradient)
    assert sum(spied.costs) <= 101
    if found.ended == "evaluations":  # it took what there was
        assert sum(spied.costs) > 101 - 2.5
    else:
        assert (found.ended, method.name) == ("itself", "L-BFGS")
    assert found.best == min(spied.values)


def test_the_target_is_noted_where_it_is_first_reached(method: Method) -> None:
    spied = Spied()
    evaluations, loss = ENOUGH[method.name]
    target = math.sqrt(loss)
    found = run(method, spied.problem, Limit(evaluations, target=target))
    first = next(k for k, value in enumerate(spied.values) if value <= target)
    assert first > 0
    assert found.to_target is not None
    assert found.to_target[0] == sum(spied.costs[: first + 1])


def test_a_target_that_is_met_exactly_is_reached() -> None:
    found = run(BY_NAME["random search"], Spied().problem, Limit(5, target=1.25))
    assert found.to_target is not None
    assert found.to_target[0] == 1


def test_a_target_that_is_not_reached_has_no_number(method: Method) -> None:
    assert run(method, Spied().problem, Limit(50, target=-1.0)).to_target is None


def test_curves_hold_the_best_so_far(method: Method) -> None:
    spied = Spied()
    found = run(method, spied.problem, Limit(90))
    used = np.cumsum(spied.costs)
    for mark, best in zip(marks(90), found.curve, strict=True):
        within = [value for value, at in zip(spied.values, used, strict=True) if at <= mark]
        assert best == min(within, default=math.inf)


def test_marks_end_at_the_limit() -> None:
    assert marks(1) == (1.0,)
    assert marks(100, each_decade=1) == (1.0, 10.0, 100.0)
    assert marks(50, each_decade=1) == (1.0, 10.0, 50.0)


def test_the_same_seed_gives_the_same_run(method: Method) -> None:
    runs = []
    for seed in (1, 1, 2):
        spied = Spied()
        run(method, spied.problem, Limit(60), seed)
        runs.append(spied.values)
    assert runs[0] == runs[1]
    random = {"SPSA", "evolution strategy", "CMA-ES", "random search"}
    assert (runs[0] != runs[2]) == (method.name in random)


def test_nothing_else_is_changed(
    method: Method, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    start, before = np.zeros(3), np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    minimise(method, Spied().problem, start, method.candidates[0], Limit(200), (0,))
    assert not start.any()
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index, union-attr]
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.filterwarnings("error")
def test_a_run_that_diverges_ends_as_others_do() -> None:
    def quartic(theta: Array) -> tuple[float, Array]:
        return float(np.sum((theta - 1) ** 4)), 4 * (theta - 1) ** 3

    problem = Problem(lambda theta: quartic(theta)[0], quartic)
    found = run(BY_NAME["descent"], problem, Limit(100), candidate=0)
    assert (found.best, found.ended, found.gradients) == (3.0, "evaluations", 100)


def test_nan_is_never_the_best() -> None:
    losses = iter([math.nan, 2.0, math.nan, 3.0])
    problem = Problem(lambda theta: next(losses), lambda theta: (math.nan, theta))
    assert run(BY_NAME["random search"], problem, Limit(4)).best == 2.0


def test_a_run_ends_when_it_is_asked_to_and_when_its_time_is_up(method: Method) -> None:
    stop, spied = Event(), Spied()

    def until_the_fourth(theta: Array) -> float:
        if len(spied.values) == 3:
            stop.set()
        return spied.loss(theta)

    problem = Problem(
        until_the_fourth, lambda theta: (until_the_fourth(theta), CURVATURES * (theta - MINIMUM))
    )
    found = run(method, problem, Limit(1_000, stop=stop))
    assert (found.ended, len(spied.values)) == ("stop", 4)
    assert len(found.curve) < len(marks(1_000))  # no figures for what it had no time for
    late = run(method, Spied().problem, Limit(1_000, seconds=0.0))
    assert (late.ended, late.losses, late.gradients) == ("time", 0, 0)


def test_equal_numbers_of_candidates_all_different(method: Method) -> None:
    assert len({tuple(each.items()) for each in method.candidates}) == len(METHODS[0].candidates)


def test_quartiles() -> None:
    assert quartiles([4.0, 1.0, 3.0, 2.0, 5.0]) == (2.0, 3.0, 4.0)
    assert quartiles([1.0, 2.0]) == (1.25, 1.5, 1.75)
    assert quartiles([1.0, 2.0, 3.0, math.inf, math.inf]) == (2.0, 3.0, None)
    assert quartiles([1.0, math.inf]) == (None, None, None)


# --- the contest ---


def quadratic_case() -> Case:
    start: Callable[[int], Array] = lambda seed: START + seed / 10_000  # noqa: E731
    return Case("quadratic", 3, Spied().problem, start, 0.01, 1e-6, 2.5e-6)


def test_every_method_is_tuned_by_the_same_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, list[tuple]] = {}

    def noted(method: Method, problem: Problem, start: Array, settings, limit: Limit, seed) -> Run:
        call = (seed[0], limit.evaluations, limit.seconds, start.tolist())
        asked.setdefault(method.name, []).append(call)
        return minimise(method, problem, start, settings, limit, seed)

    monkeypatch.setattr(contests, "minimise", noted)
    outcomes = contest(quadratic_case(), Limit(60, 30.0, 0.01), 3, Clock(60))
    assert [each.method for each in outcomes] == list(METHODS)
    first = asked["L-BFGS"]
    assert all(calls == first for calls in asked.values())
    tuning, reported = first[:-3], first[-3:]
    assert len(tuning) == 8 * contests.TUNING_STARTS
    assert {call[1:3] for call in tuning} == {(60 * contests.TUNING_SHARE, 10.0)}
    assert {call[1:3] for call in reported} == {(60, 30.0)}
    assert [call[0] for call in reported] == [0, 1, 2]
    assert not {call[0] for call in tuning} & {call[0] for call in reported}


def test_the_candidate_with_the_lowest_median_is_taken() -> None:
    for each in contest(quadratic_case(), Limit(60, target=0.01), 2, Clock(60)):
        taken = each.method.candidates.index(each.settings)
        assert each.tried[taken] == min(each.tried)
        assert len(each.tried) == 8


def test_what_is_not_complete_is_left_out() -> None:
    clock = Clock(60)
    clock.stop.set()
    assert contest(quadratic_case(), Limit(60, stop=clock.stop), 2, clock) == []
    assert contest(quadratic_case(), Limit(60), 2, Clock(0.0)) == []


# --- the section ---


@pytest.fixture(scope="module")
def small() -> Section:
    with pytest.MonkeyPatch.context() as patch:
        # 150 evaluations, and no run that is cut by time on however busy a machine
        patch.setattr("symgrad.explain.sections.gradient_free.PER_SECOND", 0.05)
        return gradient_free(Clock(3000), seeds=3, sizes=((2,), (3,)))


def test_the_section_is_whole(small: Section) -> None:
    assert (small.key, small.missing) == ("gradient_free", "")
    data = json.loads(json.dumps(small.data, allow_nan=False))
    assert (data["seeds"], data["evaluations"]) == (3, 150)
    assert [(each["net"], each["weights"]) for each in data["sizes"]] == [
        ("2-2-1", 9),
        ("2-3-1", 13),
    ]
    for numbers in (*data["sizes"], data["zero_one"]):
        assert list(numbers["methods"]) == list(BY_NAME)
        assert numbers["gradient_cost"] == numbers["gradient_seconds"] / numbers["loss_seconds"]
        for found in numbers["methods"].values():
            assert len(found["runs"]) == 3
            assert found["reached"] == sum(r["evaluations"] is not None for r in found["runs"])
            for each in found["runs"]:
                used = each["loss_calls"] + numbers["gradient_cost"] * each["gradient_calls"]
                assert used <= 150
                assert (each["evaluations"] is not None) == (each["loss"] <= numbers["target"])


def test_what_is_shown_is_what_was_found(small: Section) -> None:
    tables = [block for block in small.blocks if isinstance(block, Table)]
    charts = [block for block in small.blocks if isinstance(block, Lines)]
    assert (len(tables), len(charts)) == (4, 2)
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    for table, chart, numbers in zip(tables[:2], charts, small.data["sizes"], strict=True):
        assert [row[0] for row in table.rows] == list(BY_NAME)
        for row in table.rows:
            found = numbers["methods"][row[0]]
            assert row[1] == f"{found['reached']}/3"
            if found["reached"] == 0:
                assert row[2:4] == (None, None)
        assert {line.name for line in chart.series} <= set(BY_NAME)
        assert all(y > 0 and x >= 1 for line in chart.series for x, y in line.points)
        assert all(a[1] >= b[1] for s in chart.series for a, b in pairwise(s.points))
    assert isinstance(small.blocks[-1], Words)


def test_the_comparison_is_of_medians(small: Section) -> None:
    for numbers in small.data["sizes"]:
        found = numbers["comparison"]
        medians = {name: each["evaluations"][1] for name, each in numbers["methods"].items()}
        assert found["lbfgs"] == medians["L-BFGS"]
        assert found["unreached"] == [name for name, median in medians.items() if median is None]
        without = {m.name for m in METHODS if not m.with_gradient} - set(found["unreached"])
        assert found["best_evaluations"] == min((medians[n] for n in without), default=None)


def test_on_a_0_1_loss_gradients_are_zero_and_lead_nowhere(small: Section) -> None:
    found = small.data["zero_one"]
    assert found["largest_gradient"] == 0.0
    for name in ("L-BFGS", "Adam", "descent", "finite differences"):
        assert found["improved"][name] == 0
        assert [each["loss"] for each in found["methods"][name]["runs"]] == found["starts"]
    for name in ("SPSA", "evolution strategy", "CMA-ES", "random search"):
        assert found["improved"][name] == 3
    # the smooth loss in its place is another matter
    assert max(found["surrogate"]) < min(found["starts"]) / 2


def test_a_0_1_loss_is_the_share_that_is_wrong() -> None:
    case = step_case((8,))
    x, t = ellipse()
    theta = case.start(3)
    z1 = np.tanh(x @ theta[:16].reshape(2, 8) + theta[16:24])
    said = z1 @ theta[24:32] + theta[32] > 0
    assert case.problem.loss(theta) == pytest.approx(np.mean(said != (t[:, 0] == 1)), abs=1e-15)


def test_a_stopped_clock_leaves_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symgrad.explain.sections.gradient_free.PER_SECOND", 2)
    stop, asked = Event(), []

    def until_adam(what: str, share: float) -> None:
        asked.append((what, share))
        if "descent" in what:
            stop.set()

    found = gradient_free(Clock(50, stop, until_adam), seeds=2, sizes=((2,), (3,)))
    assert found.missing == "interrupted"
    (numbers,) = found.data["sizes"]
    assert list(numbers["methods"]) == ["L-BFGS", "Adam"]
    assert numbers["comparison"] is None
    assert "zero_one" not in found.data
    assert [share for _, share in asked] == sorted(share for _, share in asked)
    (table,) = (block for block in found.blocks if isinstance(block, Table))
    assert [row[0] for row in table.rows] == ["L-BFGS", "Adam"]


def test_a_clock_that_is_over_leaves_the_words() -> None:
    stop = Event()
    stop.set()
    found = gradient_free(Clock(50, stop))
    assert (found.missing, found.data["sizes"], found.data["summary"]) == ("interrupted", [], [])
    assert all(isinstance(block, Words) for block in found.blocks)
