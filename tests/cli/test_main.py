"""The command line: its own work with the compiler replaced, and a few runs of the real thing."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from typer.testing import CliRunner

import symgrad
from symgrad.cli.main import app
from symgrad.errors import SpecError
from symgrad.targets.numba.emit import runtime_name
from tests.paths import ROOT

SPECS, DATA = ROOT / "specs", ROOT / "data"
HEAVY = ("numpy", "numba", "llvmlite", "sympy", "scipy", "pydantic", "jinja2")


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def execute(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, for what depends on the process."""
    return subprocess.run(
        [sys.executable, "-m", "symgrad.cli.main", *map(str, arguments)],
        capture_output=True,
        **{"cwd": ROOT, "timeout": 120, "encoding": "utf-8"} | options,
    )


class Fake(SimpleNamespace):
    """What the commands use of a `Compiled`."""

    def of_term(self, name):
        return self if name is None else Fake(path=self.path, order=f"{self.order}, term {name}")


def view(compiled: Fake, stage: str, format: str) -> str:
    return f"{compiled.path.name} after {stage} in {format}, {compiled.order}\n"


@pytest.fixture
def calls(monkeypatch):
    """Replaces the compiler; what it is asked for is recorded in order."""
    record: list[tuple] = []

    def compile(path, order="loss-first"):
        record.append(("compile", path.name, order))
        return Fake(path=path, order=order)

    def write_all(compiled, folder, single_file=False):
        form = ["as one file"] * single_file
        record.append(("write", [fake.path.name for fake in compiled], folder, *form))
        return [folder / fake.path.with_suffix(".py").name for fake in compiled]

    driver = ModuleType("symgrad.compiler")
    driver.write_all = write_all
    inspector = ModuleType("symgrad.inspect")
    inspector.view = view
    monkeypatch.setitem(sys.modules, "symgrad.compiler", driver)
    monkeypatch.setitem(sys.modules, "symgrad.inspect", inspector)
    monkeypatch.setattr(symgrad, "compile", compile, raising=False)
    return record


# ------------------------------------------------------------------------------------- the group


