"""Messages say what can be given as the caller gives it: Python's arguments, or options."""

import json

import pytest

import symgrad
from symgrad.errors import SymgradError
from tests.training.test_data import write
from tests.trainings import PLANE, execute, text

HOLES = "a,b,t\n1,,3\n1,2,3\n2,2,3\n"
WORDS = "a,b,t\nu,1,3\nv,1,3\n"
MORE = "a,b,c,t\n1,1,1,3\n1,1,1,3\n"
COMMAS = "a;b;t\n1,5;2.5;3\n1.5;2;3\n"


@pytest.mark.parametrize(
    ("content", "python", "command"),
    [
        (HOLES, "missing='drop' leaves out their samples; missing='mean' fills",
         "--missing drop leaves out their samples; --missing mean fills"),
        (WORDS, "categories=['a'] makes an input", "--categories a makes an input"),
        (MORE, "inputs=['A', 'B'] and targets='C', or ignore='D'",
         "--inputs A,B --target C, or --ignore D"),
        (COMMAS, "decimal=','", "--decimal ,"),
    ],
)  # fmt: skip
def test_what_can_be_given_is_said_as_it_is_given(tmp_path, content, python, command):
    data = write(tmp_path, content)
    with pytest.raises(SymgradError) as caught:
        symgrad.train(PLANE, data)
    assert python in str(caught.value) and " --" not in str(caught.value)
    text(tmp_path / "plane.json", json.dumps(PLANE))
    done = execute("train", "plane.json", data.name, cwd=tmp_path)
    assert done.code == 2 and command in done.err and python not in done.err


def test_what_a_run_is_gone_on_with_by(tmp_path):
    text(tmp_path / "plane.json", json.dumps(PLANE))
    data = write(tmp_path, "a,b,t\n1,2,3\n2,2,4\n3,1,5\n4,3,2\n5,1,7\n")
    run = tmp_path / "run"
    symgrad.train(PLANE, data, run, epochs=1)
    with pytest.raises(SymgradError, match=r"symgrad\.resume\('.*run'\), .* folder with into$"):
        symgrad.train(PLANE, data, run, epochs=1)
    done = execute("train", "plane.json", data.name, "-o", "run", cwd=tmp_path)
    assert "go on with it by symgrad train --resume run, or name another folder with -o" in done.err
    data.unlink()
    with pytest.raises(SymgradError, match=r"give its new place as data$"):
        symgrad.resume(run, epochs=3)
    done = execute("train", "--resume", "run", "--epochs", 3, cwd=tmp_path)
    assert done.err.endswith("give its new place as DATA\n")


def test_a_rate_by_its_other_names(tmp_path):
    data = write(tmp_path, "a,b,t\n1,2,3\n2,2,4\n3,1,5\n4,3,2\n5,1,7\n")
    runs = [symgrad.train(PLANE, data, epochs=2, **{name: 0.25}) for name in ("rate", "lr")]
    assert runs[0].history == runs[1].history
    assert runs[1].trained.spec["training"]["rate"] == 0.25
    text(tmp_path / "plane.json", json.dumps(PLANE))
    for number, name in enumerate(("--rate", "--lr", "--learning-rate")):
        done = execute("train", "plane.json", data.name, name, 0.25, "--epochs", 2,
                       "-o", number, cwd=tmp_path)  # fmt: skip
        assert done.code == 0, done.err
        assert symgrad.Run.load(tmp_path / str(number)).history == runs[0].history
