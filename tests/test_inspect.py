"""inspect: every stage in every format, and that what is shown is what is there."""

import json

import numpy as np
import pytest
import sympy
from sympy.core.function import AppliedUndef

import symgrad
from symgrad.errors import SymgradError
from symgrad.inspect import FORMATS, stage_of, view
from symgrad.inspect import STAGES as OF_PASSES
from symgrad.language import functions
from symgrad.language.program import array, name_of
from symgrad.language.unicode import equation
from symgrad.lowering.buffers import buffers
from tests import nets
from tests.language.test_latex import faults

NETS = {
    "plain": nets.net([2, 2, 1], ["tanh", "identity"]),
    "everything": nets.net([2, 2, 2], ["silu", "softmax"], residual=[1], kind="cross_entropy",
                           l1=0.1, l2=0.3, sample_weights=True),
    "kinks": nets.net([2, 2, 2], ["leaky_relu", "selu"], kind="huber"),
    "logarithms": nets.net([2, 2], ["tanh"], kind="kl"),
    "a norm": nets.with_formula("z/sqrt(1 + sum(z**2))"),
    "fractions": nets.with_formula("0.1 + z/3 + (1 + z**2)**0.1 + max(z, 0.3)"),
    "e and π": nets.with_formula("exp(1)*z + exp(0.1)*sin(z) + erf(z)"),
}  # fmt: skip
PROGRAMS = ["expand", "stabilize", "share", "factor", "gradient"]
STAGES = ["spec", "expand", "stabilize", "share", "differentiate", "factor", "gradient",
          "schedule", "source"]  # fmt: skip


@pytest.fixture(params=NETS, scope="module")
def compiled(request):
    return symgrad.compile(NETS[request.param])


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_in_every_format(compiled, stage, format):
    if (stage, format) == ("schedule", "sympy"):
        with pytest.raises(SymgradError, match="a schedule is no expression"):
            view(compiled, stage, format)
        return
    written = view(compiled, stage, format)
    assert written.strip()
    if format == "json":
        json.loads(written)
    if format == "latex" and stage not in ("spec", "schedule", "source"):
        assert faults(written) == []
    if format == "sympy" and stage in (*PROGRAMS, "differentiate"):
        compile(written, "equations", "exec")


def test_the_stages_are_those_of_the_compiler(compiled):
    assert ["spec", *OF_PASSES] == [*STAGES[:-1], "update", "source"]
    of_all = {"spec", "order", "lowered", "source", "derivatives", "terms"}
    assert {*OF_PASSES} - of_all == {*vars(compiled.stages)} - of_all


def test_derivatives_that_a_spec_asks_for_are_there():
    layers = [{"units": 2, "activation": "tanh"}, {"units": 1}]
    spec = {"name": "net", "inputs": 2, "layers": layers, "derivatives": ["jacobian"]}
    text = view(symgrad.compile(spec), "jacobian")
    assert "d_y_d_x[n,i2,i0]" in text.splitlines()[-1]


def test_a_step_is_there_where_a_spec_names_an_optimizer(compiled):
    for format in FORMATS:
        with pytest.raises(SymgradError, match=r"no stage 'update' for this spec: it has no \["):
            view(compiled, "update", format)


def test_the_default_is_the_gradient_as_text(compiled):
    assert view(compiled) == view(compiled, "gradient", "unicode")


def test_the_program_is_what_all_passes_come_to(compiled):
    for format in FORMATS:
        assert view(compiled, "program", format) == view(compiled, "gradient", format)
    assert stage_of(compiled, "program") is compiled.program
    assert stage_of(compiled, "share") is compiled.stages.share


def test_unknown_stages_and_formats_are_refused():
    compiled = symgrad.compile(NETS["plain"])
    with pytest.raises(SymgradError, match=r"no stage 'parse'; there are spec, .*, program"):
        view(compiled, "parse")
    with pytest.raises(SymgradError, match="no format 'html'; there are unicode, latex, "):
        view(compiled, "gradient", "html")


@pytest.mark.parametrize("stage", PROGRAMS)
def test_programs_have_a_line_for_each_definition(compiled, stage):
    program = getattr(compiled.stages, stage)
    lines = view(compiled, stage).splitlines()
    assert [" ".join(line.split()) for line in lines] == list(map(equation, program.definitions))
    assert view(compiled, stage, "latex").count("&=") == len(program.definitions)


# SymPy code


def equations(code):
    """What the code leaves when it has run: name → (target, value)."""
    names = {}
    exec(code, names)
    return [(e.lhs, e.rhs) for e in names["equations"]]


def with_meanings(value):
    """Functions that the code has only named, as symgrad's own."""
    return value.replace(
        lambda node: isinstance(node, AppliedUndef),
        lambda node: getattr(functions, node.func.__name__)(*node.args),
    )


@pytest.mark.parametrize("stage", PROGRAMS)
def test_sympy_code_runs_and_gives_the_program_s_equations(compiled, stage):
    program = getattr(compiled.stages, stage)
    numbers = nets.run(program, nets.decimals(program))
    found = equations(view(compiled, stage, "sympy"))
    assert len(found) == len(program.definitions)
    for (target, value), definition in zip(found, program.definitions, strict=True):
        assert target == definition.target
        same(with_meanings(value), definition.value, definition.indices, numbers, definition)


def test_sympy_code_of_the_derivatives(compiled):
    graph = compiled.stages.differentiate
    numbers = nets.run(graph.program, nets.decimals(graph.program))
    found = equations(view(compiled, "differentiate", "sympy"))
    assert len(found) == len(graph.edges)
    for (target, value), edge in zip(found, graph.edges, strict=True):
        indices = tuple(dict.fromkeys((*edge.out, *edge.into)))
        assert target == array(f"d_{edge.target}_d_{edge.source}", *indices)
        same(with_meanings(value), edge.value, indices, numbers, edge)


