"""Which columns are read as what: inputs by name and by pattern, words as categories, formats of
text, several files, weights of classes, and what is said where a column cannot be used."""

import gzip
import json
import shlex

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgrad
from symgrad.errors import DataError
from symgrad.training.data import read, read_to_predict
from symgrad.training.data.selection import parsed, typed
from symgrad.training.data.survey import survey
from symgrad.training.record import problem
from tests.training.test_data import refusal, spec_of, trained_on, write

PLANT = """time;mode;temp_in;temp_wall;flow, l/min;note;temp_out;pressure
2024-01-05 10:00;auto;60,5;30,0;2,0;a;55,0;1,5
2024-01-05 10:01;off;61,5;31,0;;b;40,0;1,0
2024-01-05 10:02;manual;62,5;32,0;2,5;c;50,25;1,25
2024-01-05 10:03;auto;63,5;33,0;2,25;d;56,5;1,5
"""
OUT = ("temp_out", "pressure")


@pytest.fixture
def plant(tmp_path):
    return write(tmp_path, PLANT, "plant.csv")


# ----------------------------------------------------------------------------------- inputs by name


def test_inputs_by_names_and_patterns_in_their_order(plant):
    found = read(plant, spec_of(3, 2), targets=OUT, inputs=["flow*", "temp_*"], missing="drop")
    assert found.columns.inputs == ("flow, l/min", "temp_in", "temp_wall")  # no target among them
    assert found.x[0].tolist() == [2, 60.5, 30] and found.t[0].tolist() == [55, 1.5]
    assert "3 columns (time, mode, note): not used" in found.notes


def test_without_targets_these_are_what_is_left(plant):
    found = read(plant, spec_of(2, 2), inputs=["temp_in", "temp_wall"],
                 ignore=["time", "mode", "flow*", "note"])  # fmt: skip
    assert found.columns.targets == OUT
    message = refusal(plant, spec_of(2, 2), inputs=["temp_in", "temp_wall"])
    assert "8 columns hold 2 inputs and 6 columns of targets; the network needs 2" in message


def test_what_is_ignored_is_not_there(plant):
    given = {"targets": OUT, "ignore": ["time", "n?te", "mode"], "missing": "mean"}
    found = read(plant, spec_of(3, 2), **given)
    assert found.columns.inputs == ("temp_in", "temp_wall", "flow, l/min")
    assert "no column 'note'" in refusal(plant, spec_of(1, 2), **{**given, "inputs": ["note"]})


def test_a_column_that_is_called_like_a_pattern_is_meant_itself(tmp_path):
    path = write(tmp_path, "x[1],x1,t\n1,2,3\n")
    assert read(path, spec_of(1, 1), inputs="x[1]", ignore="x1").x.tolist() == [[1]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"inputs": ["temq_*"]}, "inputs: no column 'temq_*'; there are time, mode, temp_in"),
        ({"ignore": ["no"]}, "ignore: no column 'no'; there are time, mode"),
        ({"ignore": ["*"]}, "ignore: no column is left"),
        ({"categories": ["no"]}, "categories: no column 'no'"),
        ({"categories": ["temp_out"]}, "column 'temp_out': 50.25 is no level of a category"),
        ({"inputs": ["temp_in", "pressure"]}, "'pressure' cannot be both input and target"),
        ({"inputs": ["temp_in"]}, "1 column left for the inputs (temp_in), but the network"),
        ({}, "3 columns hold no numbers: 'time' (timestamp), 'mode' (category), 'note' (category). "
         "Say which are which: inputs=['A', 'B'] and targets='C', or ignore='D'"),
        ({}, "or write inputs = 6 in the spec"),
        ({"ignore": ["note", "flow*"], "categories": ["mode"]},
         "which make 6 inputs, but the network takes 4"),
        ({"ignore": ["note", "flow*"]}, "line 2, column 'time': '2024-01-05 10:00' is a timestamp"
         ", not a number; line 2, column 'mode': 'auto' is not a number; inputs are numbers: "
         "categories=['mode'] makes an input of each word; of timestamps make columns of numbers, "
         "such as hour and day of the week or seconds since the start, or leave them out: "
         "ignore=['time']"),
    ],
)  # fmt: skip
def test_refusals_name_columns_and_what_to_type(plant, given, message):
    assert message in refusal(plant, spec_of(4, 2), targets=OUT, **given)


