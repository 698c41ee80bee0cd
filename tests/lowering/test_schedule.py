"""split, schedule and memory: what is computed when, where it lives, and that nothing is taken too
early.

Emitted functions are run as plain Python here: without Numba, and in arrays that begin as NaN.
"""

from functools import cache, lru_cache, partial
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from symgrad.language.evaluate import Floats, evaluate
from symgrad.language.indices import SAMPLE
from symgrad.language.program import indices_of, name_of, prune, reads
from symgrad.language.verify import verify
from symgrad.lowering import buffers as memories
from symgrad.lowering import cost_model
from symgrad.lowering.arithmetic import LEAF
from symgrad.lowering.buffers import buffers
from symgrad.lowering.canonical import matrices, over_samples, size, sums_over_samples
from symgrad.lowering.schedule import Nest, Product, Rows, definitions_of, groups, schedule
from symgrad.pipeline import derivatives, passes
from symgrad.targets.numba.emit import emit, parameters
from tests import nets
from tests.drivers import on_threads
from tests.passes.test_factor import random_net


def made(spec, what="gradient", order="loss-first"):
    steps = nets.steps(spec, order)
    if what == "gradient":
        program = steps.gradient
        return schedule(program, ("E", *(d for d in program.outputs if d.startswith("d_"))))
    return schedule(steps.shared, ("y",) if what == "predict" else ("E",))


def in_order(plan):
    return [definition for block in plan.in_order for definition in definitions_of(block)]


WHAT = ["predict", "loss", "gradient"]


# Running what is emitted as it stands


class Poisoned:
    """NumPy, but empty arrays hold NaN: what is read before it is written shows in the result."""

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, shape, dtype=float):
        return np.full(shape, np.nan, dtype)


def run(module, what, given, layout):
    """What a module computes, by name: y; or E and the derivatives, each both ways."""
    module.np = Poisoned()
    theta = np.concatenate([np.ravel(given[name]) for name in layout])
    data = [given[name] for name in ("x", "t", "w") if name in given]
    if what == "predict":
        y = np.full((len(data[0]), module.SPEC["layers"][-1]["units"]), np.nan)
        on_threads(module.predict, theta, data[0], y)
        return [{"y": module.predict.body(theta, data[0])}, {"y": y}]
    if what == "loss":
        together = on_threads(module.loss, theta, *data)
        return [{"E": module.loss.body(theta, *data)}, {"E": together}]
    results = []
    function = module.loss_and_gradient_into
    for called in (function.body, partial(on_threads, function)):
        gradient = np.full(theta.shape, np.nan)
        result = {"E": called(theta, *data, gradient)}
        for name, (start, shape) in layout.items():
            values = gradient[start : start + int(np.prod(shape))]
            result[f"d_{name}"] = values.reshape(shape)
        results.append(result)
    return results


remembered_passes = lru_cache(maxsize=128)(passes)


def source_of(spec, order):
    """A module's text: programs are those of the passes, schedules those of this cost model."""
    stages = remembered_passes(spec, order)
    schedules = {
        "predict": schedule(stages.share, ("y",)),
        "gradient": schedule(stages.gradient, ("E", *derivatives(stages.gradient))),
    }
    return stages.gradient, emit(spec, {"": stages.gradient}, schedules, order)


@pytest.fixture
def check_run(interpret):
    def check(spec, order="loss-first", seed=0, samples=7, what=WHAT, leaf=LEAF):
        program, source = source_of(spec, order)
        given = nets.floats(program, seed, samples)
        expected = evaluate(program, given, Floats())
        before = {name: values.copy() for name, values in given.items()}
        module = interpret(source)
        module.LEAF = leaf
        for each in what:
            in_turn, threaded = run(module, each, given, parameters(program))
            for name, values in in_turn.items():
                assert np.isfinite(expected[name]).all()
                np.testing.assert_allclose(values, expected[name], 1e-9, 1e-12, err_msg=name)
                np.testing.assert_array_equal(values, threaded[name], err_msg=name)
        for name, values in before.items():
            np.testing.assert_array_equal(given[name], values, err_msg=f"{name} is overwritten")

    return check


