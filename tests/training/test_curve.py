"""The losses that are kept to be drawn: few, evenly, and the newest always."""

import math
import sys
from itertools import pairwise
from xml.etree import ElementTree

import symgrad
from symgrad.axes import linear_scale
from symgrad.training import notebook
from symgrad.training.callback import Callback
from symgrad.training.checkpoint import Epoch
from symgrad.training.curve import Curve, scale
from tests.trainings import PLANE, plane


def curve(epochs):
    made = Curve()
    for number, epoch in enumerate(epochs, 1):
        made.add(number, epoch)
    return made


def test_of_many_epochs_few_are_kept_and_the_newest():
    for count in (1, 2, 399, 400, 401, 402, 803, 12_345):
        series = curve(Epoch(1 / n, 2 / n) for n in range(1, count + 1)).series()
        assert set(series) == {"training", "validation"}
        numbers = [number for number, _ in series["training"]]
        assert numbers[0] == 1 and numbers[-1] == count and len(numbers) <= 402
        assert len(numbers) == count or len(numbers) > 200
        gaps = [b - a for a, b in pairwise(numbers[:-1])]
        assert len(set(gaps)) <= 1
        assert all(loss == 1 / number for number, loss in series["training"])
        assert all(loss == 2 / number for number, loss in series["validation"])


def test_what_no_axis_has_room_for_is_left_out():
    epochs = [Epoch(1.0), Epoch(math.inf), Epoch(math.nan), Epoch(-1e305), Epoch(0.5)]
    assert curve(epochs).series() == {"training": ((1, 1.0), (5, 0.5))}
    assert curve([]).series() == {} == curve([Epoch(math.nan)]).series()


def test_the_axis_is_of_powers_where_losses_are_of_many_sizes():
    assert scale({"training": ((1, 1.0), (2, 0.01))}).logarithmic
    assert not scale({"training": ((1, 1.0), (2, 0.2))}).logarithmic
    assert not scale({"training": ((1, 1.0), (2, -20.0))}).logarithmic


def test_numbers_that_hardly_differ_have_an_axis():
    for values in ([0.0, 5e-324], [1.0, 1.0], [0.0, 0.0]):
        low, *_, high = [at for at, _ in linear_scale(values).ticks()]
        assert (low, high) == (0, 1)


def test_a_picture_is_well_formed_and_says_what_the_bar_says():
    made = curve(Epoch(1 / n, 2 / n) for n in range(1, 51))
    forms = notebook.drawn(made, "<b>&\x1b net", 80)
    assert forms["text/plain"] == "<b>&\\x1b net: epoch 50 of 80, loss 0.02, validation 0.04"
    root = ElementTree.fromstring(forms["image/svg+xml"])
    said = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert said[:3] == [forms["text/plain"], "training", "validation"]
    lines = [each for each in root.iter() if each.get("class") == "line"]
    assert len(lines) == 4  # two in the legend
    assert notebook.drawn(Curve(), "net", 8) is None


def test_a_single_epoch_is_a_point():
    root = ElementTree.fromstring(notebook.drawn(curve([Epoch(1.0)]), "n", 1)["image/svg+xml"])
    assert sum(each.get("class") == "marker" for each in root.iter()) == 2
    assert "nan" not in ElementTree.tostring(root, encoding="unicode")


def test_no_notebook_shows_nothing(capsys, uncompiled):
    assert not notebook.in_notebook()
    symgrad.train(PLANE, plane(), epochs=2)
    assert capsys.readouterr() == ("", "")


class Shell:
    """IPython as a notebook's kernel has it, and what it was given to show."""

    kernel = object()

    def __init__(self):
        self.shown = []

    def get_ipython(self):
        return self

    def display(self, picture, raw, display_id):
        self.shown.append([picture["text/plain"]])
        return self

    def update(self, picture, raw):
        self.shown[-1].append(picture["text/plain"])


def test_a_notebook_shows_one_picture_a_fit_whose_last_stays(monkeypatch, uncompiled):
    shell = Shell()
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", shell)
    assert notebook.in_notebook()
    run = symgrad.train(PLANE, plane(), epochs=3)
    last = run.history[-1]
    words = f"loss {last.loss:.3g}, validation {last.validation_loss:.3g}"
    assert shell.shown == [[f"plane: epoch 3 of 3, {words}"]]
    monkeypatch.setattr(notebook, "_BETWEEN", 0.0)
    symgrad.cross_validate(PLANE, plane(), 2, epochs=3)
    assert [len(each) for each in shell.shown] == [1, 4, 4]
    assert shell.shown[2][-1].startswith("plane, fold 2: epoch 3 of 3")
    symgrad.train(PLANE, plane(), epochs=2, callback=Callback())
    assert len(shell.shown) == 3