def test_a_spec_that_names_its_inputs_has_the_say(tmp_path):
    path = write(tmp_path, "b,a,t\n1,2,3\n")
    spec = {**spec_of(2, 1), "inputs": ["a", "b"]}
    assert "the spec names its inputs" in refusal(path, spec, inputs=["a", "b"])
    assert read(path, spec).x.tolist() == [[2, 1]]


def test_of_arrays_no_columns_are_chosen():
    arrays = (np.ones((3, 2)), np.ones((3, 1)))
    for role in ("inputs", "ignore", "categories"):
        assert f"{role}: only a table's columns are named" in refusal(
            arrays, spec_of(2, 1), **{role: "x*"}
        )


def test_columns_of_a_frame_are_chosen_too():
    frame = pd.DataFrame({"when": pd.to_datetime(["2024-01-05"] * 2), "a": [1.0, 2], "t": [3.0, 4]})
    assert read(frame, spec_of(1, 1), ignore="when").x.tolist() == [[1], [2]]
    message = refusal(frame, spec_of(2, 1))
    assert "column 'when': holds values of type datetime64" in message
    assert "of timestamps make columns of numbers" in message and "ignore=['when']" in message


# --------------------------------------------------------------------------------------- categories


def test_each_word_of_a_category_is_an_input(plant, tmp_path):
    given = {"targets": OUT, "ignore": ["time", "note"], "categories": "mode", "missing": "mean"}
    found = read(plant, spec_of(6, 2), **given)
    assert found.columns.categories == {"mode": ("auto", "manual", "off")}
    assert found.columns.network_inputs[:4] == ("mode=auto", "mode=manual", "mode=off", "temp_in")
    assert found.x[:, :3].tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert (
        "column 'mode' is a category of 3 levels (auto, manual, off), an input each" in found.notes
    )
    trained = trained_on(found, spec_of(6, 2), fill=True)
    new = write(tmp_path, "mode,temp_wall,temp_in,flow. l/min\nmanual,1,2,3\n", "new.csv")
    text = new.read_text().replace("flow. l/min", '"flow, l/min"')
    again = read_to_predict(write(tmp_path, text, "new.csv"), trained)
    assert again.x.tolist() == [[0, 1, 0, 2, 1, 3]]
    with pytest.raises(DataError, match="line 2, column 'mode': 'turbo' is none of the levels of"):
        read_to_predict(write(tmp_path, text.replace("manual", "turbo"), "new.csv"), trained)


def test_a_missing_category_is_missing_in_each_of_its_inputs(tmp_path):
    path = write(tmp_path, "m,a,t\nu,1,2\n?,2,3\nv,3,4\n")
    spec = spec_of(3, 1)
    assert "missing values: 1 in column 'm'" in refusal(path, spec, categories="m")
    assert read(path, spec, categories="m", missing="drop").x[:, :2].tolist() == [[1, 0], [0, 1]]
    found = read(path, spec, categories="m", missing="mean")
    assert np.isnan(found.x[1, :2]).all() and found.x[1, 2] == 2


def test_a_pattern_of_categories_leaves_targets_alone(tmp_path):
    path = write(tmp_path, "mode,more,t\nu,v,m\nw,x,n\n")
    found = read(path, spec_of(4, 1), targets="t", categories="*")
    message = refusal(path, spec_of(4, 1), targets="t", categories=["t", "m*"])
    assert "'t' cannot be both category and target" in message
    assert found.columns.inputs == ("mode", "more") and found.columns.labels == ("m", "n")


