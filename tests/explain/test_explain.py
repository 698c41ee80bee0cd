"""explain: the sections in their order, the budget, Ctrl-C, and the command with its files."""

import json
import os
import re
import signal
import subprocess
import sys
from threading import Event

import pytest
from typer.testing import CliRunner

from symgrad.cli.main import app
from symgrad.compiler import Compiled
from symgrad.errors import SymgradError
from symgrad.explain.clock import Clock
from symgrad.explain.explain import ASKED_FOR, SECTIONS, as_data, chosen, explain, report
from symgrad.explain.sections.answer import answer
from symgrad.explain.sections.expression import expression
from symgrad.showing.pages.blocks import Equations, Section, Table, Words
from tests import nets
from tests.rooms import COMPILER, files, imported

QUICK = "expression,counts,proof,answer"
COMPILED = Compiled(nets.net([2, 2, 1], ["tanh", "identity"]))


def run(*arguments):
    return CliRunner().invoke(app, ["explain", *map(str, arguments)])


# the clock


def test_a_part_gets_its_share_of_what_is_left():
    clock = Clock(100)
    part = clock.part(0.25)
    assert 24 < part.left <= 25 and not part.over
    assert Clock(0).over and Clock(0).part(0.5).over


def test_stopping_ends_all_parts():
    clock = Clock(100)
    part = clock.part(0.5)
    clock.stop.set()
    assert part.over and part.left == 0 and part.why == "interrupted"
    assert "out of time after 0 s" in Clock(0).why


# the sections


def test_sections_come_in_their_order():
    assert chosen(["proof", "counts"]) == ["counts", "proof"]
    assert chosen([]) == [key for key in SECTIONS if key not in ASKED_FOR]
    assert chosen(["orders"]) == ["orders"]
    with pytest.raises(SymgradError, match="no section 'count'; there are expression, counts"):
        chosen(["count"])


def test_only_what_is_wanted_is_run():
    found = list(explain(COMPILED, Clock(10), only=QUICK.split(",")))
    assert [section.key for section in found] == QUICK.split(",")


def test_once_stopped_nothing_new_begins_but_the_answer():
    stop = Event()
    found = []
    for section in explain(COMPILED, Clock(100, stop)):
        found.append(section)
        if section.key == "counts":
            stop.set()
    assert [section.key for section in found] == ["expression", "counts", "answer"]
    missing = as_data(COMPILED, found)["missing"]
    assert set(missing) == {"proof", "growth", "literal", "layerwise", "gradient_free"}
    assert set(missing.values()) == {"not begun"}
    assert found[-1].data["answers"]


def test_an_unknown_tool_is_refused_before_anything_runs():
    with pytest.raises(SymgradError, match="maple"):
        next(explain(COMPILED, Clock(10), against=["maple"]))


def test_all_numbers_are_plain_data():
    sections = list(explain(COMPILED, Clock(10), only=QUICK.split(",")))
    data = json.loads(json.dumps(as_data(COMPILED, sections, QUICK.split(","))))
    assert data["counts"]["emitted"] == data["counts"]["hand_backprop"] == 30
    assert data["weights"] == 9 and data["facts"]["network"] == "2-2-1"
    assert data["missing"] == {}
    assert report(COMPILED, sections).facts["order"] == "loss-first"


# the answer


def test_the_answer_says_only_what_there_are_numbers_for():
    assert answer([]).data == {"answers": []}
    only_counts = answer(list(explain(COMPILED, Clock(10), only=["counts"])))
    questions = [each["question"] for each in only_counts.data["answers"]]
    assert len(questions) == 3 and "gradients" not in " ".join(questions)
    assert "221 operations" in only_counts.data["answers"][0]["answer"]


def test_the_answer_follows_the_numbers():
    counts = {"loss": 10, "textbook_trees": 40, "shared_only": 20, "loss_first": 20,
              "emitted": 20, "weights": 5}  # fmt: skip
    section = Section("counts", "", (), counts)
    (_, _, keeps) = answer([section]).data["answers"]
    assert keeps["answer"].startswith("Nothing, for this network")
    proof = {"comparable": True, "isomorphic": False, "same_outputs": False,
             "certificate": {"checks": [{"equal": False, "exact": False}]}}  # fmt: skip
    (said,) = answer([Section("proof", "", (), proof)]).data["answers"]
    assert said["answer"].startswith("No:") and "not confirmed" in said["answer"]


