"""Programs as graphs: what is there, what reads what, and where it stands in a picture."""

import ast

import pytest

import symgrad
from symgrad.language import unicode
from symgrad.language.count import of_definition, operations
from symgrad.language.program import Definition, Program, array, name_of, reads
from symgrad.language.summary import counts, network, summary
from symgrad.showing.graph import Edge, graph
from symgrad.showing.placement import assign_rows, backward_nodes
from tests import nets
from tests.paths import OF_ONE_LOSS, ROOT
from tests.rooms import COMPILER, files, imported

STAGES = ["expand", "stabilize", "share", "differentiate", "factor", "gradient", "update"]


@pytest.fixture(params=OF_ONE_LOSS, ids=lambda path: path.stem, scope="module")
def compiled(request):
    return symgrad.compile(request.param)


@pytest.fixture(scope="module")
def xor():
    return symgrad.compile(ROOT / "specs" / "xor.toml")


def stages(compiled):
    """Every stage of a compiled spec that has a picture."""
    found = {name: getattr(compiled.stages, name) for name in STAGES}
    return {name: stage for name, stage in found.items() if stage is not None}


# The graph


def test_every_read_has_an_edge_and_every_edge_is_a_read(compiled):
    for stage in stages(compiled).values():
        if isinstance(stage, Program):
            read = [
                (name_of(source), definition.name)
                for definition in stage.definitions
                for source in reads(definition.value)
            ]
            edges = [(edge.source, edge.target) for edge in graph(stage).edges]
            assert edges == list(dict.fromkeys(read))


def test_every_array_is_a_node(compiled):
    for stage in stages(compiled).values():
        if isinstance(stage, Program):
            nodes = graph(stage).nodes
            definitions = [node for node in nodes if node.kind == "definition"]
            given = [node.name for node in nodes if node.kind != "definition"]
            assert given == list(stage.given)
            for node, definition in zip(definitions, stage.definitions, strict=True):
                assert node.equation == unicode.equation(definition)
                assert node.shape == tuple(map(str, stage.shape(definition.target)))
                assert node.operations == of_definition(stage, definition)
            assert sum(node.operations for node in nodes) == operations(stage)


def test_partial_derivatives_are_edges_with_labels(xor):
    drawn = graph(xor.stages.differentiate)
    assert Edge("z1", "a1", "∂a1[n,i1]/∂z1[n,i1] = 1 - tanh(z1[n,i1])²") in drawn.edges
    assert len(drawn.edges) == len(xor.stages.differentiate.edges)
    ends = {end for edge in drawn.edges for end in (edge.source, edge.target)}
    assert {node.name for node in drawn.nodes} == ends  # no node of which nothing is said
    assert drawn.summary == "2-2-1, 8 local partial derivatives"


def test_counts(xor):
    found = counts(xor.program)
    assert (found.weights, found.definitions, found.loss, found.gradient) == (9, 13, 16, 30)
    assert counts(xor.stages.share).gradient is None
    update = symgrad.compile(ROOT / "specs" / "digits.toml").stages.update
    assert (counts(update).loss, counts(update).gradient) == (None, None)
    assert summary(xor.program) == (
        "2-2-1, 9 weights, 13 definitions, loss 16 operations a sample, with gradient 30"
    )
    assert summary(update).startswith("6,570 weights, 7 definitions, ")


def test_long_networks_are_named_in_short(xor):
    assert network(xor.program) == "2-2-1"
    deep = symgrad.compile(nets.net([3] + [2] * 20, ["tanh"] * 20))
    assert network(deep.program) == "3-2-2-…-2, 20 layers"


# Where it stands


def test_every_node_stands_in_one_place(compiled):
    for stage in stages(compiled).values():
        drawn = graph(stage)
        names = [
            name
            for row in assign_rows(drawn)
            for name in (row.forward, *(each for pair in row.pairs for each in pair), *row.backward)
            if name is not None
        ]
        assert sorted(names) == sorted(node.name for node in drawn.nodes)


