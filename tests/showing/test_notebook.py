"""What a notebook shows of a compiled spec: found by IPython, well-formed, and whole."""

import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from sympy import Function

import symgrad
from symgrad.compiler import DISPLAYED
from symgrad.language import latex, unicode
from symgrad.language.count import of_definition, operations
from symgrad.language.program import Definition, array, prune
from symgrad.showing import notebook
from symgrad.showing.mathml import math, mathml
from tests import nets
from tests.language.test_latex import faults
from tests.paths import OF_ONE_LOSS, ROOT
from tests.showing.test_svg import HOSTILE


@pytest.fixture(params=OF_ONE_LOSS, ids=lambda path: path.stem, scope="module")
def compiled(request):
    return symgrad.compile(request.param)


@pytest.fixture(scope="module")
def deep():
    layers = 64
    return symgrad.compile(nets.net([2] * (layers + 1), ["tanh"] * layers))


def texts(element):
    return "".join(element.itertext())


# HTML


def test_it_is_well_formed_and_has_every_equation(compiled):
    root = ElementTree.fromstring(compiled._repr_html_())
    rows = {row.get("title"): row for row in root.iter("tr") if row.get("title")}
    assert list(rows) != [] and set(rows) == {
        unicode.equation(definition) for definition in compiled.program.definitions
    }
    for definition in compiled.program.definitions:
        equation, shape, count = rows[unicode.equation(definition)]
        typeset = mathml(latex.equation(definition))
        assert typeset is not None
        assert ElementTree.tostring(equation[0], encoding="unicode") == typeset
        assert shape.text == " × ".join(map(str, compiled.program.shape(definition.target))) or (
            shape.text == "scalar"
        )
        assert count.text == f"{of_definition(compiled.program, definition):,}"


def test_equations_are_grouped(compiled):
    root = ElementTree.fromstring(compiled._repr_html_())
    titles = [each.text for each in root.iter("th") if each.get("class") == "group"]
    assert titles == ["Forward", "Loss", "Backward"]
    order = [
        row.get("title") or row[0].text
        for row in root.iter("tr")
        if row.get("title") or row[0].get("class") == "group"
    ]
    before = order[: order.index("Loss")]
    assert any(each.startswith("z1[") for each in before)
    assert not any(each.startswith(("E ", "e[", "R1 ")) for each in before)
    behind = order[order.index("Backward") + 1 :]
    assert all(each.startswith("d_") for each in behind)


def test_the_counts_are_those_of_the_module(compiled):
    root = ElementTree.fromstring(compiled._repr_html_())
    counts = {row[0].text: row[1].text for row in next(root.iter("table")).iter("tr")}
    loss, both = operations(prune(compiled.program, ("E",))), operations(compiled.program)
    assert counts == {
        "weights": f"{compiled.spec.weights:,}",
        "definitions": f"{len(compiled.program.definitions):,}",
        "operations a sample: loss": f"{loss:,}",
        "loss and gradient": f"{both:,}",
        "their ratio": f"{both / loss:.2f}",
    }
    assert f"the loss {loss}, loss and gradient {both}" in compiled.source


def test_picture_and_source_are_folded_away(compiled):
    root = ElementTree.fromstring(compiled._repr_html_())
    first, second = root.iter("details")
    assert len(list(first.iter("{http://www.w3.org/2000/svg}svg"))) == 1
    assert "open" not in first.attrib and "open" not in second.attrib
    module = compiled.files[f"{compiled.spec.name}.py"]
    assert texts(next(second.iter("code"))) == module
    assert f"{module.count(chr(10)):,} lines" in second[0].text
    assert [each.text for each in second.iter("p")] == [
        "compiled.source is its text with all that it imports."
    ]


def test_of_a_large_program_not_all_is_kept(deep):
    text = deep._repr_html_()
    root = ElementTree.fromstring(text)
    assert len([row for row in root.iter("tr") if row.get("title")]) == notebook.EQUATIONS
    number = f"{len(deep.program.definitions):,}"
    said = [each.text for each in root.iter("p")]
    assert f"These are the first {notebook.EQUATIONS} of {number} equations" in said[0]
    assert said[1].startswith(f"Of {number} definitions the picture is long")
    assert len(said) == 3 and said[2].startswith("compiled.source is its text")
    assert len(text) < 1_000_000


