"""Reading data to train on and to predict for: every kind of source, and every refusal."""

import builtins
import csv
import datetime
import io
import pickle
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.errors import DataError
from symgrad.training.caller import command_line
from symgrad.training.data import Samples, read, read_to_predict
from symgrad.training.data.from_csv import ROWS_OF_A_BLOCK
from symgrad.training.data.quotes import without_blanks
from symgrad.training.trained import Columns, Scaling, Trained
from tests.paths import ROOT

DATA = ROOT / "data"


def spec_of(inputs: int, outputs: int, loss: str = "squared", weighted: bool = False) -> dict:
    return {
        "name": "net",
        "dtype": "float64",
        "inputs": inputs,
        "layers": [{"units": outputs, "activation": "identity"}],
        "loss": {"kind": loss, "sample_weights": weighted},
    }


def write(folder: Path, text: str, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def store(folder: Path, **arrays) -> Path:
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return path


def save(folder: Path, array) -> Path:
    path = folder / "data.npy"
    np.save(path, array)
    return path


def parquet(folder: Path, **columns) -> Path:
    path = folder / "data.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def refusal(*args, **options) -> str:
    """The message of a refusal, which is one line."""
    with pytest.raises(DataError) as caught:
        read(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_equal(first: Samples, other: Samples) -> None:
    assert np.array_equal(first.x, other.x, equal_nan=True)
    assert np.array_equal(first.t, other.t)
    assert (first.w is None) == (other.w is None)
    assert first.w is None or np.array_equal(first.w, other.w)
    assert repr(first.columns.labels) == repr(other.columns.labels)


# ---------------------------------------------------------------------------------------------- CSV


def test_the_last_column_is_the_target(tmp_path):
    data = read(write(tmp_path, "a,b,t\n1,2,3.5\n4,-5e1,6\n"), spec_of(2, 1))
    assert data.x.tolist() == [[1, 2], [4, -50]]
    assert data.t.tolist() == [[3.5], [6]]
    assert data.columns == Columns(("a", "b"), ("t",))
    assert data.w is None and data.classes is None and data.notes == ()
    assert len(data) == 2 and data.x.dtype == data.t.dtype == np.float64


def test_as_many_last_columns_as_there_are_outputs(tmp_path):
    data = read(write(tmp_path, "a,t,u\n1,2,3\n4,5,6\n"), spec_of(1, 2))
    assert data.x.tolist() == [[1], [4]]
    assert data.t.tolist() == [[2, 3], [5, 6]]


def test_targets_by_name_keep_the_order_of_the_names(tmp_path):
    path = write(tmp_path, "t,a,u\n1,2,3\n4,5,6\n")
    data = read(path, spec_of(1, 2), targets=["u", "t"])
    assert data.x.tolist() == [[2], [5]]
    assert data.t.tolist() == [[3, 1], [6, 4]]
    assert data.columns == Columns(("a",), ("u", "t"))
    assert read(path, spec_of(2, 1), targets="t").columns.targets == ("t",)


def test_names_become_one_column_a_class(tmp_path):
    data = read(write(tmp_path, "a,kind\n1,pear\n2,apple\n3,none\n4,pear\n"), spec_of(1, 3))
    assert data.columns.labels == ("apple", "none", "pear")
    assert data.t.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert data.classes.tolist() == [2, 0, 1, 2]


@pytest.mark.parametrize(
    ("cells", "outputs", "labels", "classes"),
    [
        (["3", "0", "1"], 4, (0, 1, 2, 3), [3, 0, 1]),  # column numbers as they are
        (["10", "9", "-1"], 3, (-1, 9, 10), [2, 1, 0]),
        # What is not spelled as a whole number is may be another class: all are names.
        (["1", "01", "1e3"], 3, ("01", "1", "1e3"), [1, 0, 2]),
        (["002", "001", "002"], 2, ("001", "002"), [1, 0, 1]),
        (["12e4", "1E1", "10"], 3, ("10", "12e4", "1E1"), [1, 2, 0]),
        (["1", "1.0", "+1"], 3, ("+1", "1", "1.0"), [1, 2, 0]),
        (["1.0", "2.0", "10.0"], 3, ("1.0", "10.0", "2.0"), [0, 2, 1]),
        (["-0", "0", "-0"], 2, ("-0", "0"), [0, 1, 0]),
        (["-1", "1_000", "0x10"], 3, ("-1", "0x10", "1_000"), [0, 2, 1]),
        ([" 7 ", "8", "7"], 2, (7, 8), [0, 1, 0]),  # blanks around a cell are no part of it
        (["1", "\uff11", "1"], 2, ("1", "\uff11"), [0, 1, 0]),  # a digit of full width
        (["9" * 5000, "3", "3"], 2, ("3", "9" * 5000), [1, 0, 0]),  # more than Python reads
        (["9" * 4000, "3", "3"], 2, (3, int("9" * 4000)), [1, 0, 0]),
        (["18446744073709551616", "-1", "-1"], 2, (-1, 2**64), [1, 0, 0]),
        # A letter with its accent in one character or in two.
        (["\u00e9", "e\u0301", "e"], 3, ("e", "e\u0301", "\u00e9"), [2, 1, 0]),
        (["01", "1", "01"], 1, ("01", "1"), [0, 1, 0]),
        (["00", "01", "01"], 1, ("00", "01"), [0, 1, 1]),
        (["0.0", "1.0", "1.0"], 1, ("0.0", "1.0"), [0, 1, 1]),
        (["2", "1", "x"], 3, ("1", "2", "x"), [1, 0, 2]),  # one name, and all are names
        (["b", "Ä", "a"], 3, ("a", "b", "Ä"), [1, 2, 0]),
        (["yes", "no", "yes"], 1, ("no", "yes"), [1, 0, 1]),
        (["True", "false", "TRUE"], 1, (False, True), [1, 0, 1]),
        (["true", "true", "true"], 2, (False, True), [1, 1, 1]),
        (["true", "maybe", "false"], 3, ("false", "maybe", "true"), [2, 1, 0]),
        (["0", "1", "1"], 1, (0, 1), [0, 1, 1]),
        (["u", "1_0", "v"], 3, ("1_0", "u", "v"), [1, 0, 2]),
        (["u", "2", "3"], 3, ("2", "3", "u"), [2, 0, 1]),
        (["inf", "sup", "sup"], 1, ("inf", "sup"), [0, 1, 1]),
        (["9007199254740993", "9007199254740992", "9007199254740993"], 2, None, [1, 0, 1]),
    ],
)
def test_labels_of_any_type(tmp_path, cells, outputs, labels, classes):
    path = write(tmp_path, "a,kind\n" + "".join(f"1,{cell}\n" for cell in cells))
    data = read(path, spec_of(1, outputs))
    assert repr(data.columns.labels) == repr(labels or (9007199254740992, 9007199254740993))
    assert data.classes.tolist() == classes
    assert data.t.shape == (3, outputs)


def test_words_for_missing_are_missing_among_codes_as_among_numbers(tmp_path):
    data = read(write(tmp_path, "a,t\n1,01\n2,NA\n3,1\n"), spec_of(1, 2), missing="drop")
    assert data.columns.labels == ("01", "1") and data.classes.tolist() == [0, 1]


def test_numbers_of_one_output_that_are_spelled_in_more_than_two_ways_are_no_classes(tmp_path):
    for cells in (["0", "1", "1.0"], ["1.0", "1.0", "1.0"]):
        path = write(tmp_path, "a,t\n" + "".join(f"1,{cell}\n" for cell in cells))
        for loss in ("squared", "binary_cross_entropy"):
            data = read(path, spec_of(1, 1, loss))
            assert data.columns.labels is None
            assert data.t[:, 0].tolist() == [float(cell) for cell in cells]


def test_codes_of_a_binary_cross_entropy_keep_their_spelling(tmp_path):
    path = write(tmp_path, "a,t\n1,001\n2,002\n3,001\n")
    data = read(path, spec_of(1, 1, "binary_cross_entropy"))
    assert data.columns.labels == ("001", "002") and data.t.tolist() == [[0], [1], [0]]
    # 2**53 and 2**53 + 1 are one number in float64, and two classes.
    path = write(tmp_path, "a,t\n1,9007199254740992\n2,9007199254740993\n")
    data = read(path, spec_of(1, 1, "binary_cross_entropy"))
    assert data.columns.labels == (2**53, 2**53 + 1)


@pytest.mark.parametrize("spelled", ["09", "9e0", "+9", "9."])
def test_another_spelling_is_no_class_of_training(tmp_path, spelled):
    spec = spec_of(1, 3)
    trained = trained_on(read(write(tmp_path, "a,t\n1,7\n2,8\n3,9\n"), spec), spec)
    message = refusal_again(write(tmp_path, f"a,t\n1,{spelled}\n"), trained)
    assert f"line 2, column 't': {spelled!r} is none of the classes of training (7, 8" in message


def test_columns_that_are_one_hot_already_are_classes(tmp_path):
    data = read(write(tmp_path, "a,cat,dog\n1,1,0\n2,0,1\n"), spec_of(1, 2))
    assert data.columns.labels == ("cat", "dog")
    spelled = read(write(tmp_path, "a,cat,dog\n1,true,false\n2,False,True\n"), spec_of(1, 2))
    assert spelled.columns.labels == ("cat", "dog")
    both = read(write(tmp_path, "a,cat,dog\n1,1,0\n2,1,1\n"), spec_of(1, 2))
    assert both.columns.labels is None


def test_what_0_and_1_are_depends_on_the_loss(tmp_path):
    path = write(tmp_path, "a,t\n1,0\n2,1\n")
    for loss in ("squared", "binary_cross_entropy"):
        assert read(path, spec_of(1, 1, loss)).columns.labels == (0, 1)
    assert read(path, spec_of(1, 1, "poisson")).columns.labels is None  # counts


def test_integers_that_are_no_probabilities_are_classes_to_a_binary_cross_entropy(tmp_path):
    path, spec = write(tmp_path, "a,t\n1,2\n2,1\n"), spec_of(1, 1, "binary_cross_entropy")
    assert read(path, spec).columns.labels == (1, 2)
    assert read(path, spec).t.tolist() == [[1], [0]]
    assert read(path, spec_of(1, 1)).columns.labels is None
    shares = write(tmp_path, "a,t\n1,0.25\n2,1\n")
    assert read(shares, spec).t.tolist() == [[0.25], [1]]
    three = write(tmp_path, "a,t\n1,0\n2,1\n3,2\n")
    assert "3 classes (0, 1, 2), but 2 are needed: the one output tells two" in refusal(three, spec)


# The least and the greatest target of a loss, and the numbers next to them that are none.
SUITED = {
    "binary_cross_entropy": ([0, 0.5, 1], [-0.25, 1.5, np.nextafter(1, 2), -5e-324, 1e300]),
    "cross_entropy": ([0, 0.5, 7], [-0.25, -5e-324, -1e300]),
    "kl": ([0, 0.5, 7], [-0.25, -5e-324, -1e300]),
    "poisson": ([0, 0.5, 1e9], [-0.25, -1, -5e-324]),
    "squared": ([-1e9, 0.5, 1e9], []),
    "huber": ([-1e9, 0.5, 1e9], []),
}


@pytest.mark.parametrize("loss", SUITED)
def test_targets_that_a_loss_is_not_for_are_refused_with_their_row(tmp_path, loss):
    good, bad = SUITED[loss]
    for outputs in (1, 2):
        head = "a," + ",".join(f"t{k}" for k in range(outputs)) + "\n"
        rows = [",".join(["1", *["0.5"] * (outputs - 1), repr(float(t))]) for t in good]
        read(write(tmp_path, head + "\n".join(rows)), spec_of(1, outputs, loss))
        for t in bad:
            row = ",".join(["2", *["0.5"] * (outputs - 1), repr(float(t))])
            path = write(tmp_path, head + "\n".join([*rows, row, *rows]))
            message = refusal(path, spec_of(1, outputs, loss))
            place = f"data.csv, line {len(rows) + 2}, column 't{outputs - 1}': the target "
            assert place in message and f"does not suit the loss {loss}, whose targets" in message


def test_targets_of_dropped_rows_do_not_count_and_rows_keep_their_numbers(tmp_path):
    path = write(tmp_path, "a,t\n,-1\n1,0.5\n2,-0.5\n")
    message = refusal(path, spec_of(1, 1, "poisson"), missing="drop")
    assert "line 4, column 't': the target -0.5 does not suit the loss poisson" in message
    path = write(tmp_path, "a,t\n,-1\n1,0.5\n")
    assert read(path, spec_of(1, 1, "poisson"), missing="drop").t.tolist() == [[0.5]]
    arrays = np.ones((2, 1)), np.array([[0.5], [1.5]])
    message = refusal(arrays, spec_of(1, 1, "binary_cross_entropy"))
    assert message.startswith("the arrays, row 1, column 't': the target 1.5 does not suit")


def test_booleans_among_inputs_are_1_and_0(tmp_path):
    data = read(write(tmp_path, "a,b,t\ntrue,1,3\n False ,2,4\n"), spec_of(2, 1))
    assert data.x.tolist() == [[1, 1], [0, 2]]


def test_a_mark_of_byte_order_quotes_and_empty_lines_do_no_harm(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes('\ufeff"a","t"\r\n\r\n 1 ,"2"\r\n\r\n'.encode())
    data = read(path, spec_of(1, 1), targets=["t"])
    assert (data.x.tolist(), data.t.tolist()) == ([[1]], [[2]])


@pytest.mark.parametrize(
    ("row", "label"),
    [
        ('1, "x"', "x"),
        ('1,\t"x" ', "x"),
        (' "1" ,\u00a0"x"\t', "x"),
        ('1, "x, y"', "x, y"),
        ('1, "a ""b"" , c" ', 'a "b" , c'),
        ('1,"""x"""', '"x"'),  # these belong to the name
        ('1, 5" x "', '5" x "'),  # and so do quotes within a cell that has none around it
        ('1, "two\r\n"" , ""lines" ', 'two\r\n" , "lines'),
        ('1," x "', "x"),  # blanks in quotes are blanks
    ],
)
def test_blanks_around_quoted_cells_are_no_part_of_them(tmp_path, row, label):
    path = tmp_path / "data.csv"
    path.write_bytes(f'"a" , "kind"\r\n2, other\r\n{row}\r\n'.encode())
    data = read(path, spec_of(1, 2))
    assert data.x.tolist() == [[2], [1]]
    assert set(data.columns.labels) == {"other", label}
    assert data.columns.inputs == ("a",) and data.columns.targets == ("kind",)


LINES = st.text('ab",\n\r', max_size=20)
CELLS = st.lists(st.tuples(*[st.text('ab",\n \t', min_size=1)] * 3), min_size=1, max_size=4)
BLANKS = st.text(" \t", max_size=2)


def rows_of(lines) -> object:
    try:
        return list(csv.reader(lines, strict=True))
    except csv.Error as error:
        return str(error)


@settings(deadline=None, database=None, derandomize=True)
@given(text=LINES)
def test_where_there_are_no_blanks_a_csv_file_is_read_as_it_was(text):
    lines = io.StringIO(text, newline="").readlines()
    assert rows_of(without_blanks(lines)) == rows_of(lines)


@settings(deadline=None, database=None, derandomize=True)
@given(rows=CELLS, blanks=st.data())
def test_quoted_cells_with_blanks_around_them_are_read_back(rows, blanks):
    quoted = [
        ",".join(
            blanks.draw(BLANKS) + '"' + cell.replace('"', '""') + '"' + blanks.draw(BLANKS)
            for cell in row
        )
        for row in rows
    ]
    lines = io.StringIO("\r\n".join(quoted), newline="").readlines()
    assert rows_of(without_blanks(lines)) == [list(row) for row in rows]


def test_sample_weights_from_a_column_or_ones(tmp_path):
    path = write(tmp_path, "a,w,t\n1,0.5,3\n4,2,6\n")
    data = read(path, spec_of(1, 1, weighted=True), weight="w")
    assert data.w.tolist() == [0.5, 2]
    assert (data.x.tolist(), data.t.tolist()) == ([[1], [4]], [[3], [6]])
    assert data.columns.weight == "w"
    unweighted = read(path, spec_of(2, 1, weighted=True))
    assert unweighted.w.tolist() == [1, 1] and unweighted.columns.weight is None


def test_rows_are_taken_with_all_that_belongs_to_them(tmp_path):
    path = write(tmp_path, "a,w,t\n1,0.5,u\n2,2,v\n3,1,v\n")
    part = read(path, spec_of(1, 1, weighted=True), weight="w").take(np.array([2, 0]))
    assert part.x.tolist() == [[3], [1]] and part.w.tolist() == [1, 0.5]
    assert part.classes.tolist() == [1, 0] and part.columns.labels == ("u", "v")


def test_a_file_of_several_blocks_keeps_its_places(tmp_path):
    rows = ROWS_OF_A_BLOCK + 3
    lines = [f"{n},{n % 2}" for n in range(rows)]
    data = read(write(tmp_path, "a,t\n" + "\n".join(lines)), spec_of(1, 1))
    assert np.array_equal(data.x[:, 0], np.arange(rows))
    assert np.array_equal(data.classes, np.arange(rows) % 2)
    lines[-1] = "x,1"
    path = write(tmp_path, "a,t\n" + "\n".join(lines))
    assert f"line {rows + 1}, column 'a': 'x' is not a number" in refusal(path, spec_of(1, 1))
    # One sample may be a block of its own, and empty.
    path = write(tmp_path, "a,t\n" + "\n".join(lines[:ROWS_OF_A_BLOCK]) + "\n,1\n")
    assert f"1 in column 'a' (first in line {ROWS_OF_A_BLOCK + 2})" in refusal(path, spec_of(1, 1))


CSV_REFUSALS = [
    ("empty", "", 2, 1, "data.csv: the file is empty"),
    ("empty lines", "\n\n", 2, 1, "data.csv: the file is empty"),
    ("only a header", "a,b,t\n", 2, 1, "a header and no samples"),
    ("no header", "1,2,3\n4,5,6\n", 2, 1, "line 1: numbers where the names of columns should"),
    ("one name twice", "a,a,t\n1,2,3\n", 2, 1, "line 1: two columns are called 'a'"),
    ("unquoted decimals", "a,b,t\n1,5,2,3\n", 2, 1, "the header names 3; decimals after"),
    ("no number", "a,b,t\n1,2,3\n1,x2,3\n", 2, 1, "line 3, column 'b': 'x2' is not a number"),
    ("Python's underscore", "a,b,t\n1_0,2,3\n", 2, 1, "line 2, column 'a': '1_0' is not a number"),
    ("a boolean among numbers", "a,b,t\n1,2,3\ntrue,2,3\n", 2, 1, "'a': 'true' is not a number"),
    ("text", "a,b,t\nu,2,3\nv,1,3\n", 2, 1, "'u' is not a number; inputs are numbers: cat"),
    ("a number among names", "a,t\n1,u\n1,2\n", 1, 1, "line 2, column 't': 'u' is not a number"),
    ("no number in a target", "a,b,t\n1,2,3\n1,2,c\n", 2, 1, "line 3, column 't': 'c' is not a"),
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
    ("one class", "a,t\n1,u\n", 1, 2, "1 class (u), but 2 are needed: the last layer has 2 units"),
    ("three names, one output", "a,t\n1,u\n2,v\n3,w\n", 1, 1, "3 classes (u, v, w), but 2 are"),
    ("a broken class", "a,t\n1,0\n2,1.5\n", 1, 2, "line 3, column 't': '1.5' is no class; the"),
    ("an infinite class", "a,t\n1,0\n2,inf\n", 1, 2, "line 3, column 't': 'inf' is no class"),
    ("an open quote", 'a,t\n1,"2\n', 1, 1, "line 2: unexpected end of data"),
    ("a NUL", "a,t\n1,2\0\n", 1, 1, "column 't': holds a NUL character"),
    ("a class without end", "a,t\n1,1e999\n2,3\n", 1, 2, "line 2, column 't': 'inf' is no class"),
    ("a broken class by another spelling", "a,t\n1,01\n2,1.50\n", 1, 2, "'1.5' is no class; the"),
]


@pytest.mark.parametrize(
    ("text", "inputs", "outputs", "message"),
    [case[1:] for case in CSV_REFUSALS],
    ids=[case[0] for case in CSV_REFUSALS],
)
def test_csv_refusals(tmp_path, text, inputs, outputs, message):
    assert message in refusal(write(tmp_path, text), spec_of(inputs, outputs))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ["nope"]}, "no column 'nope'; there are a, b, t"),
        ({"targets": ["t", "t"]}, "the target 't' is named twice"),
        ({"targets": ["t", "b"]}, "2 columns named as targets; the network needs 1 target"),
        ({"weight": "nope"}, "no column 'nope'"),
        ({"weight": "a"}, "2 columns hold 2 inputs and 0 columns of targets"),
        ({"weight": "a", "targets": ["a"]}, "'a' cannot be both target and weight"),
        ({"weight": "a", "targets": ["t"]}, "1 column left for the inputs (b), but the network"),
        ({"weight": "a", "targets": ["b"]}, "1 column left for the inputs (t), but the network"),
        ({"missing": "guess"}, "'guess' is none of refuse, drop, mean"),
    ],
)
def test_refusals_of_options(tmp_path, options, message):
    path = write(tmp_path, "a,b,t\n1,2,3\n")
    assert message in refusal(path, spec_of(2, 1, weighted=True), **options)


