"""Training over a stub that keeps an emitted module's contract with a few lines of NumPy."""

import json
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from symgrad.errors import DataError, SymgradError
from symgrad.training import train as training
from symgrad.training.data import Data, read, split
from symgrad.training.optimizers import Adam
from symgrad.training.train import Result, TrainingError, save, standardization, train

DATA = Path(__file__).parent.parent / "data"


def stub(
    inputs: int, outputs: int, loss: str = "squared", dtype: str = "float64", weighted: bool = False
) -> SimpleNamespace:
    """One linear layer under ½(y − t)², or softmax under −t·log y: the contract, in plain NumPy."""
    spec = {
        "name": "stub",
        "dtype": dtype,
        "inputs": inputs,
        "layers": [{"units": outputs, "activation": "identity"}],
        "loss": {"kind": loss, "sample_weights": weighted},
    }
    size = inputs * outputs + outputs

    def arrays(theta):
        return theta[: inputs * outputs].reshape(inputs, outputs), theta[inputs * outputs :]

    def init(seed=0):
        theta = np.random.default_rng(seed).normal(0, 0.1, size).astype(dtype)
        theta[inputs * outputs :] = 0
        return theta

    def predict(theta, x):
        weights, bias = arrays(theta)
        z = x @ weights + bias
        if loss == "squared":
            return z
        y = np.exp(z - z.max(axis=1, keepdims=True))
        return y / y.sum(axis=1, keepdims=True)

    def loss_and_gradient_into(theta, x, t, *rest):
        w = rest[0] if weighted else np.ones(len(x), dtype)
        gradient = rest[-1]
        for array in (theta, x, t, w, gradient):
            assert array.dtype == dtype and array.flags.c_contiguous
        y = predict(theta, x)
        d_z = (y - t) * (w / w.sum())[:, None]
        d_weights, d_bias = arrays(gradient)
        d_weights[:], d_bias[:] = x.T @ d_z, d_z.sum(axis=0)
        each = 0.5 * (y - t) ** 2 if loss == "squared" else -t * np.log(y)
        return float(w @ each.sum(axis=1) / w.sum())

    def value(theta, x, t, *w):
        return loss_and_gradient_into(theta, x, t, *w, np.empty(size, dtype))

    def step(theta, x, t, *rest):
        gradient = np.empty(size, dtype)
        before = loss_and_gradient_into(theta, x, t, *rest[:-1], gradient)
        theta -= np.asarray(rest[-1] * gradient, dtype)
        return before

    return SimpleNamespace(
        SPEC=spec,
        SIZE=size,
        PARAMETERS={"W1": (0, (inputs, outputs)), "b1": (inputs * outputs, (outputs,))},
        init=init,
        predict=predict,
        loss=value,
        loss_and_gradient_into=loss_and_gradient_into,
        step=step,
    )


def spec_of(inputs: int, outputs: int, weighted: bool = False) -> dict:
    return stub(inputs, outputs, weighted=weighted).SPEC


def plane(samples: int = 60, seed: int = 3) -> Data:
    """Samples of t = 2x₀ − x₁ + 5."""
    x = np.random.default_rng(seed).normal(size=(samples, 2)) * [10, 0.1] + [100, 0]
    return Data(x, (2 * x[:, :1] - x[:, 1:]) + 5)


# ------------------------------------------------------------------------------------- reading CSV