def same(found, expected, indices, numbers, place):
    """Both values are one number to 25 digits: a constant that has become binary is off at 17."""
    at = dict.fromkeys(indices, 0)
    first, second = (sympy.N(nets.scalar(v, numbers, at), 30) for v in (found, expected))
    assert abs(first - second) < sympy.Float("1e-25", 30) * (1 + abs(second)), place


# JSON


@pytest.mark.parametrize("stage", PROGRAMS)
def test_programs_in_json(compiled, stage):
    program = getattr(compiled.stages, stage)
    data = json.loads(view(compiled, stage, "json"))
    assert list(data) == ["name", "inputs", "weights", "extents", "definitions", "outputs"]
    assert data["name"] == "net" and data["outputs"] == list(program.outputs)
    assert data["extents"]["n"] == "N" and data["extents"]["0"] == "2"
    assert [w.partition("[")[0] for w in data["weights"]] == list(map(name_of, program.weights))
    assert len(data["definitions"]) == len(program.definitions)
    for entry, definition in zip(data["definitions"], program.definitions, strict=True):
        assert list(entry) == [
            "name", "indices", "shape", "equation", "latex", "sympy", "operations",
        ]  # fmt: skip
        assert entry["name"] == definition.name
        assert entry["indices"] == [index.name for index in definition.indices]
        assert len(entry["shape"]) == len(entry["indices"])
        assert entry["equation"] == equation(definition)
        assert isinstance(entry["operations"], int) and entry["operations"] >= 0


def test_derivatives_in_json(compiled):
    data = json.loads(view(compiled, "differentiate", "json"))
    edges = compiled.stages.differentiate.edges
    assert list(data) == ["edges"]
    assert [(e["source"], e["target"]) for e in data["edges"]] == [
        (e.source, e.target) for e in edges
    ]
    assert all(list(e) == ["source", "target", "partial", "value", "sympy"] for e in data["edges"])
    assert all(e["partial"].startswith(f"∂{e['target']}") for e in data["edges"])


def test_schedules_in_json(compiled):
    data = json.loads(view(compiled, "schedule", "json"))
    assert list(data) == ["predict", "gradient"]
    for name, blocks in data.items():
        scheduled = compiled.stages.schedule[name]
        assert all(list(block) == ["kind", "when", "definitions"] for block in blocks)
        rows = [row for block in blocks for row in block["definitions"]]
        assert all(list(row) == ["name", "equation", "storage"] for row in rows)
        assert {row["name"] for row in rows} == {d.name for d in scheduled.program.definitions}


def test_the_spec_in_json_compiles_to_the_same_source(compiled):
    again = symgrad.compile(json.loads(view(compiled, "spec", "json")))
    assert again.source == compiled.source
    assert json.loads(view(compiled, "source", "json"))["source"] == view(compiled, "source")


# Text


def test_derivatives_as_text():
    lines = view(symgrad.compile(NETS["plain"]), "differentiate").splitlines()
    assert {" ".join(line.split()) for line in lines} == {
        "∂z1[n,i1]/∂W1[i0,i1] = x[n,i0]",
        "∂z1[n,i1]/∂b1[i1] = 1",
        "∂a1[n,i1]/∂z1[n,i1] = 1 - tanh(z1[n,i1])²",
        "∂y[n,i2]/∂W2[i1,i2] = a1[n,i1]",
        "∂y[n,i2]/∂a1[n,i1] = W2[i1,i2]",
        "∂y[n,i2]/∂b2[i2] = 1",
        "∂e[n]/∂y[n,i2] = y[n,i2] - t[n,i2]",
        "∂E/∂e[n] = 1/N",
    }
    assert len({line.index(" = ") for line in lines}) == 1  # their = signs below one another


def test_schedules_as_text():
    compiled = symgrad.compile(nets.net([64, 32, 2], ["tanh", "identity"], l2=0.5))
    lines = view(compiled, "schedule").splitlines()
    rows = buffers(compiled.stages.schedule["predict"], 8).rows
    assert lines[:8] == [
        "predict:",
        f"  matrix product, for {rows} samples at a time",
        "    z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]   [block]",
        f"  loop over samples, for {rows} samples at a time",
        "    a1[n,i1] = tanh(z1[n,i1])   [in the memory of z1]",
        f"  matrix product, for {rows} samples at a time",
        "    y[n,i2] = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]   [output]",
        "gradient:",
    ]
    assert "  loops over weights, at the end" in lines
    assert any(line.endswith("[in the memory of d_W1]") for line in lines)


def test_a_loss_that_no_weight_changes_can_be_looked_at():
    """cos² + sin² is 1: there are no derivatives to show."""
    compiled = symgrad.compile(nets.with_formula("cos(z)**2 + sin(z)**2"))
    for stage in STAGES:
        for format in FORMATS:
            if (stage, format) != ("schedule", "sympy"):
                view(compiled, stage, format)
    assert not np.any([float(d) for d in compiled.gradient.values()])


def test_names_are_listed_in_json():
    layers = [{"units": 2, "activation": "tanh"}, {"names": ["u"]}]
    named = symgrad.compile({"name": "net", "inputs": ["x", "t"], "layers": layers})
    assert json.loads(view(named, "gradient", "json"))["columns"] == {"x": ["x", "t"], "t": ["u"]}
    assert json.loads(view(named, "spec"))["inputs"] == ["x", "t"]
    plain = symgrad.compile(named.spec.unnamed())
    assert "columns" not in json.loads(view(plain, "gradient", "json"))