def test_no_column_may_be_left_for_the_inputs(tmp_path):
    path, spec = write(tmp_path, "w,t\n1,2\n"), spec_of(1, 1, weighted=True)
    message = refusal(path, spec, weight="w", targets=["t"])
    assert "0 columns left for the inputs (none), but the network takes 1" in message


def test_refusals_of_weights(tmp_path):
    spec = spec_of(1, 1, weighted=True)
    path = write(tmp_path, "a,w,t\n1,0.5,3\n4,-2,6\n")
    message = refusal(path, spec, weight="w")
    assert "line 3, column 'w': the weight -2 is negative" in message
    zero = write(tmp_path, "a,w,t\n1,0,3\n", "zero.csv")
    assert "all sample weights are 0" in refusal(zero, spec, weight="w")
    message = refusal(path, spec_of(1, 1), weight="w")
    assert "write sample_weights = true under [loss]" in message


def test_text_that_is_no_utf_8_is_refused(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes("a,t\n1,gross\n2,größe\n".encode("latin-1"))
    message = refusal(path, spec_of(1, 1))
    assert f"{path}, line 3: not UTF-8 (the byte 0xf6); save it as UTF-8" in message
    assert f"pandas.read_csv({str(path)!r}, encoding='cp1252')" in message
    with command_line():
        message = refusal(path, spec_of(1, 1))
    assert "iconv -f cp1252 -t utf-8" in message and "pandas" not in message
    path.write_bytes("a,t\n1,2\n".encode("utf-16"))
    assert "line 1: not UTF-8 (it is UTF-16)" in refusal(path, spec_of(1, 1))


def test_files_of_other_kinds_and_absent_ones_are_refused(tmp_path):
    message = refusal(tmp_path / "data.xlsx", spec_of(1, 1))
    assert "data.xlsx: expected a .csv, .csv.gz, .parquet, .npz or .npy file" in message
    for suffix in ("csv", "npz", "npy", "parquet"):
        message = refusal(tmp_path / f"absent.{suffix}", spec_of(1, 1))
        assert f"absent.{suffix}: No such file or directory" in message
    for suffix in ("csv", "parquet"):
        folder = tmp_path / f"folder.{suffix}"
        folder.mkdir()
        message = refusal(folder, spec_of(1, 1))
        assert f"folder.{suffix}: " in message and "directory" in message
    assert "data of type int; expected the path" in refusal(3, spec_of(1, 1))


# ------------------------------------------------------------------------------------------ missing

HOLES = "a,b,w,t\n1,2,1,u\n,NA,1,v\n3,4,1,\n5,?,1,v\n6,7,,u\n8,9,1,v\n"


def test_all_columns_with_missing_values_are_refused_at_once(tmp_path):
    path, spec = write(tmp_path, HOLES), spec_of(2, 1, weighted=True)
    message = refusal(path, spec, weight="w")
    assert message.endswith(
        "data.csv: missing values: 1 in column 'a' (first in line 3), 2 in column 'b' (first in "
        "line 3), 1 in column 't' (first in line 4), 1 in column 'w' (first in line 6); "
        "missing='drop' leaves out their samples; missing='mean' fills inputs with their mean in "
        "the training part, and leaves out samples without a target or weight"
    )


def test_many_columns_with_missing_values_are_not_all_listed():
    message = refusal((np.full((2, 20), np.nan), [1, 2]), spec_of(20, 1))
    assert "2 in column 'x[11]' (first in row 0), and in 8 columns more; missing=" in message


def test_samples_with_missing_values_are_dropped(tmp_path):
    path, spec = write(tmp_path, HOLES), spec_of(2, 1, weighted=True)
    data = read(path, spec, weight="w", missing="drop")
    assert data.x.tolist() == [[1, 2], [8, 9]] and data.classes.tolist() == [0, 1]
    assert data.w.tolist() == [1, 1]
    assert data.notes == (
        "4 of 6 rows dropped for missing values: 1 in column 'a', 2 in column 'b', "
        "1 in column 't', 1 in column 'w'",
    )


def test_missing_inputs_are_left_to_be_filled(tmp_path):
    path, spec = write(tmp_path, HOLES), spec_of(2, 1, weighted=True)
    data = read(path, spec, weight="w", missing="mean")
    nan = np.nan
    assert np.array_equal(data.x, [[1, 2], [nan, nan], [5, nan], [8, 9]], equal_nan=True)
    assert data.classes.tolist() == [0, 1, 1, 1]
    assert data.notes == (
        "2 of 6 rows dropped for missing values: 1 in column 't', 1 in column 'w'",
        "1 missing value in column 'a', filled with the mean of the training part",
        "2 missing values in column 'b', filled with the mean of the training part",
    )


def test_a_class_of_dropped_samples_alone_is_none(tmp_path):
    path = write(tmp_path, "a,t\n1,u\n2,v\n,w\n")
    assert read(path, spec_of(1, 2), missing="drop").columns.labels == ("u", "v")
    assert "3 classes (u, v, w)" in refusal(path, spec_of(1, 2), missing="mean")


def test_words_for_missing_are_names_among_names_only(tmp_path):
    path = write(tmp_path, "a,t\n1,2\n2,NA\n3,1\n")
    assert "1 in column 't' (first in line 3)" in refusal(path, spec_of(1, 2))
    assert read(path, spec_of(1, 2), missing="drop").columns.labels == (1, 2)
    path = write(tmp_path, "a,t\n1,?\n2,NA\n3,yes\n")
    assert read(path, spec_of(1, 1), missing="drop").columns.labels == ("NA", "yes")
    path = write(tmp_path, "a,t\n1,\n2,?\n")
    assert "2 in column 't' (first in line 2)" in refusal(path, spec_of(1, 1))


def test_missing_values_that_leave_nothing(tmp_path):
    path = write(tmp_path, "a,b,t\n1,,3\n,2,4\n")
    message = refusal(path, spec_of(2, 1), missing="drop")
    assert (
        "no sample is without missing values: 1 in column 'a', 1 in column 'b', of 2 rows"
        in message
    )
    path = write(tmp_path, "a,b,t\n1,,3\n3,,4\n")
    message = refusal(path, spec_of(2, 1), missing="mean")
    assert "column 'b': all values are missing, so they have no mean" in message


def test_a_negative_weight_of_a_row_after_missing_ones_is_found(tmp_path):
    path = write(tmp_path, "a,w,t\n,1,3\n4,-2,6\n")
    message = refusal(path, spec_of(1, 1, weighted=True), weight="w", missing="drop")
    assert "line 3, column 'w'" in message
    path = write(tmp_path, "a,t\n,0\n1,1\n2,0.5\n")
    assert "line 4, column 't': '0.5' is no class" in refusal(path, spec_of(1, 2), missing="drop")


# ---------------------------------------------------------------------------------------------- NPZ

X = np.arange(6.0).reshape(3, 2)


def test_npz_targets_of_every_form(tmp_path):
    values = read(store(tmp_path, x=X, t=X * 2), spec_of(2, 2))
    assert values.t.tolist() == (X * 2).tolist()
    assert values.columns == Columns(("x[0]", "x[1]"), ("t[0]", "t[1]"))
    flat = read(store(tmp_path, x=X.astype("u1"), t=[0.5, 1, 2]), spec_of(2, 1))
    assert flat.t.tolist() == [[0.5], [1], [2]] and flat.x.dtype == np.float64
    assert flat.columns.targets == ("t",)
    classes = read(store(tmp_path, x=X, t=np.array([2, 0, 1])), spec_of(2, 3))
    assert classes.classes.tolist() == [2, 0, 1] and classes.columns.labels == (0, 1, 2)
    one_hot = read(store(tmp_path, x=X, t=np.eye(3)), spec_of(2, 3))
    assert one_hot.columns.labels == (0, 1, 2)
    column = read(store(tmp_path, x=X, t=np.array([["u"], ["v"], ["u"]])), spec_of(2, 2))
    assert column.columns.labels == ("u", "v")
    names = read(store(tmp_path, x=X, t=np.array(["u", "v", "u"])), spec_of(2, 1))
    assert names.columns.labels == ("u", "v") and names.t.tolist() == [[0], [1], [0]]
    truths = read(store(tmp_path, x=X, t=np.array([True, False, True])), spec_of(2, 1))
    assert repr(truths.columns.labels) == "(False, True)"


def test_npz_weights(tmp_path):
    path = store(tmp_path, x=X, t=X[:, 0], w=[1, 2, 3], v=[4, 5, 6])
    ignored = read(path, spec_of(2, 1))
    assert ignored.w is None and ignored.columns.weight is None
    assert ignored.notes == (
        "array 'w' is not used: the spec takes no sample weights (sample_weights = true under "
        "[loss])",
    )
    assert read(path, spec_of(2, 1, weighted=True)).w.tolist() == [1, 2, 3]
    assert read(path, spec_of(2, 1, weighted=True), weight="v").w.tolist() == [4, 5, 6]


NAN = np.array([[0.0, 1], [2, np.nan], [4, 5]])
NPZ_REFUSALS = [
    ({"x": X}, "no array 't'; training needs the targets"),
    ({"y": X}, "no array 'x'; the archive holds y"),
    ({"x": X[:, :1], "t": X}, "x has the shape (3, 1); expected (samples, 2)"),
    ({"x": X[:, 0], "t": X}, "x has the shape (3,); expected (samples, inputs)"),
    ({"x": X[:0], "t": X[:0]}, "x holds no samples"),
    ({"x": X, "t": X[:2]}, "t has the shape (2, 2) and x (3, 2); expected 3 rows in both"),
    ({"x": X, "t": np.ones((3, 4))}, "(3, 4); expected (3, 2) or (3,) with the class"),
    ({"x": X, "t": np.float64(3)}, "t has the shape () and x (3, 2)"),
    ({"x": NAN, "t": X}, "missing values: 1 in column 'x[1]' (first in row 1)"),
    ({"x": X, "t": X - np.inf}, "row 0, column 't[0]': -inf is not finite"),
    ({"x": X * 1j, "t": X}, "column 'x[0]': holds values of type complex128; expected numbers"),
    ({"x": X, "t": np.array([b"u", b"v", b"u"])}, "column 't': holds values of type |S1; expected"),
    ({"x": X, "t": X, "w": np.ones(2)}, "w has the shape (2,); expected (3,)"),
    ({"x": X, "t": X, "w": [1, -1, 1]}, "row 1, column 'w': the weight -1 is negative"),
    ({"x": X, "t": X, "w": np.zeros(3)}, "all sample weights are 0"),
    ({"x": X, "t": np.array([X, 2, 3], dtype=object)}, "holds Python objects (a pickle)"),
    ({"x": X.astype(str), "t": X}, "column 'x[0]': '0.0' is not a number; inputs are numbers"),
]


@pytest.mark.parametrize(("arrays", "message"), NPZ_REFUSALS, ids=lambda value: str(value)[:40])
def test_npz_refusals(tmp_path, arrays, message):
    assert message in refusal(store(tmp_path, **arrays), spec_of(2, 2, weighted=True))


def test_npz_refusals_of_files(tmp_path):
    path = tmp_path / "data.npz"
    path.write_bytes(b"")
    assert "the file is empty" in refusal(path, spec_of(2, 2))
    path.write_bytes(pickle.dumps({"x": 1}))
    assert "no NPZ archive" in refusal(path, spec_of(2, 2))
    store(tmp_path, x=X, t=X)
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    message = refusal(path, spec_of(2, 2))
    assert "no NPZ archive" in message or "damaged" in message
    start = whole.index(b"NUMPY") + 130
    path.write_bytes(whole[:start] + b"\xff" + whole[start + 1 :])
    assert "damaged" in refusal(path, spec_of(2, 2))


def test_a_member_of_an_archive_that_is_no_array_is_refused(tmp_path):
    path = store(tmp_path, x=X)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("t", b"1, 2, 3")
    assert "data.npz: 't' is no array" in refusal(path, spec_of(2, 1))


def test_npz_columns_have_no_names(tmp_path):
    path = store(tmp_path, x=X, t=X)
    message = refusal(path, spec_of(2, 2), targets=["t"])
    assert "only a table's targets are named; here they are the array 't'" in message
    message = refusal(path, spec_of(2, 2, weighted=True), weight="v")
    assert "no array 'v'" in message


# -------------------------------------------------------------------------------- NPY and in memory


def test_an_array_without_names_is_a_table_whose_columns_are_counted(tmp_path):
    array = np.array([[1, 2, 0.5], [3, 4, 1.5]])
    for source in (save(tmp_path, array), save(tmp_path, np.asfortranarray(array)), array):
        data = read(source, spec_of(2, 1))
        assert data.x.tolist() == [[1, 2], [3, 4]] and data.t.tolist() == [[0.5], [1.5]]
        assert data.columns == Columns(("column 0", "column 1"), ("column 2",))
        assert data.x.flags.c_contiguous
    other = read(array, spec_of(2, 1), targets=["column 0"])
    assert other.columns == Columns(("column 1", "column 2"), ("column 0",))
    one_hot = read(np.array([[1, 0, 1], [3, 1, 0]]), spec_of(1, 2))
    assert one_hot.columns.labels == (0, 1)


def test_a_structured_array_has_names(tmp_path):
    array = np.array([(1, 2.5, "u"), (3, 4.5, "v")], dtype=[("a", int), ("b", float), ("t", "U3")])
    data = read(save(tmp_path, array), spec_of(2, 1))
    assert data.x.tolist() == [[1, 2.5], [3, 4.5]]
    assert data.columns == Columns(("a", "b"), ("t",), labels=("u", "v"))
    nested = np.zeros(2, dtype=[("a", float, (2,)), ("t", float)])
    assert "column 'a': holds arrays of the shape (2,)" in refusal(nested, spec_of(1, 1))


def test_npy_refusals(tmp_path):
    path = tmp_path / "data.npy"
    path.write_bytes(b"")
    assert "the file is empty" in refusal(path, spec_of(2, 1))
    path.write_bytes(pickle.dumps([1]))
    assert "no NPY file, as numpy.save" in refusal(path, spec_of(2, 1))
    np.save(path, np.array([[{}]], dtype=object), allow_pickle=True)
    assert "holds Python objects (a pickle), which could run code" in refusal(path, spec_of(2, 1))
    whole = save(tmp_path, np.ones((4, 3))).read_bytes()
    path.write_bytes(whole[:-8])
    assert "damaged" in refusal(path, spec_of(2, 1))
    assert "an array of the shape (3,); expected (samples, columns)" in refusal(
        save(tmp_path, np.ones(3)), spec_of(2, 1)
    )
    assert "the array holds no samples" in refusal(save(tmp_path, np.ones((0, 3))), spec_of(2, 1))


def test_arrays_in_memory(tmp_path):
    data = read((X, ["u", "v", "u"], [1, 2, 3]), spec_of(2, 1, weighted=True))
    assert data.x.tolist() == X.tolist() and data.w.tolist() == [1, 2, 3]
    assert data.columns == Columns(("x[0]", "x[1]"), ("t",), "w", ("u", "v"))
    masked = np.ma.masked_array(X, mask=X == 3)
    for form in (masked, list(masked)):
        found = read((form, X[:, 0]), spec_of(2, 1), missing="mean").x
        np.testing.assert_array_equal(found, np.where(X == 3, np.nan, X))
    objects = np.array([[1, None], [True, 2.5]], dtype=object)
    assert "several kinds: 1 in row 0, True in row 1" in refusal((objects, [1, 2]), spec_of(2, 1))
    spec = spec_of(2, 1)
    assert "not 4 of them" in refusal((X, X, X, X), spec)
    assert "no array 't'" in refusal((X,), spec)
    assert "no array 'x'" in refusal((None, X), spec)
    assert "the arrays: x is no array" in refusal(([[1, 2], [3]], [1, 2]), spec)


# ------------------------------------------------------------------------------- Parquet and frames


def test_parquet_columns_of_every_type(tmp_path):
    path = parquet(
        tmp_path,
        a=pa.array([1, 2, 3], pa.int8()),
        b=pa.array([True, False, True]),
        c=pa.array([Decimal("0.5"), Decimal("1.25"), Decimal(2)]),
        d=pa.array([1, 2, 3], pa.float32()),
        t=pa.array(["u", "v", "u"]).dictionary_encode(),
    )
    data = read(path, spec_of(4, 1))
    assert data.x.tolist() == [[1, 1, 0.5, 1], [2, 0, 1.25, 2], [3, 1, 2, 3]]
    assert data.columns == Columns(("a", "b", "c", "d"), ("t",), labels=("u", "v"))


@pytest.mark.parametrize(
    ("column", "type_"),
    [
        (pa.array([[1], [2]]), "list<"),
        (pa.array([{"u": 1}, {"u": 2}]), "struct<"),
        (pa.array([b"u", b"v"]), "binary"),
        (pa.array([datetime.date(2020, 1, 1)] * 2), "date32"),
        (pa.array([datetime.datetime(2020, 1, 1)] * 2), "timestamp"),
    ],
)
def test_parquet_columns_that_are_refused(tmp_path, column, type_):
    message = refusal(parquet(tmp_path, a=column, t=[1.0, 2]), spec_of(1, 1))
    assert f"data.parquet, column 'a': holds values of type {type_}" in message
    assert "expected numbers, booleans or text" in message


def test_parquet_nulls_are_missing_values(tmp_path):
    path = parquet(tmp_path, a=[1.0, None, 3.0], b=[1, 2, None], t=["u", "v", None])
    message = refusal(path, spec_of(2, 1))
    assert "1 in column 'a' (first in row 1), 1 in column 'b' (first in row 2)" in message
    assert read(path, spec_of(2, 2), missing="mean").x.shape == (2, 2)
    empty = parquet(tmp_path, a=pa.nulls(2), t=[1.5, 2])
    assert "2 in column 'a'" in refusal(empty, spec_of(1, 1))


def test_parquet_files_that_are_refused(tmp_path):
    path = tmp_path / "data.parquet"
    path.write_bytes(b"")
    assert "the file is empty" in refusal(path, spec_of(1, 1))
    path.write_bytes(b"a,t\n1,2\n" * 10)
    assert "data.parquet: no Parquet file, or damaged (" in refusal(path, spec_of(1, 1))
    whole = parquet(tmp_path, a=[1.0], t=[2.0]).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in refusal(path, spec_of(1, 1))
    nothing = parquet(tmp_path, a=pa.array([], pa.float64()), t=pa.array([], pa.float64()))
    assert "columns and no samples" in refusal(nothing, spec_of(1, 1))
    twice = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["a", "a"])
    pq.write_table(twice, path)
    assert "two columns are called 'a'" in refusal(path, spec_of(1, 1))