def test_levels_are_integers_where_they_are_so_in_the_data(tmp_path):
    path = write(tmp_path, "pump,t\n10,1\n9,2\n10,3\n")
    found = read(path, spec_of(2, 1), categories="pump")
    assert found.columns.categories == {"pump": (9, 10)}
    frame = pd.DataFrame({"pump": [9.0, 10.0]})
    again = read_to_predict(frame, trained_on(found, spec_of(2, 1)))
    assert again.x.tolist() == [[1, 0], [0, 1]]
    assert "1.5 is no level" in refusal(write(tmp_path, "a,t\n1.5,1\n2,3\n"), spec_of(2, 1),
                                        categories="a")  # fmt: skip


# ------------------------------------------------------------------------------------------ formats


@pytest.mark.parametrize(
    ("text", "x"),
    [
        ("a;b;t\n1,5;2;3\n", [[1.5, 2]]),
        ("a\tb\tt\n1\t2.5\t3\n", [[1, 2.5]]),
        ("a|b|t\n1|-2,5e3|3\n", [[1, -2500]]),
        ('a,b,t\n"3,14",2,1\n', [[3.14, 2]]),
        ('a,b,t\n"1,234","0,5",1\n', [[1.234, 0.5]]),
        ("a;b;t\n1,234;2;1\n", [[1.234, 2]]),
        ('"a;x";"b";t\n ",5" ; 1 ;2\n', [[0.5, 1]]),
    ],
)
def test_separators_and_decimals_are_guessed_and_said(tmp_path, text, x):
    found = read(write(tmp_path, text), spec_of(2, 1))
    assert found.x.tolist() == x
    (note,) = found.notes
    assert note.startswith("read with ") and "decimals after a " in note


def test_what_is_said_of_the_format_is_not_guessed(tmp_path):
    path = write(tmp_path, "a#t\n1,5#2\n")
    assert read(path, spec_of(1, 1), separator="#", decimal=",").notes == ()
    path = write(tmp_path, 'a,t\n"1,234",2\n')
    assert read(path, spec_of(1, 1), decimal=",").x.tolist() == [[1.234]]
    # It may be a thousand to its writer.
    assert "'1,234' is not a number; inputs are numbers: decimal=','" in refusal(
        path, spec_of(1, 1)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # Both kinds of decimals, or points that set thousands apart: nothing is guessed, or taken
        # for another number.
        ("a;b;t\n1,5;2.5;3\n", "'1,5' is not a number; inputs are numbers: decimal=','"),
        ("a;b;t\n1.234,5;2;3\n1,5;2;3\n", "'1.234,5' is not a number"),
        ("a;b;t\n1,5;2,5;3\n1.5;2;3\n", "line 3, column 'a': '1.5' is not a number; decimals are"),
    ],
)
def test_decimals_of_two_kinds_are_refused(tmp_path, text, message):
    path = write(tmp_path, text)
    decimal = "," if "line 3" in message else None
    assert message in refusal(path, spec_of(2, 1), decimal=decimal)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"separator": ";;"}, "the separator ';;': expected one character"),
        ({"separator": "."}, "the separator '.'"),
        ({"decimal": ";"}, "the decimal ';': expected ',' or '.'"),
    ],
)
def test_formats_that_cannot_be(plant, given, message):
    assert message in refusal(plant, spec_of(4, 2), **given)


def test_labels_keep_their_spelling_where_decimals_stand_after_a_comma(tmp_path):
    found = read(write(tmp_path, "a;t\n1,5;v1.2\n2,5;v1.3\n"), spec_of(1, 2))
    assert found.columns.labels == ("v1.2", "v1.3")


def test_a_run_remembers_the_format_and_reads_other_ones(tmp_path):
    found = read(write(tmp_path, 'a,t\n"1,5",2\n"2,5",3\n'), spec_of(1, 1))
    assert (found.columns.separator, found.columns.decimal) == (None, ",")
    trained = trained_on(found, spec_of(1, 1))
    for text in ('a\n"1,234"\n', "a;b\n1,234;0\n", "a\n1.234\n"):
        assert read_to_predict(write(tmp_path, text, "new.csv"), trained).x.tolist() == [[1.234]]


# -------------------------------------------------------------------------------------------- files