def write(folder: Path, text: str, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_last_column_is_the_target(tmp_path):
    data = read(write(tmp_path, "a,b,t\n1,2,3.5\n4,-5e1,6\n"), spec_of(2, 1))
    assert data.x.tolist() == [[1, 2], [4, -50]]
    assert data.t.tolist() == [[3.5], [6]]
    assert data.labels is None and data.w is None and data.classes is None


def test_as_many_last_columns_as_there_are_outputs(tmp_path):
    data = read(write(tmp_path, "a,t,u\n1,2,3\n4,5,6\n"), spec_of(1, 2))
    assert data.x.tolist() == [[1], [4]]
    assert data.t.tolist() == [[2, 3], [5, 6]]


def test_targets_by_name_keep_the_order_of_the_names(tmp_path):
    path = write(tmp_path, "t,a,u\n1,2,3\n4,5,6\n")
    data = read(path, spec_of(1, 2), targets=["u", "t"])
    assert data.x.tolist() == [[2], [5]]
    assert data.t.tolist() == [[3, 1], [6, 4]]


def test_names_become_one_column_a_class(tmp_path):
    data = read(write(tmp_path, "a,kind\n1,pear\n2,apple\n3,none\n4,pear\n"), spec_of(1, 3))
    assert data.labels == ("apple", "none", "pear")
    assert data.t.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert data.classes.tolist() == [2, 0, 1, 2]


def test_integers_below_the_number_of_outputs_are_column_numbers(tmp_path):
    data = read(write(tmp_path, "a,kind\n1,3\n2,0\n3,1.0\n"), spec_of(1, 4))
    assert data.labels == ("0", "1", "2", "3")
    assert data.classes.tolist() == [3, 0, 1]


def test_other_integers_are_classes_in_their_order(tmp_path):
    data = read(write(tmp_path, "a,kind\n1,10\n2,9\n3,-1\n"), spec_of(1, 3))
    assert data.labels == ("-1", "9", "10")
    assert data.classes.tolist() == [2, 1, 0]


def test_two_names_for_one_output_are_0_and_1(tmp_path):
    data = read(write(tmp_path, "a,kind\n1,yes\n2,no\n"), spec_of(1, 1))
    assert data.labels == ("no", "yes")
    assert data.t.tolist() == [[1], [0]]
    assert data.classes.tolist() == [1, 0]


def test_columns_that_are_one_hot_already_are_classes(tmp_path):
    data = read(write(tmp_path, "a,cat,dog\n1,1,0\n2,0,1\n"), spec_of(1, 2))
    assert data.labels == ("cat", "dog")
    both = read(write(tmp_path, "a,cat,dog\n1,1,0\n2,1,1\n"), spec_of(1, 2))
    assert both.labels is None


def test_a_mark_of_byte_order_quotes_and_empty_lines_do_no_harm(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes('\ufeff"a","t"\r\n\r\n 1 ,"2"\r\n\r\n'.encode())
    data = read(path, spec_of(1, 1), targets=["t"])
    assert (data.x.tolist(), data.t.tolist()) == ([[1]], [[2]])


def test_sample_weights_from_a_column_or_ones(tmp_path):
    path = write(tmp_path, "a,w,t\n1,0.5,3\n4,2,6\n")
    data = read(path, spec_of(1, 1, weighted=True), weight="w")
    assert data.w.tolist() == [0.5, 2]
    assert (data.x.tolist(), data.t.tolist()) == ([[1], [4]], [[3], [6]])
    assert read(path, spec_of(2, 1, weighted=True)).w.tolist() == [1, 1]


CSV_REFUSALS = [
    ("empty", "", 2, 1, "data.csv: the file is empty"),
    ("only a header", "a,b,t\n", 2, 1, "a header and no samples"),
    ("no header", "1,2,3\n4,5,6\n", 2, 1, "line 1: numbers where the names of columns should"),
    ("one name twice", "a,a,t\n1,2,3\n", 2, 1, "line 1: two columns are called 'a'"),
    ("no number", "a,b,t\n1,2,3\n1,x2,3\n", 2, 1, "line 3, column 'b': 'x2' is not a number"),
    ("Python's underscore", "a,b,t\n1_0,2,3\n", 2, 1, "line 2, column 'a': '1_0' is not a number"),
    ("no number in a target", "a,b,t\n1,2,3\n1,2,c\n", 2, 1, "line 3, column 't': 'c' is not a"),
    ("missing", "a,b,t\n1,,3\n", 2, 1, "line 2, column 'b': the value is missing ('')"),
    ("missing, in words", "a,b,t\n1,NA,3\n", 2, 1, "column 'b': the value is missing ('NA')"),
    ("missing class", "a,b,t\n1,2,u\n1,2,\n", 2, 2, "line 3, column 't': the value is missing"),
    ("infinite", "a,b,t\n1,2,3\n\n1,-inf,3\n", 2, 1, "line 4, column 'b': '-inf' is not finite"),
    ("ragged, short", "a,b,t\n1,2,3\n1,2\n", 2, 1, "line 3: 2 cells, but the header names 3"),
    ("ragged, long", "a,b,t\n1,2,3,4\n", 2, 1, "line 2: 4 cells, but the header names 3"),
    ("too few columns", "a,t\n1,2\n", 2, 1, "2 columns hold 2 inputs and 0 columns of targets"),
    (
        "too many columns",
        "a,b,c,d,t\n1,2,3,4,5\n",
        2,
        2,
        "5 columns hold 2 inputs and 3 columns of targets; the network needs 2 targets, or 1 with "
        "the class",
    ),
    ("too many classes", "a,t\n1,u\n2,v\n3,w\n", 1, 2, "3 classes (u, v, w), but 2 are needed"),
    ("too few classes", "a,t\n1,7\n2,8\n", 1, 3, "column 't': 2 classes (7, 8), but 3 are needed"),
    ("three names, one output", "a,t\n1,u\n2,v\n3,w\n", 1, 1, "3 classes (u, v, w), but 2 are"),
    ("a broken class", "a,t\n1,0\n2,1.5\n", 1, 2, "'1.5' is no class; the network has 2 outputs"),
    ("an open quote", 'a,t\n1,"2\n', 1, 1, "line 2: unexpected end of data"),
]


@pytest.mark.parametrize(
    ("text", "inputs", "outputs", "message"),
    [refusal[1:] for refusal in CSV_REFUSALS],
    ids=[refusal[0] for refusal in CSV_REFUSALS],
)
def test_csv_refusals(tmp_path, text, inputs, outputs, message):
    with pytest.raises(DataError) as caught:
        read(write(tmp_path, text), spec_of(inputs, outputs))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ["nope"]}, "no column 'nope'; there are a, b, t"),
        ({"targets": ["t", "t"]}, "the target 't' is named twice"),
        ({"targets": ["t", "b"]}, "2 columns named as targets; the network needs 1 targets"),
        ({"weight": "nope"}, "no column 'nope'"),
        ({"weight": "a"}, "2 columns hold 2 inputs and 0 columns of targets"),
        ({"weight": "a", "targets": ["a"]}, "'a' cannot be both target and weight"),
        ({"weight": "a", "targets": ["t"]}, "1 column left for the inputs (b), but the network"),
    ],
)
def test_refusals_of_column_names(tmp_path, options, message):
    with pytest.raises(DataError) as caught:
        read(write(tmp_path, "a,b,t\n1,2,3\n"), spec_of(2, 1, weighted=True), **options)
    assert message in str(caught.value)


