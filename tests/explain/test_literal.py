"""literal: the proposal on scalars, what is counted in it, and that it always ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from threading import Event

import pytest
import sympy as sp

from symgrad.checking.scalars import expand
from symgrad.errors import SymgradError
from symgrad.explain.clock import Clock
from symgrad.explain.scalars import peers
from symgrad.explain.scalars import run as scalar_run
from symgrad.explain.scalars.count import (
    Counter,
    casadi_operations,
    symengine_node,
    sympy_node,
    wrenfold_node,
)
from symgrad.explain.scalars.peers import NOT_TRIED, Outcome, check_peers, run
from symgrad.explain.sections import literal as section
from symgrad.explain.sections.literal import literal, rung
from symgrad.showing.pages.blocks import Lines, Table, Words
from symgrad.spec.spec import Spec
from tests import nets

HUGE = (8, 64, 64, 64, 8)  # no tool here is done with it in a minute


@pytest.fixture
def begun(monkeypatch):
    """The child processes that were begun."""
    processes = []

    class Noted(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            processes.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    return processes


def gone(process):
    """It has ended, and nothing is left of it, not even for a parent to ask about."""
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    return process.returncode is not None


# --- the rule ---------------------------------------------------------------------------------

RULE = [
    (lambda x, y, z: x + y, 1),
    (lambda x, y, z: x - y, 1),
    (lambda x, y, z: x + y - z, 2),
    (lambda x, y, z: x * y, 1),
    (lambda x, y, z: x * y * z, 2),
    (lambda x, y, z: x / y, 1),
    (lambda x, y, z: 1 / x, 1),
    (lambda x, y, z: 1 / (x + y), 2),
    (lambda x, y, z: x**2, 1),
    (lambda x, y, z: x**3, 2),
    (lambda x, y, z: 1 - x**2, 2),
    (lambda x, y, z: -x, 0),
    (lambda x, y, z: 2 * x, 0),
    (lambda x, y, z: x / 2, 0),
    (lambda x, y, z: -2 * x * y, 1),
    (lambda x, y, z: x**y, 1),
    (lambda x, y, z: (x - y) ** 2 / 2, 2),
    (lambda x, y, z: (x + y) * (x + z), 3),
]


@pytest.mark.parametrize("tool", ["sympy", "symengine", "wrenfold", "casadi"])
@pytest.mark.parametrize("case", range(len(RULE)))
def test_one_rule_for_all(tool, case):
    pytest.importorskip(tool)
    make, operations = RULE[case]
    if tool == "casadi":
        import casadi

        arguments = [casadi.SX.sym(name) for name in "xyz"]
        function = casadi.Function("f", arguments, [make(*arguments)])
        assert casadi_operations(function) == operations
    else:
        vocabulary = getattr(scalar_run, tool, None)
        symbol = vocabulary().symbol if vocabulary and tool != "sympy" else sp.Symbol
        dialects = {"sympy": sympy_node, "symengine": symengine_node, "wrenfold": wrenfold_node}
        assert Counter(dialects[tool]).tree(make(*map(symbol, "xyz"))) == operations


x, y = sp.symbols("x y", positive=True)


@pytest.mark.parametrize(
    ("expression", "operations"),
    [
        (1 / (x * y), 2),
        (x**-2, 2),
        (y * x**-2, 2),
        (2 / x, 1),
        (sp.sqrt(x), 1),
        (sp.sqrt(2) * x, 0),
        (1 + sp.sqrt(2) + x, 1),
        (sp.exp(-x), 1),
        (1 / (1 + sp.exp(-x)), 3),
        (sp.tanh(x * y) + 1, 3),
        (sp.Integer(7), 0),
        (sp.pi * sp.sqrt(3), 0),
    ],
)
def test_the_rule_on_sympys_expressions(expression, operations):
    assert Counter(sympy_node).tree(expression) == operations


def test_statements_are_counted_once_and_their_names_are_free():
    a, b = sp.symbols("a b")
    statements = [(a, x * y), (b, sp.sqrt(2))]
    assert Counter(sympy_node).shared(statements, [a + 1, b * a, a**2]) == 1 + 1 + 0 + 1


def test_trees_are_counted_without_recursion_and_never_written_out():
    deep = wide = x
    for _ in range(2000):
        deep = sp.tanh(deep, evaluate=False)
        hash(deep)  # SymPy itself recurses, in evaluating and in hashing what was not hashed
    assert Counter(sympy_node).tree(deep) == 2000
    for _ in range(200):
        wide = sp.Mul(*(f(wide, evaluate=False) for f in (sp.sin, sp.cos)), evaluate=False)
        hash(wide)
    assert Counter(sympy_node).tree(wide) == 3 * (2**200 - 1)


# --- networks ---------------------------------------------------------------------------------


def by_closed_form(widths):
    """Backpropagation for tanh in hidden layers, linear outputs and ½Σ(y − t)²."""
    pairs = list(pairwise(widths))
    hidden, outputs = widths[1:-1], widths[-1]
    forward = sum(2 * m * k for m, k in pairs) + sum(hidden) + 3 * outputs - 1
    errors = sum(k * (2 * above - 1) + 3 * k for k, above in zip(hidden, widths[2:], strict=False))
    return forward + sum(m * k for m, k in pairs) + errors


def test_by_hand_is_the_closed_form():
    assert by_closed_form((2, 2, 1)) == 30
    ladder = section.networks(rung((2, 2, 1)))
    assert [net.hand for net in ladder] == [by_closed_form(widths) for widths in section.LADDER]


@pytest.fixture(scope="module")
def small():
    """What SymPy makes of 1-1-1, 2-2-1 and 2-3-3-1."""
    return run("sympy", [rung(w) for w in ((1, 1, 1), (2, 2, 1), (2, 3, 3, 1))], 100, Clock(100))


def test_what_is_counted_by_hand(small):
    """With r the difference y − t, of 1-1-1 and of 2-2-1."""
    a, r = 3, 6
    ones = (r + 1) + (r + (a + 2) + 3) + (r + (a + 2) + 2) + (r + a + 1) + r
    assert small[0].sizes == {"textbook": ones, "shared": 13}
    a, r = 5, 15
    twos = (r + 1) + 4 * (r + (a + 2) + 3) + 2 * (r + (a + 2) + 2) + 2 * (r + a + 1) + r
    assert small[1].sizes == {"textbook": twos, "shared": 30}


def test_cse_is_no_better_than_backpropagation_and_worse_with_two_hidden_layers(small):
    assert small[1].sizes["shared"] >= by_closed_form((2, 2, 1))
    assert small[2].sizes["textbook"] > small[2].sizes["shared"] > by_closed_form((2, 3, 3, 1))


def test_all_stages_are_timed(small):
    assert all(set(outcome.seconds) == {"build", "diff", "cse"} for outcome in small)
    assert all(outcome.ended == "" for outcome in small)


# --- it always ends ---------------------------------------------------------------------------


def test_a_child_is_killed_at_the_limit(begun):
    outcomes = run("sympy", [rung(HUGE), rung((2, 2, 1))], 0.2, Clock(100))
    assert [outcome.ended for outcome in outcomes] == ["not within 0.2 s", NOT_TRIED]
    (process,) = begun
    assert gone(process)
    assert process.returncode == -signal.SIGKILL


def test_a_child_is_killed_when_the_reader_stops(begun):
    stop = Event()
    # begun, the first network is reported; nothing else stops the second
    clock = Clock(1000, stop, lambda what, share: stop.set())
    (outcome,) = run("sympy", [rung(HUGE)], 1000, clock)
    assert outcome.ended == "interrupted"
    (process,) = begun
    assert gone(process)


def test_a_child_is_killed_whatever_happens_here(begun):
    def fail(what, share):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run("sympy", [rung(HUGE)], 1000, Clock(1000, progress=fail))
    (process,) = begun
    assert gone(process)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux")
def test_a_child_that_runs_out_of_memory_says_so(begun):
    (outcome,) = run("sympy", [rung(HUGE)], 1000, Clock(100), memory=1 << 20)
    assert outcome.ended == "out of memory"
    assert gone(begun[0])


def test_no_child_is_begun_when_it_is_over(begun):
    made = literal(rung((2, 2, 1)), Clock(0))
    assert not begun
    assert made.missing.startswith("out of time")
    assert made.data["stopped"] == ""
    json.dumps(made.data)


# --- peers ------------------------------------------------------------------------------------


def test_an_unknown_peer_is_refused_with_those_that_are_known():
    with pytest.raises(SymgradError, match=r"'maple'.*wrenfold, casadi, symengine"):
        check_peers(["maple"])


def test_a_missing_peer_is_named_before_anything_runs(monkeypatch, begun):
    monkeypatch.setattr(peers, "installed", lambda name: name == "casadi")
    check_peers(["casadi"])
    with pytest.raises(SymgradError, match="wrenfold is not installed; pip install wrenfold"):
        literal(rung((2, 2, 1)), Clock(100), ["casadi", "wrenfold"])
    assert not begun


def test_casadi_counts_as_by_hand():
    pytest.importorskip("casadi")
    widths = [(1, 1, 1), (2, 2, 1), (4, 8, 8, 8, 4)]
    for outcome, each in zip(
        run("casadi", list(map(rung, widths)), 100, Clock(100)), widths, strict=True
    ):
        assert outcome.sizes == {"plain": by_closed_form(each), "shared": by_closed_form(each)}


NUMBER = r"static_cast<Scalar>\([\d.]+\)"


def times_numbers(code):
    """How many of the products in wrenfold's C++ are with a number, or with a name of one."""
    found = 0
    named = re.compile(rf"const Scalar (\w+) = ({NUMBER}(?: \* {NUMBER})*);")
    while match := named.search(code):
        name, value = match.groups()
        found += value.count("*")
        code = re.sub(rf"\b{name}\b", "static_cast<Scalar>(1)", code.replace(match[0], ""))
    return found + len(re.findall(rf"{NUMBER} \* |\* {NUMBER}", code))


