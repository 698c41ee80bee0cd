"""The page of a run: what it says, by which samples, and that no name in it is read as HTML."""

import csv
import re
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

import symgrad
from symgrad.cli.main import app
from symgrad.compiler import Compiled
from symgrad.errors import DataError
from symgrad.report.report import report
from symgrad.showing.pages.page import page
from symgrad.training.run import Run
from tests.pages import HOSTILE, Reader, opened, trees

NAMES = (HOSTILE, "a\nb\x1b[1m", "c" * 80)
OUTPUTS = ("temp <i>&", "pressure `x`")
LABELS = ("<b>low</b>", "mid & high", HOSTILE)


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def spec_of(name, outputs, activation="identity", kind="squared"):
    layers = [{"units": 4, "activation": "tanh"}, {"units": outputs, "activation": activation}]
    return {"name": name, "inputs": 3, "layers": layers, "loss": {"kind": kind}}


def written(path, header, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture(scope="module")
def here(tmp_path_factory, interpret):
    """A folder with a run on two outputs and one on three classes, both of hostile names."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # compiling a module takes longer than all that it is then used for
        patch.setattr(Compiled, "module", property(lambda made: interpret(made.source)))
        _train(folder)
        yield folder


def _train(folder):
    x = np.random.default_rng(0).normal(size=(90, 3))
    t = np.column_stack([20 + 3 * x[:, 0], 2 + 0.1 * x[:, 1]])
    written(folder / "plant.csv", NAMES + OUTPUTS, np.column_stack([x, t]).tolist())
    kinds = [LABELS[int(a > -0.5) + int(a > 0.5)] for a in x[:, 0]]
    rows = [[*row, kind] for row, kind in zip(x.tolist(), kinds, strict=True)]
    written(folder / "kinds.csv", (*NAMES, HOSTILE + "!"), rows)
    symgrad.train(spec_of("plant", 2), "plant.csv", "plant", epochs=5, targets=OUTPUTS)
    spec = spec_of("kinds", 3, "softmax", "cross_entropy")
    symgrad.train(spec, "kinds.csv", "kinds", epochs=5)


def texts(folder, data=None):
    """Of the page of a run, by section."""
    made = page(report(folder, data))
    found = re.findall(r"<section.*?</section>", made, re.DOTALL)
    return {re.search(r'<h2 id="(.*?)"', part)[1]: Reader(part) for part in found}


@pytest.mark.parametrize("name", ["plant", "kinds"])
def test_the_command_writes_a_page_that_loads_nothing(here, name):
    result = run("report", name)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"wrote {name}/report.html\n"
    text = (here / name / "report.html").read_text(encoding="utf-8")
    read = Reader(text)
    assert f"<title>{name}, trained by symgrad</title>" in text
    tags = {tag for tag, _ in read.tags}
    assert tags.isdisjoint({"script", "link", "img", "iframe", "b", "i", "object", "image"})
    assert not any(key.startswith("on") for _, attributes in read.tags for key in attributes)
    assert not re.search(r"url\(|@import|\bsrc=", text)
    assert read.text.count("<script>alert(1)</script>") > 2  # as text
    assert "a\\nb\\x1b[1m" in read.text and "\x1b" not in text
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert len(trees(text, "svg")) > 5 and len(trees(text, "math")) >= 3
    assert run("report", name).exit_code == 0  # a page may be written anew


def test_outputs_have_their_own_errors(here):
    sections = texts(here / "plant")
    assert [*sections] == ["trained", "losses", "errors", "importance", "equations"]
    figures = Run.load(here / "plant").figures["validation"]
    for output, name in enumerate(("temp <i>&", "pressure x")):
        row = rf"{re.escape(name)}\s+validation\s+([\d.]+)\s+([\d.]+)\s+([\d.-]+)\s+([\d.]+)"
        found = [float(each) for each in re.search(row, sections["errors"].text).groups()]
        expected = (
            figures.rmse_by_output, figures.mae_by_output, figures.r2_by_output,
            figures.largest_by_output,
        )  # fmt: skip
        assert found == pytest.approx([each[output] for each in expected], rel=0.006)
        assert f"Fall of R² of {name}" in sections["importance"].text
    markers = [each for each in sections["errors"].all("path") if each.get("class") == "marker"]
    assert len(markers) == 2 * 90 + 2 * 2  # every sample in each chart; and the legends'
    assert "18 samples of validation" in sections["importance"].text
    assert "by seed 0" in sections["importance"].text


def test_what_it_was_trained_on(here):
    told = texts(here / "plant")["trained"].text
    scaling = Run.load(here / "plant").trained.scaling
    row = re.search(r"pressure x\s+([\d.]+)\s+([\d.]+)", told).groups()
    expected = [scaling.target_mean[1], scaling.target_scale[1]]
    assert [float(each) for each in row] == pytest.approx(expected, rel=0.006)
    for setting in (r"optimizer\s+adam", r"rate\s+0.001", r"beta1\s+0.9", r"batch\s+32"):
        assert re.search(setting, told), setting
    kinds = texts(here / "kinds")["trained"].text
    assert "<b>low</b>, <script>alert(1)</script>" in kinds and "…, mid & high." in kinds
    spec = spec_of("whole", 2)
    symgrad.train(spec, "plant.csv", "whole", epochs=2, optimizer="lbfgs", targets=OUTPUTS)
    assert not re.search(r"batch\s", texts(here / "whole")["trained"].text)


def test_classes_have_their_curves(here):
    errors = texts(here / "kinds")["errors"].text
    for title in ("Confusion matrix, validation", "ROC: receiver", "Calibration, validation"):
        assert title in errors
    found = Run.load(here / "kinds").figures["validation"]
    counts = re.search(r"<b>low</b>\s+(\d+)\s+(\d+)\s+(\d+)\s", errors[errors.index("true ↓") :])
    assert [int(each) for each in counts.groups()] == found.confusion[0].tolist()


def test_two_inputs_have_regions_of_the_classes(here):
    spec = spec_of("plane", 3, "softmax", "cross_entropy") | {"inputs": 2}
    symgrad.train(spec, "kinds.csv", "plane", epochs=20, ignore=[NAMES[2]])
    errors = texts(here / "plane")["errors"]
    assert "Regions of the classes, the more colour the likelier, and 18 samples" in errors.text
    assert HOSTILE[:20] in errors.text and "a\\nb\\x1b[1m" in errors.text  # the axes
    kinds = {attributes["class"] for attributes in errors.all("path")}
    assert {"region", "marker point"} <= kinds
    drawn = [each for each in errors.all("path") if each["class"] == "marker point"]
    assert len(drawn) == 18
    assert "Regions" not in texts(here / "kinds")["errors"].text  # of three inputs


def test_what_are_no_probabilities_has_no_curves(here):
    symgrad.train(spec_of("plain", 3), "kinds.csv", "plain", epochs=1)
    errors = texts(here / "plain")["errors"].text
    assert "no probabilities" in errors and "Calibration," not in errors


def test_without_its_data_a_run_is_told_by_its_record(here):
    shutil.copy("plant.csv", "moved.csv")
    try:
        (here / "plant.csv").rename(here / "away.csv")
        sections = texts(here / "plant")
    finally:
        (here / "away.csv").rename(here / "plant.csv")
    assert "plant.csv: the run's data is not there" in sections["errors"].text
    assert "There are no samples to shuffle" in sections["importance"].text
    assert "validation" in sections["errors"].text and not sections["errors"].all("svg")
    moved = texts(here / "plant", here / "moved.csv")  # the same file: what was held out is known
    assert "18 samples of validation" in moved["importance"].text
    assert "Not whole" not in moved["errors"].text


def test_other_data_is_judged_as_a_whole(here):
    with (here / "plant.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    written(here / "new.csv", header, rows[:60])
    sections = texts(here / "plant", here / "new.csv")
    assert "60 samples of data" in sections["importance"].text
    figures = Run.load(here / "plant").predict(here / "new.csv").figures
    found = re.search(r"temp <i>&\s+data\s+([\d.]+)\s", sections["errors"].text)[1]
    assert float(found) == pytest.approx(figures.rmse_by_output[0], rel=0.006)
    written(here / "bare.csv", NAMES, [[1, 2, 3]])
    with pytest.raises(DataError, match="a report is of samples with targets"):
        report(here / "plant", here / "bare.csv")


def test_a_fold_is_told_by_what_it_held_out(here):
    spec = spec_of("plant", 2)
    symgrad.cross_validate(spec, "plant.csv", 3, "folds", epochs=1, targets=OUTPUTS)
    assert "30 samples of validation" in texts(here / "folds" / "fold-2")["importance"].text
    result = run("report", "folds")
    assert result.exit_code == 2 and "name one of them, as folds/fold-1" in result.stderr


def test_a_loss_of_terms_and_targets_other_than_outputs(here):
    terms = [{"name": "flat", "formula": "D(u, x)**2"}, {"name": "at", "formula": "(u - t[0])**2"}]
    net = [{"units": 3, "activation": "tanh"}, {"names": ["u"]}]
    spec = {"name": "net", "inputs": ["x"], "layers": net, "loss": {"terms": terms}}
    x = np.linspace(0, 1, 20)[:, None]
    np.savetxt("flat.csv", x, header="x", comments="")
    np.savetxt("at.csv", np.hstack([x, x]), delimiter=",", header="x,u", comments="")
    symgrad.train(spec, {"flat": "flat.csv", "at": "at.csv"}, "net", epochs=2)
    sections = texts(here / "net")
    assert "training: flat" in sections["errors"].text
    assert "4 samples of validation" in sections["importance"].text
    shutil.move("at.csv", "there.csv")
    result = run("report", "net", "flat=flat.csv", "at=there.csv", "-o", "net.html")
    assert result.exit_code == 0, result.output
    assert "4 samples of validation" in (here / "net.html").read_text(encoding="utf-8")

    slope = {"formula": "(D(u, x) - s)**2", "targets": ["s"]}
    written(here / "slopes.csv", ("x", "s"), np.hstack([x, x]).tolist())
    symgrad.train(spec | {"loss": slope}, "slopes.csv", "slopes", epochs=2)
    sections = texts(here / "slopes")
    assert "no target is one that an output could be compared with" in sections["errors"].text
    assert "RMSE" not in sections["errors"].text


def test_refusals(here):
    (here / "notes.txt").write_text("mine")
    for arguments, message in (
        (("report", "absent"), "absent/run.json"),
        (("report", "plant", "-o", "notes.txt"), "no .html file"),
        (("report", "plant", "-o", "kinds"), "is a folder"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2 and message in result.stderr, result.output
    assert (here / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["plant", "kinds"])
def test_in_a_browser(here, browser, name, width):
    file = here / "page.html"
    file.write_text(page(report(here / name)), encoding="utf-8")
    seen, requests, complaints = opened(browser, file, "dark", width)
    assert requests == [file.as_uri()] and complaints == []
    assert seen.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert seen.evaluate("document.scripts.length") == 0
    assert seen.locator("section h2").count() == 5 and seen.locator("math").count() >= 3
    places = seen.eval_on_selector_all(
        ".chart text", "all => all.map(e => e.getBoundingClientRect()).map(b => [b.left, b.right])"
    )
    assert len(places) > 20 and all(left >= 0 and right <= width for left, right in places)
    seen.context.close()
