"""Labels of every kind: trained with, predicted, frozen, exported, and gone on with, as they were;
or refused before there is a folder."""

import datetime
import importlib.util
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import symgrad
from symgrad.errors import DataError
from symgrad.interop import onnx
from symgrad.training import freeze
from symgrad.training.labels import dtype_name, portable
from symgrad.training.predict import predict
from symgrad.training.trained import Trained
from tests.training.test_resume import InterruptAfter

THREE: dict[str, Any] = {
    "name": "three",
    "dtype": "float64",
    "inputs": 1,
    "layers": [{"units": 3, "activation": "softmax"}],
    "loss": {"kind": "cross_entropy"},
    "training": {"epochs": 20, "validation": 0.0, "rate": 0.5},
}
X = np.repeat([-2.0, 0.0, 2.0], 4)


def frame(labels: Any, dtype: Any = None) -> pd.DataFrame:
    t = np.repeat(np.array(labels, dtype), 4)
    return pd.DataFrame({"x": X, "t": pd.Series(t, dtype=t.dtype)})


def parquet(folder: Path, array: pa.Array) -> Path:
    path = folder / "data.parquet"
    pq.write_table(pa.table({"x": X, "t": array.take(np.repeat([0, 1, 2], 4))}), path)
    return path


def npz(folder: Path, labels: Any, dtype: Any = None) -> Path:
    path = folder / "data.npz"
    np.savez(path, x=X[:, None], t=np.repeat(np.array(labels, dtype), 4))
    return path


HUGE = (-(10**30), 7, 10**400)
SOURCES: dict[str, Any] = {
    "uint64": (lambda d: npz(d, [0, 2**63, 2**64 - 1], np.uint64), (0, 2**63, 2**64 - 1)),
    "just above int64": (
        lambda d: frame([2**63, 2**63 + 1, 2**53 + 1], object), (2**53 + 1, 2**63, 2**63 + 1)
    ),
    "negative and above int64": (lambda d: frame([-1, 2**63, 0], object), (-1, 0, 2**63)),
    "integers of any size": (lambda d: frame(HUGE, object), HUGE),
    "decimal(20, 0)": (
        lambda d: parquet(d, pa.array([Decimal(2**64), Decimal(2**64 - 1), Decimal(5)],
                                      pa.decimal128(20, 0))),
        (5, 2**64 - 1, 2**64),
    ),
    "decimals with places": (
        lambda d: parquet(d, pa.array([Decimal("3.00"), Decimal(1), Decimal(2)],
                                      pa.decimal128(12, 2))),
        (1, 2, 3),
    ),
    "large decimals with places": (
        lambda d: parquet(d, pa.array([Decimal(10**20), Decimal(10**20 + 1), Decimal(2)],
                                      pa.decimal128(30, 4))),
        (2, 10**20, 10**20 + 1),
    ),
    "small decimals": (
        lambda d: parquet(
            d, pa.array([Decimal(3), Decimal(1), Decimal(2)]).cast(pa.decimal32(5, 2))
        ),
        (1, 2, 3),
    ),
    "decimals of Python": (
        lambda d: frame([Decimal(2**64), Decimal("7.0"), Decimal("1E+3")], object), (7, 1000, 2**64)
    ),
    "uint64 of Parquet": (
        lambda d: parquet(d, pa.array([2**64 - 1, 1, 2**63], pa.uint64())), (1, 2**63, 2**64 - 1)
    ),
    "float16": (lambda d: npz(d, [2, 3, 5], np.float16), (2, 3, 5)),
    "longdouble": (lambda d: frame([2, 3, 5], np.longdouble), (2, 3, 5)),
    "int8": (lambda d: npz(d, [-128, 0, 127], np.int8), (-128, 0, 127)),
    "one text in two ways": (  # composed and not: three names to anyone who compares
        lambda d: frame(["\u00e9", "e\u0301", "\ufb01"], object), ("e\u0301", "\u00e9", "\ufb01")
    ),
    "text that is NUL within": (
        lambda d: parquet(d, pa.array(["a\0b", "a", "\0a"])), ("\0a", "a", "a\0b")
    ),
    "long text": (
        lambda d: parquet(d, pa.array(["u" * 100_000, "u" * 99_999, "v"])),
        ("u" * 99_999, "u" * 100_000, "v"),
    ),
    "lines, quotes, commas": (
        lambda d: frame(['a\n"b"', " a,", "c\r"], object), (" a,", 'a\n"b"', "c\r")
    ),
    "text of digits": (lambda d: npz(d, ["001", "01", "1"]), ("001", "01", "1")),
    "text of Parquet": (lambda d: parquet(d, pa.array(["1e1", "10", "+10"])), ("+10", "10", "1e1")),
    "categories": (
        lambda d: parquet(d, pa.array(["02", "2", "1"]).dictionary_encode()), ("02", "1", "2")
    ),
}


