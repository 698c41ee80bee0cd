"""Emitted source: always the same bytes, valid Python whatever a user writes, and functions that
compute what they are called."""

import ast
import builtins
import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from jinja2 import Environment, FileSystemLoader, meta

import symgrad
from symgrad.compiler import Compiled
from symgrad.language.unicode import equation
from symgrad.pipeline import passes
from symgrad.spec.spec import Spec
from symgrad.targets.numba import emit
from tests.nets import net
from tests.paths import OF_ONE_LOSS, OF_OUTPUTS, ROOT

ORDERS = ["loss-first", "weights-first"]


def small(tmp_path, file_name):
    """The source of a small spec in a file of that name."""
    path = tmp_path / file_name
    path.write_text('name = "net"\ninputs = 2\n[[layers]]\nunits = 2\n')
    return symgrad.compile(path).source


def valid(source):
    """The tree of a source that Python takes without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile(source, "net.py", "exec")
    return ast.parse(source)


# ------------------------------------------------------------------------------- the same bytes

DIGESTS = f"""
import hashlib, sys
import symgrad
for path in sys.argv[1:]:
    for order in {ORDERS}:
        print(hashlib.sha256(symgrad.compile(path, order=order).source.encode()).hexdigest())
"""


def test_the_same_bytes_under_any_hash_seed_and_in_any_folder(tmp_path):
    def digests(seed, cwd, paths):
        return subprocess.run(
            [sys.executable, "-c", DIGESTS, *paths],
            cwd=cwd,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            encoding="utf-8",
            check=True,
        ).stdout.split()

    first = digests("0", ROOT, [f"specs/{path.name}" for path in OF_OUTPUTS])
    assert len(set(first)) == len(OF_OUTPUTS) * len(ORDERS)
    assert digests("4711", tmp_path, map(str, OF_OUTPUTS)) == first


@pytest.mark.parametrize("path", OF_OUTPUTS, ids=lambda path: path.stem)
def test_no_paths_and_no_dates(path):
    source = symgrad.compile(path).source
    for folder in {str(ROOT), str(Path.home()), str(path.parent), os.getcwd()} - {"/"}:
        assert folder not in source
    assert not re.search(r"\b20\d\d-\d\d?-\d\d?\b|\b\d\d?:\d\d:\d\d\b", source)
    assert f"Emitted by symgrad {symgrad.__version__} from {path.name}." in source


def test_equal_specs_give_equal_sources():
    plain = net([2, 3, 1], ["tanh", "identity"]).normalised()
    shuffled = dict(reversed(plain.items()))
    assert passes(Spec.parse(plain)).source == passes(Spec.parse(shuffled)).source


# -------------------------------------------------------------------------------- users' text

FILE_NAMES = [
    "plain.toml",
    "a'''b{{7*7}}.toml",
    'a"""b.toml',
    '"""\nimport os\n"""x.toml',
    "{% raw %}{{ spec }}{# no #}.toml",
    'ends in a quote".toml',
    r"back\slash\x.toml",
    r"back\N{DASH}\u12.toml",
    "new\nline.toml",
    "return\rform\ffeed.toml",
    "escape\x1b[31m.toml",
    "line\u2028separator.toml",
    "schön.toml",
    "$(touch x); 'a b'.toml",
]


def without_docstring(tree):
    return ast.dump(ast.Module(tree.body[1:], []))


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    """The tree of a module of a file with an ordinary name, apart: its docstring, and all else."""
    tree = valid(small(tmp_path_factory.mktemp("ordinary"), "net.toml"))
    return ast.get_docstring(tree, clean=False), without_docstring(tree)


@pytest.mark.parametrize("file_name", FILE_NAMES)
def test_a_file_name_is_only_text(tmp_path, file_name, ordinary):
    tree = valid(small(tmp_path, file_name))
    ordinary_header, rest = ordinary
    assert without_docstring(tree) == rest
    header = ast.get_docstring(tree, clean=False)
    assert "49" not in header.split("Spec, sha256")[0]
    # one line for the file, one for the command, and nothing that moves a terminal's cursor
    assert len(header.splitlines()) == len(ordinary_header.splitlines())
    assert all(character.isprintable() or character == "\n" for character in header)


