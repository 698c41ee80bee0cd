"""Large CSV files through Arrow: what comes of them is what the plain reader makes of them, values
to the bit and messages to the letter."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from symgrad.errors import DataError
from symgrad.training.data import arrow_csv, opening, read
from symgrad.training.data.csv_format import Format
from symgrad.training.data.survey import survey
from tests.training.test_data import spec_of


@pytest.fixture
def large(monkeypatch) -> None:
    """All files count as large ones, in pieces of a few rows."""
    monkeypatch.setattr(arrow_csv, "FROM_BYTES", 0)
    monkeypatch.setattr(arrow_csv, "_AT_ONCE", 1024)


def said(*arguments, **options) -> tuple:
    """What comes of reading, as plain data that can be compared."""
    try:
        found = read(*arguments, **options)
    except DataError as error:
        return (str(error),)
    arrays = [None if a is None else (a.shape, a.tobytes()) for a in (found.x, found.t, found.w)]
    return (arrays, repr(found.columns), found.notes)


def both(path: Path, *arguments, **options) -> tuple[tuple, tuple]:
    """What comes of a file where Arrow may read it, and where it may not."""
    fast = said(path, *arguments, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "fast_table", lambda paths, wanted: None)
        return fast, said(path, *arguments, **options)


def is_fast(path: Path) -> bool:
    return arrow_csv.fast_table([path], Format()) is not None


@pytest.fixture
def by_arrow_alone(large, monkeypatch) -> None:
    """Nothing is read again plainly."""
    monkeypatch.delattr(opening, "from_csv")


def table(rows: int = 300) -> list[str]:
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 3)) * 10.0 ** random.integers(-300, 300, (rows, 3))
    return [f"{a!r},{b:.4g},{c!r}" for a, b, c in x.tolist()]


def test_numbers_are_read_to_the_bit(tmp_path, by_arrow_alone):
    path = tmp_path / "data.csv"
    rows = table()
    path.write_text("\n".join(["a,b,t", *rows, "NA,-0.0,5e-324", "", "1,?,2", ""]))
    found = read(path, spec_of(2, 1), missing="mean")
    cells = np.array([row.split(",") for row in rows]).astype(float)
    assert found.x[:-2].tobytes() == np.ascontiguousarray(cells[:, :2]).tobytes()
    assert found.t[:-2].tobytes() == np.ascontiguousarray(cells[:, 2:]).tobytes()
    assert np.isnan(found.x[-2, 0]) and np.signbit(found.x[-2, 1])
    assert found.t[-2:].tolist() == [[5e-324], [2]]


def test_words_quotes_decimal_commas_and_packed_files(tmp_path, by_arrow_alone):
    words = ["off", "auto", "off", "on"] * 20
    rows = [f'{n};"{n},25";{word};{n % 3}' for n, word in enumerate(words)]
    path = tmp_path / "data.csv.gz"
    path.write_bytes(gzip.compress("\r\n".join(['a;b;"mode";t', *rows]).encode()))
    found = read(path, spec_of(5, 3), categories=["mode"])
    assert found.x[:2].tolist() == [[0, 0.25, 0, 1, 0], [1, 1.25, 1, 0, 0]]
    assert found.columns.labels == (0, 1, 2)


def test_names_of_every_kind(tmp_path, by_arrow_alone):
    path = tmp_path / "data.csv"
    path.write_text("T [°C];p, bar;0;'$(x);\n1,5;2;3;4;\n2,5;3;4;5;\n", encoding="utf-8")
    found = read(path, spec_of(3, 1))
    assert found.columns.inputs == ("T [°C]", "p, bar", "0")
    assert found.x.tolist() == [[1.5, 2, 3], [2.5, 3, 4]] and found.t.tolist() == [[4], [5]]


def test_several_files_with_columns_in_another_order(tmp_path, by_arrow_alone):
    (tmp_path / "1.csv").write_text("a,b,t\n1,2,3\n4,5,6\n")
    (tmp_path / "2.csv").write_text("t,a,b\n30,10,20\n")
    pattern = tmp_path / "*.csv"
    assert read(pattern, spec_of(2, 1)).x.tolist() == [[1, 2], [4, 5], [10, 20]]


@pytest.mark.parametrize(
    "text",
    [
        "a,b,t\n1,0x10,3\n", "a,b,t\n1,+2,3\n", "a,b,t\n1,inf,3\n", "a,b,t\n1,1_0,3\n",
        "a,b,t\n1,nan(1),3\n", "a,b,t\n1,1e400,3\n", 'a,b,t\n1,"2"3,3\n', 'a,b,t\n1, "2" ,3\n',
        'a,b,t\n1,"2\n3",3\n', "a,b,t\n1,2\n", "a,b,t\n1,2,3,4\n", "a,b,t\r1,2,3\r",
        "a,b,t\n1,2\0,3\n", "a,b,t\n1,x,3\n", "a,b,t\n1,,3\n", 'a,b,t\n1,2,"3\n',
        "a,b,t\n   \n1,2,3\n", "\na,b,t\n1,2,3",
        "a,b,t\n" + "1,2,3\n" * 1500 + "1,x,3\n", "a,b,t\n" + "1,2,3\n" * 1500 + "1,2\n",
        "a,b,t\n" + ",2,3\n" * 1500 + "1,2,3\n", "a,b,t\n1,1e-400,3\n", "a,b,t\n1,٣,3\n",
    ],
)  # fmt: skip
def test_odd_files_are_read_alike(tmp_path, large, text):
    path = tmp_path / "data.csv"
    path.write_text(text, encoding="utf-8", newline="")
    for missing in ("refuse", "drop"):
        fast, plain = both(path, spec_of(2, 1), missing=missing)
        assert fast == plain


def test_text_that_is_no_utf_8_is_refused_in_columns_that_nobody_reads(tmp_path, large):
    path = tmp_path / "data.csv"
    path.write_bytes(b"a,note,t\n1,\xff,2\n")
    fast, plain = both(path, spec_of(1, 1), ignore="note")
    assert fast == plain and "not UTF-8" in fast[0]


CELLS = st.sampled_from(
    ["1", "2.5", "-3e4", "", "NA", "nan", "none", "x", "y", "true", "False", "007", "1.0", " 4 ",
     '"5"', '"6,5"', "7,5", '"a""b"', "1.234", "?", "2024-01-05", "é", "0", "1"]
)  # fmt: skip


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6),
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["refuse", "drop", "mean"]),
    st.sampled_from([1, 2]),
)
def test_files_of_any_cells_are_read_alike(tmp_path, large, rows, separator, end, missing, outputs):
    path = tmp_path / "data.csv"
    text = end.join(separator.join(cells) for cells in [("a", "b", "t"), *rows])
    path.write_text(text, encoding="utf-8", newline="")
    fast, plain = both(path, spec_of(2, outputs), missing=missing)
    assert fast == plain


def test_without_pyarrow_files_are_read_plainly(tmp_path, large, monkeypatch):
    path = tmp_path / "data.csv"
    path.write_text("a,t\n1,2\n")
    monkeypatch.setitem(sys.modules, "pyarrow.csv", None)
    assert not is_fast(path)
    assert read(path, spec_of(1, 1)).x.tolist() == [[1]]


def test_a_survey_of_a_large_file_is_that_of_a_small_one(tmp_path, large, monkeypatch):
    path = tmp_path / "data.csv"
    path.write_text("time,mode,a,t\n2024-01-05 10:00,on,1,2\n2024-01-05 10:01,off,,3\n")
    assert is_fast(path)
    fast = survey(path)
    monkeypatch.setattr(opening, "fast_table", lambda paths, wanted: None)
    assert [(c.name, c.kind, c.missing, c.shown) for c in fast.columns] == [
        (c.name, c.kind, c.missing, c.shown) for c in survey(path).columns
    ]
    assert fast.advice == survey(path).advice