def module_of(source: str, folder: Path) -> Any:
    path = folder / "three_frozen.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("three_frozen", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_labels_come_back_from_everywhere(name, tmp_path):
    make, labels = SOURCES[name]
    data, run = make(tmp_path), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        symgrad.train(THREE, data, run, callback=InterruptAfter(2))
    made = symgrad.resume(run, data)
    assert repr(made.trained.columns.labels) == repr(labels)
    assert made.figures["training"].accuracy == 1
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert tuple(record["data"]["columns"]["labels"]) == labels

    trained = Trained.load(run / "weights.npz")
    again = predict(trained, data)
    assert again.figures.accuracy == 1 and set(again.labels) == set(labels)
    assert {type(label) for label in again.labels} == {type(labels[0])}

    # As arrays have them: integers of more than 64 bits are their digits there.
    wanted = portable(labels)
    module = module_of(freeze.source(trained), tmp_path)
    found = module.predict(X[:, None])
    assert found.dtype.kind == {"int64": "i", "uint64": "u", "str_": "U"}[dtype_name(labels)]
    assert found.tolist() == [wanted[labels.index(label)] for label in again.labels]
    assert module.predict(X[:1]) == found[0]
    inside = numba.njit(lambda x: module.predict(x))(X[:, None])
    np.testing.assert_array_equal(inside, found)

    onnxruntime = pytest.importorskip("onnxruntime")
    if not any(isinstance(label, str) and "\0" in label for label in labels):
        onnx.write(trained, tmp_path / "three.onnx")
        session = onnxruntime.InferenceSession(tmp_path / "three.onnx")
        _, label = session.run(None, {"x": X[:, None]})
        assert label.tolist() == found.tolist()


def test_what_arrays_hold():
    assert dtype_name((-(2**63), 2**63 - 1)) == "int64"
    assert dtype_name((0, 2**63)) == dtype_name((0, 2**64 - 1)) == "uint64"
    assert dtype_name((-1, 2**63)) == dtype_name((0, 2**64)) == "str_"
    assert portable((-1, 2**64)) == ("-1", "18446744073709551616")
    assert portable((0, 2**64 - 1)) == (0, 2**64 - 1)
    assert dtype_name((False, True)) == "bool_" and dtype_name((0.5, 1.5)) == "float64"


REFUSED: dict[str, Any] = {
    "half of a pair": (lambda d: frame(["a", "b", "\ud800"], object), "half of a surrogate pair"),
    "half of a pair in NPZ": (lambda d: npz(d, ["a", "b", "\udfff"]), "half of a surrogate pair"),
    "NUL at the end": (lambda d: parquet(d, pa.array(["a", "b", "b\0"])), "ends with NUL"),
    "too many digits": (lambda d: frame([1, 2, 10**4300], object), "more than 4,300 digits"),
    "blank": (lambda d: frame(["a", "b", ""], object), "missing values: 4 in column 't'"),
    "complex": (lambda d: npz(d, [1, 2, 3], complex), "holds values of type complex128"),
    "bytes": (lambda d: npz(d, [b"a", b"b", b"c"]), "holds values of type |S1"),
    "bytes as objects": (lambda d: frame([b"a", b"b", b"c"], object), "holds values of type bytes"),
    "dates": (
        lambda d: npz(d, ["2020-01-01", "2020-01-02", "2020-01-03"], "M8[D]"),
        "holds values of type datetime64",
    ),
    "dates as objects": (
        lambda d: frame([datetime.date(2020, 1, day) for day in (1, 2, 3)], object),
        "holds values of type date",
    ),
    "spans": (lambda d: npz(d, [1, 2, 3], "m8[s]"), "holds values of type timedelta64"),
    "broken decimals": (
        lambda d: parquet(d, pa.array([Decimal("1.50"), Decimal(1), Decimal(2)])),
        "'1.5' is no class",
    ),
    "broken small decimals": (
        lambda d: parquet(d, pa.array([Decimal("1.50"), Decimal(1), Decimal(2)]).cast(
            pa.decimal64(9, 2))),
        "'1.5' is no class",
    ),
    "a decimal that is not a number": (
        lambda d: (X[:, None], np.repeat(np.array([Decimal("sNaN"), Decimal(1), Decimal(2)]), 4)),
        "missing values: 4 in",
    ),
    "floats that do not count in ones": (
        lambda d: npz(d, [2.0**53, 2.0**54, 1.0]), "is no class"
    ),
    "text that is not UTF-8": (
        lambda d: parquet(d, pa.Array.from_buffers(
            pa.string(), 3,
            [None, pa.py_buffer(np.array([0, 1, 2, 3], np.int32)), pa.py_buffer(b"a\xffb")],
        )),
        "holds text that is not UTF-8",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_label_is_refused_before_there_is_a_folder(name, tmp_path):
    make, message = REFUSED[name]
    data = make(tmp_path)
    with pytest.raises(DataError) as caught:
        symgrad.train(THREE, data, tmp_path / "run")
    assert message in str(caught.value) and "column 't'" in str(caught.value)
    str(caught.value).encode()  # a message can be printed
    assert not (tmp_path / "run").exists()


def test_names_of_columns_are_text():
    data = pd.DataFrame({"x": X, "t": np.repeat(["a", "b", "c"], 4)})
    data.columns = pd.Index(["x\udc80", "t"], dtype=object)
    with pytest.raises(DataError, match=r"'x\\udc80' holds half of a surrogate pair"):
        symgrad.train(THREE, data)
