"""Pictures: that all kinds can be drawn, that each holds what it should, and what is refused."""

import builtins
import math
from xml.etree import ElementTree

import numpy as np
import pytest

from symgrad.training import plot as module
from symgrad.training.checkpoint import Epoch
from symgrad.training.plot import Compared, PlotError, check, plot
from symgrad.training.regions import Regions

HISTORY = [Epoch(1 / n, 1.2 / n, 0.5) for n in range(1, 40)]
CLASSES = Compared(np.eye(3)[[0, 1, 2, 2, 1]], np.eye(3)[[0, 1, 2, 1, 1]])
NUMBERS = Compared(np.arange(6.0)[:, None], np.arange(6.0)[:, None] ** 1.1)


def drawn(path, **changes) -> str:
    """An SVG's text, in which words are words."""
    import matplotlib

    how = {
        "title": "runs/net",
        "histories": [HISTORY],
        "compared": {"training": NUMBERS, "validation": NUMBERS},
        "labels": None,
        "targets": ("price",),
    }
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        plot(path, **how | changes)
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf", "PNG"])
def test_the_suffix_decides_the_format(tmp_path, suffix):
    path = tmp_path / f"picture.{suffix}"
    check(path)
    plot(path, "net", [HISTORY], {"training": NUMBERS}, None, ("t",))
    head = path.read_bytes()[:200]
    assert {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF"}[suffix.lower()] in head or (
        b"<?xml" in head
    )
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_numbers_are_drawn_against_the_truth(tmp_path):
    words = drawn(tmp_path / "picture.svg")
    for word in ("runs/net", "epoch", "loss", "training", "validation", "exact", "true price"):
        assert f">{word}<" in words, word


def test_each_of_several_outputs_has_panels_of_its_own(tmp_path):
    t = np.arange(40.0).reshape(8, 5)
    names = ("temp", "pressure", "a", "b", "c")
    compared = {"training": Compared(t, t + 1)}
    words = drawn(tmp_path / "picture.svg", targets=names, compared=compared)
    for name in names[:4]:
        assert words.count(f">true {name}<") == 1 and words.count(f">predicted {name}<") == 2
    assert ">true c<" not in words and ">4 of 5 outputs<" in words
    assert words.count(">predicted − true<") == 4
    # targets other than the outputs leave nothing to compare
    assert ">loss<" in drawn(tmp_path / "losses.svg", compared={})


def test_classes_are_drawn_as_a_matrix_of_what_was_held_out(tmp_path):
    changes = {"labels": ("a", "b", "c"), "compared": {"training": NUMBERS, "validation": CLASSES}}
    words = drawn(tmp_path / "picture.svg", **changes)
    for word in ("validation: 80.0% of 5 right", "true class", "predicted class", "a", "b", "c"):
        assert f">{word}<" in words, word


def test_regions_have_the_names_of_the_inputs_and_the_classes(tmp_path):
    x = np.array([[1.0, 20.0], [2.0, 30.0], [3.0, 25.0], [1.5, 22.0], [2.5, 28.0]])
    part = Compared(CLASSES.t, CLASSES.y, x)
    found = Regions(
        ("width $w$", "mass/kg"), ((0.0, 4.0), (15.0, 35.0)),
        np.arange(12).reshape(3, 4) % 3, np.linspace(0, 1, 12).reshape(3, 4),
    )  # fmt: skip
    changes = {"labels": ("a", "b", "$c$"), "compared": {"training": part, "validation": part}}
    words = drawn(tmp_path / "picture.svg", regions=found, **changes)
    for word in ("width $w$", "mass/kg", "regions of the classes: ○ training, △ validation"):
        assert f">{word}<" in words, word
    assert words.count(">$c$<") == 3  # a row, a column, and the legend
    assert "<image" in words


def test_folds_have_a_curve_each(tmp_path):
    words = drawn(tmp_path / "picture.svg", histories=[HISTORY, HISTORY[:20]])
    assert ">loss, a curve for each fold<" in words and words.count(">training<") == 2


def test_names_are_not_read_as_formulas(tmp_path):
    words = drawn(tmp_path / "picture.svg", targets=("$a_b^$",), title="runs/$x^$")
    assert ">true $a_b^$<" in words and ">runs/$x^$<" in words


def test_characters_that_no_picture_has_are_spelled(tmp_path):
    """XML has no escape character; a picture with one could not be opened."""
    text = drawn(tmp_path / "names.svg", targets=("a\x1b[1m\n<b>",))
    ElementTree.fromstring(text)
    assert "true a\\x1b[1m\\n&lt;b&gt;" in text


@pytest.mark.parametrize(
    "history",
    [[], [Epoch(1.0)], [Epoch(math.inf, math.nan)], [Epoch(-1.0, -2.0), Epoch(-100.0, 0.0)]],
)
def test_histories_of_every_kind(tmp_path, history):
    assert "loss" in drawn(tmp_path / "picture.svg", histories=[history])


@pytest.mark.parametrize("value", [3.0, math.nan])
def test_predictions_that_are_all_one_or_none(tmp_path, value):
    flat = Compared(np.full((4, 1), 3.0), np.full((4, 1), value))
    drawn(tmp_path / "picture.svg", compared={"training": flat})


def test_many_classes_and_many_points(tmp_path):
    many = Compared(np.eye(40)[np.arange(400) % 40], np.eye(40)[np.arange(400) % 7])
    labels = tuple(f"a rather long name {k}" for k in range(40))
    words = drawn(tmp_path / "one.svg", compared={"training": many}, labels=labels)
    assert "rather" not in words
    cloud = Compared(np.arange(50_000.0)[:, None], np.arange(50_000.0)[:, None])
    words = drawn(tmp_path / "two.svg", compared={"training": cloud})
    assert len(words) < 1_000_000


def test_refusals(tmp_path, monkeypatch):
    (tmp_path / "folder.png").mkdir()
    for name, message in (
        ("picture.jpg", r"ends in \.png, \.svg or \.pdf"),
        ("folder.png", "is a folder"),
        ("absent/picture.png", "no folder"),
    ):
        with pytest.raises(PlotError, match=message):
            check(tmp_path / name)
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PlotError) as caught:
        check(tmp_path / "picture.png")
    assert str(caught.value) == "plots need matplotlib: pip install 'symgrad[plot]'"
    assert module.FORMATS == ("png", "svg", "pdf")