def test_the_index_of_a_frame_is_no_column_of_its_parquet_file(tmp_path):
    frame = pd.DataFrame({"a": [1.0, 2, 3], "t": [0.5, 2, 3]}).iloc[[0, 2]]
    path = tmp_path / "data.parquet"
    frame.to_parquet(path)
    assert read(path, spec_of(1, 1)).x.tolist() == [[1], [3]]


def test_folders_above_a_parquet_file_are_no_columns(tmp_path):
    folder = tmp_path / "year=2020"
    folder.mkdir()
    assert read(parquet(folder, a=[1.0], t=[2.5]), spec_of(1, 1)).columns.targets == ("t",)


def test_without_pyarrow_parquet_files_are_refused(tmp_path, monkeypatch):
    path, imported = parquet(tmp_path, a=[1.0], t=[2.0]), builtins.__import__

    def without(name, *args, **options):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return imported(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError) as caught:
        read(path, spec_of(1, 1))
    assert str(caught.value) == "reading Parquet files needs pyarrow: pip install 'symgrad[data]'"


@pytest.mark.parametrize(
    ("target", "labels"),
    [
        (pd.Series(["v", "u", "v"]), ("u", "v")),
        (pd.Series(["v", "u", "v"], dtype=object), ("u", "v")),
        (pd.Series(["v", "u", "v"], dtype="string"), ("u", "v")),
        (pd.Series(["v", "u", "v"], dtype="category"), ("u", "v")),
        (pd.Series(["v", "u", "v"], dtype=pd.ArrowDtype(pa.string())), ("u", "v")),
        (pd.Series([7, 5, 7], dtype="category"), (5, 7)),
        (pd.Series([7, 5, 7], dtype="Int64"), (5, 7)),
        (pd.Series([7.0, 5.0, 7.0]), (5, 7)),
        (pd.Series([7, 5, 7], dtype=object), (5, 7)),
        (pd.Series([True, False, True], dtype="boolean"), (False, True)),
        (pd.Series([True, False, True], dtype=object), (False, True)),
    ],
)
def test_frames_with_labels_of_any_type(target, labels):
    frame = pd.DataFrame({"a": [1, 2, 3], "t": target}, index=[5, 5, 9])
    frame["t"] = target.array
    data = read(frame, spec_of(1, 2))
    assert repr(data.columns.labels) == repr(labels)
    assert data.classes.tolist() == [1, 0, 1]
    gaps = pd.concat([frame, pd.DataFrame({"a": [4], "t": [None]})])
    assert read(gaps, spec_of(1, 2), missing="drop").columns.labels == labels


