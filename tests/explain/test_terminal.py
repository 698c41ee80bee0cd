"""The explanation on a terminal: all of a section at every width, and none of it as markup."""

import io
import re

import pytest
from rich.console import Console

import symgrad
from symgrad.explain.drawing.plot import plot
from symgrad.explain.drawing.terminal import new_console, show, show_head
from symgrad.language import latex, unicode
from symgrad.showing.pages.blocks import (
    Bars,
    Equations,
    Lines,
    Section,
    Series,
    Table,
    Words,
)
from symgrad.showing.pages.text import numeric, pieces
from tests.paths import OF_ONE_LOSS

HOSTILE = "[bold red]x[/bold red] [/] [link=http://a]b[/link] :smile: \\[a]"

TABLE = Table(
    ("array", "weights", "share of all the weights", "largest", "what it is"),
    (
        ("W1", 1234567, 0.4771, None, "from the inputs to the hidden layer, a matrix"),
        ("b1", 8, 0.5, 1.2e-7, "the hidden layer's bias"),
    ),
    "The weights",
    "`share` is of all",
)
BARS = Bars(
    "Operations",
    "per sample",
    (("written out", 8.3e7), ("shared, whatever occurs twice or more", 830.0), ("none", 0.0)),
)
LINES = Lines(
    "Time",
    "samples",
    "seconds",
    (
        Series("slow", ((1.0, 0.25), (10.0, 2.0))),
        Series("quick", ((1.0, 0.001), (100.0, 0.5), (10.0, None))),
    ),
)


@pytest.fixture(scope="module")
def section():
    rows = tuple(
        (unicode.equation(d), latex.equation(d))
        for spec in OF_ONE_LOSS
        for d in symgrad.compile(spec).program.definitions
    )
    words = Words("The `loss` is one expression. " * 12)
    blocks = (words, Equations(rows, "Equations"), TABLE, BARS, LINES)
    return Section("all", "All of it", blocks, {}, "out of time")


def shown(section, number=None, width=100, **options):
    file = io.StringIO()
    show(section, Console(file=file, width=width, highlight=False, **options), number)
    return file.getvalue()


def of(*blocks, **options):
    return shown(Section("s", "S", blocks, {}), **options)


def words(text):
    return re.findall(r"\S+", text)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_nothing_is_cut_and_nothing_is_too_wide(section, width):
    lines = shown(section, 3, width).splitlines()
    assert max(map(len, lines)) <= width
    assert not any(line != line.rstrip() or "…" in line for line in lines)
    everything = "".join(words("".join(lines)))
    for text, _ in section.blocks[1].rows:
        assert "".join(words(text)) in everything
    for figure in "1,234,567", "0.477", "1.20×10⁻⁷", "8.30×10⁷", "830":
        assert any(figure in words(line) for line in lines), figure


def test_a_section_has_its_title_number_and_what_is_missing(section):
    lines = shown(section, 3).splitlines()
    assert lines[:3] == ["", "3. All of it", "─" * 12]
    assert lines[-1] == "Not whole: out of time"
    assert shown(section).splitlines()[1] == "All of it"
    assert shown(Section("e", "Empty", (), {})) == "\nEmpty\n─────\n"


def test_nothing_is_read_as_markup():
    blocks = (
        Words(HOSTILE),
        Equations(((HOSTILE, "x"),), HOSTILE),
        Table((HOSTILE, "b"), ((HOSTILE, 1),), HOSTILE, HOSTILE),
        Bars(HOSTILE, HOSTILE, ((HOSTILE, 1.0),)),
        Lines(HOSTILE, "x", HOSTILE, (Series(HOSTILE, ((1.0, 2.0),)),)),
    )
    text = shown(Section("k", HOSTILE, blocks, {}, HOSTILE), width=400)
    # in all places but two, where it is broken and something stands beside it
    assert "".join(words(text)).count("".join(words(HOSTILE))) == 14
    assert "\x1b" not in text and "😄" not in text
    file = io.StringIO()
    show_head(HOSTILE, {"spec [b]": HOSTILE}, Console(file=file, width=200))
    assert file.getvalue().splitlines() == [HOSTILE, f"spec [b]  {HOSTILE}"]


def test_colours_only_where_they_are_wanted(section, monkeypatch):
    assert "\x1b" not in shown(section)
    assert "The `loss` is" in shown(section)
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = shown(section, force_terminal=True, color_system="standard", no_color=False)
    assert "\x1b[36mloss\x1b[0m is" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    plain = shown(section, force_terminal=True, color_system="standard")
    assert "The `loss` is" in plain
    assert not re.search(r"\x1b\[(\d+;)*3\d", plain)


def test_text_goes_on_in_the_next_line_and_equations_further_in():
    equation = "E = " + " + ".join(f"term{k}" for k in range(30))
    lines = of(Equations(((equation, "E"),)), width=60).splitlines()[3:]
    assert lines[0].startswith("  E = term0") and len(lines) > 2
    assert all(re.match(r" {6}\S", line) for line in lines[1:])
    assert words(" ".join(lines)) == words(equation)
    unbroken = "x" * 150
    assert "".join(words(of(Equations(((unbroken, "x"),)), width=60))).endswith(unbroken)