def test_refusals_of_weights(tmp_path):
    path = write(tmp_path, "a,w,t\n1,0.5,3\n4,-2,6\n")
    with pytest.raises(DataError, match="line 3, column 'w': the weight -2 is negative"):
        read(path, spec_of(1, 1, weighted=True), weight="w")
    with pytest.raises(DataError, match="all sample weights are 0"):
        zero = write(tmp_path, "a,w,t\n1,0,3\n", "zero.csv")
        read(zero, spec_of(1, 1, weighted=True), weight="w")
    with pytest.raises(DataError, match="write sample_weights = true under"):
        read(path, spec_of(1, 1), weight="w")


def test_text_that_is_no_utf_8_is_refused(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes("a,t\n1,größe\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8 near line 1"):
        read(path, spec_of(1, 1))


def test_files_of_other_kinds_and_absent_ones_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected a \.csv or an \.npz file"):
        read(tmp_path / "data.xlsx", spec_of(1, 1))
    for name in ("absent.csv", "absent.npz"):
        with pytest.raises(DataError, match=f"{name}: No such file or directory"):
            read(tmp_path / name, spec_of(1, 1))


# ------------------------------------------------------------------------------------- reading NPZ


def store(folder: Path, **arrays) -> Path:
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return path


X = np.arange(6.0).reshape(3, 2)


def test_npz_targets_of_every_form(tmp_path):
    values = read(store(tmp_path, x=X, t=X * 2), spec_of(2, 2))
    assert values.t.tolist() == (X * 2).tolist() and values.labels is None
    flat = read(store(tmp_path, x=X.astype("u1"), t=[0.5, 1, 2]), spec_of(2, 1))
    assert flat.t.tolist() == [[0.5], [1], [2]] and flat.x.dtype == np.float64
    classes = read(store(tmp_path, x=X, t=np.array([2, 0, 1])), spec_of(2, 3))
    assert classes.classes.tolist() == [2, 0, 1] and classes.labels == ("0", "1", "2")
    one_hot = read(store(tmp_path, x=X, t=np.eye(3)), spec_of(2, 3))
    assert one_hot.labels == ("0", "1", "2")
    column = read(store(tmp_path, x=X, t=np.array([["u"], ["v"], ["u"]])), spec_of(2, 2))
    assert column.labels == ("u", "v")
    names = read(store(tmp_path, x=X, t=np.array(["u", "v", "u"])), spec_of(2, 1))
    assert names.labels == ("u", "v") and names.t.tolist() == [[0], [1], [0]]


def test_npz_weights(tmp_path):
    path = store(tmp_path, x=X, t=X[:, 0], w=[1, 2, 3], v=[4, 5, 6])
    assert read(path, spec_of(2, 1)).w is None
    assert read(path, spec_of(2, 1, weighted=True)).w.tolist() == [1, 2, 3]
    assert read(path, spec_of(2, 1, weighted=True), weight="v").w.tolist() == [4, 5, 6]


NAN = np.array([[0.0, 1], [2, np.nan], [4, 5]])
NPZ_REFUSALS = [
    ({"x": X}, "no array 't'; the archive holds x"),
    ({"y": X}, "no array 'x'; the archive holds y"),
    ({"x": X[:, :1], "t": X}, "x has the shape (3, 1); expected (samples, 2)"),
    ({"x": X[:, 0], "t": X}, "x has the shape (3,); expected (samples, 2)"),
    ({"x": X[:0], "t": X[:0]}, "x holds no samples"),
    ({"x": X, "t": X[:2]}, "t has the shape (2, 2) and x (3, 2); expected 3 rows in both"),
    ({"x": X, "t": np.ones((3, 4))}, "expected (3, 2) or (3,) with the class"),
    ({"x": X, "t": np.float64(3)}, "t has the shape () and x (3, 2)"),
    ({"x": NAN, "t": X}, "x[1, 1] is nan; expected a number"),
    ({"x": X, "t": X - np.inf}, "t[0, 0] is -inf"),
    ({"x": X * 1j, "t": X}, "x is of dtype complex128; expected real numbers"),
    ({"x": X, "t": np.array([b"u", b"v", b"u"])}, "t is of dtype |S1; expected real numbers"),
    ({"x": X, "t": X, "w": np.ones(2)}, "w has the shape (2,); expected (3,)"),
    ({"x": X, "t": X, "w": [1, -1, 1]}, "the weight of row 1 is negative (-1)"),
    ({"x": X, "t": X, "w": np.zeros(3)}, "all sample weights are 0"),
    ({"x": X, "t": np.array([X, 2, 3], dtype=object)}, "holds Python objects (a pickle)"),
]


@pytest.mark.parametrize(("arrays", "message"), NPZ_REFUSALS, ids=lambda value: str(value)[:40])
def test_npz_refusals(tmp_path, arrays, message):
    with pytest.raises(DataError) as caught:
        read(store(tmp_path, **arrays), spec_of(2, 2, weighted=True))
    assert message in str(caught.value)


def test_npz_refusals_of_files(tmp_path):
    path = tmp_path / "data.npz"
    path.write_bytes(b"")
    with pytest.raises(DataError, match="the file is empty"):
        read(path, spec_of(2, 2))
    path.write_bytes(pickle.dumps({"x": 1}))
    with pytest.raises(DataError, match="no NPZ archive"):
        read(path, spec_of(2, 2))
    store(tmp_path, x=X, t=X)
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    with pytest.raises(DataError, match=r"no NPZ archive|damaged"):
        read(path, spec_of(2, 2))
    start = whole.index(b"NUMPY") + 130
    path.write_bytes(whole[:start] + b"\xff" + whole[start + 1 :])
    with pytest.raises(DataError, match="damaged"):
        read(path, spec_of(2, 2))


def test_npz_columns_have_no_names(tmp_path):
    path = store(tmp_path, x=X, t=X)
    with pytest.raises(DataError, match="only a CSV file's targets are named"):
        read(path, spec_of(2, 2), targets=["t"])
    with pytest.raises(DataError, match="no array 'v'"):
        read(path, spec_of(2, 2, weighted=True), weight="v")


# ----------------------------------------------------------------------------------- the data files


@pytest.mark.parametrize(
    ("name", "inputs", "outputs", "samples", "labels"),
    [
        ("xor.csv", 2, 1, 4, ("0", "1")),
        ("spirals.csv", 2, 1, 194, ("0", "1")),
        ("iris.csv", 4, 3, 150, ("setosa", "versicolor", "virginica")),
        ("digits.npz", 64, 10, 1797, tuple("0123456789")),
    ],
)
def test_the_example_data(name, inputs, outputs, samples, labels):
    data = read(DATA / name, spec_of(inputs, outputs))
    assert data.x.shape == (samples, inputs)
    assert data.t.shape == (samples, outputs)
    assert data.labels == labels
    counts = np.bincount(data.classes)
    assert counts.max() - counts.min() <= 9


def test_the_two_spirals_are_half_a_turn_apart():
    data = read(DATA / "spirals.csv", spec_of(2, 1))
    first, second = data.x[0::2], data.x[1::2]
    assert data.t[0::2].all() and not data.t[1::2].any()
    assert np.array_equal(first, -second)
    assert first[0].tolist() == [0, 6.5] and np.hypot(*first[-1]) == pytest.approx(0.5, abs=1e-5)
    assert np.allclose(np.hypot(first[:, 0], first[:, 1]), 6.5 * (104 - np.arange(97)) / 104, 1e-4)


# ---------------------------------------------------------------------------------------- the split


def labelled(counts: list[int]) -> Data:
    classes = np.repeat(np.arange(len(counts)), counts)
    return Data(
        np.arange(len(classes), dtype=float)[:, None],
        np.eye(len(counts))[classes],
        labels=tuple(map(str, range(len(counts)))),
    )


def test_the_split_keeps_every_sample_once_and_follows_the_seed():
    data = plane(41)
    first, again, other = split(data, 0.3, 5), split(data, 0.3, 5), split(data, 0.3, 6)
    assert [len(part) for part in first] == [29, 12]
    assert sorted(np.concatenate([p.x[:, 0] for p in first])) == sorted(data.x[:, 0])
    assert np.array_equal(first[1].x, again[1].x)
    assert not np.array_equal(first[1].x, other[1].x)
    assert np.array_equal(first[1].t, (2 * first[1].x[:, :1] - first[1].x[:, 1:]) + 5)


def test_the_split_is_stratified():
    for counts, expected in [
        ([50, 30, 20], [10, 6, 4]),
        ([7, 7, 7], [2, 1, 1]),
        ([18, 1, 1], [4, 0, 0]),  # a class of one sample stays in training
    ]:
        train_part, test_part = split(labelled(counts), 0.2, 0)
        assert np.bincount(test_part.classes, minlength=3).tolist() == expected
        assert len(train_part) + len(test_part) == sum(counts)


def test_shares_that_leave_nothing(tmp_path):
    train_part, test_part = split(plane(10), 0, 0)
    assert (len(train_part), len(test_part)) == (10, 0)
    with pytest.raises(DataError, match="leaves none of the 2 samples to train on"):
        split(plane(2), 0.9, 0)
    for share in (1, -0.1, float("nan")):
        with pytest.raises(DataError, match="at least 0 and less than 1"):
            split(plane(2), share, 0)


# ------------------------------------------------------------------------------------ standardising


def test_standardised_inputs_have_mean_0_and_deviation_1():
    x = plane().x
    mean, scale = standardization(x)
    assert np.allclose(((x - mean) / scale).mean(axis=0), 0)
    assert np.allclose(((x - mean) / scale).std(axis=0), 1)


def test_constant_inputs_are_left_unscaled():
    x = np.column_stack([np.full(10, 0.1), np.full(10, 1e9), np.arange(10.0)])
    x[3, 1] += 1e-7  # no more than rounding
    assert standardization(x)[1].tolist() == [1, 1, pytest.approx(2.8722813)]


def test_inputs_whose_squares_overflow_are_refused():
    with pytest.raises(DataError, match="too large to be standardised"):
        standardization(np.array([[1e200], [-1e200]]))


# ----------------------------------------------------------------------------------------- training


@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 3.0), ("sgd", 0.1)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_plane_is_found(optimizer, rate, dtype):
    seen = []
    result = train(
        stub(2, 1, dtype=dtype),
        plane(),
        epochs=300,
        batch=16,
        rate=rate,
        optimizer=optimizer,
        on_epoch=seen.append,
    )
    assert result.theta.dtype == dtype
    assert result.last.test.rmse < 1e-3
    assert result.last.train.accuracy is None
    assert [epoch.number for epoch in seen] == list(range(301)) and seen == result.epochs
    assert (result.last.train.samples, result.last.test.samples) == (48, 12)
    assert result.steps == 300 * 3


