"""Emitted modules are short, and mathematics for the most part."""

import runpy

import pytest

from tests.paths import ROOT, SPECS

LINES = runpy.run_path(str(ROOT / "docs" / "lines.py"), run_name="lines")

# Of the lines that are not blank, at least so many are mathematics.
SHARE = 0.6


@pytest.mark.parametrize(("name", "most"), [("xor", 250), ("digits", 550)])
def test_a_module_is_short_and_mathematics(name, most):
    found = LINES["composition"](LINES["modules"]()[name].read_text("utf-8"))
    assert found.lines <= most
    assert found.share >= SHARE


EXAMPLE = '''\
"""net: an example.

    symgrad compile net.toml

Two equations:

    z = x·W
    E = z²

and no more.
"""

import numpy as np

SIZE = 1


def square(z):
    """z times z."""

    return z * z


def _gradient_of_leaf(theta, x):
    # z = x·W
    return square(x * theta)


def loss(theta, x):
    return _loss(theta, x)


build(globals(), inlined=["square"], compiled=["_gradient_of_leaf"])
'''


def test_what_is_counted_as_mathematics():
    """Of 18 lines that are not blank: two equations, and functions of three lines each."""
    found = LINES["composition"](EXAMPLE)
    assert (found.lines, found.filled, found.mathematics) == (33, 18, 8)
    assert found.share == pytest.approx(8 / 18)
    with pytest.raises(AssertionError, match="does not define"):
        LINES["composition"](EXAMPLE.replace('["square"]', '["square", "cube"]'))


def test_each_module_is_told_of(capsys):
    LINES["main"]()
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["module", "lines", "mathematics"]
    assert [row.split()[0] for row in rows] == [path.stem for path in SPECS]
    for row in rows:
        name, lines, share = row.split()
        text = (ROOT / "generated" / f"{name}.py").read_text("utf-8")
        assert int(lines) == text.count("\n") and share.endswith("%")
