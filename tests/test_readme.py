"""README is true: its examples run and print what they say, its source is what is emitted."""

import json
import re
from pathlib import Path

import numpy as np

from benchmarks.gradients import summary
from benchmarks.nets import ROWS
from benchmarks.peers import BY_KEY
from benchmarks.table import digits, duration

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MARK = "<!-- emitted: generated/xor.py, _gradient_of_chunk -->\n"


def blocks() -> list[str]:
    """The Python blocks, but the one that was emitted."""
    without = re.sub(re.escape(MARK) + r"```python\n.*?```", "", README, flags=re.S)
    return re.findall(r"^```python\n(.*?)^```", without, flags=re.S | re.M)


def test_the_examples_print_what_they_say(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    for block in blocks():
        exec(block, names)
    loss, derivatives, minimum, descended = capsys.readouterr().out.splitlines()
    assert loss.startswith("1.46872")
    assert all(part.startswith("-0.471120") for part in derivatives.split())
    assert float(minimum) < 1e-9 and float(descended) < 1e-9
    assert np.shape(names["gradient"]) == (9,)


def test_the_source_shown_is_the_source_emitted():
    shown = README.split(MARK)[1].removeprefix("```python\n").split("```")[0]
    source = (ROOT / "generated" / "xor.py").read_text(encoding="utf-8")
    assert shown.startswith("def _gradient_of_chunk(") and shown.rstrip().endswith("return E_sum")
    assert shown in source


def test_the_specs_shown_are_specs(tmp_path):
    from symgrad.compiler.spec import Spec

    for number, text in enumerate(re.findall(r"^```toml\n(.*?)^```", README, flags=re.S | re.M)):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, encoding="utf-8")
        assert Spec.load(path).weights > 0


def figures():
    """The lines of the table of speeds, from what was measured."""
    measured = json.loads((ROOT / "benchmarks" / "results" / "gradients.json").read_text("utf-8"))
    for row in measured["rows"]:
        if row["dtype"] == "float32":
            found = summary(row)
            net, batch = row["row"].replace("-layers-of-", " layers of ").rsplit("x", 1)
            fastest = BY_KEY[found["fastest"]].title
            yield (
                f"| {net}, {int(batch):,} | {duration(found['ours'])}"
                f" | {digits(found['ratio'], 2)} × ({fastest}) |"
            )


def test_the_speeds_shown_are_those_measured():
    assert len(list(figures())) == len(ROWS)
    for line in figures():
        assert line in README.splitlines()