def test_the_command_line_loads_nothing_heavy():
    program = (
        "import sys, symgrad.cli.main\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert found.stdout.strip() == "[]", found.stderr


def test_help_lists_every_command():
    result = run("--help")
    assert result.exit_code == 0
    for command in ("compile", "inspect", "check", "train", "predict", "new", "schema"):
        assert f"\n  {command} " in result.output
        assert run(command, "-h").exit_code == 0


def test_no_command_shows_the_help():
    assert "Commands:" in run().output


def test_the_version():
    assert run("--version").stdout == f"symgrad {symgrad.__version__}\n"


def test_an_unknown_command_is_wrong_usage():
    result = execute("conjure")
    assert result.returncode == 2 and "No such command 'conjure'" in result.stderr


def test_a_user_error_is_one_message_on_stderr():
    result = execute("compile", "absent.toml")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert "absent.toml" in result.stderr and "Traceback" not in result.stderr


def test_errors_of_the_compiler_and_of_the_file_system(calls, monkeypatch):
    def broken(path, order):
        raise SpecError("layers[0].units: must be at least 1")

    monkeypatch.setattr(symgrad, "compile", broken)
    result = run("inspect", "net.toml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: layers[0].units: must be at least 1\n"

    def unwritable(path, order):
        raise PermissionError(13, "Permission denied", "/there/net.py")

    monkeypatch.setattr(symgrad, "compile", unwritable)
    result = run("inspect", "net.toml")
    assert result.exit_code == 2
    assert result.stderr == "error: /there/net.py: Permission denied\n"


def test_a_mistake_of_our_own_is_not_hidden(calls, monkeypatch):
    def mistaken(path, order):
        raise ZeroDivisionError

    monkeypatch.setattr(symgrad, "compile", mistaken)
    assert isinstance(run("inspect", "net.toml").exception, ZeroDivisionError)


def test_an_interrupt_ends_with_130(calls, monkeypatch):
    def interrupted(path, order):
        raise KeyboardInterrupt

    monkeypatch.setattr(symgrad, "compile", interrupted)
    assert run("inspect", "net.toml").exit_code == 130


def test_a_reader_who_leaves_early_causes_no_traceback():
    for size in ("1", "100000"):
        process = subprocess.run(
            f'"{sys.executable}" -m symgrad.cli.main schema | head -c {size} > {os.devnull}',
            shell=True,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            cwd=ROOT,
            timeout=120,
        )
        assert process.stderr == ""


def test_a_terminal_without_unicode_gets_escapes():
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    result = execute("schema", env=environment, encoding="latin-1")
    assert result.returncode == 0, result.stderr
    assert "\\u03bb" in result.stdout


# --------------------------------------------------------------------------------------- compile


def test_compile_writes_all_specs_at_once(calls, tmp_path):
    result = run("compile", SPECS / "xor.toml", SPECS / "iris.toml", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    assert calls == [
        ("compile", "xor.toml", "loss-first"),
        ("compile", "iris.toml", "loss-first"),
        ("write", ["xor.toml", "iris.toml"], tmp_path),
    ]
    runtime = f"{runtime_name()}.py"
    assert result.stdout.splitlines() == [
        f"wrote {tmp_path}/xor.py",
        f"wrote {tmp_path}/iris.py",
        f"and beside them {runtime}, to be copied along",
    ]


def test_compile_writes_one_file_of_each_spec_if_asked(calls, tmp_path):
    result = run("compile", SPECS / "xor.toml", "--single-file", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    assert calls[-1] == ("write", ["xor.toml"], tmp_path, "as one file")
    assert result.stdout == f"wrote {tmp_path}/xor.py\n"


def test_compile_passes_the_order_on(calls):
    assert run("compile", SPECS / "xor.toml", "--order", "cheapest").exit_code == 0
    assert calls[0] == ("compile", "xor.toml", "cheapest")
    assert calls[1] == ("write", ["xor.toml"], Path("."))
    assert run("compile", SPECS / "xor.toml", "--order", "random").exit_code == 2


def test_one_wrong_spec_and_nothing_is_written(calls, tmp_path):
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('name = "wrong"\ninputs = 0\n[[layers]]\nunits = 1\n')
    result = run("compile", SPECS / "xor.toml", wrong, "-o", tmp_path)
    assert result.exit_code == 2 and "wrong.toml" in result.stderr
    assert calls == []


@pytest.mark.parametrize("name", ["xor", "XOR"])
def test_two_specs_of_one_name_are_refused(calls, tmp_path, name):
    copy = tmp_path / "copy.toml"
    copy.write_text((SPECS / "xor.toml").read_text().replace('"xor"', f'"{name}"'))
    result = run("compile", SPECS / "xor.toml", copy)
    assert result.exit_code == 2
    assert f"copy.toml would both become {name}.py" in result.stderr
    assert calls == []


# --------------------------------------------------------------------------------------- inspect


def test_inspect_shows_the_gradient_unless_told_otherwise(calls):
    assert run("inspect", "net.toml").stdout == (
        "net.toml after gradient in unicode, loss-first\n"
    )
    asked = ("--stage", "factor", "--format", "latex", "--order", "weights-first")
    assert run("inspect", "net.toml", *asked).stdout == (
        "net.toml after factor in latex, weights-first\n"
    )


def test_inspect_of_a_term(calls):
    assert run("inspect", "net.toml", "--term", "start").stdout == (
        "net.toml after gradient in unicode, loss-first, term start\n"
    )


def test_inspect_refuses_unknown_stages_and_formats(calls):
    for asked in (("--stage", "magic"), ("--format", "html")):
        result = run("inspect", "net.toml", *asked)
        assert result.exit_code == 2 and "is not one of" in result.stderr
    assert calls == []


def test_inspect_draws_programs_and_derivatives():
    from symgrad import showing

    stages = symgrad.compile(ROOT / "specs" / "digits.toml").stages
    for stage in ("expand", "differentiate", "factor", "program", "update"):
        value = getattr(stages, {"program": "gradient"}.get(stage, stage))
        for format, draw in (("dot", showing.dot), ("svg", showing.svg)):
            asked = ("--stage", stage, "--format", format)
            result = run("inspect", ROOT / "specs" / "digits.toml", *asked)
            assert result.exit_code == 0, result.stderr
            assert result.stdout == draw(value).rstrip("\n") + "\n"


def test_inspect_draws_nothing_else():
    for stage in ("spec", "schedule", "source"):
        for format in ("dot", "svg"):
            asked = ("--stage", stage, "--format", format)
            result = run("inspect", ROOT / "specs" / "xor.toml", *asked)
            assert (result.exit_code, result.stdout) == (2, "")
            assert result.stderr == (
                f"error: no picture of the stage '{stage}': it is no program; look at it with "
                "--format unicode or json\n"
            )
    result = run("inspect", ROOT / "specs" / "xor.toml", "--stage", "update", "--format", "svg")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: no stage 'update' for this spec: ")


# ----------------------------------------------------------------------------------------- check


def judged(monkeypatch, report) -> None:
    """Lets `symgrad check` find this report."""
    import symgrad.checking.check

    def check(spec, module, samples, seed):
        assert (spec, module, samples, seed) == ({"name": "net"}, "module", 5, 2)
        return report

    monkeypatch.setattr(symgrad.checking.check, "check", check)
    spec = SimpleNamespace(normalised=lambda: {"name": "net"})
    compiled = Fake(spec=spec, module="module")
    monkeypatch.setattr(symgrad, "compile", lambda path, order: compiled, raising=False)


@pytest.mark.parametrize("good", [True, False])
def test_check_shows_the_largest_errors_and_fails_on_a_bad_one(monkeypatch, good):
    from symgrad.checking.check import Report, Row, Verdict

    rows = (
        Row("W1", (2, 3), 1.5, {"complex step": 1e-12}, True),
        Row("b1", (3,), 0.25, {"complex step": 2e-11 if good else 0.125}, good),
    )
    verdicts = (
        Verdict("scalars", note="too large for SymPy on scalars"),
        Verdict("complex step", 9, 2, 1e-15, 2e-11, good, "left out at kinks"),
    )
    judged(monkeypatch, Report("net", "float64", 1e-9, 5, 0.5, rows, verdicts))
    result = run("check", "net.toml", "--samples", 5, "--seed", 2)
    assert result.exit_code == (0 if good else 1), result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "net, float64, 5 samples, loss 0.5"
    assert lines[1].split() == ["weights", "shape", "largest", "∂E", "complex", "step"]
    assert lines[2].split() == ["W1", "2", "×", "3", "1.5", "1.0e-12", "ok"]
    assert lines[3].split()[:3] == ["b1", "3", "0.25"]
    assert lines[3].split()[3:] == (["2.0e-11", "ok"] if good else ["1.2e-01", "WRONG"])
    assert "scalars: too large for SymPy on scalars" in lines
    assert any("9 derivatives compared" in line and "; 2 left out" in line for line in lines)
    assert lines[-1] == ("passed" if good else "FAILED")


def test_check_says_why_nothing_could_be_judged(monkeypatch):
    from symgrad.checking.check import Report

    judged(monkeypatch, Report("net", "float32", 1e-4, 5, note="every point is at a kink"))
    result = run("check", "net.toml", "--samples", 5, "--seed", 2)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1:] == ["every point is at a kink", "FAILED"]


# ----------------------------------------------------------------------------------- new, schema


def test_new_writes_a_spec_that_is_valid_and_explained(tmp_path, monkeypatch):
    from symgrad.spec.spec import Spec

    monkeypatch.chdir(tmp_path)
    result = run("new", "pendulum")
    assert (result.exit_code, result.stdout) == (0, "wrote pendulum.toml\n")
    spec = Spec.load(tmp_path / "pendulum.toml")
    assert spec.name == "pendulum"
    assert (tmp_path / "pendulum.toml").read_text().count("#") > 15


def test_the_options_that_new_leaves_in_comments_are_valid_too(tmp_path, monkeypatch):
    from symgrad.spec.spec import Spec

    monkeypatch.chdir(tmp_path)
    run("new", "pendulum")
    lines = (tmp_path / "pendulum.toml").read_text().splitlines()
    start = lines.index("inputs = 4")
    lines = [line.removeprefix("# ") for line in lines[:start]][-2:] + [
        line.removeprefix("# ")
        for line in lines[start:]
        if not line.startswith(("kind", "# residual"))
    ]
    text = "\n".join(['name = "pendulum"', *lines[2:]])
    assert tomllib.loads(text)["activations"]["swish_beta"]["constants"] == {"beta": 1.5}
    (tmp_path / "all.toml").write_text(text)
    spec = Spec.load(tmp_path / "all.toml")
    assert spec.loss.formula == "log(cosh(y - t))" and spec.loss.sample_weights


def test_new_never_overwrites(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pendulum.toml").write_text("mine")
    result = run("new", "pendulum")
    assert result.exit_code == 2
    assert result.stderr == "error: pendulum.toml exists already; it was left as it is\n"
    assert (tmp_path / "pendulum.toml").read_text() == "mine"


@pytest.mark.parametrize("name", ["2fast", "a-b", "class", "json", "numpy", "../up", "a/b", ""])
def test_new_refuses_names_that_no_spec_may_have(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    result = run("new", "--", name)
    assert result.exit_code == 2 and "name" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_schema_is_json_and_knows_the_spec():
    schema = json.loads(run("schema").stdout)
    assert {"name", "dtype", "inputs", "layers", "loss", "activations"} <= set(schema["properties"])


# ------------------------------------------------------------------------ all of it, on one network


@pytest.mark.slow
def test_the_smallest_network_from_spec_to_weights(tmp_path):
    """The whole command line with the real compiler, the way that README shows it."""
    spec = SPECS / "xor.toml"
    compiled = execute("compile", spec, "-o", tmp_path)
    assert (compiled.returncode, compiled.stderr) == (0, "")
    (runtime,) = {path.name for path in tmp_path.iterdir()} - {"xor.py"}
    assert compiled.stdout.splitlines() == [
        f"wrote {tmp_path / 'xor.py'}",
        f"and beside it {runtime}, to be copied along",
    ]
    text = (tmp_path / "xor.py").read_text(encoding="utf-8")
    assert "def loss_and_gradient" in text and f"from {Path(runtime).stem} import " in text

    alone = execute("compile", spec, "-o", tmp_path, "--single-file")
    assert (alone.returncode, alone.stdout) == (0, f"wrote {tmp_path / 'xor.py'}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["xor.py"]

    inspected = execute("inspect", spec)
    assert inspected.returncode == 0 and "d_W1" in inspected.stdout

    checked = execute("check", spec)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.endswith("passed\n")

    options = ("--validation", 0, "--epochs", 2000, "--rate", 0.02, "--seed", 1)
    trained = execute("train", spec, DATA / "xor.csv", *options, "-o", tmp_path / "run")
    assert trained.returncode == 0, trained.stdout + trained.stderr
    assert "100.00%" in trained.stdout

    predicted = execute("predict", tmp_path / "run", DATA / "xor.csv")
    assert predicted.returncode == 0 and len(predicted.stdout.splitlines()) == 5
