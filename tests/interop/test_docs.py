"""docs/interop.md is true: its examples run, those of each library where that is installed."""

import re
from pathlib import Path

import pytest

from symgrad import interop
from tests.paths import ROOT

TEXT = (ROOT / "docs" / "interop.md").read_text(encoding="utf-8")


def blocks(*kinds: str) -> list[str]:
    found = re.findall(r"^```python ?(\w*)\n(.*?)^```", TEXT, flags=re.S | re.M)
    return [code for kind, code in found if kind in kinds]


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_the_examples_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnx")
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks(""):
        exec(block, names)
    assert capsys.readouterr().out == "(1, 2)\n"


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_the_examples_of_pytorch_run(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks("", "torch"):
        exec(block, names)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_examples_of_keras_run(tmp_path, monkeypatch):
    from tests.interop.test_keras import imported

    imported()
    names: dict[str, object] = {}
    for block in blocks("keras"):
        exec(block, names)


def test_the_map_names_every_file():
    folder = Path(interop.__file__).parent
    for package in (folder, folder / "onnx", folder / "pmml", folder / "nnet"):
        text = (package / "__init__.py").read_text(encoding="utf-8")
        for path in package.glob("*.py"):
            assert path.name == "__init__.py" or path.name in text