def test_a_long_source_is_told_of_and_not_shown():
    program = symgrad.compile(ROOT / "specs" / "xor.toml").program
    for length, times in ((notebook.LETTERS, 1), (notebook.LETTERS + 1, 0)):
        root = ElementTree.fromstring(notebook.html(program, "x" * length))
        assert len(list(root.iter("pre"))) == times
        assert any((each.text or "").startswith("compiled.source is") for each in root.iter("p"))


def test_nothing_in_a_name_is_markup():
    program = symgrad.compile(ROOT / "specs" / "xor.toml").program
    called = Function(HOSTILE)(array(HOSTILE + "1"), evaluate=False)
    more = Definition(array(HOSTILE + "2"), called)
    program = replace(
        program, name=HOSTILE, inputs=(*program.inputs, array(HOSTILE + "1")),
        definitions=(more, *program.definitions),
    )  # fmt: skip
    root = ElementTree.fromstring(notebook.html(program, f"{HOSTILE}\n</code></pre>"))
    assert "script" not in {each.tag for each in root.iter()}
    assert root.find("h3").text == f"{HOSTILE}: 2-2-1"
    assert texts(next(root.iter("pre"))) == f"{HOSTILE}\n</code></pre>"
    assert unicode.equation(more) in [row.get("title") for row in root.iter("tr")]


def test_what_mathml_cannot_say_is_said_in_text():
    assert math(r"\nosuchcommand{x}") is None and mathml(r"\frac{1") is None
    assert math("x").tag == "math"


# LaTeX


def test_latex_is_one_displayed_block(compiled):
    text = compiled._repr_latex_()
    begin, *rows, end = text.split("\n")
    assert (begin, end) == (r"$$\begin{aligned}", r"\end{aligned}$$")
    assert text.count("$") == 4 and faults(text.strip("$")) == []
    for row, definition in zip(rows, compiled.program.definitions, strict=True):
        assert row.removesuffix(r" \\").replace("&=", "=") == latex.equation(definition)
    assert not rows[-1].endswith(r"\\")


def test_long_latex_is_cut_and_says_so(deep):
    rows = deep._repr_latex_().split("\n")[1:-1]
    assert len(rows) == DISPLAYED + 1
    number = len(deep.program.definitions)
    assert rows[-1] == (
        rf"&\text{{… the first {DISPLAYED} of {number:,} equations; all: "
        "symgrad.language.latex.listing(compiled.program)}"
    )
    assert latex.listing(deep.program).count("&=") == number  # what it says is there


# Text, and who finds what


def test_repr_is_one_line():
    assert repr(symgrad.compile(ROOT / "specs" / "digits.toml")) == (
        "Compiled digits: 64-64-32-10, 6,570 weights, 28 definitions, loss 26,113 operations a "
        "sample, with gradient 50,377"
    )


def test_ipython_finds_all_three():
    formatters = pytest.importorskip("IPython.core.formatters")
    compiled = symgrad.compile(ROOT / "specs" / "xor.toml")
    data, _ = formatters.DisplayFormatter().format(compiled)
    assert data["text/html"] == compiled._repr_html_()
    assert data["text/latex"] == compiled._repr_latex_()
    assert data["text/plain"] == repr(compiled)


def test_a_compiled_spec_that_was_reached_directly_shows_the_same():
    program = (
        "from symgrad.compiler import compile\n"
        "compiled = compile('specs/xor.toml')\n"
        "import sys\n"
        "assert not any(name.startswith('symgrad.showing') for name in sys.modules)\n"
        "print(compiled._repr_html_())"
    )
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert found.returncode == 0, found.stderr
    assert found.stdout.rstrip("\n") == symgrad.compile(ROOT / "specs/xor.toml")._repr_html_()