@pytest.mark.parametrize("widths", [(1, 1, 1), (2, 2, 1), (2, 4, 4, 2)])
def test_wrenfold_counts_as_its_own_code_says(widths):
    """Its C++ says how many operations it has; products with numbers are counted there, too."""
    pytest.importorskip("wrenfold")
    from wrenfold import code_generation, sym

    weights, loss, _ = scalar_run.copied(rung(widths).normalised(), scalar_run.wrenfold())
    description = code_generation.FunctionDescription("f")
    description.set_return_value(loss)
    description.add_output_argument("gradient", False, sym.jacobian([loss], weights))
    code = code_generation.CppGenerator().generate(code_generation.transpile(description))
    said = {name: int(n) for name, n in re.findall(r"// (add|call|multiply): (\d+)", code)}
    (outcome,) = run("wrenfold", [rung(widths)], 100, Clock(100))
    assert outcome.sizes["shared"] == sum(said.values()) - times_numbers(code)


def test_what_a_tool_cannot_do_is_said():
    pytest.importorskip("wrenfold")
    (outcome,) = run("wrenfold", [nets.net([2, 2, 1], ["gelu", "identity"])], 100, Clock(100))
    assert outcome.ended == "no derivative of erf"


@pytest.mark.parametrize("tool", ["symengine", "wrenfold", "casadi"])
@pytest.mark.parametrize(
    ("activation", "loss"), [("sigmoid", "poisson"), ("silu", "squared"), ("gaussian", "log_cosh")]
)
def test_a_copy_is_the_same_expression(tool, activation, loss):
    """Its value, where the tool can be asked for one, is that of SymPy's expression."""
    pytest.importorskip(tool)
    spec = nets.net([2, 3, 2], [activation, "softplus"], kind=loss).normalised()
    weights, data, targets, expression = expand(spec)
    symbols = [*weights, *data, *targets]
    numbers = {symbol: (k % 7 + 1) / 8 for k, symbol in enumerate(symbols)}
    values = scalar_run.copies([*symbols, expression], getattr(scalar_run, tool)())
    copy = values[expression]
    if tool == "casadi":
        import casadi

        given = casadi.vertcat(*(values[symbol] for symbol in symbols))
        found = casadi.Function("f", [given], [copy])(list(numbers.values()))
    else:
        for symbol, number in numbers.items():
            copy = copy.subs(values[symbol], number)
        found = copy.eval() if tool == "wrenfold" else copy.n(53)
    assert float(found) == pytest.approx(float(expression.evalf(subs=numbers)), rel=1e-9)