def test_irises_are_told_apart():
    module = stub(4, 3, "cross_entropy")
    data = read(DATA / "iris.csv", module.SPEC)
    result = train(module, data, epochs=100, rate=0.05)
    assert result.last.test.accuracy >= 0.9
    assert result.last.test.rmse is None
    assert result.labels == ("setosa", "versicolor", "virginica")


def test_one_output_is_a_class_from_a_half_on():
    x = np.linspace(-1, 1, 40)[:, None]
    data = Data(x, (x > 0).astype(float), labels=("0", "1"))
    result = train(stub(1, 1), data, epochs=50, optimizer="sgd")
    assert result.last.test.accuracy == 1


def test_the_seed_decides_everything():
    module, data = stub(2, 1), plane()
    first, again = (train(module, data, epochs=3, seed=4) for _ in range(2))
    assert np.array_equal(first.theta, again.theta)
    assert not np.array_equal(first.theta, train(module, data, epochs=3, seed=5).theta)


def test_without_standardising_inputs_go_in_as_they_are():
    result = train(stub(2, 1), plane(), epochs=1, standardize=False, test_share=0)
    assert result.mean.tolist() == [0, 0] and result.scale.tolist() == [1, 1]
    assert result.last.test is None


def test_the_test_samples_do_not_shape_the_standardisation():
    data = plane()
    result = train(stub(2, 1), data, epochs=1, seed=7)
    assert np.array_equal(result.mean, split(data, 0.2, 7)[0].x.mean(axis=0))


