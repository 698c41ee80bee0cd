"""The page of an explanation: well-formed, safe, drawn to scale, and as a browser shows it."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

import symgrad
from symgrad.axes import linear_scale, log_scale
from symgrad.language import latex, unicode
from symgrad.showing.pages import charts
from symgrad.showing.pages.blocks import (
    Bars,
    Equations,
    Lines,
    Regions,
    Report,
    Section,
    Series,
    Table,
    Words,
)
from symgrad.showing.pages.page import mathml, page
from symgrad.showing.pages.text import figure
from tests.pages import HOSTILE, Reader, opened, trees
from tests.paths import OF_ONE_LOSS, ROOT

NAMESPACES = {"http://www.w3.org/1998/Math/MathML", "http://www.w3.org/2000/svg"}

BARS = Bars(
    "Operations, by pass",
    "operations per sample",
    (
        ("written out", 8.3e7),
        ("shared: what occurs twice is computed once, and kept in an array", 812.0),
        ("nothing", 0.0),
    ),
)
LINES = Lines(
    "Time of a call",
    "samples",
    "seconds",
    tuple(
        Series(f"network {k}", tuple((2.0**n, 1e-6 * k * 2.0**n) for n in range(12)))
        for k in range(1, 8)
    ),
)
TABLE = Table(
    ("array", "weights", "share", "largest", "what it is"),
    (
        ("W1", 1234567, 0.477, None, "from the inputs to the hidden layer, a matrix"),
        ("b1", 8, 0.5, 1.2e-7, "the hidden layer's bias"),
    ),
    "The weights",
    "`share` is of all",
)


def report_of(*blocks, name="net", title="Everything", missing="", **facts):
    sections = (Section("first", title, blocks, {}, missing), Section("empty", "Empty", (), {}))
    return Report(name, facts, sections)


@pytest.fixture(scope="module")
def definitions():
    return [d for spec in OF_ONE_LOSS for d in symgrad.compile(spec).program.definitions]


@pytest.fixture(scope="module")
def everything(definitions):
    """All kinds of blocks, and the equations of all specs."""
    rows = tuple((unicode.equation(d), latex.equation(d)) for d in definitions)
    blocks = (Words("All `of it`, in order."), Equations(rows, "All"), TABLE, BARS, LINES)
    return page(report_of(*blocks, missing="out of time", spec="specs/net.toml"))


def test_the_page_is_well_formed(everything, definitions):
    read = Reader(everything)
    assert everything.startswith("<!doctype html>")
    assert read.all("html") == [{"lang": "en"}]
    assert len(read.all("h1")) == len(read.all("main")) == len(read.all("title")[:1]) == 1
    assert len(trees(everything, "math")) == len(definitions)
    assert len(trees(everything, "svg")) == 2 + len(LINES.series)  # and the legend's
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"] for attributes in read.all("a")}
    assert targets == {"#first", "#empty"} <= {f"#{name}" for name in ids}
    for _, attributes in read.tags:
        assert set(attributes.get("aria-labelledby", "").split()) <= set(ids)
    assert "Not whole: out of time" in read.text


def test_the_page_loads_nothing(everything):
    read = Reader(everything)
    assert set(re.findall(r"\w+://[^\s\"'<>)]*", everything)) <= NAMESPACES
    assert not re.search(r"url\(|@import|javascript:|\bsrc=|\bon\w+=", everything)
    assert {tag for tag, _ in read.tags}.isdisjoint(
        {"script", "link", "img", "iframe", "object", "image", "use", "base", "form"}
    )
    policies = [each["content"] for each in read.all("meta") if "http-equiv" in each]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_the_same_report_makes_the_same_page(everything, definitions):
    rows = tuple((unicode.equation(d), latex.equation(d)) for d in definitions)
    blocks = (Words("All `of it`, in order."), Equations(rows, "All"), TABLE, BARS, LINES)
    assert page(report_of(*blocks, missing="out of time", spec="specs/net.toml")) == everything


def test_no_text_is_read_as_html():
    series = Series(HOSTILE, ((1.0, 2.0), (2.0, 3.0)))
    blocks = (
        Words(HOSTILE),
        Equations(((HOSTILE, HOSTILE), (HOSTILE, rf"\text{{{HOSTILE}}}")), HOSTILE),
        Table((HOSTILE, "b"), ((HOSTILE, 1),), HOSTILE, HOSTILE),
        Bars(HOSTILE, HOSTILE, ((HOSTILE, 1.0),)),
        Lines(HOSTILE, HOSTILE, HOSTILE, (series, series)),
    )
    hostile = Report(HOSTILE, {HOSTILE: HOSTILE}, (Section(HOSTILE, HOSTILE, blocks, {}, HOSTILE),))
    written = page(hostile)
    read = Reader(written)
    tags = {tag for tag, _ in read.tags}
    assert tags.isdisjoint({"script", "b"})
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)
    assert "<script" not in written
    assert read.text.count("<script>alert(1)</script>") > 12  # as text, in every place
    assert "42" not in read.text
    for tree in trees(written, "svg"):
        assert {each.tag for each in tree.iter()} <= {
            "svg", "title", "desc", "g", "path", "rect", "text",
        }  # fmt: skip


# Equations


def signs(text):
    """What a reader sees of LaTeX, in no order: scripts are written in another order there."""
    for command, seen in {r"\partial": "∂", r"\sum": "∑", r"\cdot": "·", r"\pi": "π"}.items():
        text = text.replace(command, seen)
    text = re.sub(r"\\(frac|left|right|sqrt|operatorname|mathrm|,)", "", text)
    return sorted(re.sub(r"[\\{}^_\s]", "", text).replace("-", "−"))


def test_an_equation_has_all_its_signs_in_mathml(definitions):
    for definition in definitions:
        written = latex.equation(definition)
        converted = mathml(written)
        assert converted is not None, written
        assert sorted("".join(ElementTree.fromstring(converted).itertext())) == signs(written)


def test_layers_are_superscripts_and_limits_stand_below():
    sum_, layered = r"\sum_{i_{0}} x_{n i_{0}}", "z^{(1)}_{n i_{1}}"
    tree = ElementTree.fromstring(mathml(rf"{layered} = -{sum_}"))
    base, below, above = tree.find(".//msubsup")
    assert [base.text, "".join(below.itertext()), "".join(above.itertext())] == ["z", "ni1", "(1)"]
    assert [mo.get("form") for mo in tree.iter("mo") if mo.text == "−"] == ["prefix"]
    assert tree.find(".//munder")[0].text == "∑"
    largest = ElementTree.fromstring(mathml(r"\max_{j_{2}} z_{j_{2}}"))
    assert largest.find(".//munder")[0].get("movablelimits") == "true"


def test_brackets_grow_and_functions_touch_their_arguments():
    named = r"\left[\operatorname{part} \operatorname{of} a^{(1)}\right]_{n}"
    tree = ElementTree.fromstring(mathml(rf"{named} = \operatorname{{relu}}\left(x\right)"))
    fences = [mo.text for mo in tree.iter("mo") if mo.get("stretchy") == "true"]
    assert fences == ["[", "]", "(", ")"]
    spaces = {mo.text: (mo.get("lspace"), mo.get("rspace")) for mo in tree.iter("mo")}
    assert spaces["part"] == spaces["of"] == ("0", "0.167em")
    assert spaces["relu"] == ("0", "0")


def test_bars_and_minus_signs_know_what_they_are_for():
    tree = ElementTree.fromstring(mathml(r"-|-x| - \left(y\right) - z \cdot 10^{-5}"))
    forms = [(mo.text, mo.get("form")) for mo in tree.iter("mo") if mo.text in "|−"]
    assert forms == [
        ("−", "prefix"), ("|", "prefix"), ("−", "prefix"), ("|", "postfix"),
        ("−", None), ("−", None), ("−", "prefix"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "written",
    [
        "x_", "{", r"\foo", "x^2^3", r"\left(x", r"\frac{a}", r"\color", r"\begin{matrix}",
        r"\text{<b>x</b>}", r"\text{&}", r"\href{javascript:alert(1)}{x}", r"\style{color:red}{x}",
    ],
)  # fmt: skip
def test_what_is_no_plain_mathml_is_shown_as_text(written):
    assert mathml(written) is None
    shown = page(report_of(Equations((("the <plain> text", written),))))
    assert "<code>the &lt;plain&gt; text</code>" in shown
    assert "<math" not in shown


# Figures and scales


@pytest.mark.parametrize(
    "value, written",
    [
        (None, "–"), ("as it is", "as it is"), (0, "0"), (0.0, "0"), (1234567, "1,234,567"),
        (64.0, "64"), (9999999.0, "9,999,999"),
        (1e7, "1.00×10⁷"), (10**7, "10,000,000"), (0.5, "0.500"),
        (12.345, "12.3"), (999.6, "1,000"), (1234.5, "1,234"),
        (-0.00123, "-0.00123"), (1.2e-7, "1.20×10⁻⁷"), (9.999e-8, "1.00×10⁻⁷"),
        (1234567.8, "1.23×10⁶"), (3 * 10**400, "3.00×10⁴⁰⁰"), (math.inf, "∞"),
        (-math.inf, "-∞"), (math.nan, "nan"),
    ],
)  # fmt: skip
def test_figures(value, written):
    assert figure(value) == written


@pytest.mark.parametrize("values", [[1, 1000], [3e-7, 2.0], [5.0], [100.0], [1e-300, 1e300]])
def test_logarithmic_ticks_are_powers_of_ten(values):
    scale = log_scale(values)
    ticks = list(scale.ticks())
    assert 2 <= len(ticks) <= 8
    exponents = [scale.low + place * (scale.high - scale.low) for place, _ in ticks]
    assert exponents == pytest.approx([round(each) for each in exponents])
    assert [ticks[0][0], ticks[-1][0]] == [0, 1]
    assert all(0 <= scale.place(value) <= 1 for value in values)


def test_logarithmic_labels():
    assert [label for _, label in log_scale([0.002, 20]).ticks()] == [
        "0.001", "0.01", "0.1", "1", "10", "100",
    ]  # fmt: skip
    assert [label for _, label in log_scale([0.002, 2000]).ticks()] == [
        "10⁻³", "10⁻¹", "10¹", "10³", "10⁵",
    ]  # fmt: skip
    assert [label for _, label in log_scale([1, 900]).ticks()] == ["1", "10", "100", "1,000"]
    assert [label for _, label in log_scale([2e-6, 1e-4]).ticks()] == ["10⁻⁶", "10⁻⁵", "10⁻⁴"]


@pytest.mark.parametrize("values", [[1, 8], [-3.5, 0.2], [5], [0], [1e-9, 2e-9], [0, 123456]])
def test_linear_ticks_are_round(values):
    scale = linear_scale(values)
    assert all(0 <= scale.place(value) <= 1 for value in values)
    digit = float(f"{scale.step:e}".split("e")[0])
    assert digit in (1, 2, 5)
    labels = [label for _, label in scale.ticks()]
    assert 2 <= len(set(labels)) == len(labels) <= 9


# Charts


def drawn(chart):
    return ElementTree.fromstring(chart.svg)


def box(svg):
    return [float(each) for each in svg.get("viewBox").split()]


def markers(svg):
    """Where the markers of each series are."""
    return [
        [
            tuple(map(float, re.findall(r"[-\d.]+", marker.get("transform"))))
            for marker in group.iter("path")
            if marker.get("class") == "marker"
        ]
        for group in svg.iter("g")
    ]


def test_lines_lie_where_their_scales_say():
    svg = drawn(charts.lines(LINES, "x"))
    *_, width, height = box(svg)
    groups = markers(svg)
    assert [len(each) for each in groups] == [12] * len(LINES.series)
    for group in groups:
        assert all(0 < x < width and 0 < y < height for x, y in group)
        steps = {round(b[0] - a[0], 0) for a, b in pairwise(group)}
        assert max(steps) - min(steps) <= 1  # powers of two, evenly on a logarithmic scale
        assert [y for _, y in group] == sorted((y for _, y in group), reverse=True)
    assert groups[0][0][1] > groups[1][0][1]  # twice as slow lies higher
    ticks = [each.text for each in svg.iter("text")]
    assert {"1", "10", "100", "1,000", "10⁻⁶", "10⁻⁵", "samples", "seconds"} <= set(ticks)


def test_series_differ_without_colours():
    chart = charts.lines(LINES, "x")
    looks = []
    for swatch, _ in chart.legend:
        line, marker = ElementTree.fromstring(swatch).iter("path")
        looks.append((line.get("stroke-dasharray"), marker.get("d")))
    assert len(set(looks)) == len(looks) == 7
    assert [name for _, name in chart.legend] == [series.name for series in LINES.series]
    groups = list(drawn(chart).iter("g"))
    assert looks == [(g[0].get("stroke-dasharray"), g[1].get("d")) for g in groups]


def test_bars_are_as_long_as_their_scale_says():
    chart = charts.bars(BARS, "x")
    svg = drawn(chart)
    *_, width, height = box(svg)
    rows = [each for each in svg.iter("rect") if each.get("class") == "bar"]
    lengths = [float(each.get("width")) for each in rows]
    decades = 6  # from 100 to 100,000,000
    expected = [(math.log10(value) - 2) / decades * width for value in (8.3e7, 812)]
    assert lengths == pytest.approx(expected, abs=0.1)
    assert all(float(each.get("y")) + float(each.get("height")) < height for each in rows)
    texts = [each.text for each in svg.iter("text")]
    assert {"8.30×10⁷", "812", "0", "10²", "10⁸", "operations per sample"} <= set(texts)
    assert all(len(text) < 45 for text in texts)  # long labels are broken
    assert chart.note.startswith("1 bar not drawn")


def test_charts_say_what_they_show():
    for chart in charts.bars(BARS, "x"), charts.lines(LINES, "x"):
        svg = drawn(chart)
        assert svg.get("role") == "img"
        named = [each.get("id") for each in svg if each.tag in ("title", "desc")]
        assert named == svg.get("aria-labelledby").split() == ["x-title", "x-desc"]
    assert "network 2: from 2.00×10⁻⁶ at 1 to" in drawn(charts.lines(LINES, "x")).find("desc").text


@pytest.mark.parametrize("log_x", [True, False])
@pytest.mark.parametrize(
    "points, kept",
    [
        ([(5.0, 3.0)], 1),
        ([(2.0, 7.0), (2.0, 7.0)], 2),
        ([(1.0, 10.0), (2.0, 10.0), (3.0, 10.0)], 3),
        ([(1.0, 0.0), (2.0, -1.0), (3.0, None), (4.0, math.inf), (5.0, math.nan), (6.0, 2.0)], 1),
        ([(None, 1.0), (math.inf, 1.0), (math.nan, 1.0), (1.0, 1.0)], 1),
    ],
)
def test_odd_points(points, kept, log_x):
    series = (Series("odd", tuple(points)), Series("none", ()))
    chart = charts.lines(Lines("t", "x", "y", series, log_x), "n")
    *_, width, height = box(drawn(chart))
    placed, none = markers(drawn(chart))
    assert len(placed) == kept and none == []
    assert all(0 <= x <= width and 0 <= y <= height for x, y in placed)
    assert chart.note == "" if kept == len(points) else f"{len(points) - kept} point" in chart.note


def test_zero_has_a_place_on_a_linear_axis_alone():
    series = (Series("s", ((0.0, 1.0), (-1.0, 2.0), (2.0, 3.0))),)
    assert len(markers(drawn(charts.lines(Lines("", "x", "y", series, False), "n")))[0]) == 3
    assert len(markers(drawn(charts.lines(Lines("", "x", "y", series), "n")))[0]) == 1


def test_a_linear_scale_has_a_place_for_all_that_is_finite():
    points = ((0.0, -1.0), (1.0, 0.0), (2.0, 3.0), (3.0, math.nan))
    chart = charts.lines(Lines("", "x", "y", (Series("s", points),), False, False), "n")
    (placed,) = markers(drawn(chart))
    assert len(placed) == 3 and chart.note == "1 point not drawn: not finite."
    (_, low), (_, zero), (_, high) = placed
    assert (low - zero) * 3 == pytest.approx(zero - high, abs=0.5)


def test_series_may_have_points_alone_or_a_line_alone():
    points = ((0.0, 1.0), (1.0, 2.0), (2.0, 4.0))
    series = Series("line", points, marked=False), Series("points", points, joined=False)
    chart = charts.lines(Lines("", "x", "y", series, log_x=False), "n")
    for shown in (
        list(drawn(chart).iter("g")),
        [ElementTree.fromstring(s) for s, _ in chart.legend],
    ):
        kinds = [[each.get("class") for each in group.iter("path")] for group in shown]
        assert set(kinds[0]) == {"line"} and set(kinds[1]) == {"marker"}


def test_ticks_do_not_touch_where_their_labels_are_long():
    points = tuple((1e5 + 1e5 * k, 1.0) for k in range(7))
    chart = charts.lines(Lines("", "x", "y", (Series("s", points),), log_x=False), "n")
    labels = [
        each.text for each in drawn(chart).iter("text") if each.get("text-anchor") == "middle"
    ]
    assert sum(len(label) + 1 for label in labels[:-1]) < 45 and len(labels) > 2


def test_linear_bars_go_from_zero_to_either_side():
    rows = (("up", 3.0), ("down", -1.0), ("none", 0.0), ("lost", math.nan))
    chart = charts.bars(Bars("", "fall", rows, log=False), "n")
    drawn_bars = [each for each in drawn(chart).iter("rect") if each.get("class") == "bar"]
    places = [[float(each.get(name)) for name in ("x", "width")] for each in drawn_bars]
    (up, up_width), (down, down_width), (_, none) = places
    assert down + down_width == pytest.approx(up, abs=0.2)
    assert up_width == pytest.approx(3 * down_width, abs=0.5) and none == 0
    assert chart.note == "1 bar not drawn: not finite."
    assert charts.bars(Bars("", "fall", rows[-1:], log=False), "n").svg == ""


@pytest.mark.parametrize("value", [0.0, -1.0, None, math.inf, math.nan])
def test_nothing_to_draw(value):
    blocks = Bars("", "s", (("a", value),)), Lines("", "x", "y", (Series("s", ((1.0, value),)),))
    for block in blocks:
        shown = Reader(page(report_of(block)))
        assert "There is nothing to draw." in shown.text
        assert not shown.all("svg")


def test_equal_bars_are_seen():
    svg = drawn(charts.bars(Bars("", "s", (("a", 10.0), ("b", 10.0))), "n"))
    first, second = (float(r.get("width")) for r in svg.iter("rect") if r.get("class") == "bar")
    assert first == second > 20


# In a browser


@pytest.fixture(scope="module")
def file(everything, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "net.html"
    path.write_text(everything, encoding="utf-8")
    return path


def luminance(colour):
    """As WCAG 2 defines it, of rgb(…)."""
    channels = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


def colour(page, selector, name):
    return page.eval_on_selector(selector, f"each => getComputedStyle(each)['{name}']")


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(browser, file, scheme, width):
    seen, requests, complaints = opened(browser, file, scheme, width)
    assert requests == [file.as_uri()]
    assert complaints == []
    assert seen.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for selector, count in ("math", seen.locator("math").count()), ("svg", 2 + len(LINES.series)):
        boxes = seen.eval_on_selector_all(
            selector, "all => all.map(e => e.getBoundingClientRect()).map(b => [b.width, b.height])"
        )
        assert len(boxes) == count > 0
        assert min(map(min, boxes)) > 5
    # no text of a chart leaves the page, or lies over another
    texts = seen.eval_on_selector_all(".chart", """charts => charts.map(chart =>
        [...chart.querySelectorAll("text")].map(text => text.getBoundingClientRect())
        .map(b => [b.left, b.top, b.right, b.bottom]))""")  # fmt: skip
    for boxes in texts:
        assert all(left >= 0 and right <= width for left, _, right, _ in boxes)
        for place, (left, top, right, bottom) in enumerate(boxes):
            for other in boxes[:place]:
                apart = left >= other[2] or other[0] >= right
                assert apart or top >= other[3] - 3 or other[1] >= bottom - 3
    seen.context.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_the_committed_page_in_a_browser(browser, width):
    file = ROOT / "docs" / "explain-iris.html"
    seen, requests, complaints = opened(browser, file, "dark", width)
    assert requests == [file.as_uri()] and complaints == []
    assert seen.evaluate("document.documentElement.scrollWidth <= innerWidth")
    titles = seen.locator("section h2").all_inner_texts()
    assert len(titles) == 8 and "What it costs" in titles[1]
    assert seen.locator("math").count() >= 2 and seen.locator("svg").count() > 8
    seen.context.close()


def test_contrast_in_light_and_dark(browser, file):
    grounds = []
    for scheme in "light", "dark":
        seen, *_ = opened(browser, file, scheme)
        ground = colour(seen, "body", "backgroundColor")
        grounds.append(luminance(ground))
        for selector in "body", "dt", "a", "thead th", ".aside":
            assert contrast(ground, colour(seen, selector, "color")) >= 4.5, (scheme, selector)
        for selector in ".chart .label", ".chart .tick":
            assert contrast(ground, colour(seen, selector, "fill")) >= 4.5, (scheme, selector)
        box, note = (colour(seen, each, "backgroundColor") for each in (".equations", ".missing"))
        assert contrast(box, colour(seen, "math", "color")) >= 4.5
        assert contrast(note, colour(seen, ".missing", "color")) >= 4.5
        for index in range(charts.COLOURS):
            assert contrast(ground, colour(seen, f".chart .s{index}", "color")) >= 3
        seen.context.close()
    light, dark = grounds
    assert light > 0.8 and dark < 0.05


def test_wide_blocks_scroll_by_themselves(browser, file):
    seen, *_ = opened(browser, file, width=360)
    inner, outer = seen.eval_on_selector(".equations", "e => [e.scrollWidth, e.clientWidth]")
    assert inner > outer
    seen.eval_on_selector(".equations", """e => {
        window.scrolled = new Promise(yes => {
            e.addEventListener("scroll", () => yes(e.scrollLeft > 0), {once: true});
            setTimeout(() => yes(false), 3000);
        });
    }""")  # fmt: skip
    seen.focus(".equations")
    seen.keyboard.press("ArrowRight")
    assert seen.evaluate("() => window.scrolled")
    seen.context.close()


def test_hostile_names_run_nothing(browser, tmp_path):
    path = tmp_path / "hostile.html"
    blocks = Words(HOSTILE), Equations(((HOSTILE, HOSTILE),)), Bars(HOSTILE, "s", ((HOSTILE, 1.0),))
    path.write_text(page(report_of(*blocks, name=HOSTILE, title=HOSTILE)), encoding="utf-8")
    seen, requests, complaints = opened(browser, path)
    assert requests == [path.as_uri()]
    assert complaints == []
    assert seen.evaluate("document.scripts.length") == 0
    assert seen.inner_text("h1") == HOSTILE
    seen.context.close()


# Regions


def test_regions_fill_the_plane_and_points_lie_where_they_are():
    rows = (((0, 0.0), (0, 0.1), (1, 1.0)), ((1, 0.5), (0, 0.9), (0, 0.9)))
    block = Regions(
        "plane", "u", "v", ((0.0, 3.0), (-1.0, 1.0)), rows, ((0.0, -1.0, 0), (3.0, 1.0, 1)),
        ("one", "<two>"),
    )  # fmt: skip
    chart = charts.regions(block, "r")
    assert [name for _, name in chart.legend] == ["one", "<two>"]
    root = ElementTree.fromstring(chart.svg)
    area = 0.0
    for path in (each for each in root.iter("path") if each.get("class") == "region"):
        for width, height in re.findall(r"h([\d.]+)v([\d.]+)", path.get("d")):
            area += float(width) * float(height)
    grid = [each.get("d") for each in root.iter("path") if each.get("class") in ("axis", "grid")]
    left, right = map(float, re.search(r"M([\d.]+),[\d.]+H([\d.]+)", grid[0]).groups())
    depths = [float(each) for each in re.findall(r"v(\d+)$", "\n".join(grid), re.M)]
    assert area == pytest.approx((right - left) * depths[0], rel=1e-3)
    first, second = [each.get("transform") for each in root.iter("path") if each.get("transform")]
    low, high = [
        [float(n) for n in re.search(r"translate\(([\d.]+),([\d.]+)\)", each).groups()]
        for each in (first, second)
    ]
    assert (low[0], high[0]) == (left, right) and low[1] - high[1] == depths[0]
    told = next(root.iter("desc")).text
    assert told == "one: 67% of the plane; <two>: 33% of the plane"
    assert [each.text for each in root.iter("title")][1:] == ["one: 0, -1", "<two>: 3, 1"]
