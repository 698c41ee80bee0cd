"""docs/derivatives.md is true: its code runs and prints what it says, its table has what there
is."""

import re

import numpy as np
import pytest

import symgrad
from symgrad.spec.derivatives import DERIVATIVES
from symgrad.targets.public import derivative
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "derivatives.md").read_text(encoding="utf-8")
SECTIONS = {
    text.partition("\n")[0]: text for text in PAGE.split("\n## ")[1:] if "```python" in text
}
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", flags=re.S | re.M)


def expected(code: str) -> list[str]:
    """What the comments behind calls of `print` say of each."""
    return re.findall(r"^print\(.*\)  # (.*)$", code, flags=re.M)


def holds(said: str, printed: str) -> bool:
    match said.split():
        case ["below", limit]:
            return float(printed) < float(limit)
        case ["above", limit]:
            return float(printed) > float(limit)
    return said == printed


# which take longest
LONG = ("A controller in compiled code", "Burgers' equation")


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    "section", [pytest.param(s, marks=pytest.mark.slow) if s in LONG else s for s in SECTIONS]
)
def test_the_code_prints_what_it_says(section: str, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    checked = 0
    for code, text in BLOCK.findall(SECTIONS[section]):
        exec(code, names)
        printed, said = capsys.readouterr().out, expected(code)
        if text:
            assert printed == text
        else:
            for one, other in zip(said, printed.splitlines(), strict=True):
                assert holds(one, other), (one, other)
        checked += len(said) + bool(text)
    assert checked


def test_every_block_is_in_a_section() -> None:
    assert PAGE.count("```python\n") == sum(len(BLOCK.findall(s)) for s in SECTIONS.values())


@pytest.mark.parametrize("name", DERIVATIVES)
def test_the_table_has_what_there_is(name: str) -> None:
    rows = [row.split(" | ") for row in PAGE.splitlines() if row.startswith(f"| `{name}(")]
    ((call, _, shape),) = rows
    first = derivative(name, {}, ("theta", "x", "t"), {})[0]
    assert call == f"| `{name}({', '.join(first.arguments)})`"
    shapes = (f"({', '.join(result.extents)})" for result in DERIVATIVES[name].results)
    assert shape == f"{' and '.join(shapes)} |"


@pytest.mark.parametrize("formula", ["(D(u, p) - target)**2", "(u - p)**2", "(u - target)**2"])
def test_inputs_stay_as_they_are_where_the_loss_reads_them(formula: str) -> None:
    spec = {
        "name": "net",
        "dtype": "float64",
        "inputs": ["p", "q"],
        "layers": [{"units": 2, "activation": "tanh"}, {"names": ["u"]}],
        "loss": {"formula": formula},
    }
    x = np.random.default_rng(0).uniform(3, 8, (40, 2))
    run = symgrad.train(spec, (x, x[:, :1]), epochs=1)
    scaling, reads = run.trained.scaling, "p" in formula
    assert (not scaling.mean.any() and (scaling.scale == 1).all()) == reads
    assert any("not standardized" in note for note in run.notes) == reads


def test_what_memory_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symgrad.runtime.calling.memory_available", lambda: 1 << 28)
    spec = {"name": "wide", "inputs": 64, "layers": [{"units": 64, "activation": "tanh"}] * 2}
    module = symgrad.compile(spec | {"derivatives": ["jacobian"]}).module
    x = np.zeros((2**14 + 1, 64), np.float32)
    with pytest.raises(MemoryError, match=r"jacobian gives an array of shape \(16385, 64, 64\)"):
        module.jacobian(module.init(seed=0), x)


def test_the_pictures_are_there() -> None:
    for name in re.findall(r"^!\[.*\]\((.*)\)$", PAGE, flags=re.M):
        assert (ROOT / "docs" / name).read_bytes().startswith(b"\x89PNG")