# --- the section ------------------------------------------------------------------------------


def test_the_section_of_a_network_on_the_ladder(monkeypatch):
    monkeypatch.setattr(section, "LADDER", ((2, 2, 1), (2, 3, 3, 1)))
    spec = nets.net([2, 2, 1], ["tanh", "identity"], dtype="float32")
    made = literal(spec, Clock(500))
    assert (made.key, made.missing) == ("literal", "")
    assert json.loads(json.dumps(made.data)) == made.data
    first, second = made.data["nets"]
    assert {key: first[key] for key in ("name", "widths", "weights", "yours", "hand")} == {
        "name": "2-2-1",
        "widths": [2, 2, 1],
        "weights": 9,
        "yours": True,
        "hand": 30,
    }
    assert first["tools"]["sympy"]["sizes"] == {"textbook": 221, "shared": 30}
    assert not second["yours"]
    kinds = list(map(type, made.blocks))
    assert kinds.count(Lines) == 1
    assert Table in kinds
    (chart,) = (block for block in made.blocks if isinstance(block, Lines))
    curves = {series.name: series.points for series in chart.series}
    assert curves["by hand"] == ((9.0, 30.0), (25.0, 98.0))
    assert curves["as trees"][0] == (9.0, 221.0)
    said = " ".join(block.text for block in made.blocks if isinstance(block, Words))
    shared = second["tools"]["sympy"]["sizes"]["shared"]
    assert "1.00 times the operations of backpropagation by hand for 2-2-1" in said
    assert f"{shared / 98:.2f} times for 2-3-3-1 with 25 weights: {shared} instead of 98" in said
    assert "SymPy gets as far as 2-3-3-1 with 25 weights" in made.data["stopped"]
    assert made.data["stopped"].split(". ")[0] in said