@pytest.mark.parametrize(
    "file_name",
    ["net.toml", "my net.toml", "$(touch x); a'b.toml", "-o.toml", "<content> <used>.toml"],
)
def test_the_command_can_be_pasted_into_a_shell(tmp_path, file_name):
    path = tmp_path / file_name
    path.write_text('name = "net"\ninputs = 2\n[[layers]]\nunits = 2\n')
    compiled = symgrad.compile(path)
    for source, options in (
        (compiled.source, ["--single-file"]),
        (compiled.files["net.py"], []),
    ):
        header = ast.get_docstring(valid(source), clean=False)
        (command,) = [line for line in header.splitlines() if line.startswith("    symgrad ")]
        operand = f"./{file_name}" if file_name.startswith("-") else file_name
        assert shlex.split(command) == ["symgrad", "compile", operand, *options]


def test_a_file_name_that_is_no_text_can_be_written(tmp_path):
    """Names of files are bytes, and not always UTF-8."""
    source = small(tmp_path, os.fsdecode(b"net\xff.toml"))
    valid(source)
    source.encode("utf-8")


def test_the_command_names_the_order(tmp_path):
    path = tmp_path / "net.toml"
    path.write_text('name = "net"\ninputs = 2\n[[layers]]\nunits = 2\n')
    compiled = symgrad.compile(path, order="weights-first")
    command = "    symgrad compile net.toml --order weights-first"
    assert f"{command}\n" in compiled.files["net.py"]
    assert f"{command} --single-file\n" in compiled.source
    for source in (compiled.source, compiled.files["net.py"]):
        options = r"^Options: order = weights-first, dtype = float32; arithmetic version \d+$"
        assert re.search(options, source, re.MULTILINE)


@pytest.mark.slow
def test_names_of_ones_own_are_only_data():
    """Names that the emitted code uses itself, and Python's, mean nothing there."""
    names = ["np", "F", "theta", "samples", "loss", "E", "print", "_cached", "Compiled", "z1", "y"]

    def functions(name):
        plain = net([2, 2], ["tanh"], own={name: "tanh(z)"}, formula="(y - t)**2").normalised()
        plain["layers"][0]["activation"] = name
        plain["loss"] = {"formula": "a*(y - t)**2", "constants": {"a": 2.0, "lambda": 1.0}}
        body = valid(passes(Spec.parse(plain)).source).body
        return [ast.dump(each) for each in body if isinstance(each, ast.FunctionDef | ast.ClassDef)]

    expected = functions("other")
    for name in names:
        assert functions(name) == expected, name


BOTH = [1e-40, 3e38, 1.5, -0.0, 0.1, 1e16, 123456789.125]


@pytest.mark.parametrize(
    "dtype, constant",
    [
        *(("float64", constant) for constant in (1e-320, 5e-324, 1e39, 1e300, -1e300, *BOTH)),
        *(("float32", constant) for constant in BOTH),
    ],
)
def test_any_constant_can_be_written(interpret, constant, dtype):
    plain = net([1, 1], ["mine"], own={"mine": "z"}, dtype=dtype).normalised()
    plain["activations"]["mine"] = {"formula": "z + c", "constants": {"c": constant}}
    source = passes(Spec.parse(plain)).source
    valid(source)
    module = interpret(source)
    with np.errstate(over="ignore", under="ignore"):
        y = module.predict(np.zeros(2, dtype), np.zeros((1, 1), dtype))
        assert y[0, 0] == np.dtype(dtype).type(constant)


@pytest.mark.parametrize("formula", ["z * 1e300 * 1e300", "z * 1e-300 * 1e-300", "z**2 * 1e300**2"])
def test_constants_beyond_all_floats_are_refused_or_written(interpret, formula):
    try:
        source = passes(net([1, 1], ["mine"], own={"mine": formula})).source
    except symgrad.errors.SymgradError:
        return
    y = interpret(source).predict(np.zeros(2), np.ones((1, 1)))
    assert y[0, 0] == 0 or np.isnan(y[0, 0])


# ---------------------------------------------------------------------------------- how it reads


