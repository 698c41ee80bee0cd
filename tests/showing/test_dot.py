"""Graphviz's language: what is written is a graph of it, whatever the names are."""

import re
import shutil
import subprocess
from xml.etree import ElementTree

import pytest

import symgrad
from symgrad.showing import dot
from symgrad.showing.dot import quoted, written
from symgrad.showing.graph import graph
from tests.paths import OF_ONE_LOSS, ROOT
from tests.showing.test_graph import stages
from tests.showing.test_svg import HOSTILE, hostile

TOKEN = re.compile(
    r'\s+|(?P<string>"(?:[^"\\]|\\.)*")|(?P<word>[A-Za-z_]\w*|-?\d+(?:\.\d+)?)|(?P<sign>->|[{}\[\];=,])'
)


def tokens(text):
    """The tokens of a text; that it consists of tokens is asserted."""
    place = 0
    while place < len(text):
        found = TOKEN.match(text, place)
        assert found, text[place : place + 40]
        if found.lastgroup:
            yield found.lastgroup, found.group(found.lastgroup)
        place = found.end()


def edges(text):
    """Pairs of names, of edges that are seen; brackets and braces are asserted to match."""
    found, opened, before = [], [], None
    stream = list(tokens(text))
    assert [token for _, token in stream[:1]] == ["digraph"]
    for number, (kind, token) in enumerate(stream):
        if token in ("{", "["):
            opened.append(token)
        elif token in ("}", "]"):
            assert opened.pop() + token in ("{}", "[]")
        elif token == "->":
            assert before == "string" and stream[number + 1][0] == "string"
            found.append((stream[number - 1][1], stream[number + 1][1], number))
        before = kind
    assert not opened
    return [(a, b) for a, b, number in found if not hidden(stream, number)]


def hidden(stream, number):
    """Whether the statement of an edge says that it isn't drawn."""
    rest = [token for _, token in stream[number:]]
    return "invis" in rest[: rest.index(";")]


@pytest.fixture(params=OF_ONE_LOSS, ids=lambda path: path.stem, scope="module")
def compiled(request):
    return symgrad.compile(request.param)


def test_every_edge_of_the_graph_is_one(compiled):
    for stage in stages(compiled).values():
        expected = [(quoted(e.source), quoted(e.target)) for e in graph(stage).edges]
        assert edges(dot(stage)) == expected


def test_every_node_has_its_equation(compiled):
    for stage in stages(compiled).values():
        text = dot(stage)
        for node in graph(stage).nodes:
            (line,) = [
                s for s in text.splitlines() if s.startswith(f"    {quoted(node.name)} [label=")
            ]
            assert f"tooltip={written(node.equation)}" in line


def test_partial_derivatives_are_labels():
    stage = symgrad.compile(ROOT / "specs" / "xor.toml").stages.differentiate
    assert 'label="∂a1[n,i1]/∂z1[n,i1] = 1 - tanh(z1[n,i1])²"' in dot(stage)


def test_layers_are_clusters_and_rows_are_ranks():
    text = dot(symgrad.compile(ROOT / "specs" / "xor.toml").program)
    assert text.count("subgraph") == 4  # inputs, two layers, loss
    assert 'label="layer 2"' in text
    assert '{ rank=same; "a1"; "d_a1"; "a1" -> "d_a1" [style=invis, constraint=true]; }' in text


def test_strings_stand_for_themselves():
    assert quoted("a") == '"a"'
    assert written("a & b") == '"a &amp; b"'
    assert quoted('a"b\\N\nc\r') == '"a\\"b\\\\N\\nc"'


def test_nothing_in_a_name_is_syntax():
    expected = [(quoted(e.source), quoted(e.target)) for e in graph(hostile()).edges]
    assert edges(dot(hostile())) == expected


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_draws_it(compiled):
    for stage in [*stages(compiled).values(), hostile()]:
        made = subprocess.run(
            ["dot", "-Tsvg"], input=dot(stage).encode(), capture_output=True, timeout=60
        )
        assert made.returncode == 0 and made.stderr == b"", made.stderr
        root = ElementTree.fromstring(made.stdout)
        kinds = [each.get("class") for each in root.iter() if each.get("class")]
        assert kinds.count("node") == len(graph(stage).nodes)
    assert f"{HOSTILE}: " in "".join(root.itertext())