def test_the_section_says_where_it_stops_and_still_tries_the_readers(monkeypatch):
    monkeypatch.setattr(section, "LADDER", (HUGE, (2, 2, 1)))
    tried = []

    def outcomes(tool, specs, limit, clock):
        """SymPy's, with a limit that leaves no doubt."""
        tried.append([spec.widths for spec in specs])
        return run(tool, specs, 0.2 if specs[0].widths == HUGE else 100, clock)

    monkeypatch.setattr(section, "run", outcomes)
    monkeypatch.setattr(section, "installed", lambda name: False)
    made = literal(nets.net([2, 2, 1], ["relu", "identity"]), Clock(500))
    assert tried == [[HUGE, (2, 2, 1)], [(2, 2, 1)]]
    assert made.missing == ""
    assert "none of the networks" in made.data["stopped"]
    assert "not within 0.2 s" in made.data["stopped"]
    huge, untried, own = made.data["nets"]
    assert huge["tools"]["sympy"]["ended"] == "not within 0.2 s"
    assert untried["tools"]["sympy"]["ended"] == NOT_TRIED
    assert own["yours"] and own["tools"]["sympy"]["sizes"]["shared"] > 0
    (table,) = (block for block in made.blocks if isinstance(block, Table))
    assert [row[0] for row in table.rows] == [huge["name"], "2-2-1 (yours)"]


def test_a_network_that_is_too_large_is_not_tried(monkeypatch):
    monkeypatch.setattr(section, "LADDER", ((1, 1, 1),))
    made = literal(nets.net([64, 32, 10], ["tanh", "identity"]), Clock(500))
    assert made.data["nets"][-1]["tools"] == {}
    said = [block.text for block in made.blocks if isinstance(block, Words)]
    assert "64-32-10 (yours) with 2,410 weights is not tried: it has more than 1,000." in said


def test_the_section_against_other_tools(monkeypatch):
    """Of what the tools give, whichever are installed: a column each, and one more for CasADi."""
    monkeypatch.setattr(section, "LADDER", ((2, 2, 1), (8, 16, 16, 16, 8)))
    given = {
        "sympy": Outcome({"build": 1.0}, {}, "not within 5 s"),
        "casadi": Outcome(dict.fromkeys(peers.STAGES, 1.0), {"plain": 31, "shared": 30}),
        "wrenfold": Outcome({}, {}, "no derivative of erf"),
    }
    monkeypatch.setattr(peers, "installed", lambda name: True)
    monkeypatch.setattr(section, "installed", lambda name: False)
    monkeypatch.setattr(section, "run", lambda tool, specs, *_: [given[tool] for _ in specs])
    made = literal(nets.net([2, 2, 1], ["tanh", "identity"]), Clock(1), ["casadi", "wrenfold"])
    table = [block for block in made.blocks if isinstance(block, Table)][-1]
    assert table.columns[2:] == ("by hand", "symgrad", "wrenfold", "CasADi", "CasADi, cse")
    # only the small ones of the ladder
    assert table.rows == (("2-2-1 (yours)", 9, 30, 30, None, 31, 30),)
    assert "wrenfold, 2-2-1 (yours): no derivative of erf." in table.note
    said = [block.text for block in made.blocks if isinstance(block, Words)]
    assert said[-2].endswith("1.03 times the 30 that symgrad emits.")
    assert said[-1].endswith(
        "30 operations for 2-2-1 (yours) with 9 weights, as many as symgrad emits."
    )


@pytest.mark.skipif(os.name != "posix", reason="processes as POSIX has them")
def test_a_parent_ended_by_force_leaves_no_child():
    """A process like symgrad's begins a child, tells its number, and is killed with -9."""
    code = """
import subprocess, sys, time
begin = subprocess.Popen
class Told(begin):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        print(self.pid, flush=True)
subprocess.Popen = Told
from symgrad.spec.spec import Spec
from symgrad.explain.clock import Clock
from symgrad.explain.scalars.peers import run
layers = [{"units": n, "activation": "tanh"} for n in (64, 64, 64, 8)]
spec = Spec.parse({"name": "huge", "inputs": 8, "layers": layers})
run("sympy", [spec], 60.0, Clock(60))
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    for _ in range(300):  # it looks twice a second; imports take their time
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the child went on without its parent")


def test_names_do_not_make_another_network_of_it():
    layers = [{"units": 2, "activation": "tanh"}, {"names": ["u"]}]
    named = Spec.parse({"name": "net", "inputs": ["x", "t"], "layers": layers})
    assert [net.yours for net in section.networks(named)] == [
        net.yours for net in section.networks(rung((2, 2, 1)))
    ]
