"""schedule: what is computed when, where it lives, and that no memory is taken too early.

Schedules are run as plain Python here: without Numba, in arrays that begin as NaN.
"""

from functools import cache
from itertools import pairwise
from random import Random

import nets
import numpy as np
import pytest
import scipy.special
from test_factor import random_net

from symgrad.compiler import schedule as scheduling
from symgrad.compiler.schedule import Nest, Product, Rows, loops, matrices, over_samples, schedule
from symgrad.compiler.statements import Comment, Line, statements
from symgrad.language import functions as f
from symgrad.language.evaluate import Floats, evaluate
from symgrad.language.indices import SAMPLE
from symgrad.language.program import indices_of, name_of, prune, reads
from symgrad.language.verify import verify


def made(spec, what="gradient", order="loss-first"):
    steps = nets.steps(spec, order)
    if what == "gradient":
        program = steps.gradient
        return schedule(program, ("E", *(d for d in program.outputs if d.startswith("d_"))))
    return schedule(steps.shared, ("y",) if what == "predict" else ("E",))


def definitions_of(block):
    return block.definitions if isinstance(block, Rows) else (block.definition,)


def in_order(plan):
    return [definition for block in plan.blocks for definition in definitions_of(block)]


# Running a schedule as it stands


def source(body, indent=""):
    for statement in body:
        if isinstance(statement, Comment):
            yield f"{indent}# {statement.text}"
        elif isinstance(statement, Line):
            yield indent + statement.source
        else:
            yield f"{indent}for {statement.index} in range({statement.extent}):"
            yield from source(statement.body, indent + "    ")


class Poisoned:
    """NumPy, but empty arrays hold NaN: what is read before it is written shows in the result."""

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, shape, dtype):
        return np.full(shape, np.nan, dtype)


def elementary(name):
    """An elementary function of the emitted module, on one number."""
    if name == "square":
        return lambda u: u * u
    if name == "power":
        return lambda u, exponent: u**exponent
    function = next(g for g in f.TABLE if g.__name__ == name)
    rule = f.TABLE[function]
    known = {"erf": scipy.special.erf, "sign": np.sign}
    if name in known:
        return known[name]
    symbols = [f.placeholder("u"), f.placeholder("v")][: len(rule.partials)]

    def compute(*arguments):
        numbers = {s.name: float(a) for s, a in zip(symbols, arguments, strict=True)}
        return float(nets.scalar(function(*symbols), numbers))

    return compute


def run(plan, given, outputs_into):
    """The arrays after the statements of `plan` have run; `outputs_into` holds its outputs."""
    body = statements(plan, single=False)
    samples = given["x"].shape[0]
    names = {"np": Poisoned(), "samples": samples, "N": float(samples), **given, **outputs_into}
    names |= {name: elementary(name) for name in body.functions}
    exec("\n".join(source(body.statements)), names)
    return names


def check_run(spec, what, order="loss-first", seed=0):
    plan = made(spec, what, order)
    given = nets.floats(plan.program, seed)
    expected = evaluate(plan.program, given, Floats())
    outputs = {
        name: np.full(np.shape(expected[name]), np.nan)
        for name in plan.program.outputs
        if np.shape(expected[name])
    }
    before = {name: values.copy() for name, values in given.items()}
    after = run(plan, given, outputs)
    for name in plan.program.outputs:
        assert np.isfinite(expected[name]).all()
        np.testing.assert_allclose(after[name], expected[name], rtol=1e-9, atol=1e-12, err_msg=name)
    for name, values in before.items():
        np.testing.assert_array_equal(given[name], values, err_msg=f"{name} is overwritten")


WHAT = ["predict", "loss", "gradient"]


@pytest.fixture(params=["by the size", "always", "never"])
def blas(request, monkeypatch):
    """Products of matrices in loops, in BLAS, and as the sizes have it."""
    limit = {"by the size": scheduling.BLAS_FROM, "always": 1, "never": 10**9}[request.param]
    monkeypatch.setattr(scheduling, "BLAS_FROM", limit)