def test_columns_of_numbers_are_aligned_right():
    lines = of(TABLE, width=120).splitlines()[3:]
    assert lines[0] == "The weights"
    heading = next(place for place, line in enumerate(lines) if line.startswith("  array"))
    first, second = lines[heading + 1 : heading + 3]
    assert words(first)[:4] == ["W1", "1,234,567", "0.477", "–"]
    assert words(second)[:4] == ["b1", "8", "0.500", "1.20×10⁻⁷"]
    end = lines[heading].index("weights") + len("weights")
    assert first[:end].endswith(" 1,234,567") and second[:end].endswith(" 8")
    assert first.index("from") == second.index("the hidden") == lines[heading].index("what")
    assert lines[-1] == "`share` is of all"


def test_a_table_too_wide_becomes_lists():
    lines = of(TABLE, width=50).splitlines()[4:]
    assert lines[:3] == [
        "  array: W1",
        "    weights: 1,234,567",
        "    share of all the weights: 0.477",
    ]
    assert "  array: b1" in lines


def test_bars_are_logarithmic():
    lines = of(BARS, width=100).splitlines()[3:]
    assert lines[0] == "Operations (per sample; logarithmic, from 10² to 10⁸)"
    lengths = {words(line)[0]: len(re.findall("[█▏▎▍▌▋▊▉]", line)) for line in lines[1:]}
    room = lengths["written"] / (5.919 / 6)  # log10(8.3e7) - 2, of six decades
    assert lengths["shared,"] == pytest.approx(room * 0.919 / 6, abs=1)
    assert lengths["none"] == 0 and lines[-1].endswith(" 0")


@pytest.mark.parametrize("value", [0.0, -2.0, None, float("inf"), float("nan")])
def test_bars_and_lines_of_nothing(value):
    text = of(Bars("Title", "s", (("a", value),)), Lines("L", "x", "y", (Series("n", ()),)))
    assert "Title (s)" in text and "█" not in text
    assert "a" in words(text)
    assert of(Lines("L", "x", "y", (Series("n", ((1.0, value), (value, 1.0))),)))
    assert of(Bars("Title", "s", ()), Table(("a",), ()), Equations(()), Words(""))


def test_lines_are_plotted_with_letters():
    lines = of(LINES, width=60).splitlines()[2:]
    assert lines[1].strip() == "Time: seconds"
    assert lines[-3].split() == ["samples"]
    assert [words(line) for line in lines[-2:]] == [["a", "slow"], ["b", "quick"]]
    rows = [line for line in lines if "│" in line or "┤" in line]
    found = {
        (letter, row, line.index(letter))
        for row, line in enumerate(rows)
        for letter in "ab"
        if letter in line
    }
    columns = {letter: sorted(c for x, _, c in found if x == letter) for letter in "ab"}
    left, middle = columns["a"]
    # quick has points at 1 and 100, slow at 1 and 10: a power of ten is half the way
    assert columns["b"][0] == left and columns["b"][1] - left == 2 * (middle - left)
    height = {letter: [r for x, r, _ in sorted(found) if x == letter] for letter in "ab"}
    assert min(height["b"]) > min(height["a"])  # slow's 2 lies above quick's 0.5


def test_a_plot_keeps_within_its_width_and_shows_the_first_where_curves_meet():
    same = Lines("t", "x", "y", tuple(Series(n, ((1.0, 1.0), (9.0, 9.0))) for n in ("p", "q")))
    for width in (30, 60, 100):
        lines = plot(same, width)
        assert max(map(len, lines)) <= width
    drawn = "".join(line for line in plot(same, 60) if "│" in line or "┤" in line)
    assert drawn.count("a") == 2 and "b" not in drawn


def test_a_plot_has_ticks_at_powers_of_ten_and_of_nothing_is_nothing():
    lines = plot(Lines("t", "x", "y", (Series("s", ((1.0, 1.0), (100.0, 1000.0))),)), 60)
    labels = [line.split("┤")[0].strip() for line in lines if "┤" in line]
    assert labels == ["1,000", "100", "10", "1"]
    assert plot(Lines("t", "x", "y", (Series("s", ((1.0, -1.0), (2.0, 0.0))),)), 60) == []


def test_pieces():
    assert pieces("a `b` c") == [("a ", False), ("b", True), (" c", False)]
    assert pieces("`b`") == [("b", True)]
    assert pieces("a `b` `c") == [("a ", False), ("b", True), (" `c", False)]
    assert pieces("it`s") == [("it`s", False)]
    assert pieces("") == []


def test_numeric_columns():
    rows = ((1, "a", None, None), (None, 2, 0.5, None))
    assert numeric(Table(("a", "b", "c", "d"), rows)) == [True, False, True, False]


def test_a_console_for_files_is_as_wide_as_text_or_as_asked(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert new_console(io.StringIO()).width == 100
    monkeypatch.setenv("COLUMNS", "70")
    assert new_console(io.StringIO()).width == 70