def test_derivatives_stand_opposite(compiled):
    placed = assign_rows(graph(compiled.program))
    given = set(compiled.program.given)
    for row in placed:
        assert all(name == f"d_{row.forward}" for name in row.backward)
        for name, gradient in row.pairs:
            assert gradient in (None, f"d_{name}")
            if name in given and name[0] in "Wb":
                assert gradient == f"d_{name}"


def test_the_loss_is_the_turning_point(compiled):
    for stage in stages(compiled).values():
        placed = assign_rows(graph(stage))
        if "E" in {row.forward for row in placed}:
            assert placed[-1].forward == "E"
            assert all(row.forward != "E" for row in placed[:-1])


def test_rows_belong_to_layers():
    placed = assign_rows(graph(symgrad.compile(ROOT / "specs" / "digits.toml").program))
    bands = {row.forward: row.band for row in placed}
    assert bands["x"] == "inputs"
    assert bands["z1"] == bands["a1"] == "layer 1"
    assert bands["z3"] == bands["sum_exp_centered_z3"] == bands["y"] == "layer 3"
    assert bands["log_y"] == bands["e"] == bands["E"] == "loss"
    penalties = {name: row.forward for row in placed for name, _ in row.pairs}
    assert penalties["R2"] == penalties["W2"] == penalties["b2"] == "z2"


def test_what_the_derivatives_alone_need_is_computed_backward():
    x, W1, z1, part, E, d_W1 = (array(name) for name in ("x", "W1", "z1", "part", "E", "d_W1"))
    definitions = [(z1, x * W1), (E, z1**2), (part, 2 * z1), (d_W1, part * x)]
    program = Program(
        "net", (x,), (W1,), {}, tuple(Definition(*each) for each in definitions), ("E", "d_W1")
    )
    assert backward_nodes(graph(program)) == {"part", "d_W1"}


@pytest.mark.slow
def test_other_orders_are_drawn_too(xor):
    for order in ("weights-first", "cheapest"):
        for path in OF_ONE_LOSS:
            drawn = graph(symgrad.compile(path, order=order).program)
            placed = [name for row in assign_rows(drawn) for name in row.backward]
            beside = [
                gradient for row in assign_rows(drawn) for _, gradient in row.pairs if gradient
            ]
            assert sorted([*placed, *beside]) == sorted(backward_nodes(drawn))


def test_a_penalty_that_is_given_at_each_call_stands_with_the_weights():
    spec = symgrad.Spec.load(ROOT / "specs" / "xor.toml").normalised()
    spec["loss"]["l2"] = "argument"
    drawn = graph(symgrad.compile(spec).program)
    where = {name: row.forward for row in assign_rows(drawn) for name, _ in row.pairs}
    assert where["R1"] == where["W1"] == where["l2"] == "z1"


# The arrows


def test_pictures_know_the_language_and_the_compiler_knows_no_pictures():
    for file, name in imported("showing"):
        if name.startswith("symgrad"):
            known = ("symgrad.axes", "symgrad.language", "symgrad.showing")
            assert name.startswith(known), (file, name)
    for file, name in imported(*COMPILER):
        assert not name.startswith("symgrad.showing"), (file, name)
    # A notebook asks a compiled spec for its picture, and it knows whom to ask: then, not before.
    known = {name for _, name in imported("compiler.py") if name.startswith("symgrad.showing")}
    assert known == {"symgrad.showing.notebook", "symgrad.showing.notebook.html"}
    (path,) = files("compiler.py")
    at_once = [each for each in ast.parse(path.read_text("utf-8")).body if is_import(each)]
    assert at_once and not any("symgrad.showing" in ast.unparse(each) for each in at_once)


def is_import(statement):
    return isinstance(statement, ast.Import | ast.ImportFrom)
