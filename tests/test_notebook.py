"""The notebook of the documentation runs, and shows what it is committed with; `pytest --update`
runs it again and commits what it shows now."""

import os
import sys
from typing import Any
from xml.etree.ElementTree import canonicalize

import pytest

from tests.paths import ROOT

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager  # noqa: E402
from jupyter_client.manager import AsyncKernelManager  # noqa: E402

PATH = ROOT / "docs" / "notebook.ipynb"
HOW = "run `pytest tests/test_notebook.py --update`, and read the difference before committing it"
LARGEST = 300_000

# SymPy's own text may differ from version to version: a cell that shows it is tagged so, and has to
# run without an error only.
VARIES = "varies"

# The forms of an output that are kept, and of those the ones that are the same everywhere: MathML
# is as the converter's version makes it.
KEPT = ("text/plain", "text/latex", "text/html", "image/svg+xml")
COMPARED = ("text/plain", "text/latex", "image/svg+xml")


class ThisInterpreter(KernelSpecManager):
    """Knows one kernel: the Python that runs the tests, whichever others are installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook as it comes out of a new kernel in an empty folder, with caches of its own."""
    folder = tmp_path_factory.mktemp("notebook")
    own = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "XDG_CACHE_HOME")
    environment = os.environ | {name: str(folder / name) for name in own}
    notebook = nbformat.read(PATH, as_version=4)
    manager = AsyncKernelManager(kernel_spec_manager=ThisInterpreter())
    client = nbclient.NotebookClient(
        notebook, km=manager, timeout=120, resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    )  # fmt: skip
    client.execute(env=environment)  # raises CellExecutionError with the traceback of a cell
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [in_known_forms(output) for output in cell.outputs]
    notebook.metadata = nbformat.read(PATH, as_version=4).metadata  # and not this Python's version
    return notebook


def in_known_forms(output: Any) -> Any:
    """An output's data in the forms that are kept, and in no other."""
    if "data" in output:
        output.data = {kind: data for kind, data in output.data.items() if kind in KEPT}
    return output


def shown(cell: Any) -> list[Any]:
    """What a cell shows in the forms that are compared; and which other forms there are."""
    found = []
    for output in cell.outputs:
        data = {
            kind: canonicalize(text) if kind == "image/svg+xml" else text
            for kind, text in output.get("data", {}).items()
            if kind in COMPARED
        }
        found.append((output.output_type, output.get("text"), set(output.get("data", {})), data))
    return found


def test_it_shows_what_it_is_committed_with(executed, request):
    if request.config.getoption("update"):
        nbformat.write(executed, PATH)
    committed = nbformat.read(PATH, as_version=4)
    for there, here in zip(committed.cells, executed.cells, strict=True):
        assert there.source == here.source
        if there.cell_type != "code":
            continue
        assert here.outputs or not there.outputs
        if VARIES not in there.metadata.get("tags", ()):
            assert shown(there) == shown(here), HOW


def test_every_code_cell_shows_something_without_an_error(executed):
    cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert 8 <= len(cells) <= 12
    for cell in cells:
        assert cell.outputs
        assert all(output.output_type != "error" for output in cell.outputs)
        assert all(output.get("name") != "stderr" for output in cell.outputs)


@pytest.mark.slow
def test_a_training_shows_one_picture_which_stays(tmp_path):
    data = f"{str(ROOT / 'specs' / 'iris.toml')!r}, {str(ROOT / 'data' / 'iris.csv')!r}"
    source = f"import symgrad\nrun = symgrad.train({data}, epochs=20_000)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    own = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")
    manager = AsyncKernelManager(kernel_spec_manager=ThisInterpreter())
    client = nbclient.NotebookClient(notebook, km=manager, timeout=120)
    client.execute(env=os.environ | {name: str(tmp_path / name) for name in own})
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "display_data"
    assert output.data["text/plain"].startswith("iris: epoch 20,000 of 20,000, loss ")
    assert 'class="symgrad-chart"' in output.data["image/svg+xml"]


def test_it_is_small_and_names_no_machine():
    text = PATH.read_text(encoding="utf-8")
    assert len(text.encode()) < LARGEST
    committed = nbformat.read(PATH, as_version=4)
    nbformat.validate(committed)
    assert all("execution" not in cell.metadata for cell in committed.cells)
    for word in ("/home/", "/tmp/", "/root/", "site-packages", str(ROOT)):
        assert word not in text
