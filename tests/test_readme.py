"""README is true: its examples run and print what they say, its source is what is emitted."""

import json
import re

import numpy as np

from benchmarks import estimators
from benchmarks.gradients import summary
from benchmarks.nets import ROWS
from benchmarks.peers import BY_KEY
from benchmarks.table import digits, duration
from symgrad.spec.spec import Spec
from tests.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
MARK = "<!-- emitted: generated/xor.py, _gradient_of_leaf -->\n"


def blocks() -> list[str]:
    """The Python blocks, but the one that was emitted."""
    without = re.sub(re.escape(MARK) + r"```python\n.*?```", "", README, flags=re.S)
    return re.findall(r"^```python\n(.*?)^```", without, flags=re.S | re.M)


def test_the_examples_print_what_they_say(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    for block in blocks():
        exec(block, names)
    lines = capsys.readouterr().out.splitlines()
    loss, derivatives, minimum, descended, shapes, right, trained, fitted = lines
    assert loss.startswith("1.46872")
    assert all(part.startswith("-0.471120") for part in derivatives.split())
    assert float(minimum) < 1e-9 and float(descended) < 1e-9
    assert np.shape(names["gradient"]) == (9,)
    assert shapes == "(65,) (8, 1, 2) (65,)"
    assert right == "0.9" and trained.startswith("0.43") and fitted == "0.98"


def test_the_first_example_needs_nothing_but_symgrad(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(blocks()[0], names)
    assert capsys.readouterr().out.startswith("1.46872") and not list(tmp_path.iterdir())
    assert Spec.parse(names["spec"]) == Spec.load(ROOT / "specs" / "xor.toml")


def test_the_source_shown_is_the_source_emitted():
    shown = README.split(MARK)[1].removeprefix("```python\n").split("```")[0]
    source = (ROOT / "generated" / "xor.py").read_text(encoding="utf-8")
    assert shown.startswith("def _gradient_of_leaf(") and shown.rstrip().endswith("return E_sum")
    assert shown in source


def test_the_specs_shown_are_specs(tmp_path):
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


def test_the_speeds_of_estimators_shown_are_those_measured():
    measured = json.loads((ROOT / "benchmarks" / "results" / "estimators.json").read_text("utf-8"))
    for row in measured["rows"]:
        found = estimators.summary(row)
        ratio = f"{digits(found['ratio'], 2)} ×"
        line = [row["task"], duration(found["times"]["symgrad"]), ratio, duration(row["first"])]
        assert f"| {' | '.join(line)} |" in README.splitlines()


def test_the_picture_shown_is_the_picture_drawn():
    from symgrad import compile, showing

    drawn = showing.svg(compile(ROOT / "specs" / "xor.toml").program)
    shown = (ROOT / "docs" / "xor.svg").read_text(encoding="utf-8")
    assert shown.rstrip("\n") == drawn.rstrip("\n")


TRAININGS = {
    "4-32-16-4x10000": "4-32-16-4 tanh, an epoch of 10,000 samples in one batch",
    "64-64-32-10x1792": "64-64-32-10 relu, a step on 32 shuffled digits",
}


def test_the_speeds_of_training_shown_are_those_measured():
    measured = json.loads((ROOT / "benchmarks" / "results" / "epochs.json").read_text("utf-8"))
    rows = [row for row in measured["rows"] if row["dtype"] == "float32"]
    assert [row["row"] for row in rows] == list(TRAININGS)
    for row in rows:
        times = {key: timing["median"] for key, timing in row["timings"].items()}
        ours = times.pop("symgrad")
        ratios = (f"{digits(times[key] / ours, 2)} ×" for key in ("jax", "torch"))
        line = f"| {TRAININGS[row['row']]} | {duration(ours)} | {' | '.join(ratios)} |"
        assert line in README.splitlines()


def test_the_equations_of_a_step_shown_are_those_that_are_emitted():
    from symgrad.language.unicode import listing
    from symgrad.pipeline import passes

    step = passes(Spec.load(ROOT / "specs" / "digits.toml")).update
    assert step is not None and f"```\n{listing(step)}\n```" in README


def test_every_number_of_training_is_documented():
    from symgrad.spec.training import OPTIMIZERS, SCHEDULE_CONSTANTS, WHOLE_BATCH, Training

    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    for name in Training.model_fields:
        assert f"| `{name}` |" in text
    for name, given in OPTIMIZERS.items():
        head = f"| `{name}` | {given.rate:g} "
        (line,) = (line for line in text.splitlines() if line.startswith(head))
        shown = given.constants if name != "adamw" else {"weight_decay": 0.01}
        for each, value in shown.items():
            assert f"`{each}` {value:g}".replace("e-0", "e-") in line
    for schedule, constants in SCHEDULE_CONSTANTS.items():
        assert f"`{schedule}`" in text or f'`"{schedule}"`' in text
        assert all(f"`{each}` ({value:g})" in text for each, value in constants.items())
    assert all(f"`{name}`" in text for name in WHOLE_BATCH)


def test_the_operations_shown_are_those_of_explain():
    from symgrad.explain.sections.counts import count

    table = README.split("| | operations |\n|---|---|\n")[1].split("\n\n")[0]
    shown = [int(row.split("|")[2].replace(",", "")) for row in table.splitlines()]
    found = count(Spec.load(ROOT / "specs" / "iris.toml"))
    assert shown == [
        found.loss,
        found.textbook_trees,
        found.shared_only,
        found.weights_first,
        found.loss_first,
        found.emitted,
        found.hand_backprop,
    ]
    # and so does the committed page have them
    stored = json.loads((ROOT / "docs" / "explain-iris.json").read_text(encoding="utf-8"))
    assert {key: stored["counts"][key] for key in vars(found)} == vars(found)
    page = (ROOT / "docs" / "explain-iris.html").read_text(encoding="utf-8")
    assert all(f"{number:,}" in page for number in vars(found).values())


def test_the_example_is_whole():
    """Every section, none of them cut short, of the spec as it is now."""
    from symgrad.explain.explain import chosen

    stored = json.loads((ROOT / "docs" / "explain-iris.json").read_text(encoding="utf-8"))
    assert stored["missing"] == {}
    assert set(chosen([])) <= set(stored)
    digest = Spec.load(ROOT / "specs" / "iris.toml").digest()
    assert digest.startswith(stored["facts"]["digest"])


def test_every_key_of_the_example_is_documented():
    stored = json.loads((ROOT / "docs" / "explain-iris.json").read_text(encoding="utf-8"))
    text = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")
    for section, data in stored.items():
        assert f"`{section}`" in text
        if isinstance(data, dict) and section not in ("facts", "missing"):
            missing = [key for key in data if f"`{key}`" not in text]
            assert not missing, (section, missing)
