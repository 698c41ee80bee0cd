"""Losses that textbooks do not have: formulas in derivatives, columns and targets of their own are
explained as far as they can be, and it is said what they cannot be held against."""

from threading import Event

import pytest

import symgrad
from symgrad.explain.clock import Clock
from symgrad.explain.explain import explain
from symgrad.explain.plain import is_plain
from symgrad.showing.pages.blocks import Words
from symgrad.spec.spec import Spec
from tests.paths import ROOT

HERE = [
    pytest.param("burgers", "equation", ["expression", "counts", "proof"], marks=pytest.mark.slow),
    ("prices", None, ["expression", "counts", "proof", "growth"]),
]


@pytest.mark.parametrize(("name", "term", "only"), HERE)
def test_every_section_is_there(name, term, only):
    compiled = symgrad.compile(ROOT / "specs" / f"{name}.toml").of_term(term)
    sections = explain(compiled, Clock(3, Event(), lambda *_: None), only=only)
    found = {section.key: section for section in sections}
    assert [*found] == only
    assert found["counts"].data["hand_backprop"] is None
    assert not found["proof"].data["comparable"]
    assert "derivatives by them" in found["proof"].data["reason"]
    checks = found["proof"].data["certificate"]["checks"]
    assert checks and all(check["equal"] for check in checks)
    if "growth" not in only:
        return
    said = [block.text for block in found["growth"].blocks if isinstance(block, Words)]
    assert said[0].startswith("These networks have the squared error: yours is a formula in")


LOSSES = [
    ({"kind": "squared"}, True),
    ({"formula": "(y - t)**2"}, True),
    ({"formula": "(y[0] - t[0])**2"}, False),
    ({"formula": "(y - t[0])**2", "targets": 1}, False),
    ({"formula": "(y - t)**2 * sum(x)"}, False),
    ({"formula": "D(y, x[0])**2"}, False),
]


@pytest.mark.parametrize(("loss", "plain"), LOSSES)
def test_what_is_plain(loss, plain):
    spec = {"name": "net", "inputs": 2, "layers": [{"units": 2}], "loss": loss}
    assert is_plain(Spec.parse(spec)) == plain