def test_samples_that_weigh_nothing_do_not_count():
    x = np.linspace(-1, 1, 30)[:, None]
    t, w = 3 * x, np.ones(30)
    t[::3], w[::3] = 1000, 0
    module = stub(1, 1, weighted=True)
    # Batches of one: a third of them weigh nothing at all.
    result = train(module, Data(x, t, w), epochs=200, batch=1, optimizer="sgd", test_share=0)
    assert result.last.train.loss < 1e-12
    assert result.steps == 200 * 20
    with pytest.raises(DataError, match="of the training part are all 0"):
        train(module, Data(x, t, 0 * w), test_share=0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_overflows_stops_training_and_keeps_the_last_good_weights():
    module, data = stub(2, 1), plane()
    result = train(module, data, epochs=100, rate=5.0, optimizer="sgd", standardize=False)
    assert "stopped being finite in epoch" in result.stopped
    assert "Try a lower rate (it was 5), or standardised inputs" in result.stopped
    assert np.isfinite(result.theta).all()
    assert result.last.number < 100
    assert len(result.epochs) == result.last.number + 1
    # They are the weights of the epoch that is reported as the last.
    train_part = split(data, 0.2, 0)[0]
    assert module.loss(result.theta, train_part.x, train_part.t) == result.last.train.loss


def test_a_loss_that_is_not_finite_from_the_start_is_refused():
    module = stub(2, 1)
    module.loss = lambda theta, x, t: float("nan")
    with pytest.raises(DataError, match="the loss is nan before the first step"):
        train(module, plane())


def test_numbers_too_large_for_the_dtype_are_refused():
    data = Data(np.array([[1.0], [2]]), np.array([[1e300], [2]]))
    with pytest.raises(DataError, match="t holds numbers that are too large for float32"):
        train(stub(1, 1, dtype="float32"), data, test_share=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "at least 1 epoch"),
        ({"batch": 0}, "at least 1 sample"),
        ({"rate": 0.0}, "the rate must be a positive number, not 0"),
        ({"rate": float("nan")}, "the rate must be a positive number, not nan"),
        ({"optimizer": "newton"}, "no optimizer 'newton'; there are adam, sgd"),
        ({"seed": -1}, "the seed must not be negative"),
    ],
)
def test_refusals_of_settings(settings, message):
    with pytest.raises(TrainingError, match=message) as caught:
        train(stub(2, 1), plane(), **settings)
    assert isinstance(caught.value, SymgradError)