def test_frames_have_inputs_of_every_numeric_type():
    frame = pd.DataFrame(
        {
            0: pd.Series([1, None, 3], dtype="Int8"),
            1: pd.Series([0.5, 1, None], dtype="Float32"),
            "c": [True, False, True],
            "d": pd.Series([1, 0, 0], dtype=pd.SparseDtype(int)),
            "e": pd.Series([1, 2.5, Decimal("0.25")], dtype=object),
            "t": [0.5, 1, 2],
        }
    )
    data = read(frame, spec_of(5, 1), missing="mean")
    assert data.columns.inputs == ("0", "1", "c", "d", "e")
    nan = np.nan
    expected = [[1, 0.5, 1, 1, 1], [nan, 1, 0, 0, 2.5], [3, nan, 1, 0, 0.25]]
    assert np.array_equal(data.x, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, "u"], "column 'a': holds values of several kinds: 1 in row 0, 'u' in row 1; make"),
        ([None, "u"], "the frame, row 1, column 'a': 'u' is not a number; inputs are numbers"),
        ([1.5, np.inf], "the frame, row 1, column 'a': inf is not finite"),
        (pd.Series([1, 10**400], dtype=object),
         "the frame, row 1, column 'a': inf is not finite"),
        ([[1], [2]], "column 'a': holds values of type list (row 0); expected numbers, booleans"),
        (pd.to_datetime(["2020-01-01"] * 2), "column 'a': holds values of type datetime64"),
        (pd.to_datetime(["2020-01-01"] * 2, utc=True), "column 'a': holds values of type"),
        ([1j, 2], "column 'a': holds values of type complex128"),
    ],
)
def test_frames_that_are_refused(values, message):
    assert message in refusal(pd.DataFrame({"a": values, "t": [1.0, 2]}), spec_of(1, 1))


