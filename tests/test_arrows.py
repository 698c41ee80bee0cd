"""Who imports whom: arrows between rooms point one way, and the compiler imports what lies around
it nowhere, not even inside a function."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "symgrad"

# What each room may import from besides itself, and `errors`.
MAY = {
    "language": set(),
    "lowering": {"language"},
    "compiler": {"language", "lowering"},
    "checking": set(),
    "showing": {"language"},
    "training": {"language", "compiler"},
    "explain": {"language", "compiler", "checking", "showing"},
    "interop": {"language", "compiler", "training"},
    "sklearn": {"compiler", "interop"},
    "cli": {"compiler", "checking", "explain", "interop", "language", "showing", "training"},
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


def test_all_rooms_are_known():
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()} == set(MAY)


@pytest.mark.parametrize("room", MAY)
def test_arrows_point_one_way(room):
    for file in (PACKAGE / room).rglob("*.py"):
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