@pytest.fixture(params=["by the size", "always", "never"])
def products(request, monkeypatch):
    """Products of matrices in loops, as such, and as the sizes have it."""
    limit = {"by the size": cost_model.PRODUCT_FROM, "always": 1, "never": 10**9}[request.param]
    monkeypatch.setattr(cost_model, "PRODUCT_FROM", limit)
    if request.param != "by the size":
        monkeypatch.setattr(cost_model, "PRODUCT_WITHIN", limit)


@pytest.fixture(params=["one block", "blocks and leaves"])
def cut(request, monkeypatch):
    """Samples computed all together, and in blocks of two within leaves of three."""
    if request.param == "blocks and leaves":
        monkeypatch.setattr(cost_model, "ROWS", (2, 2))
    return 3 if request.param == "blocks and leaves" else LEAF


NETS = {
    "plain": nets.net([3, 4, 2], ["tanh", "identity"]),
    "large": nets.net([20, 30, 16, 17], ["sigmoid", "tanh", "identity"]),
    "one output": nets.net([12, 16, 1], ["tanh", "identity"]),
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


@named_nets
def test_schedules_compute_what_their_programs_do(spec, products, cut, check_run):
    check_run(spec, leaf=cut)


@pytest.mark.parametrize("order", ["weights-first", "cheapest"])
@pytest.mark.parametrize("name", ["plain", "softmax", "residual", "penalties", "sample weights"])
def test_schedules_of_other_orders(name, order, products, cut, check_run):
    check_run(NETS[name], order, what=["gradient"], leaf=cut)


@pytest.mark.parametrize("seed", range(500, 516))
def test_random_schedules_compute_what_their_programs_do(seed, products, cut, check_run):
    check_run(random_net(Random(seed)), seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_many_random_schedules_compute_what_their_programs_do(seed, products, cut, check_run):
    check_run(random_net(Random(seed), layers=4), seed=seed)


def test_a_handover_that_comes_too_early_is_found(interpret, monkeypatch):
    """The negative control: a2 written where a1 is still to be read, for the derivative by W2."""
    spec = nets.net([20, 16, 16, 17], ["sigmoid", "tanh", "identity"])
    stages = passes(spec)
    given = nets.floats(stages.gradient)
    expected = evaluate(stages.gradient, given, Floats())
    handovers = memories._handovers
    for broken in (False, True):
        if broken:
            monkeypatch.setattr(
                memories, "_handovers", lambda *a: handovers(*a) | {"a2": "z1", "z2": "z1"}
            )
        source = emit(spec, {"": stages.gradient}, stages.schedule, "loss-first")
        result, _ = run(interpret(source), "gradient", given, parameters(stages.gradient))
        assert np.allclose(result["d_W2"], expected["d_W2"]) is not broken


# What holds of every schedule


PLANS = [(seed, what) for seed in range(12) for what in WHAT] + [
    (name, what) for name in NETS for what in WHAT
]


def plan_of(which, what):
    return remembered(which, what, cost_model.PRODUCT_FROM)


@cache
def remembered(which, what, product_from):
    return made(NETS[which] if isinstance(which, str) else random_net(Random(which)), what)


@pytest.mark.parametrize(("which", "what"), PLANS)
def test_each_definition_is_scheduled_once_after_what_it_reads(which, what, products):
    plan = plan_of(which, what)
    verify(plan.program)
    names = [d.name for d in in_order(plan)]
    assert set(names) == {d.name for d in plan.program.definitions}
    again = {name for name in names if names.count(name) > 1}  # needed before and at the end
    assert again == {d.name for d in plan.program.definitions if not over_samples(d)} & {
        nest.definition.name for nest in plan.before
    } & {nest.definition.name for nest in plan.after}
    done = set(plan.program.given)
    for definition in in_order(plan):
        if sums_over_samples(definition):  # what is no sum in it is added at the end
            done |= {name_of(read) for read in reads(definition.value)} & {
                nest.definition.name for nest in plan.after
            }
        assert {name_of(read) for read in reads(definition.value)} <= done, definition
        done.add(definition.name)


@pytest.mark.parametrize(("which", "what"), PLANS)
def test_nothing_is_scheduled_that_the_outputs_do_not_need(which, what, products):
    program = plan_of(which, what).program
    assert prune(program, program.outputs) == program


@pytest.mark.parametrize(("which", "what"), PLANS)
def test_a_loop_over_samples_reads_what_it_computes_at_its_own_sample(which, what, products):
    for block in plan_of(which, what).in_order:
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
def test_blocks_hold_what_they_are_for(which, what, products):
    plan = plan_of(which, what)
    for block in plan.in_order:
        if isinstance(block, Product):
            pairs = matrices(plan.program, block.definition, 0)
            assert pairs == tuple((pair.left, pair.right) for pair in block.pairs)
            rows, columns = block.definition.indices
            for pair in block.pairs:
                (summed,) = set(pair.left.indices) & set(pair.right.indices)
                left, right = (rows, summed), (summed, columns)
                assert pair.left.indices == (left[::-1] if pair.transposed[0] else left)
                assert pair.right.indices == (right[::-1] if pair.transposed[1] else right)
        elif isinstance(block, Nest):
            assert not over_samples(block.definition)
        else:
            assert all(map(over_samples, block.definitions))


def places(plan):
    """Where each definition is computed: block and loop; and where each is read."""
    homes, readers = {}, {}
    for number, block in enumerate(plan.in_order):
        for place, group in enumerate(groups(block)):
            for definition in group:
                homes[definition.name] = (number, place)
                for read in reads(definition.value):
                    readers.setdefault(name_of(read), set()).add((number, place))
    return homes, readers


@pytest.mark.parametrize(("which", "what"), PLANS)
def test_storage_is_large_enough_for_its_readers_and_no_larger(which, what, products):
    plan = plan_of(which, what)
    where = buffers(plan, 8)
    storages = where.storage
    homes, readers = places(plan)
    for definition in plan.program.definitions:
        name, storage = definition.name, storages[definition.name]
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
            here = {b for b in blocks if plan.in_order[b] not in plan.sums}
            assert here == {block} and (blocks == here) == (name not in where.kept)
            assert SAMPLE in definition.indices
            assert not readers[name] <= {home} and isinstance(plan.in_order[block], Rows)
        elif SAMPLE not in definition.indices:
            assert storage == "whole"
        else:
            needed = not blocks <= {block} or isinstance(plan.in_order[block], Product)
            assert storage == "block" and needed


@pytest.mark.parametrize(("which", "what"), PLANS)
def test_memory_is_taken_over_only_from_what_is_not_read_again(which, what, products):
    plan = plan_of(which, what)
    where = buffers(plan, 8)
    homes, readers = places(plan)
    lives: dict[str, list[str]] = {}
    for name in homes:
        lives.setdefault(where.place(name), []).append(name)
    for place, names in lives.items():
        names.sort(key=lambda name: homes[name])
        for first, second in pairwise(names):
            assert max(readers[first]) <= homes[second], (place, first, second)
            assert plan.program.shape(plan.program.by_name[first].target) == plan.program.shape(
                plan.program.by_name[second].target
            )
            assert first not in plan.program.outputs
        if len(names) > 1:
            assert {where.storage[name] for name in names} <= {"block", "whole", "output"}


@pytest.mark.parametrize(("which", "what"), PLANS)
def test_scratch_memory_is_shared_only_by_what_is_not_needed_at_once(which, what, products):
    plan = plan_of(which, what)
    where = buffers(plan, 8)
    homes, readers = places(plan)
    spans = {}
    for name, start in where.offsets.items():
        definition = plan.program.by_name[name]
        numbers = size(plan.program, definition.indices)
        numbers *= where.rows if SAMPLE in definition.indices else 1
        users = [each for each in homes if where.place(each) == name]
        # by block: samples take turns in a loop, so that its last line comes before its first
        times = [time[0] for each in users for time in (homes[each], *readers.get(each, ()))]
        # where sums come last, some samples are done before others begin: nothing is shared
        times += [0, len(plan.in_order)] if plan.sums else []
        assert start >= 0 and start + numbers <= where.size
        spans[name] = (start, start + numbers, min(times), max(times))
    for one, (start, end, born, dead) in spans.items():
        for other, (other_start, other_end, other_born, other_dead) in spans.items():
            if one < other and start < other_end and other_start < end:
                assert dead < other_born or other_dead < born, (one, other)


def test_large_networks_reuse_memory():
    where = buffers(made(NETS["large"]), 8)
    assert where.takes_over
    assert {where.place(name) for name in where.takes_over} <= set(where.storage)


@pytest.mark.parametrize("layers", [4, 16])
def test_memory_does_not_grow_with_the_samples_and_little_with_depth(layers):
    """What every layer leaves for the way back, what comes back, and a few arrays more."""
    where = buffers(made(nets.net([16] * (layers + 1), ["tanh"] * layers)), 8)
    assert where.size <= LEAF * 16 * (2 * layers + 3)


# What becomes of particular programs


def kinds(plan):
    return [
        (type(block).__name__, [d.name for d in definitions_of(block)]) for block in plan.in_order
    ]


def test_a_small_network_is_one_loop_over_the_samples():
    assert kinds(made(nets.net([2, 3, 1], ["tanh", "identity"]), "loss")) == [
        ("Rows", ["z1", "a1", "y", "e", "E"])
    ]


def test_a_large_network_is_matrix_products_and_loops():
    assert kinds(made(nets.net([64, 32, 16], ["tanh", "identity"]), "loss")) == [
        ("Product", ["z1"]),
        ("Rows", ["a1"]),
        ("Product", ["y"]),
        ("Rows", ["e"]),
        ("Rows", ["E"]),
    ]


def test_the_matrix_products_of_a_large_network_s_gradient():
    plan = made(nets.net([64, 32, 16], ["tanh", "identity"]))
    products = {
        block.definition.name: (name_of(pair.left), name_of(pair.right), pair.transposed)
        for block in (*plan.blocks, *plan.sums)
        if isinstance(block, Product)
        for pair in block.pairs
    }
    assert {d.name for block in plan.sums for d in definitions_of(block)} >= {"E", "d_b1", "d_W1"}
    assert products == {
        "z1": ("x", "W1", (False, False)),
        "y": ("a1", "W2", (False, False)),
        "d_W2": ("a1", "d_y", (True, False)),
        "d_a1": ("d_y", "W2", (False, True)),
        "d_W1": ("x", "d_z1", (True, False)),
    }


def test_penalties_need_no_sample_and_come_last():
    plan = made(nets.net([2, 3, 1], ["tanh", "identity"], l2=0.5), "loss")
    assert kinds(plan)[-2:] == [("Nest", ["R1"]), ("Nest", ["R2"])]


def test_a_sum_needed_once_a_sample_is_not_computed_for_every_unit():
    plan = made(nets.with_formula("z/sum(abs(z))"), "predict")
    (norm,) = [d for d in plan.program.definitions if d.indices == (SAMPLE,)]
    assert buffers(plan, 8).storage[norm.name] == "local"


def test_the_wanted_outputs_are_the_only_ones():
    plan = made(nets.net([2, 3, 1], ["tanh", "identity"], l2=0.5), "predict")
    assert plan.program.outputs == ("y",)
    assert [d.name for d in plan.program.definitions] == ["z1", "a1", "y"]


def test_what_is_a_product_changes_no_bit(interpret, monkeypatch):
    """Limits of the cost model decide about speed alone: over three leaves, in Python, which adds
    up in loops and products what compiled code does, if without fusing."""
    results = []
    for limit in (1, 40, 10**9):
        monkeypatch.setattr(cost_model, "PRODUCT_FROM", limit)
        monkeypatch.setattr(cost_model, "PRODUCT_WITHIN", limit)
        stages = passes(nets.net([6, 7, 3], ["tanh", "softmax"], kind="cross_entropy", l2=0.1))
        module = interpret(stages.source)
        random = np.random.default_rng(0)
        x, t = random.normal(size=(2 * LEAF + 9, 6)), random.random(size=(2 * LEAF + 9, 3))
        results.append(module.loss_and_gradient(module.init(0), x, t))
        products = [s for s in stages.schedule["gradient"].blocks if isinstance(s, Product)]
        assert len(products) == {1: 3, 40: 1, 10**9: 0}[limit]
    for loss, gradient in results[1:]:
        assert loss == results[0][0]
        np.testing.assert_array_equal(gradient, results[0][1])