@pytest.mark.parametrize("path", OF_OUTPUTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("order", ORDERS)
def test_examples_are_valid_python(path, order):
    valid(symgrad.compile(path, order=order).source)


def statements_in(source):
    return sum(isinstance(node, ast.stmt) for node in ast.walk(ast.parse(source)))


@pytest.mark.parametrize("widths", [([2, 3, 4, 2], [3, 4, 5, 3]), ([40] * 4, [300] * 4)])
def test_code_does_not_grow_with_widths(widths):
    """Loops and products, not a statement for each unit."""
    few, many = (
        statements_in(passes(net(each, ["tanh", "silu", "softmax"], l1=0.1)).source)
        for each in widths
    )
    assert few == many


def test_code_grows_linearly_with_depth():
    sizes = [
        statements_in(passes(net([3] * (depth + 1), ["tanh"] * depth)).source)
        for depth in (2, 4, 6, 8)
    ]
    assert len(set(np.diff(sizes))) == 1


PARTS = {
    "predict": ("_prediction_of_chunk",),
    "gradient": (
        "_totals",
        "_gradient_of_leaf",
        "_samples_of_leaf",
        "_sums_of_leaf",
        "_gradient_at_the_end",
    ),
}


def bodies(source):
    """For each schedule, the lines of the functions that run it."""
    lines = source.splitlines()
    functions = {
        node.name: lines[node.lineno : node.end_lineno]
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    }
    for schedule, names in PARTS.items():
        yield schedule, [line for name in names for line in functions.get(name, [])]


EXAMPLES = [
    *(Spec.load(path) for path in OF_ONE_LOSS),
    net([2, 3, 2], ["tanh", "softmax"], l1=0.1, l2=0.1, sample_weights=True, residual=[]),
    net([2, 3], ["mine"], own={"mine": "z * sum(z) / sum(z**2)"}, formula="sum(y*t)/sum(y**2)"),
]


# What is said of code that does not do all that its equation says, or in another way.
REMARK = re.compile(
    r": the sum over n here, the rest when it is complete$|, which is that of z\w*: both are .*$"
)


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda spec: spec.name)
def test_every_definition_stands_under_its_equation(spec):
    stages = passes(spec)
    for name, lines in bodies(stages.source):
        comments = [REMARK.sub("", line) for line in lines if line.strip().startswith("# ")]
        for definition in stages.schedule[name].program.definitions:
            written = [line for line in comments if line.endswith(equation(definition))]
            assert len(written) == 1, equation(definition)


def steps_of(lines):
    """The lines of a function in groups: comments, and the code under them."""
    comments, code = [], []
    for line in lines:
        if line.strip().startswith("# "):
            if code:
                yield comments, code
                comments, code = [], []
            comments.append(line.strip())
        elif comments:
            code.append(line.strip())
    yield comments, code


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda spec: spec.name)
def test_code_computes_what_the_equation_above_it_says(spec):
    for _, lines in bodies(passes(spec).source):
        for comments, code in steps_of(lines):
            for comment in comments:
                (name,) = re.search(r"(\w+)(?:\[[^\]]*\])? = ", comment).groups()
                called = rf"^\w+\(.*, (flat\()?{name}\)?(, .*)?\)$"
                written = rf"^{name}(_sum)?(\[.*?\])? [-+]?= |{called}"
                assert any(re.match(written, line) for line in code), comment


def two_files(spec):
    """The trees of a module that imports what all modules have in common, and of that."""
    module, beside = map(ast.parse, Compiled(spec).files.values())
    return module, beside