def test_several_files_are_one_table(tmp_path):
    one = write(tmp_path, "a,b,t\n1,2,3\n", "1.csv")
    two = tmp_path / "2.csv.gz"
    two.write_bytes(gzip.compress(b"b,a,t\n5,4,6\n\n8,7,9\n"))
    for source in ([one, two], str(tmp_path / "*.csv*"), [str(tmp_path / "?.csv*")]):
        assert read(source, spec_of(2, 1)).x.tolist() == [[1, 2], [4, 5], [7, 8]]
    three = write(tmp_path, "a,b,t\n1,2,3\n1,x,3\n", "3.csv")
    message = refusal([one, two, three], spec_of(2, 1))
    assert message.startswith(f"{one} and 2 files more, line 3 of {three}, column 'b': 'x' is not")


def test_files_that_are_no_one_table_are_refused(tmp_path):
    one = write(tmp_path, "a,b,t\n1,2,3\n", "1.csv")
    other = write(tmp_path, "a,c,t\n1,2,3\n", "2.csv")
    assert refusal([one, other], spec_of(2, 1)) == (
        f"{other}: other columns than those of {one}: without 'b', with 'c'; files that are read "
        "as one table need the same columns"
    )
    packed = tmp_path / "3.csv.gz"
    packed.write_bytes(b"a,b,t\n")
    assert f"{packed}: no gzip file, or damaged" in refusal(packed, spec_of(2, 1))
    packed.write_bytes(gzip.compress(b"a,b,t\n1,2,3\n" * 100)[:-9])
    assert f"{packed}: no gzip file, or damaged" in refusal(packed, spec_of(2, 1))
    assert "several files are read as one table if all are" in refusal(
        [one, tmp_path / "x.npz"], spec_of(2, 1)
    )
    assert "there is no such file" in refusal(str(tmp_path / "*.tsv"), spec_of(2, 1))
    assert "2.csv: a header and no samples" in refusal(
        [one, write(tmp_path, "a,b,t\n", "2.csv")], spec_of(2, 1)
    )


# ------------------------------------------------------------------------------- weights of classes


def test_balanced_classes_weigh_the_same(tmp_path):
    path = write(tmp_path, "a,t,w\n1,u,1\n2,u,1\n3,u,1\n4,v,2\n")
    spec = spec_of(1, 2, weighted=True)
    found = read(path, spec, class_weight="balanced", ignore="w")
    assert found.w.tolist() == [4 / 6, 4 / 6, 4 / 6, 2]
    assert found.notes == ("each sample weighs by its class: u 0.6667, v 2",)
    assert read(path, spec, class_weight="balanced", weight="w").w.tolist() == [4 / 6] * 3 + [4]
    assert "write sample_weights = true under [loss]" in refusal(
        path, spec_of(1, 2), class_weight="balanced", ignore="w"
    )
    assert "'equal' is not 'balanced'" in refusal(path, spec, class_weight="equal")
    numbers = write(tmp_path, "a,t\n1,2.5\n2,3\n")
    assert "class weights are for classes" in refusal(
        numbers, spec_of(1, 1, weighted=True), class_weight="balanced"
    )


# ------------------------------------------------------------------------------------------- survey


def test_a_survey_says_what_columns_hold_and_what_to_type(plant):
    found = survey(plant, OUT)
    kinds = {each.name: each.kind for each in found.columns}
    assert kinds == {
        "time": "timestamp", "mode": "category", "temp_in": "number", "temp_wall": "number",
        "flow, l/min": "number", "note": "category", "temp_out": "number", "pressure": "number",
    }  # fmt: skip
    by_name = {each.name: each for each in found.columns}
    assert by_name["flow, l/min"].missing == 1 and by_name["temp_in"].shown == "60.5 to 63.5"
    assert by_name["mode"].shown == "auto, manual, off" and found.rows == 4
    command, spec = found.advice.splitlines()
    assert command == (
        f"next: symgrad train SPEC {plant} --ignore time --categories mode,note "
        "--target temp_out --target pressure --missing mean"
    )
    assert spec == "for a spec with inputs = 10, and in its last layer 2 units"
    assert survey(plant, ["mode"]).advice.endswith("and in its last layer units = 3, one a class")


