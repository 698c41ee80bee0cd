"""The picture: well-formed, safe, the same every time, and no edge runs through a box."""

import os
import re
import subprocess
import sys
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from sympy import Function

import symgrad
from symgrad.language.program import Definition, Program, array
from symgrad.showing import dot, svg
from symgrad.showing.graph import graph
from symgrad.showing.placement import backward_nodes
from tests import nets
from tests.paths import OF_ONE_LOSS, ROOT
from tests.showing.test_graph import stages

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = """</title><script>alert(1)</script>&amp;"'\\N\\"]}; a -> b"""


@pytest.fixture(params=OF_ONE_LOSS, ids=lambda path: path.stem, scope="module")
def compiled(request):
    return symgrad.compile(request.param)


def hostile():
    """A program whose every name would be markup, or syntax, if it were not taken for text."""
    x, weight, value = (array(f"{HOSTILE}{number}") for number in range(3))
    called = Function(HOSTILE)(x * weight, evaluate=False)
    definitions = (Definition(value, called), Definition(array("d_" + HOSTILE), value))
    return Program(HOSTILE, (x,), (weight,), {}, definitions, (HOSTILE + "2",))


def elements(text, tag, kind):
    root = ElementTree.fromstring(text)
    return [each for each in root.iter(SVG + tag) if kind in each.get("class", "").split()]


def titles(text, kind):
    return [each.find(SVG + "title").text for each in elements(text, "g", kind)]


def test_every_node_and_edge_is_drawn(compiled):
    for stage in stages(compiled).values():
        drawn, text = graph(stage), svg(stage)
        assert sorted(titles(text, "box")) == sorted(node.equation for node in drawn.nodes)
        said = [title for title in titles_of_edges(text) if "the turn" not in title]
        assert len(said) == len(drawn.edges)
        for edge in drawn.edges:
            assert (
                edge.label in said
                if edge.label
                else any(title.startswith(f"{edge.source} → {edge.target}: ") for title in said)
            )


def titles_of_edges(text):
    """Those of the legend have none."""
    groups = elements(text, "g", "edge")
    return [
        each.find(SVG + "title").text for each in groups if each.find(SVG + "title") is not None
    ]


def test_what_backward_uses_again_is_told_apart(compiled):
    drawn, text = graph(compiled.program), svg(compiled.program)
    behind = backward_nodes(drawn)
    kinds = {node.name: node.kind for node in drawn.nodes}
    expected = {
        "ahead": [e for e in drawn.edges if e.target not in behind],
        "back": [e for e in drawn.edges if e.source in behind],
        "again": [e for e in drawn.edges if e.target in behind and e.source not in behind
                  and kinds[e.source] == "definition"],
        "given": [e for e in drawn.edges if e.target in behind and e.source not in behind
                  and kinds[e.source] != "definition"],
    }  # fmt: skip
    for kind, edges in expected.items():
        groups = [e for e in elements(text, "g", kind) if e.find(SVG + "title") is not None]
        assert len(groups) == len(edges) > 0
    assert re.search(r"\.again \.way { stroke-dasharray", text)


def test_the_legend_names_the_kinds_that_there_are(compiled):
    written = [each.text for each in elements(svg(compiled.program), "text", "words")]
    for words in (
        "forward",
        "backward",
        "what forward computed, used again",
        "the turn: ∂E/∂E = 1",
    ):
        assert words in written
    alone = [each.text for each in elements(svg(compiled.stages.expand), "text", "words")]
    assert "backward" not in alone  # all edges are of one kind


# The drawing


NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")


def way(data):
    """Points along a path's data, close to one another."""
    x = y = 0.0
    for letter, rest in re.findall(r"([MHVCQ])([^MHVCQ]*)", data):
        values = [float(number) for number in NUMBERS.findall(rest)]
        if letter == "M":
            (x, y) = values
            yield x, y
            continue
        if letter in "HV":
            end = (values[0], y) if letter == "H" else (x, values[0])
            handles = [(x, y), end]
        else:
            handles = [(x, y), *zip(values[::2], values[1::2], strict=True)]
            end = handles[-1]
        for step in range(1, 41):
            yield bezier(handles, step / 40)
        x, y = end


def bezier(handles, at):
    while len(handles) > 1:
        handles = [(a + (c - a) * at, b + (d - b) * at) for (a, b), (c, d) in pairwise(handles)]
    return handles[0]


def rectangles(text):
    for group in elements(text, "g", "box"):
        rect = group.find(SVG + "rect")
        left, top, width, height = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
        yield left, top, left + width, top + height


def crossings(text):
    """Edges that run through a box, and edges that leave the picture."""
    boxes = list(rectangles(text))
    _, _, width, height = map(float, ElementTree.fromstring(text).get("viewBox").split())
    for group in elements(text, "g", "edge"):
        title = group.find(SVG + "title")
        if title is None:
            continue
        for x, y in way(group.find(SVG + "path").get("d")):
            if not (0 < x < width and 0 < y < height):
                yield title.text, "outside"
            for left, top, right, bottom in boxes:
                if left + 0.5 < x < right - 0.5 and top + 0.5 < y < bottom - 0.5:
                    yield title.text, (left, top)