# the command


def test_the_command_shows_what_was_asked_for():
    result = run("specs/xor.toml", "--only", QUICK)
    assert result.exit_code == 0, result.output
    titles = re.findall(r"^\d\. (.*)$", result.output, re.MULTILINE)
    assert titles == [
        "The one expression",
        "What it costs, stage by stage",
        "The proof that it is backpropagation",
        "The answer",
    ]
    assert "isomorphic" in result.output


def test_the_command_writes_page_and_numbers(tmp_path):
    html, numbers = tmp_path / "xor.html", tmp_path / "xor.json"
    result = run("specs/xor.toml", "--only", "counts, growth", "--html", html, "--json", numbers)
    assert result.exit_code == 0, result.output
    page = html.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "<svg" in page and "xor" in page
    data = json.loads(numbers.read_text(encoding="utf-8"))
    keys = ("loss", "textbook_trees", "shared_only", "weights_first", "loss_first", "emitted",
            "hand_backprop")  # fmt: skip
    assert [data["counts"][key] for key in keys] == [16, 221, 38, 38, 30, 30, 30]
    assert set(data["growth"]) == {"width", "depth"}


def test_another_order_is_told_apart():
    result = run("specs/iris.toml", "--only", "counts,proof,answer", "--order", "weights-first")
    assert result.exit_code == 0 and "They differ" in result.output
    assert "No: another program comes out" in result.output
    assert "values are the same" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "cost"], "no section 'cost'; there are expression, counts, orders, proof"),
        (["--against", "maple"], "maple"),
        (["--html", "specs"], "specs is a folder; name the file to write"),
        (["--json", "specs/xor.toml"], "specs/xor.toml is the spec itself"),
        (["--json", "a", "--html", "a"], "need a file each"),
        (["--budget", "inf"], "not infinitely many"),
        (["--budget", "0"], "--budget"),
    ],
)
def test_wrong_usage_is_refused_at_once(arguments, message):
    result = run("specs/xor.toml", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr and "Traceback" not in result.output
    assert "The one expression" not in result.stdout


def test_a_wrong_spec_is_refused(tmp_path):
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('name = "wrong"\ninputs = 0\n')
    result = run(wrong)
    assert result.exit_code == 2 and "inputs" in result.stderr


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    result = run("specs/xor.toml", "--html", tmp_path / "file" / "x.html")
    assert result.exit_code == 2 and str(tmp_path / "file") in result.stderr
    assert "The one expression" not in result.stdout


def test_only_ordinary_files_are_written(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    result = run("specs/xor.toml", "--only", "counts", "--json", pipe)
    assert result.exit_code == 2 and "is no ordinary file" in result.stderr
    assert pipe.is_fifo()


def test_one_file_under_two_names_is_refused(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for other in (tmp_path / "sub" / ".." / "a", tmp_path / "link"):
        result = run("specs/xor.toml", "--html", tmp_path / "a", "--json", other)
        assert result.exit_code == 2 and "need a file each" in result.stderr


def test_an_error_in_one_section_loses_none_of_the_others(tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("as an error of ours would be")

    monkeypatch.setattr("symgrad.explain.explain.proof", broken)
    numbers = tmp_path / "x.json"
    result = run("specs/xor.toml", "--only", "counts,proof", "--json", numbers)
    assert isinstance(result.exception, ZeroDivisionError)
    assert json.loads(numbers.read_text())["counts"]["loss"] == 16


def test_an_empty_list_is_refused():
    result = run("specs/xor.toml", "--only", " , ")
    assert result.exit_code == 2 and "--only: nothing is named" in result.stderr


def test_the_names_of_the_derivative_are_explained():
    blocks = expression(Compiled(nets.net([2, 2, 1], ["tanh", "identity"]))).blocks
    _, derivative, where = [block.rows for block in blocks if isinstance(block, Equations)]
    assert "z1[n,i1]" in derivative[0][0] and "y[n,i2]" in derivative[0][0]
    assert [text.split(" = ")[0] for text, _ in where] == ["z1[n,i1]", "a1[n,i1]", "y[n,i2]"]


def test_what_no_one_reads_is_not_written_out():
    deep = expression(Compiled(nets.net([2] * 34, ["tanh"] * 33)))
    assert not deep.data["written_out"] and deep.data["derivative"] is None
    wide = expression(Compiled(nets.net([300, 200, 100], ["tanh", "identity"])))
    assert wide.data["written_out"] and wide.data["paths"] == 1


def test_folders_are_made(tmp_path):
    result = run("specs/xor.toml", "--only", "counts", "--json", tmp_path / "a" / "b" / "x.json")
    assert result.exit_code == 0 and (tmp_path / "a" / "b" / "x.json").exists()


def numbers_of(value):
    """All numbers in plain data."""
    if isinstance(value, dict | list | tuple):
        parts = value.values() if isinstance(value, dict) else value
        return {number for part in parts for number in numbers_of(part)}
    return {value} if isinstance(value, int | float) and not isinstance(value, bool) else set()


def test_every_number_of_every_table_is_in_the_json():
    keys = ["counts", "proof", "growth", "layerwise"]
    for section in explain(COMPILED, Clock(100), only=keys):
        known = numbers_of(section.data)
        cells = [
            cell
            for block in section.blocks
            if isinstance(block, Table)
            for row in block.rows
            for cell in row
            if isinstance(cell, int | float)
        ]
        axis = {*range(1, 13), 16, 32, 64}  # n in the tables of growth: the width, or the depth
        left = [cell for cell in cells if cell not in known | axis]
        assert cells and not left, (section.key, left)


def test_a_small_budget_leaves_out_what_it_must_and_says_so(tmp_path):
    numbers = tmp_path / "x.json"
    result = run("specs/xor.toml", "--budget", "1", "--json", numbers)
    assert result.exit_code == 0, result.output
    data = json.loads(numbers.read_text())
    assert "gradient_free" in data["missing"] and "out of time" in data["missing"]["gradient_free"]
    assert data["counts"]["loss"] == 16 and data["answer"]["answers"]
    assert "Not whole: out of time" in result.output


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="terminals as POSIX has them")
def test_a_bar_is_drawn_on_a_terminal_and_gone_in_the_end():
    import pty

    master, slave = pty.openpty()
    command = [sys.executable, "-m", "symgrad.cli.main", "explain", "specs/xor.toml",
               "--only", "counts,growth,answer"]  # fmt: skip
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    environment.pop("NO_COLOR", None)
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, env=environment)
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # Linux's end of file
            break
        if not part:
            break
        seen += part
    shown, _ = child.communicate()
    os.close(master)
    assert child.returncode == 0
    drawn = seen.decode()
    assert "counting, depth 12" in drawn and "━" in drawn
    # each bar is erased: after the last one its line is cleared
    assert "\x1b[2K" in drawn[drawn.rindex("━") :]
    assert "━" not in shown.decode()  # what is piped elsewhere has none of it


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_control_c_keeps_what_is_done(tmp_path):
    numbers = tmp_path / "numbers.json"
    command = [sys.executable, "-m", "symgrad.cli.main", "explain", "specs/xor.toml",
               "--only", "counts,gradient_free,answer", "--json", str(numbers)]  # fmt: skip
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        for line in child.stdout:
            if "backpropagation by hand" in line:
                break
        child.send_signal(signal.SIGINT)  # wherever it is by now
        _, errors = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 130, errors
    assert "stopping" in errors and "Traceback" not in errors
    data = json.loads(numbers.read_text(encoding="utf-8"))
    assert data["counts"]["loss"] == 16
    assert data["missing"]["gradient_free"] in ("interrupted", "not begun")
    assert data["answer"]["answers"]


def test_nothing_of_the_compiler_imports_it():
    for path in files(*COMPILER, "compiler.py", "training", "checking"):
        assert "symgrad.explain" not in path.read_text(encoding="utf-8"), path
    for file, name in imported(*COMPILER, "compiler.py", "training", "checking"):
        assert not name.startswith("symgrad.explain"), (file, name)


def test_words_are_all_that_an_answer_consists_of():
    section = answer(list(explain(COMPILED, Clock(10), only=["counts", "proof"])))
    assert all(isinstance(block, Words) for block in section.blocks)
