"""The committed modules are what their specs compile to; `pytest --update` rewrites them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import symgrad
from symgrad.targets.write import write
from tests.paths import ROOT

HOW = "run `pytest --update` or `make generated`, and read the difference before committing it"


def expected(specs: Path) -> dict[str, bytes]:
    """What ought to be there, by file name."""
    compiled = [symgrad.compile(path) for path in sorted(specs.glob("*.toml"))]
    return {f"{one.spec.name}.py": one.source.encode() for one in compiled}


def differences(wanted: dict[str, bytes], folder: Path) -> dict[str, str]:
    """What is wrong in a folder of modules, by file name."""
    present = {path.name: path.read_bytes() for path in folder.glob("*.py")}
    present.pop("__init__.py", None)
    wrong = dict.fromkeys(wanted.keys() - present.keys(), "missing")
    wrong |= dict.fromkeys(present.keys() - wanted.keys(), "stale")
    changed = (name for name in wanted.keys() & present.keys() if wanted[name] != present[name])
    return wrong | dict.fromkeys(changed, "different")


def test_generated_is_what_the_specs_compile_to(request):
    wanted, folder = expected(ROOT / "specs"), ROOT / "generated"
    if request.config.getoption("update"):
        wrong = differences(wanted, folder)
        write({name: wanted[name].decode() for name in wrong if name in wanted}, folder)
        for name in wrong.keys() - wanted.keys():
            (folder / name).unlink()
    wrong = differences(wanted, folder)
    assert not wrong, f"{wrong}: {HOW}"


def test_every_example_is_named_like_its_file():
    for path in (ROOT / "specs").glob("*.toml"):
        assert symgrad.Spec.load(path).name == path.stem


def test_missing_stale_and_different_files_are_found(tmp_path):
    wanted = {"one.py": b"1\n", "two.py": b"2\n", "three.py": b"3\n"}
    for name, content in wanted.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "__init__.py").touch()
    assert differences(wanted, tmp_path) == {}
    (tmp_path / "one.py").unlink()
    (tmp_path / "two.py").write_bytes(b"2\r\n")
    (tmp_path / "old.py").touch()
    found = differences(wanted, tmp_path)
    assert found == {"one.py": "missing", "two.py": "different", "old.py": "stale"}


@pytest.fixture
def checkout(tmp_path):
    """This test with one spec, whose module is out of date, and a module that no spec is for."""
    for folder in ("tests", "specs", "generated"):
        (tmp_path / folder).mkdir()
    for name in ("__init__.py", "conftest.py", "nets.py", "paths.py", "test_golden.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "specs" / "xor.toml", tmp_path / "specs")
    (tmp_path / "generated" / "xor.py").write_text("# edited by hand\n")
    (tmp_path / "generated" / "old.py").touch()
    return tmp_path


def test_update_rewrites_what_differs(checkout):
    def run(*options):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
        command.append("tests/test_golden.py::test_generated_is_what_the_specs_compile_to")
        return subprocess.run(command, cwd=checkout, capture_output=True, encoding="utf-8")

    refused = run()
    assert refused.returncode == 1
    assert "'xor.py': 'different'" in refused.stdout and "'old.py': 'stale'" in refused.stdout
    assert "--update" in refused.stdout
    updated = run("--update")
    assert updated.returncode == 0, updated.stdout
    assert differences(expected(checkout / "specs"), checkout / "generated") == {}