def functions_in(tree, *inside):
    """The functions of a file, or of functions in it."""
    bodies = [tree.body] if not inside else [f.body for f in tree.body if f.name in inside]
    return [each for body in bodies for each in body if isinstance(each, ast.FunctionDef)]


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda spec: spec.name)
def test_single_precision_constants_are_typed(spec):
    """A bare 0.5 would make a float32 expression float64; only sums of losses are double."""
    module, beside = two_files(Spec.parse(spec.normalised() | {"dtype": "float32"}))
    beside.body = functions_in(beside)
    functions = [*functions_in(module), *functions_in(beside, "_drivers", "_training")]
    assert {"_prediction_of_chunk", "_gradient_in_turn", "_steps"} <= {f.name for f in functions}
    # penalties and settings come as Python has them, and so does what is handed to it for no loss;
    # a step of an optimizer computes what it needs once in double, and in single in its loop
    in_double = {"quarter_turns", "normal_tail", "_update", "_check", "_fits"}
    in_double |= {"_prediction_at_once", "_check_leaves", "_check_sums"}
    in_double |= {"_check_training", "_batches", "_steps"}
    steps = [node for node in functions if node.name == "_update"]
    functions = [node for node in functions if node.name not in in_double]
    functions += [loop for step in steps for loop in step.body if isinstance(loop, ast.For)]
    typed = set()
    for node in (each for function in functions for each in ast.walk(function)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "F":
            typed |= {id(each) for each in ast.walk(node)}
        elif isinstance(node, ast.Assign) and re.fullmatch(r"\w+_sum = 0\.0", ast.unparse(node)):
            typed.add(id(node.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, float):
            assert id(node) in typed, f"{ast.unparse(node)} in line {node.lineno}"
    assert typed


def test_keys_and_templates_agree():
    with pytest.raises(AssertionError, match=r"keys and templates differ: .*digest"):
        emit.render({})


def called_in(tree):
    """The functions that are called by their names."""
    return {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def known_in(tree):
    """What is defined, imported, assigned or given somewhere in a file."""
    known = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    known |= {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    known |= {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return known | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda spec: spec.name)
def test_a_module_has_the_functions_that_it_calls_and_no_others(interpret, spec):
    module, beside = two_files(spec)
    public = {"predict", "loss", "loss_and_gradient", "loss_and_gradient_into", "step"}
    public |= {"train_epoch", "train_steps"} if spec.training else set()
    public |= set() if spec.of_terms else {"gradient_of_leaves", "complete_gradient"}
    added = {"parameters", *(f"_{name}" for name in public)}  # by `build`
    added |= {"cos64", "power64", "power64_whole"} if spec.training else set()
    added |= {f"_{name}" for name in spec.derivatives}
    assert added <= set(vars(interpret(passes(spec).source)))
    assert called_in(module) <= known_in(module) | added | set(dir(builtins))
    assert called_in(beside) <= known_in(beside) | set(dir(builtins))
    # and has none that nothing calls: elementary functions and those for loops that are alike by
    # name, what all modules call by what is imported from beside
    kernels = {name for names in PARTS.values() for name in names}
    kernels |= {f.name for each in passes(spec).lowered.derivatives for f in each.kernels.functions}
    public |= {name + into for name in spec.derivatives for into in ("", "_into")}
    functions = {function.name for function in functions_in(module)}
    assert functions - public - kernels - {"_update"} <= called_in(module)
    (choice,) = [node for node in module.body if isinstance(node, ast.Try)]
    imports = [node for node in ast.walk(choice) if isinstance(node, ast.ImportFrom)]
    assert [node.level for node in imports] == [1, 0]
    for node in imports:
        assert {alias.name for alias in node.names} <= called_in(module)
    # and none hides behind an array of the same name
    defined = {
        node.name for tree in (module, beside) for node in tree.body if hasattr(node, "name")
    }
    names = {name for stage in passes(spec).schedule.values() for name in stage.program.by_name}
    assert not names & (defined | added)


def test_every_template_is_a_part_of_what_is_emitted():
    environment = Environment(loader=FileSystemLoader(emit.templates()))
    whole = ("module", "runtime", "frozen", "elementary")
    used, waiting = set(), [f"{name}.py.jinja" for name in whole]
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            tree = environment.parse((emit.templates() / name).read_text("utf-8"))
            waiting += meta.find_referenced_templates(tree)
    assert used == set(environment.list_templates())


def test_sums_that_are_all_of_rows_leave_no_empty_loop() -> None:
    layers = [{"units": 64, "activation": "relu"}, {"units": 29}]
    spec = {"name": "net", "inputs": 3, "layers": layers, "derivatives": ["pullback"]}
    source = symgrad.compile(spec).source
    assert "sum_rows(d_y, d_b2)" in source and ast.parse(source)