def test_a_survey_of_odd_columns(tmp_path):
    words = "".join(f"word {n},{n % 2 == 0},5,,{n},x{n if n else 1}\n" for n in range(40))
    found = survey(write(tmp_path, f"text,flag,same,none,mixed,t\n{words}q,true,5,,z,x\n"))
    assert [each.kind for each in found.columns] == [
        "text", "boolean", "constant", "empty", "mixed", "text"
    ]  # fmt: skip
    assert "--ignore text,same,none,mixed,t --target flag" not in found.advice
    assert found.advice == "next: no column is left that could be an input"


NAMES = ["a,b", "$(x)", 'q"', "n\nl", "*", "", " c ", "it's", "d e", '""', "é"]


@settings(max_examples=200)
@given(st.lists(st.one_of(st.sampled_from(NAMES), st.text(max_size=4)), min_size=1, max_size=4))
def test_names_are_typed_as_they_are_parsed(names):
    """A shell makes one word of what is advised, and that word names the columns."""
    option, word = shlex.split(typed("--ignore", names))
    expected = ["".join(c if c.isprintable() else "?" for c in name) for name in names]
    assert (option, parsed([word])) == ("--ignore", tuple(expected))


def test_lists_of_names():
    assert parsed(['"a,b", $(x) ,"q"""', "c,", ""]) == ("a,b", "$(x)", 'q"', "c", "")
    assert parsed(None) == ()


def test_odd_names_are_found_and_shown_harmlessly(tmp_path):
    path = write(tmp_path, '"a\nb",{__import__},t\n1,2,3\n')
    assert "there are 'a\\nb', {__import__}, t" in refusal(path, spec_of(1, 1), inputs="b")
    found = read(path, spec_of(1, 1), inputs="a?b", ignore="{*", targets="t")
    assert found.columns.inputs == ("a\nb",)


def test_columns_without_names(tmp_path):
    path = write(tmp_path, ",a,t\n0,5,7\n1,6,8\n")  # as pandas writes an index
    assert read(path, spec_of(1, 1), ignore="").x.tolist() == [[5], [6]]
    assert "there are '', a, t" in refusal(path, spec_of(1, 1), ignore="b")
    path = write(tmp_path, "a;t;\n5;7;\n6;8;\n")  # separators at the ends of lines
    assert read(path, spec_of(1, 1)).x.tolist() == [[5], [6]]
    assert [each.name for each in survey(path).columns] == ["a", "t"]


# --------------------------------------------------------------------------------------------- runs


def test_a_run_remembers_what_its_data_was_read_by(plant, tmp_path, uncompiled):
    spec = spec_of(6, 2)
    given = {"targets": OUT, "ignore": ["time", "note"], "categories": "mode", "missing": "mean"}
    run = symgrad.train(spec, plant, tmp_path / "run", epochs=2, **given)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["options"]["categories"] == ["mode"] and problem(record) == ""
    assert record["data"]["columns"]["decimal"] == ","
    assert "inputs" not in record["options"]  # what was not given
    again = symgrad.Run.load(tmp_path / "run")
    assert again.trained.columns == run.trained.columns
    assert again.predict(plant).outputs.tobytes() == run.predict(plant).outputs.tobytes()
    longer = symgrad.resume(tmp_path / "run", epochs=3)
    assert len(longer.history) == 3


def test_a_run_of_several_files_is_gone_on_with(tmp_path, uncompiled):
    files = [write(tmp_path, f"a,t\n{n},1\n{n + 5},2\n", f"{n}.csv") for n in (1, 2)]
    symgrad.train(spec_of(1, 1), str(tmp_path / "*.csv"), tmp_path / "run", epochs=1)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["data"]["path"] == list(map(str, files)) and problem(record) == ""
    assert len(symgrad.resume(tmp_path / "run", epochs=2).history) == 2
    files[1].write_text("a,t\n2,1\n7,3\n")
    with pytest.raises(DataError, match="not what the run began with"):
        symgrad.resume(tmp_path / "run", epochs=3)
