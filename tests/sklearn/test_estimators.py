"""symgrad.sklearn against scikit-learn's own estimators, which share nothing with it but the shell.

With the same `random_state` both see the same weights and samples in the same order, so that all
that they learn is the same up to rounding.
"""

import os
import pickle
import subprocess
import sys
import warnings

import numba
import numpy as np
import pytest
from scipy import sparse
from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

import symgrad.sklearn
from symgrad.sklearn import MLPClassifier, MLPRegressor, epochs
from symgrad.sklearn.network import _compiled

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = make_blobs(75, 4, centers=3, cluster_std=4.0, random_state=1)
X /= 5
NAMES = np.array(["ant", "bee", "cat"])[LABELS]
SEVERAL = np.stack([LABELS == 0, LABELS > 1, X[:, 0] > 0], axis=1).astype(int)
WEIGHTS = np.random.default_rng(5).uniform(0.5, 3.0, len(X))
NUMBERS = X @ [1.0, -2.0, 0.5, 0.0] + np.sin(3 * X[:, 0])
COUNTS = np.random.default_rng(6).poisson(np.exp(X[:, 0] / 2)).astype(float)

# Text labels and early stopping do not go together in scikit-learn 1.7, of itself.
COMMON = {"hidden_layer_sizes": (5,), "random_state": 3, "max_iter": 12, "batch_size": 20}


def pair(kind, **options):
    """The estimator of this name, scikit-learn's and ours."""
    own = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[kind]
    return getattr(neural_network, kind)(**COMMON | options), own(**COMMON | options)


def agree(theirs, ours, x=X, tolerance=1e-9):
    """In all that users see of them."""
    assert ours.n_iter_ == theirs.n_iter_ and ours.n_outputs_ == theirs.n_outputs_
    for name in ("coefs_", "intercepts_"):
        for one, other in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=tolerance)
    if ours.solver != "lbfgs":
        assert ours.t_ == theirs.t_ and ours.best_loss_ == pytest.approx(theirs.best_loss_)
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=tolerance)
    if ours.early_stopping:
        assert ours.validation_scores_ == pytest.approx(theirs.validation_scores_, rel=1e-9)
        assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_, rel=1e-9)
    if hasattr(ours, "classes_"):
        assert np.array_equal(ours.classes_, theirs.classes_)
        assert np.array_equal(ours.predict(x), theirs.predict(x))
        np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=tolerance)
        logs = ours.predict_log_proba(x), theirs.predict_log_proba(x)
        np.testing.assert_allclose(*logs, rtol=max(tolerance, 1e-6), atol=tolerance)
    else:
        np.testing.assert_allclose(ours.predict(x), theirs.predict(x), atol=tolerance)


# One network each: three classes by Adam, which scikit-learn's defaults are.
ADAM = {
    "as it is": {},
    "many small batches, and a rest": {"batch_size": 7, "alpha": 0.5},
    "one batch": {"batch_size": "auto", "alpha": 0.1},
    "in order": {"shuffle": False},
    "early stopping": {"early_stopping": True, "validation_fraction": 0.2, "n_iter_no_change": 2},
    "ends by itself": {"tol": 0.05, "n_iter_no_change": 1, "max_iter": 100},
    "other constants": {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.01, "learning_rate_init": 0.01},
}


@pytest.mark.parametrize("options", ADAM.values(), ids=ADAM)
def test_adam(options):
    theirs, ours = pair("MLPClassifier", **options)
    agree(theirs.fit(X, LABELS), ours.fit(X, LABELS))


