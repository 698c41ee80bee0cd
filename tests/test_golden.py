"""The committed modules are what their specs compile to; `pytest --update` rewrites them."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import symgrad
from symgrad.targets.write import write
from tests.paths import ROOT, SPECS

HOW = "run `pytest --update` or `make generated`, and read the difference before committing it"

RUNTIME = "_symgrad_0123456789abcdef.py"


def expected(specs: Path) -> dict[str, bytes]:
    """What ought to be there, by file name: the modules, and the one file that all import."""
    compiled = [symgrad.compile(path) for path in sorted(specs.glob("*.toml"))]
    return {name: text.encode() for one in compiled for name, text in one.files.items()}


def differences(wanted: dict[str, bytes], folder: Path) -> dict[str, str]:
    """What is wrong in a folder of modules, by file name."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*.py")}
    present = {name: path.read_bytes() for name, path in found.items() if name != "__init__.py"}
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


def test_what_modules_import_is_there_and_nothing_else():
    """As Python reads them, whatever symgrad believes it has written."""
    modules = [path for path in (ROOT / "generated").glob("*.py") if path.name[0] != "_"]
    imported = {
        f"{node.module}.py"
        for path in modules
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ImportFrom)
    }
    beside = {path.name for path in (ROOT / "generated").glob("_symgrad_*")}
    assert imported == beside and len(beside) == 1 and len(modules) == len(SPECS)


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
    (tmp_path / "below").mkdir()
    stale = ["old.py", RUNTIME, "below/__init__.py"]
    for name in stale:
        (tmp_path / name).touch()
    found = differences(wanted, tmp_path)
    assert found == {"one.py": "missing", "two.py": "different"} | dict.fromkeys(stale, "stale")


@pytest.fixture
def checkout(tmp_path):
    """This test with one spec, whose module is out of date, and what no spec is for, or imports."""
    for folder in ("tests", "specs", "generated"):
        (tmp_path / folder).mkdir()
    for name in ("__init__.py", "conftest.py", "nets.py", "paths.py", "test_golden.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "specs" / "xor.toml", tmp_path / "specs")
    (tmp_path / "generated" / "xor.py").write_text("# edited by hand\n")
    for name in ("old.py", RUNTIME):
        (tmp_path / "generated" / name).touch()
    return tmp_path


@pytest.mark.slow
def test_update_rewrites_what_differs(checkout):
    def run(*options):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
        command.append("tests/test_golden.py::test_generated_is_what_the_specs_compile_to")
        return subprocess.run(command, cwd=checkout, capture_output=True, encoding="utf-8")

    refused = run()
    assert refused.returncode == 1
    wrong = {"xor.py": "different", "old.py": "stale", RUNTIME: "stale"}
    assert all(f"{name!r}: {what!r}" in refused.stdout for name, what in wrong.items())
    assert "--update" in refused.stdout
    updated = run("--update")
    assert updated.returncode == 0, updated.stdout
    assert differences(expected(checkout / "specs"), checkout / "generated") == {}