NETS = {
    "plain": nets.net([3, 4, 2], ["tanh", "identity"]),
    "large": nets.net([20, 30, 16, 17], ["sigmoid", "tanh", "identity"]),
    "one layer": nets.net([2, 1], ["identity"]),
    "softmax": nets.net([3, 4, 3], ["tanh", "softmax"], kind="cross_entropy"),
    "softmax, squared": nets.net([3, 4, 3], ["sin", "softmax"], kind="squared"),
    "residual": nets.net([3, 3, 3, 3], ["gaussian", "tanh", "softmax"], residual=[1, 2, 3]),
    "penalties": nets.net([3, 4, 2], ["tanh", "identity"], l1=0.5, l2=0.25),
    "sample weights": nets.net([3, 4, 2], ["tanh", "identity"], sample_weights=True, l2=0.1),
    "poisson": nets.net([3, 2], ["softplus"], kind="poisson", bias=False),
    "a norm": nets.with_formula("z/sqrt(1 + sum(z**2))"),
    "a power": nets.with_formula("(1 + z**2)**3/10 - z**5/100"),
    "two sums": nets.with_formula("z*sum(z)/(1 + sum(abs(z)))"),
    "the other's sum": nets.with_formula("max(sum(z), z)"),
    "a formula with sums": nets.net([3, 4, 2], ["tanh", "sin"], formula="y*sum(y)*t - sum(exp(y))"),
    "a squared sum": nets.net([3, 4, 2], ["tanh", "tanh"], formula="(sum(y) - sum(t))**2"),
}
named_nets = pytest.mark.parametrize("spec", NETS.values(), ids=NETS.keys())


@pytest.mark.parametrize("what", WHAT)
@named_nets
def test_schedules_compute_what_their_programs_do(spec, what, blas):
    check_run(spec, what)


@pytest.mark.parametrize("order", ["weights-first", "cheapest"])
@pytest.mark.parametrize("name", ["plain", "softmax", "residual", "penalties", "sample weights"])
def test_schedules_of_other_orders(name, order, blas):
    check_run(NETS[name], "gradient", order)


