"""Importance by permutation, against what it is known to be, and against scikit-learn's."""

import numpy as np
import pytest

from symgrad.report.importance import accuracy, falls_of, groups, r2
from symgrad.training.trained import Columns


def test_a_category_is_shuffled_as_one():
    columns = Columns(("a", "mode", "b"), ("t",), categories={"mode": ("auto", "off", "on")})
    assert groups(columns) == {"a": [0], "mode": [1, 2, 3], "b": [4]}
    x = np.hstack([np.zeros((50, 1)), np.eye(3)[np.arange(50) % 3], np.ones((50, 1))])
    seen = []

    def scored(given):
        seen.append(given)
        return np.zeros(1)

    falls_of(scored, x, groups(columns).values(), np.random.default_rng(0), repeats=2)
    whole, *shuffled = seen
    assert whole is x and len(shuffled) == 3 * 2
    for each in shuffled:
        assert np.array_equal(each[:, 1:4].sum(axis=1), np.ones(50))  # one level each
        assert np.array_equal(each.sum(axis=0), x.sum(axis=0))  # no value lost
    assert np.array_equal(shuffled[0], x) and not np.array_equal(shuffled[2], x)


def test_falls_of_a_linear_network():
    """R² is 1, and with input k shuffled 1 − 2·var(wₖxₖ)/var(t): the variance of wₖxₖ twice."""
    random = np.random.default_rng(1)
    x, w = random.normal(size=(4000, 3)), np.array([[2.0, 0], [1, 0], [0, 5]])
    t = x @ w
    score = r2(t)
    falls = falls_of(lambda x: score(x @ w), x, [[0], [1], [2]], random).mean(axis=1)
    shares = (w * x.std(axis=0)[:, None]) ** 2 / t.var(axis=0)
    assert np.allclose(falls, 2 * shares, atol=0.05)
    assert falls[2, 0] == falls[0, 1] == 0
    again = [falls_of(lambda x: score(x @ w), x, [[0]], np.random.default_rng(5)) for _ in range(2)]
    assert np.array_equal(*again)


def test_a_constant_target_has_no_score():
    t = np.column_stack([np.arange(4.0), np.full(4, 0.1)])
    found = r2(t)(t)
    assert found[0] == 1 and np.isnan(found[1])


@pytest.mark.parametrize("classes", [False, True])
def test_against_scikit_learn(classes):
    inspection = pytest.importorskip("sklearn.inspection", reason="scikit-learn isn't installed")
    linear = pytest.importorskip("sklearn.linear_model")
    random = np.random.default_rng(2)
    x = random.normal(size=(500, 3))
    t = x @ [3.0, 1, 0] + random.normal(size=500)
    if classes:
        model = linear.LogisticRegression().fit(x, t > 0)
        score, y = accuracy((t > 0).astype(float)[:, None]), lambda x: model.predict_proba(x)[:, 1:]
    else:
        model = linear.LinearRegression().fit(x, t)
        score, y = r2(t[:, None]), lambda x: model.predict(x)[:, None]
    target = t > 0 if classes else t
    expected = inspection.permutation_importance(model, x, target, n_repeats=50, random_state=0)
    falls = falls_of(lambda x: score(y(x)), x, [[0], [1], [2]], random, repeats=50)[..., 0]
    error = 4 * np.hypot(expected.importances_std, falls.std(axis=1)) / np.sqrt(50)
    assert (abs(falls.mean(axis=1) - expected.importances_mean) <= error).all()