def test_more_frames_that_are_refused():
    dates = pd.DataFrame({"a": [1, 2], "t": pd.to_datetime(["2020-01-01"] * 2)})
    for outputs in (1, 2):
        message = refusal(dates, spec_of(1, outputs))
        assert "column 't': holds values of type datetime64" in message
    twice = pd.DataFrame([[1, 2]], columns=[0, "0"])
    assert "the frame: two columns are called '0'" in refusal(twice, spec_of(1, 1))
    assert "the frame: columns and no samples" in refusal(
        pd.DataFrame({"a": [], "t": []}), spec_of(1, 1)
    )


def test_frames_of_other_libraries_through_arrow():
    data = read(pa.table({"a": [1, 2], "t": ["u", "v"]}), spec_of(1, 2))
    assert data.columns == Columns(("a",), ("t",), labels=("u", "v"))


names = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=5)
labels_of = st.one_of(
    st.lists(st.integers(-(10**12), 10**12), min_size=2, max_size=2, unique=True),
    st.lists(names.filter(lambda s: s.strip() == s), min_size=2, max_size=2, unique=True),
    st.just([False, True]),
)
finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(
    labels_of.filter(lambda pair: not any(_means_something_else(label) for label in pair)),
    st.lists(st.tuples(finite, st.integers(-(2**53), 2**53), st.booleans()), max_size=30),
)
def test_one_table_in_every_format(tmp_path_factory, labels, rows):
    folder = tmp_path_factory.mktemp("table")
    rows = [(0.5, 1, False), (1.5, 2, True), *rows]
    table = {
        "a": [row[0] for row in rows],
        "b": [row[1] for row in rows],
        "t": [labels[row[2]] for row in rows],
    }
    with (folder / "data.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    spec = spec_of(2, 2)
    first = read(folder / "data.csv", spec)
    x = np.array([table["a"], table["b"]], dtype=float).T
    assert np.array_equal(first.x, x)
    number_of = {label: number for number, label in enumerate(sorted(labels))}
    if set(labels) <= {0, 1}:
        number_of = {0: 0, 1: 1}
    assert first.classes.tolist() == [number_of[label] for label in table["t"]]
    fields = np.rec.fromarrays([table["a"], table["b"], np.array(table["t"])], names="a,b,t")
    for source in (
        parquet(folder, **table),
        pd.DataFrame(table),
        pa.table(table),
        store(folder, x=x, t=np.array(table["t"])),
        save(folder, np.asarray(fields)),
        (x, table["t"]),
    ):
        assert_equal(first, read(source, spec))


def _means_something_else(label) -> bool:
    """Whether a CSV reader must take this name for something else: a number, a missing value."""
    if not isinstance(label, str):
        return False
    try:
        float(label)
    except ValueError:
        return label.lower() in {"", "?", "na", "n/a", "nan", "null", "none", "true", "false"}
    return True


# ----------------------------------------------------------------------------------- the data files


@pytest.mark.parametrize(
    ("name", "inputs", "outputs", "samples", "labels"),
    [
        ("xor.csv", 2, 1, 4, (0, 1)),
        ("spirals.csv", 2, 1, 194, (0, 1)),
        ("iris.csv", 4, 3, 150, ("setosa", "versicolor", "virginica")),
        ("digits.npz", 64, 10, 1797, tuple(range(10))),
    ],
)
def test_the_example_data(name, inputs, outputs, samples, labels):
    data = read(DATA / name, spec_of(inputs, outputs))
    assert data.x.shape == (samples, inputs)
    assert data.t.shape == (samples, outputs)
    assert data.columns.labels == labels
    counts = np.bincount(data.classes)
    assert counts.max() - counts.min() <= 9


def test_the_two_spirals_are_half_a_turn_apart():
    data = read(DATA / "spirals.csv", spec_of(2, 1))
    first, second = data.x[0::2], data.x[1::2]
    assert data.t[0::2].all() and not data.t[1::2].any()
    assert np.array_equal(first, -second)
    assert first[0].tolist() == [0, 6.5] and np.hypot(*first[-1]) == pytest.approx(0.5, abs=1e-5)
    assert np.allclose(np.hypot(first[:, 0], first[:, 1]), 6.5 * (104 - np.arange(97)) / 104, 1e-4)


# ------------------------------------------------------------------------------------ reading again


def trained_on(data: Samples, spec: dict, fill: bool = False) -> Trained:
    inputs, outputs = data.x.shape[1], data.t.shape[1]
    scaling = Scaling(
        np.zeros(inputs),
        np.ones(inputs),
        np.zeros(outputs),
        np.ones(outputs),
        np.zeros(inputs) if fill else None,
    )
    return Trained(spec, np.zeros(3), data.columns, scaling)


def refusal_again(source, trained: Trained) -> str:
    with pytest.raises(DataError) as caught:
        read_to_predict(source, trained)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def fruit(
    folder: Path, fill: bool = False, text: str = "a,b,kind\n1,2,u\n3,4,v\n5,6,w\n"
) -> Trained:
    spec = spec_of(2, 3)
    return trained_on(read(write(folder, text, "training.csv"), spec), spec, fill)


def test_columns_are_found_by_name_in_any_order(tmp_path):
    trained = fruit(tmp_path)
    data = read_to_predict(write(tmp_path, "kind,extra,b,a\nw,?,20,10\nu,yes,40,30\n"), trained)
    assert data.x.tolist() == [[10, 20], [30, 40]]
    assert data.t.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert data.columns == trained.columns and data.w is None and data.notes == ()


def test_a_file_with_the_inputs_alone(tmp_path):
    trained = fruit(tmp_path)
    sources = [
        write(tmp_path, "a,b\n1,2\n"),
        parquet(tmp_path, a=[1], b=[2]),
        store(tmp_path, x=[[1, 2]]),
        save(tmp_path, [[1, 2]]),
        pd.DataFrame({"b": [2], "a": [1]}),
        (np.array([[1, 2]]),),
        np.array([[1, 2]]),
    ]
    for source in sources:
        data = read_to_predict(source, trained)
        assert data.x.tolist() == [[1, 2]] and data.t is None and data.classes is None


def test_targets_that_are_there_are_read_from_every_source(tmp_path):
    trained = fruit(tmp_path)
    fields = np.array([(1, 2, "v")], dtype=[("a", float), ("b", float), ("kind", "U1")])
    sources = [
        parquet(tmp_path, kind=["v"], a=[1], b=[2]),
        store(tmp_path, x=[[1, 2]], t=["v"]),
        (np.array([[1, 2]]), np.array([[0, 1, 0]])),
        save(tmp_path, fields),
    ]
    for source in sources:
        assert read_to_predict(source, trained).t.tolist() == [[0, 1, 0]]


@pytest.mark.parametrize(
    ("training", "again", "classes"),
    [
        ("a,t\n1,1\n2,2\n3,x\n", "a,t\n1,2\n2,1\n", [1, 0]),  # names that look like numbers
        ("a,t\n1,7\n2,8\n3,9\n", "a,t\n1,9.0\n2,7\n", [2, 0]),
        ("a,t\n1,na\n2,b\n3,c\n", "a,t\n1,na\n", [2]),
        ("a,t\n1,7\n2,8\n3,9\n", "a,t\n1,9\n2,NA\n", None),
        ("a,t\n1,01\n2,1\n3,1e0\n", "a,t\n1,1\n2,1e0\n", [1, 2]),  # three ways to spell 1
        ("a,t\n1,01\n2,1\n3,1e0\n", "a,t\n1,1\n2,NA\n", None),
    ],
)
def test_labels_are_those_of_training(tmp_path, training, again, classes):
    spec = spec_of(1, 3)
    trained = trained_on(read(write(tmp_path, training), spec), spec)
    data = read_to_predict(write(tmp_path, again), trained)
    assert data.classes is None if classes is None else data.classes.tolist() == classes


@pytest.mark.parametrize("spelled", ["true", "True", "1"])
def test_booleans_are_those_of_training(tmp_path, spelled):
    spec = spec_of(1, 1)
    trained = trained_on(read(write(tmp_path, "a,t\n1,true\n2,false\n"), spec), spec)
    assert read_to_predict(write(tmp_path, f"a,t\n1,{spelled}\n"), trained).t.tolist() == [[1]]


def test_numbers_and_one_hot_targets_of_training(tmp_path):
    spec = spec_of(1, 2)
    trained = trained_on(read(write(tmp_path, "a,t,u\n1,0.5,3\n"), spec), spec)
    assert read_to_predict(write(tmp_path, "u,t,a\n0,1,7\n"), trained).t.tolist() == [[1, 0]]
    trained = trained_on(read(write(tmp_path, "a,t,u\n1,0,1\n"), spec), spec)
    assert read_to_predict(write(tmp_path, "u,t,a\n0,1,7\n"), trained).classes.tolist() == [0]
    message = refusal_again(write(tmp_path, "u,t,a\n0,1,7\n1,1,2\n"), trained)
    assert "line 3: the targets are no class: one of t, u must be 1 and the others 0" in message


def test_an_unknown_label_is_refused_by_name_and_line(tmp_path):
    message = refusal_again(write(tmp_path, "a,b,kind\n1,2,u\n3,4,fig\n"), fruit(tmp_path))
    expected = "data.csv, line 3, column 'kind': 'fig' is none of the classes of training (u, v, w)"
    assert message.endswith(expected)
    numbers = fruit(tmp_path, text="a,b,kind\n1,2,7\n3,4,8\n5,6,9\n")
    message = refusal_again(write(tmp_path, "a,b,kind\n1,2,7\n3,4,fig\n"), numbers)
    assert "line 3, column 'kind': 'fig' is none of the classes of training (7, 8, 9)" in message
    message = refusal_again((np.ones((2, 2)), ["u", "fig"]), fruit(tmp_path))
    assert "row 1, column 't': 'fig' is none of the classes" in message


def test_an_input_that_is_not_there_is_refused(tmp_path):
    trained = fruit(tmp_path)
    message = refusal_again(write(tmp_path, "a,c\n1,2\n"), trained)
    assert "data.csv: no column 'b', an input in training; there are a, c" in message
    message = refusal_again(write(tmp_path, "c,d\n1,2\n"), trained)
    assert "no column 'a', an input in training (nor 'b'); there are c, d" in message
    message = refusal_again(np.ones((2, 5)), trained)
    assert "the array: 5 columns; expected the 2 of the inputs (a, b) in this order" in message
    message = refusal_again((np.ones((2, 3)),), trained)
    assert "x has the shape (2, 3); expected (samples, 2)" in message
    message = refusal_again((np.ones((2, 2)), np.ones((2, 2))), trained)
    assert "t has the shape (2, 2); expected (2, 3)" in message


def test_columns_without_names_count(tmp_path):
    spec = spec_of(2, 1)
    table = np.array([[1, 2, 0.5], [3, 4, 1.5]])
    trained = trained_on(read(table, spec), spec)
    for source in (table, write(tmp_path, "p,q,r\n1,2,0.5\n3,4,1.5\n")):
        data = read_to_predict(source, trained)
        assert data.x.tolist() == [[1, 2], [3, 4]] and data.t.tolist() == [[0.5], [1.5]]
    assert read_to_predict(table[:, :2], trained).t is None
    # The target first, as named in training; without it, what is left are the inputs.
    trained = trained_on(read(table, spec, targets=["column 0"]), spec)
    assert read_to_predict(table, trained).x.tolist() == [[2, 0.5], [4, 1.5]]
    assert read_to_predict(table[:, 1:], trained).x.tolist() == [[2, 0.5], [4, 1.5]]


def test_missing_inputs_are_kept_if_training_filled_them(tmp_path):
    path = write(tmp_path, "a,b\n1,2\n,4\n")
    data = read_to_predict(path, fruit(tmp_path, fill=True))
    assert np.array_equal(data.x, [[1, 2], [np.nan, 4]], equal_nan=True)
    message = refusal_again(path, fruit(tmp_path))
    assert "missing values: 1 in column 'a' (first in line 3); the network was trained" in message


def test_targets_that_are_not_all_there_are_not_used(tmp_path):
    data = read_to_predict(write(tmp_path, "a,b,kind\n1,2,u\n3,4,\n"), fruit(tmp_path))
    assert data.t is None and len(data) == 2
    assert data.notes == ("targets not used, for some are missing: 1 in column 'kind'",)
    spec = spec_of(1, 2)
    trained = trained_on(read(write(tmp_path, "a,t,u\n1,0.5,3\n"), spec), spec)
    data = read_to_predict(write(tmp_path, "a,u\n1,2\n"), trained)
    assert data.t is None
    assert data.notes == ("1 target of 2 (training had t, u): not used",)


def test_weights_again(tmp_path):
    spec = spec_of(1, 1, weighted=True)
    path = write(tmp_path, "a,v,t\n1,2,3\n4,5,6\n")
    trained = trained_on(read(path, spec, weight="v"), spec)
    assert read_to_predict(path, trained).w.tolist() == [2, 5]
    assert read_to_predict(write(tmp_path, "a,t\n1,2\n"), trained).w.tolist() == [1]
    message = refusal_again(write(tmp_path, "a,v,t\n1,,3\n"), trained)
    assert "1 in column 'v' (first in line 2); each sample needs a weight" in message
    assert read_to_predict(store(tmp_path, x=[[1]], t=[2.5], v=[3]), trained).w.tolist() == [3]