@pytest.mark.parametrize("order", ["loss-first", "weights-first", "cheapest"])
@pytest.mark.parametrize("path", OF_ONE_LOSS, ids=lambda path: path.stem)
def test_no_edge_runs_through_a_box(path, order):
    compiled = symgrad.compile(path, order=order)
    for stage in stages(compiled).values():
        assert list(crossings(svg(stage))) == []


def test_the_finder_of_crossings_finds_them():
    text = svg(symgrad.compile(ROOT / "specs" / "xor.toml").program)
    through = re.sub(r'(<g class="edge ahead"><title>[^<]*</title><path class="way" d=")[^"]*',
                     r"\1M300,0V700", text, count=1)  # fmt: skip
    assert through != text
    assert list(crossings(through))


def test_boxes_do_not_overlap(compiled):
    for stage in stages(compiled).values():
        boxes = sorted(rectangles(svg(stage)))
        for number, (left, top, right, bottom) in enumerate(boxes):
            for other in boxes[number + 1 :]:
                apart = other[0] >= right or other[1] >= bottom or other[3] <= top
                assert apart or other[2] <= left


def test_a_derivative_is_at_the_height_of_what_it_is_the_derivative_by(compiled):
    heights = {}
    for group in elements(svg(compiled.program), "g", "box"):
        name = re.split(r"[\[ ]", group.find(SVG + "title").text)[0]
        heights[name] = float(group.find(SVG + "rect").get("y"))
    pairs = [(name, name[2:]) for name in heights if name.startswith("d_") and name[2:] in heights]
    assert pairs and all(heights[name] == heights[of] for name, of in pairs)
    assert heights["E"] == max(heights.values())


# What it is made of


def test_it_says_what_it_is(compiled):
    root = ElementTree.fromstring(svg(compiled.program))
    assert root.get("role") == "img"
    assert root[0].tag == SVG + "title" and root[0].text.startswith(f"{compiled.spec.name}: ")
    assert root[1].tag == SVG + "desc" and "Backward: d_" in root[1].text
    assert "prefers-color-scheme: dark" in root[2].text
    assert {each.tag for each in root.iter()} <= {
        SVG + tag for tag in ("svg", "title", "desc", "style", "g", "rect", "path", "text", "tspan")
    }


def test_it_loads_nothing_and_has_no_ids(compiled):
    """A page may hold two pictures."""
    text = svg(compiled.program)
    assert "href" not in text and "url(" not in text and " id=" not in text
    assert text.count("http") == 1  # the name of SVG itself


def test_equations_are_whole_in_titles_and_short_in_boxes():
    compiled = symgrad.compile(ROOT / "specs" / "custom.toml")
    text = svg(compiled.program)
    (whole,) = [title for title in titles(text, "box") if title.startswith("d_z1[")]
    assert len(whole) > 80 and whole.endswith("+ part_of_a1[n,i1])")
    assert any(
        "".join(each.itertext()).endswith("…")
        for each in ElementTree.fromstring(text).iter(SVG + "text")
    )


def test_nothing_in_a_name_is_markup():
    text = svg(hostile())
    root = ElementTree.fromstring(text)
    assert "script" not in {each.tag.removeprefix(SVG) for each in root.iter()}
    assert root[0].text.startswith(HOSTILE)
    (equation,) = [each for each in titles(text, "box") if each.startswith(f"{HOSTILE}2 = ")]
    assert equation.startswith(f"{HOSTILE}2 = {HOSTILE}(") and f"{HOSTILE}0" in equation


@pytest.mark.slow
def test_the_same_program_gives_the_same_bytes_under_any_hash_seed():
    program = (
        "import symgrad, hashlib; from symgrad.showing import dot, svg\n"
        "stages = symgrad.compile('specs/residual.toml').stages\n"
        "for stage in (stages.gradient, stages.differentiate):\n"
        "    for draw in (dot, svg):\n"
        "        print(hashlib.sha256(draw(stage).encode()).hexdigest())\n"
    )
    found = {
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True,
                       env=os.environ | {"PYTHONHASHSEED": seed}).stdout
        for seed in ("0", "1")
    }  # fmt: skip
    assert len(found) == 1


@pytest.mark.slow
def test_pictures_of_deep_networks_are_long_and_no_more():
    def deep(layers):
        spec = nets.net(
            [4] + [4] * layers, ["tanh"] * layers, residual=range(2, layers + 1), l2=0.1
        )
        return symgrad.compile(spec).program

    texts = [svg(deep(layers)) for layers in (16, 64)]
    heights, widths = (
        [float(ElementTree.fromstring(text).get(side)) for text in texts]
        for side in ("height", "width")
    )
    assert 3 < heights[1] / heights[0] < 5
    assert widths[1] < 1.2 * widths[0]
    assert len(texts[1]) < 5 * len(texts[0])
    assert list(crossings(texts[0])) == []


def test_a_loss_that_no_weight_changes_can_be_drawn():
    compiled = symgrad.compile(nets.with_formula("sigmoid(z) + sigmoid(-z)"))
    for stage in stages(compiled).values():
        ElementTree.fromstring(svg(stage))
        assert dot(stage)
