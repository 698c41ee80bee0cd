"""Who imports whom: arrows between rooms point one way, down the way that a spec goes, and what
lies on it imports what lies around it nowhere, but for what a notebook shows of a compiled spec."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGE = ROOT / "symgrad"

# The rooms along the way, and what each may import from besides itself, and `errors`.
WAY = {
    "language": set(),
    "spec": {"language"},
    "passes": {"language", "spec"},
    "lowering": {"language", "spec", "passes"},
    "runtime": set(),
    "targets": {"language", "spec", "passes", "lowering", "runtime"},
    "pipeline": {"language", "spec", "passes", "lowering", "targets"},
    "compiler": {"language", "spec", "passes", "lowering", "targets", "pipeline", "showing"},
    "inspect": {"language", "spec", "passes", "lowering", "compiler"},
}

# The rooms around it.
COMPILER = {*WAY} - {"inspect"}
MAY = WAY | {
    "checking": set(),
    "ensembles": {"compiler", "spec"},
    "showing": {"language"},
    "training": COMPILER | {"showing"},
    "distributed": COMPILER | {"training"},
    "explain": COMPILER | {"checking", "showing"},
    "report": COMPILER | {"training", "showing"},
    "interop": COMPILER | {"training"},
    "sklearn": COMPILER | {"interop"},
    "cli": {*WAY, "checking", "explain", "interop", "report", "showing", "training", "distributed"},
}


def imported(file: Path) -> set[str]:
    """The rooms of symgrad that a file imports from."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            names.add(str(node.module))
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == "symgrad" and len(part) > 1} & set(MAY)


def folders(place: Path) -> set[str]:
    return {path.parent.name for path in place.glob("*/__init__.py")}


def test_all_rooms_are_known():
    assert folders(PACKAGE) | {"pipeline", "compiler", "ensembles", "inspect"} == set(MAY)


def test_tests_lie_in_a_folder_named_after_the_room_they_are_of():
    lain = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("*.py")}
    assert lain == {Path(), *map(Path, folders(PACKAGE))}


def test_nothing_imports_the_face():
    """symgrad/__init__.py stands before all rooms: along the way none imports it."""
    files = [PACKAGE / f"{room}.py" for room in ("pipeline", "compiler", "ensembles", "inspect")]
    for file in [*files, *(each for room in WAY for each in (PACKAGE / room).rglob("*.py"))]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert "symgrad" not in names, file


@pytest.mark.parametrize("room", MAY)
def test_arrows_point_one_way(room):
    for file in [*(PACKAGE / room).rglob("*.py"), *PACKAGE.glob(f"{room}.py")]:
        wrong = imported(file) - MAY[room] - {room}
        assert not wrong, f"{file.relative_to(PACKAGE)} imports from {', '.join(sorted(wrong))}"


def test_to_compile_and_run_a_network_takes_no_optional_package():
    code = (
        "import sys, symgrad\n"
        "module = symgrad.compile({'name': 'n', 'inputs': 1, 'layers': [{'units': 1}]}).module\n"
        "module.init()\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'sklearn', 'onnx', "
        "'onnxruntime', 'keras', 'torch', 'pandas', 'pyarrow', 'matplotlib', 'cma', 'IPython'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr or done.stdout