@pytest.mark.parametrize("seed", range(500, 516))
def test_random_schedules_compute_what_their_programs_do(seed, blas):
    for what in WHAT:
        check_run(random_net(Random(seed)), what, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_many_random_schedules_compute_what_their_programs_do(seed, blas):
    for what in WHAT:
        check_run(random_net(Random(seed), layers=4), what, seed=seed)


def test_a_handover_that_comes_too_early_is_found():
    """The negative control: a2 written where a1 is still to be read, for the derivative by W2."""
    plan = made(nets.net([20, 16, 16, 17], ["sigmoid", "tanh", "identity"]))
    given = nets.floats(plan.program)
    expected = evaluate(plan.program, given, Floats())
    for broken in (False, True):
        if broken:
            plan.takes_over["a2"] = plan.memory("a1")
        outputs = {n: np.empty(np.shape(expected[n])) for n in plan.program.outputs if n != "E"}
        after = run(plan, given, outputs)
        assert np.allclose(after["d_W2"], expected["d_W2"]) is not broken


# What holds of every schedule


PLANS = [(seed, what) for seed in range(12) for what in WHAT] + [
    (name, what) for name in NETS for what in WHAT
]


def plan_of(which, what):
    return remembered(which, what, scheduling.BLAS_FROM)


@cache
def remembered(which, what, blas_from):
    return made(NETS[which] if isinstance(which, str) else random_net(Random(which)), what)


@pytest.mark.parametrize(("which", "what"), PLANS)
def test_each_definition_is_scheduled_once_after_what_it_reads(which, what, blas):
    plan = plan_of(which, what)
    verify(plan.program)
    names = [d.name for d in in_order(plan)]
    assert sorted(names) == sorted(d.name for d in plan.program.definitions)
    assert len(set(names)) == len(names)
    done = set(plan.program.given)
    for definition in in_order(plan):
        assert {name_of(read) for read in reads(definition.value)} <= done, definition
        done.add(definition.name)


@pytest.mark.parametrize(("which", "what"), PLANS)
def test_nothing_is_scheduled_that_the_outputs_do_not_need(which, what, blas):
    program = plan_of(which, what).program
    assert prune(program, program.outputs) == program


@pytest.mark.parametrize(("which", "what"), PLANS)
def test_a_loop_over_samples_reads_what_it_computes_at_its_own_sample(which, what, blas):
    for block in plan_of(which, what).blocks:
        if not isinstance(block, Rows):
            continue
        computed = {d.name: d for d in block.definitions}
        for definition in block.definitions:
            for read in reads(definition.value):
                if name_of(read) in computed:
                    # complete only after the loop: what is summed over the samples
                    assert SAMPLE in computed[name_of(read)].indices, (definition, read)
                    assert SAMPLE in indices_of(read)


@pytest.mark.parametrize(("which", "what"), PLANS)
def test_blocks_hold_what_they_are_for(which, what, blas):
    plan = plan_of(which, what)
    for block in plan.blocks:
        if isinstance(block, Product):
            pair = matrices(plan.program, block.definition)
            assert pair == (block.left, block.right)
            (summed,) = set(block.left.indices) & set(block.right.indices)
            rows, columns = block.definition.indices
            assert block.left.indices == ((summed, rows) if block.transposed[0] else (rows, summed))
            assert block.right.indices == (
                (columns, summed) if block.transposed[1] else (summed, columns)
            )
        elif isinstance(block, Nest):
            assert not over_samples(block.definition)
        else:
            assert all(map(over_samples, block.definitions))


def places(plan):
    """Where each definition is computed: block and loop; and where each is read."""
    homes, readers = {}, {}
    for number, block in enumerate(plan.blocks):
        groups = loops(block.definitions) if isinstance(block, Rows) else [[block.definition]]
        for place, group in enumerate(groups):
            for definition in group:
                homes[definition.name] = (number, place)
                for read in reads(definition.value):
                    readers.setdefault(name_of(read), set()).add((number, place))
    return homes, readers


@pytest.mark.parametrize(("which", "what"), PLANS)
def test_storage_is_large_enough_for_its_readers_and_no_larger(which, what, blas):
    plan = plan_of(which, what)
    homes, readers = places(plan)
    for definition in plan.program.definitions:
        name, storage = definition.name, plan.storage[definition.name]
        block, _ = home = homes[name]
        blocks = {b for b, _ in readers.get(name, set())}
        if name in plan.program.outputs:
            assert storage == "output"
        elif not definition.indices:
            assert storage == "local"
        elif storage == "local":  # one element at a time
            a_sample_s = definition.indices == (SAMPLE,) and blocks == {block}
            assert readers[name] <= {home} or a_sample_s
        elif storage == "row":  # one sample at a time
            assert blocks <= {block} and SAMPLE in definition.indices
            assert not readers[name] <= {home} and isinstance(plan.blocks[block], Rows)
        else:
            needed = not blocks <= {block} or SAMPLE not in definition.indices
            assert storage == "full" and (needed or isinstance(plan.blocks[block], Product))


@pytest.mark.parametrize(("which", "what"), PLANS)
def test_memory_is_taken_over_only_from_what_is_not_read_again(which, what, blas):
    plan = plan_of(which, what)
    homes, readers = places(plan)
    lives: dict[str, list[str]] = {}
    for name in homes:
        lives.setdefault(plan.memory(name), []).append(name)
    for memory, names in lives.items():
        names.sort(key=lambda name: homes[name])
        for first, second in pairwise(names):
            assert max(readers[first]) <= homes[second], (memory, first, second)
            assert plan.program.shape(plan.program.by_name[first].target) == plan.program.shape(
                plan.program.by_name[second].target
            )
            assert first not in plan.program.outputs
        if len(names) > 1:
            assert {plan.storage[name] for name in names} <= {"full", "output"}


def test_large_networks_reuse_memory():
    plan = made(NETS["large"])
    assert plan.takes_over
    taken = [plan.memory(name) for name in plan.takes_over]
    assert set(taken) <= set(plan.storage)


# What becomes of particular programs


def kinds(plan):
    return [
        (type(block).__name__, [d.name for d in definitions_of(block)]) for block in plan.blocks
    ]


def test_a_small_network_is_one_loop_over_the_samples():
    assert kinds(made(nets.net([2, 3, 1], ["tanh", "identity"]), "loss")) == [
        ("Rows", ["z1", "a1", "y", "e", "E"])
    ]


def test_a_large_network_is_matrix_products_and_loops():
    assert kinds(made(nets.net([64, 32, 16], ["tanh", "identity"]), "loss")) == [
        ("Product", ["x_W1"]),
        ("Rows", ["z1", "a1"]),
        ("Product", ["a1_W2"]),
        ("Rows", ["y", "e", "E"]),
    ]


def test_the_matrix_products_of_a_large_network_s_gradient():
    plan = made(nets.net([64, 32, 16], ["tanh", "identity"]))
    products = {
        block.definition.name: (name_of(block.left), name_of(block.right), block.transposed)
        for block in plan.blocks
        if isinstance(block, Product)
    }
    assert products == {
        "x_W1": ("x", "W1", (False, False)),
        "a1_W2": ("a1", "W2", (False, False)),
        "d_W2": ("a1", "d_y", (True, False)),
        "d_a1": ("d_y", "W2", (False, True)),
        "d_W1": ("x", "d_z1", (True, False)),
    }


def test_penalties_come_first_and_need_no_sample():
    plan = made(nets.net([2, 3, 1], ["tanh", "identity"], l2=0.5), "loss")
    assert kinds(plan)[:2] == [("Nest", ["R1"]), ("Nest", ["R2"])]


def test_a_sum_needed_once_a_sample_is_not_computed_for_every_unit():
    plan = made(nets.with_formula("z/sum(abs(z))"), "predict")
    (norm,) = [d for d in plan.program.definitions if d.indices == (SAMPLE,)]
    assert plan.storage[norm.name] == "local"


def test_the_wanted_outputs_are_the_only_ones():
    plan = made(nets.net([2, 3, 1], ["tanh", "identity"], l2=0.5), "predict")
    assert plan.program.outputs == ("y",)
    assert [d.name for d in plan.program.definitions] == ["z1", "a1", "y"]