SGD = {
    "momentum": {},
    "a rate that falls": {"learning_rate": "invscaling", "power_t": 0.3},
    "a rate that adapts": {"learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 1},
}


@pytest.mark.parametrize("nesterov", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("options", SGD.values(), ids=SGD)
def test_sgd(options, nesterov):
    options = {"solver": "sgd", "learning_rate_init": 0.1, "nesterovs_momentum": nesterov} | options
    theirs, ours = pair("MLPClassifier", **options)
    agree(theirs.fit(X, NAMES), ours.fit(X, NAMES))
    for each in (theirs, ours):
        for _ in range(3):
            each.partial_fit(X[::2], NAMES[::2])
    agree(theirs, ours)


def test_an_adaptive_rate_gives_up_when_it_is_small():
    options = {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1}
    theirs, ours = pair("MLPClassifier", **options, max_iter=200)
    agree(theirs.fit(X, NAMES), ours.fit(X, NAMES))
    assert ours.n_iter_ < 60 and ours._optimizer.learning_rate <= 1e-6


@pytest.mark.parametrize(
    "options",
    [{"solver": "lbfgs", "max_iter": 30}, {"solver": "lbfgs", "max_iter": 200, "max_fun": 9}],
    ids=["iterations", "evaluations"],
)
def test_lbfgs(options):
    """A fifth or so of the digits: hundreds of steps would drift apart."""
    theirs, ours = pair("MLPClassifier", **options, alpha=0.5)
    agree(theirs.fit(X, NAMES), ours.fit(X, NAMES), tolerance=1e-5)
    assert not hasattr(ours, "loss_curve_")


@pytest.mark.slow
def test_what_has_not_converged_says_so():
    for options in ({"solver": "lbfgs", "max_iter": 3}, {"max_iter": 3}):
        with pytest.warns(ConvergenceWarning) as record:
            pair("MLPClassifier", **options)[1].fit(X, NAMES)
        assert [warning.filename == __file__ for warning in record] == [True]


def told_by(fit) -> tuple[list[str], list[str], str]:
    """How the warnings of a fit that it has not converged begin, their files, and its refusal."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fit()
            refusal = ""
        except ValueError as error:
            refusal = str(error)
    own = [each for each in caught if issubclass(each.category, ConvergenceWarning)]
    return [str(each.message)[:20] for each in own], [each.filename for each in own], refusal


CONVERGES = {
    "one iteration": {"max_iter": 1},
    "too few": {"max_iter": 4},
    "enough": {"max_iter": 300, "tol": 10.0},
    "the last is enough": {"max_iter": 12, "n_iter_no_change": 10, "tol": 10.0},
    "one too few": {"max_iter": 11, "n_iter_no_change": 10, "tol": 10.0},
    "early stopping, too few": {"max_iter": 4, "early_stopping": True},
    "early stopping": {"max_iter": 300, "early_stopping": True, "tol": 1.0, "n_iter_no_change": 2},
    "adaptive, too few": {"max_iter": 9, "learning_rate": "adaptive", "tol": 1.0,
                          "n_iter_no_change": 1},
    "adaptive": {"max_iter": 300, "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1},
    "twice": {"max_iter": 4, "warm_start": True},
    "too few calls": {"max_iter": 300, "max_fun": 4},
    "not finite": {"max_iter": 4, "learning_rate_init": 1e200},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("case", CONVERGES)
def test_what_has_not_converged_says_so_where_scikit_learn_does(case, solver):
    options = CONVERGES[case] | {"solver": solver}
    for kind, y in (("MLPClassifier", LABELS), ("MLPRegressor", NUMBERS)):

        def fit(model, y=y):
            model.fit(X, y)
            if model.warm_start:
                model.fit(X, y)

        told = [told_by(lambda model=model: fit(model)) for model in pair(kind, **options)]
        theirs, ours = told
        assert ours[0] == theirs[0] and bool(ours[2]) == bool(theirs[2]), kind
        assert set(ours[1]) <= {__file__}


@pytest.mark.slow
def test_a_part_of_a_fit_does_not_say_that_it_has_not_converged():
    for model in pair("MLPClassifier", max_iter=1):
        for _ in range(3):
            assert told_by(lambda model=model: model.partial_fit(X, LABELS, [0, 1, 2]))[0] == []


KINDS = {
    "two classes": ("MLPClassifier", LABELS > 0, None, {}),
    "several labels": ("MLPClassifier", SEVERAL, None, {}),
    "weights": ("MLPClassifier", LABELS, WEIGHTS, {"early_stopping": True, "alpha": 0.3}),
    "numbers": ("MLPRegressor", NUMBERS, None, {}),
    "several numbers": ("MLPRegressor", np.stack([NUMBERS, X[:, 1]], 1), None, {"alpha": 0.5}),
    "counts": ("MLPRegressor", COUNTS, WEIGHTS, {"loss": "poisson", "alpha": 0.2}),
    "logistic": ("MLPRegressor", NUMBERS, None, {"activation": "logistic"}),
    "tanh, three layers": (
        "MLPRegressor", NUMBERS, WEIGHTS, {"activation": "tanh", "hidden_layer_sizes": (4, 3)}
    ),
    "identity": ("MLPRegressor", NUMBERS, None, {"activation": "identity"}),
    "no hidden layer": ("MLPClassifier", NAMES, None, {"hidden_layer_sizes": ()}),
    "several numbers by L-BFGS": (
        "MLPRegressor", np.stack([NUMBERS, NUMBERS], 1), None, {"solver": "lbfgs", "alpha": 0.0}
    ),
    "counts by L-BFGS": ("MLPRegressor", COUNTS, None, {"solver": "lbfgs", "loss": "poisson"}),
    "weights by L-BFGS": ("MLPClassifier", LABELS > 0, WEIGHTS, {"solver": "lbfgs"}),
}  # fmt: skip
FAST = ("weights", "several numbers")


@pytest.mark.parametrize(
    "name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in KINDS]
)
def test_every_kind_of_target_and_layer(name):
    kind, y, weights, options = KINDS[name]
    theirs, ours = pair(kind, **options)
    given = {} if weights is None else {"sample_weight": weights}
    theirs.fit(X, y, **given)
    ours.fit(X, y, **given)
    if name == "several numbers by L-BFGS":
        # scikit-learn descends a mean over outputs by the gradient of their sum; we, the sum
        assert ours.loss_ <= theirs.loss_ * 1.01
        return
    agree(theirs, ours, tolerance=1e-5 if ours.solver == "lbfgs" else 1e-9)
    score = ours.score(X, y, sample_weight=weights)
    assert score == pytest.approx(theirs.score(X, y, sample_weight=weights), rel=1e-4)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_array], ids=lambda k: k.__name__)
def test_sparse_input_gives_what_dense_input_gives(kind, monkeypatch):
    dense = pair("MLPClassifier")[1].fit(X, NAMES)
    scattered = pair("MLPClassifier")[1].fit(kind(X), NAMES)
    assert np.array_equal(dense.theta_, scattered.theta_)
    monkeypatch.setattr(epochs, "AT_ONCE", 40)  # ten samples at a time
    np.testing.assert_allclose(
        dense.predict_proba(X), scattered.predict_proba(kind(X)), rtol=1e-12
    )


@pytest.mark.slow
def test_lbfgs_on_blocks_of_a_sparse_matrix(monkeypatch):
    whole = pair("MLPClassifier", solver="lbfgs")[1].fit(X, NAMES, WEIGHTS)
    monkeypatch.setattr(epochs, "AT_ONCE", 40)
    blocks = pair("MLPClassifier", solver="lbfgs")[1].fit(sparse.csr_array(X), NAMES, WEIGHTS)
    np.testing.assert_allclose(blocks.theta_, whole.theta_, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_single_precision_stays_single(solver):
    theirs, ours = pair("MLPClassifier", solver=solver)
    x = X.astype(np.float32)
    agree(theirs.fit(x, NAMES), ours.fit(x, NAMES), x, tolerance=1e-3)
    assert {array.dtype for array in (*ours.coefs_, *ours.intercepts_)} == {np.dtype("float32")}
    assert ours.predict_proba(x).dtype == np.float32
    assert ours.predict_proba(X).dtype == np.float64


def test_partial_fit_and_warm_start_go_on():
    theirs, ours = pair("MLPClassifier")
    for each in (theirs, ours):
        for start in range(0, 75, 25):
            each.partial_fit(X[start : start + 25], NAMES[start : start + 25], classes=NAMES[:9])
    agree(theirs, ours)
    again = pickle.loads(pickle.dumps(ours))
    for each in (theirs, ours, again):
        each.partial_fit(X, NAMES)
    agree(theirs, again)
    assert np.array_equal(ours.theta_, again.theta_)
    theirs, ours = pair("MLPClassifier", warm_start=True, max_iter=3)
    for each in (theirs, ours):
        each.fit(X, NAMES)
        each.set_params(alpha=0.3, learning_rate_init=0.01).fit(X, NAMES)
    agree(theirs, ours)
    with pytest.raises(ValueError, match="`y` has classes not in"):
        ours.set_params(warm_start=False).partial_fit(X, LABELS.astype(str))
    with pytest.raises(ValueError, match="does not support early_stopping"):
        ours.set_params(early_stopping=True).partial_fit(X, NAMES)


def test_partial_fit_goes_on_as_it_began_whatever_the_parameters_become():
    theirs, ours = pair("MLPClassifier")
    for each in (theirs, ours):
        each.partial_fit(X, NAMES, classes=NAMES[:9])
        each.set_params(solver="sgd", beta_1=0.5, learning_rate_init=1.0, learning_rate="adaptive")
        each.partial_fit(X, NAMES).partial_fit(X, NAMES)
    agree(theirs, ours)


def test_weights_from_before_keep_their_layers():
    ours = pair("MLPClassifier", warm_start=True)[1].fit(X, NAMES)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes=\(5, 4\) does not fit the weights"):
        ours.set_params(hidden_layer_sizes=(5, 4)).fit(X, NAMES)


def test_a_users_own_file_may_be_called_mlp():
    pair("MLPClassifier")[1].fit(X, NAMES)
    assert "mlp" not in sys.modules


def test_negative_weights_are_refused_in_words():
    with pytest.raises(ValueError, match="sample_weight: those of a batch sum to -"):
        pair("MLPClassifier", early_stopping=True)[1].fit(X, LABELS, -WEIGHTS)


def test_weights_may_be_edited():
    ours = pair("MLPClassifier")[1].fit(X, NAMES)
    for W in ours.coefs_:
        W[...] = 0
    ours.intercepts_[-1][...] = [0, 5, 0]
    assert set(ours.predict(X)) == {"bee"}
    ours.coefs_ = [np.asfortranarray(W) for W in ours.coefs_]
    ours.partial_fit(X, NAMES)
    assert ours.t_ == 13 * len(X)


def test_what_is_printed_is_what_scikit_learn_prints(capsys):
    for options in ({"tol": 0.5}, {"early_stopping": True, "tol": 1.0}):
        texts = []
        for each in pair("MLPClassifier", verbose=True, n_iter_no_change=1, **options):
            each.fit(X, LABELS)
            texts.append(capsys.readouterr().out)
        assert texts[0] == texts[1] and "Stopping" in texts[0]


def test_errors_are_scikit_learns():
    for wrong, message in (
        ({"alpha": -1.0}, "'alpha' parameter of MLPClassifier"),
        ({"hidden_layer_sizes": (-3,)}, "hidden_layer_sizes must be > 0"),
        ({"solver": "newton"}, "'solver' parameter"),
    ):
        with pytest.raises(ValueError, match=message):
            pair("MLPClassifier", **wrong)[1].fit(X, NAMES)
    with pytest.raises(NotFittedError):
        MLPClassifier().predict(X)
    with pytest.raises(NotFittedError):
        MLPClassifier().theta_  # noqa: B018
    with pytest.raises(ValueError, match="validation set is too small"):
        pair("MLPClassifier", early_stopping=True, validation_fraction=0.01)[1].fit(X, LABELS * 0)
    fitted = pair("MLPClassifier")[1].fit(X, NAMES)
    with pytest.raises(ValueError, match="X has 3 features"):
        fitted.predict(X[:, :3])
    with pytest.warns(UserWarning, match="Got `batch_size` less than 1 or larger"):
        pair("MLPClassifier", batch_size=1000)[1].fit(X, NAMES)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_refused_as_scikit_learn_refuses_it():
    for each in pair("MLPRegressor", solver="sgd", learning_rate_init=10.0):
        with (
            pytest.raises(ValueError, match="Solver produced non-finite parameter weights"),
            np.errstate(all="ignore"),
        ):
            each.fit(X, 1e50 * NUMBERS)


def test_an_interrupt_keeps_what_was_learnt(monkeypatch):
    ours, calls = pair("MLPClassifier")[1], []
    run = epochs.Epochs.run

    def interrupted(self, *arguments):
        calls.append(None)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return run(self, *arguments)

    monkeypatch.setattr(epochs.Epochs, "run", interrupted)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        ours.fit(X, NAMES)
    assert ours.n_iter_ == 3 and len(ours.predict(X)) == len(X)


@pytest.mark.slow
def test_its_compiled_network_serves_ones_own_code():
    ours = pair("MLPClassifier")[1].fit(X, NAMES)
    assert ours.compiled_.spec.widths == (4, 5, 3)
    predict = ours.compiled_.module.predict

    @numba.njit
    def surest(theta, x):
        return predict(theta, x).max()

    assert surest(ours.theta_, X) == pytest.approx(ours.predict_proba(X).max(), rel=1e-12)


def test_the_module_that_has_trained_it_predicts():
    """A network is compiled once for both."""
    before = _compiled.cache_info().misses
    ours = pair("MLPClassifier", alpha=0.3, early_stopping=True)[1].fit(X, LABELS, WEIGHTS)
    ours.predict(X)
    assert _compiled.cache_info().misses <= before + 1
    assert ours.compiled_.spec.loss.sample_weights


def test_one_module_serves_every_number(monkeypatch):
    """Grid search, other rates, penalties and batches compile nothing."""
    pair("MLPClassifier")[1].fit(X, NAMES)
    before = _compiled.cache_info().misses

    def none(*arguments, **options):
        raise AssertionError("something is compiled")

    monkeypatch.setattr(subprocess, "run", none)
    grid = {
        "mlpclassifier__alpha": [0.01, 1.0],
        "mlpclassifier__learning_rate_init": [0.1, 0.01],
        "mlpclassifier__batch_size": [10, 30],
    }
    pipe = make_pipeline(StandardScaler(), clone(pair("MLPClassifier")[1]))
    search = GridSearchCV(pipe, grid, cv=2).fit(X, NAMES)
    assert _compiled.cache_info().misses == before
    theirs = make_pipeline(StandardScaler(), pair("MLPClassifier")[0])
    same = GridSearchCV(theirs, grid, cv=2).fit(X, NAMES)
    assert search.best_params_ == same.best_params_
    scores = "mean_test_score"
    np.testing.assert_allclose(search.cv_results_[scores], same.cv_results_[scores])


FIT = """
import hashlib, numpy as np
from sklearn.datasets import load_iris
from symgrad.sklearn import MLPClassifier

model = MLPClassifier((6,), random_state=0, max_iter=3).fit(*load_iris(return_X_y=True))
learnt = model.theta_.tobytes() + model.predict_proba(np.ones((3, 4))).tobytes()
print(hashlib.sha256(learnt).hexdigest())
"""


@pytest.mark.slow
def test_processes_that_compile_the_same_at_once_and_one_that_compiles_nothing(tmp_path):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    environment.pop("NUMBA_CACHE_DIR", None)

    def begun():
        command = [sys.executable, "-c", FIT]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    def files():
        return {
            path: (path.stat().st_mtime_ns, path.stat().st_size)
            for path in tmp_path.rglob("*")
            if path.is_file()
        }

    at_once = [begun() for _ in range(3)]
    results = {process.communicate()[0] for process in at_once}
    assert [process.returncode for process in at_once] == [0, 0, 0] and len(results) == 1
    before = files()
    assert any(path.suffix == ".nbc" for path in before)
    later = begun()
    assert {later.communicate()[0]} == results and later.returncode == 0
    assert files() == before


def test_without_scikit_learn_one_line_says_what_to_install():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "try:\n    from symgrad.sklearn import MLPClassifier\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == (
        "symgrad.sklearn needs the package scikit-learn: pip install 'symgrad[sklearn]'\n"
    ), done.stderr
    with pytest.raises(AttributeError, match="no attribute 'MLPTransformer'"):
        symgrad.sklearn.MLPTransformer  # noqa: B018


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_negative_counts_are_refused(solver):
    y = COUNTS.copy()
    y[7] = -0.5
    model = MLPRegressor(hidden_layer_sizes=(3,), solver=solver, loss="poisson")
    with pytest.raises(ValueError, match=r"loss='poisson' is for .* y of sample 7 is -0.5"):
        model.fit(X, y)


def unequal(samples: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Two classes that overlap, one of them rare."""
    x = np.random.default_rng(4).normal(size=(samples, 2))
    return x, np.where(x[:, 0] + 0.8 * x[:, 1] > 1.3, "rare", "usual")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("weights", ["balanced", {"rare": 3.0, "usual": 0.5}])
def test_weights_of_classes_are_weights_of_their_samples(solver, weights):
    x, y = unequal()
    options = {"hidden_layer_sizes": (3,), "solver": solver, "max_iter": 20, "random_state": 0}
    given = np.linspace(0.5, 1.5, len(y))
    weighted = MLPClassifier(class_weight=weights, **options).fit(x, y, given)
    by_sample = compute_sample_weight(weights, y) * given
    assert_same_weights(weighted, MLPClassifier(**options).fit(x, y, by_sample))
    again = clone(weighted)
    assert again.get_params() == weighted.get_params() and again.class_weight == weights


def test_weights_of_classes_that_cannot_be_are_refused():
    x, y = unequal()
    with pytest.raises(ValueError, match="class_weight='balanced' is of all samples"):
        MLPClassifier(class_weight="balanced").partial_fit(x, y, classes=["rare", "usual"])
    with pytest.raises(ValueError, match="The 'class_weight' parameter of MLPClassifier must be"):
        MLPClassifier(class_weight="equal").fit(x, y)
    parts = MLPClassifier((2,), class_weight={"rare": 2.0})
    assert parts.partial_fit(x[:5], y[:5], classes=["rare", "usual"]).t_ == 5


def assert_same_weights(one, other) -> None:
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        assert a.tobytes() == b.tobytes()