def test_adam_follows_its_paper():
    module = stub(2, 1)
    x, t = np.array([[1.0, -2.0]]), np.array([[0.5]])
    theta = module.init(1)
    expected, m, v = theta.copy(), np.zeros(3), np.zeros(3)
    adam = Adam(module, rate=0.1)
    for k in range(1, 6):
        gradient = np.empty(3)
        loss = module.loss_and_gradient_into(expected, x, t, gradient)
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        expected -= 0.1 * (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)
        assert adam.update(theta, x, t) == pytest.approx(loss)
        assert np.allclose(theta, expected, rtol=1e-12)


# ------------------------------------------------------------------------------------------- saving


def trained() -> tuple[SimpleNamespace, Result]:
    module = stub(4, 3, "cross_entropy")
    return module, train(module, read(DATA / "iris.csv", module.SPEC), epochs=2, seed=9)


def test_the_weights_file_holds_all_that_is_needed(tmp_path):
    module, result = trained()
    path = save(tmp_path / "new" / "weights.npz", module, result)
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == {"theta", "W1", "b1", "mean", "scale", "labels", "spec", "seed"}
        assert np.array_equal(file["theta"], result.theta)
        assert np.array_equal(file["W1"], result.theta[:12].reshape(4, 3))
        assert np.array_equal(file["b1"], result.theta[12:])
        assert np.array_equal(file["mean"], result.mean)
        assert np.array_equal(file["scale"], result.scale)
        assert file["labels"].tolist() == ["setosa", "versicolor", "virginica"]
        assert json.loads(str(file["spec"])) == module.SPEC
        assert file["seed"] == 9


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    module, result = trained()
    path = tmp_path / "weights.npz"
    path.write_bytes(b"old")

    def fail(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(training.np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        save(path, module, result)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["weights.npz"]
