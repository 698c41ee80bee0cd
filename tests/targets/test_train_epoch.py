"""train_epoch: its order of samples, its batches, its state, and what it refuses."""

from collections import Counter
from itertools import permutations

import numba as nb
import numpy as np
import pytest

from symgrad.pipeline import passes
from tests import nets
from tests.drivers import driver
from tests.passes.test_optimizers import trained

NET = nets.net([2, 3, 2], ["tanh", "identity"])
WEIGHTED = nets.net([2, 3, 2], ["tanh", "identity"], sample_weights=True)


@pytest.fixture(scope="module")
def module(build):
    """Compiled, with Adam in batches of 4."""
    return build(trained({"batch": 4, "rate": 0.02}))


@pytest.fixture(scope="module")
def weighted(native):
    return native(trained({"batch": 4, "rate": 0.02}, WEIGHTED))


def numbers(samples, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(samples, 2)), random.normal(size=(samples, 2))


def split_mix(state):
    """SplitMix64 in Python's integers, as its authors' C has it."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        yield z ^ (z >> 31)


def order_of(samples, numbers):
    order = list(range(samples))
    for last in range(samples - 1, 0, -1):
        place = (next(numbers) >> 32) * (last + 1) >> 32
        order[last], order[place] = order[place], order[last]
    return order


# ------------------------------------------------------------------------------------- the order


def test_random_numbers_are_those_of_the_paper(module):
    """The first five for the seed 1234567, as published with the algorithm."""
    known = [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
        16408922859458223821,
    ]  # fmt: skip
    _, progress = module.train_state(1234567)
    random = driver(module.train_epoch, "_random")
    assert [int(random(progress)) for _ in known] == known
    generator = split_mix(1234567)
    assert [next(generator) for _ in known] == known


def test_every_order_is_as_likely(module):
    """24 orders of 4 samples, 24,000 times: χ² with 23 degrees of freedom is below 49.7 in 999 of
    1,000 cases, and the seed is fixed."""
    _, progress = module.train_state(5)
    shuffled = driver(module.train_epoch, "_shuffled")
    counts = Counter(tuple(map(int, shuffled(4, progress))) for _ in range(24_000))
    assert set(counts) == set(permutations(range(4)))
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 49.7


def test_seeds_of_any_size_are_taken(module):
    for seed in (0, 2**64 - 1, 2**70 + 3, np.int64(5)):
        _, progress = module.train_state(seed)
        assert progress.dtype == np.uint64 and int(progress[0]) == int(seed) % 2**64


# ------------------------------------------------------------------------------------- the epochs


@pytest.mark.parametrize("samples", [1, 3, 4, 5, 8, 11, 23])
def test_an_epoch_is_a_step_for_each_batch(module, samples):
    """Against the module's gradient, Adam in NumPy, and the order worked out apart."""
    x, t = numbers(samples)
    theta = module.init(1)
    mine, generator = theta.copy(), split_mix(9)
    m = v = np.zeros_like(theta)
    state, progress = module.train_state(9)
    settings, step = module.train_settings(), 0
    for _ in range(3):
        found = module.train_epoch(theta, x, t, state, progress, settings)
        count = -(-samples // 4)
        order = order_of(samples, generator) if count > 1 else list(range(samples))
        losses = 0.0
        for number in range(count):
            batch = order[samples * number // count : samples * (number + 1) // count]
            assert 1 <= len(batch) <= 4
            E, g = module.loss_and_gradient(mine, x[batch], t[batch])
            step += 1
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            mine -= 0.02 * m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
            losses += E * len(batch) / samples
        np.testing.assert_allclose(theta, mine, rtol=1e-10, atol=1e-13)
        assert found == pytest.approx(losses, rel=1e-11)
    assert progress[1] == step


def test_it_goes_on_from_its_state_as_if_nothing_had_happened(module):
    x, t = numbers(19)

    def run(epochs, theta, state, progress):
        return [
            module.train_epoch(theta, x, t, state, progress, module.train_settings())
            for _ in range(epochs)
        ]

    theta, (state, progress) = module.init(0), module.train_state(3)
    whole = run(8, theta, state, progress)
    again, (kept, counted) = module.init(0), module.train_state(3)
    first = run(5, again, kept, counted)
    stored = again.copy(), kept.copy(), counted.copy()
    run(2, again, kept, counted)  # what came after the checkpoint is forgotten
    assert first + run(3, *stored) == whole
    np.testing.assert_array_equal(stored[0], theta)


def test_a_user_s_compiled_loop_trains_to_the_same_bits(module):
    x, t = numbers(19)

    @nb.njit
    def train(theta, x, t, state, progress, settings, epochs):
        for _ in range(epochs):
            E = module.train_epoch(theta, x, t, state, progress, settings)
        return E

    settings = module.train_settings(rate=0.05)
    theta, (state, progress) = module.init(0), module.train_state(3)
    E = train(theta, x, t, state, progress, settings, 6)
    mine, (kept, counted) = module.init(0), module.train_state(3)
    for _ in range(6):
        found = module.train_epoch(mine, x, t, kept, counted, settings)
    assert found == E
    np.testing.assert_array_equal(mine, theta)


@pytest.mark.filterwarnings("error::numba.core.errors.NumbaPerformanceWarning")
@pytest.mark.parametrize(
    "widths",
    [[4, 3, 4], [4, 32, 16, 4]],
    ids=["loops", "products"],
)
@pytest.mark.slow
def test_large_batches_on_several_threads_have_the_same_bits(build, widths):
    """Three batches of 1,500 samples, each worth several threads."""
    activations = ["tanh"] * (len(widths) - 2) + ["identity"]
    module = build(trained({"batch": 1500, "optimizer": "sgd"}, nets.net(widths, activations)))
    work = module.train_epoch.work
    assert work.many < 1500
    random = np.random.default_rng(0)
    x, t = random.normal(size=(4500, 4)), random.normal(size=(4500, 4))
    results = []
    for calls in (10**9, 0):  # never on threads, and at once
        work.calls_until_threads = calls
        theta, (state, progress) = module.init(0), module.train_state(1)
        for _ in range(3):
            module.train_epoch(theta, x, t, state, progress, module.train_settings())
        results.append(theta)
    several = nb.get_num_threads() > 1 and nb.threading_layer() in ("omp", "tbb")
    assert (work.threaded is not None) == several
    np.testing.assert_array_equal(*results)


def test_small_batches_of_many_samples_stay_on_one_thread(module):
    x, t = numbers(50_000)
    theta, (state, progress) = module.init(0), module.train_state(1)
    for _ in range(2):
        module.train_epoch(theta, x, t, state, progress, module.train_settings())
    assert module.train_epoch.work.threaded is None and progress[1] == 25_000


# ------------------------------------------------------------------------------- sample weights


def test_samples_of_weight_0_change_nothing(weighted):
    """A batch of nothing but those has no loss: it takes no step."""
    x, t = numbers(12)
    w = np.zeros(12)
    w[5] = 2.0
    theta, (state, progress) = weighted.init(0), weighted.train_state(0)
    before = theta.copy()
    loss = weighted.train_epoch(theta, x, t, w, state, progress, weighted.train_settings())
    assert progress[1] == 1 and not np.array_equal(theta, before)
    assert loss == pytest.approx(weighted.loss(before, x[5:6], t[5:6], w[5:6]), rel=1e-12)


def test_losses_are_weighed_as_their_samples_are(weighted):
    """At a rate of almost 0 the weights stay, and batches come to the loss of all samples."""
    x, t = numbers(13)
    w = np.random.default_rng(4).uniform(0.1, 3, 13)
    theta, (state, progress) = weighted.init(0), weighted.train_state(0)
    settings = weighted.train_settings(rate=1e-300)
    loss = weighted.train_epoch(theta, x, t, w, state, progress, settings)
    assert loss == pytest.approx(weighted.loss(weighted.init(0), x, t, w), rel=1e-12)


# ------------------------------------------------------------------------------ what goes wrong


def test_a_loss_that_is_not_finite_ends_the_epoch_before_its_step(module):
    x, t = numbers(8)
    generator = split_mix(2)
    order = order_of(8, generator)
    t[order[6]] = np.nan  # in the second batch
    theta, (state, progress) = module.init(0), module.train_state(2)
    assert np.isnan(module.train_epoch(theta, x, t, state, progress, module.train_settings()))
    assert progress[1] == 1 and np.isfinite(theta).all() and np.isfinite(state).all()
    # and where all samples are one batch
    assert np.isnan(
        module.train_epoch(theta, x, t, state, progress, module.train_settings(batch=0))
    )
    assert progress[1] == 1


def test_what_does_not_fit_is_refused_and_changes_nothing(module):
    x, t = numbers(8)
    theta, (state, progress) = module.init(0), module.train_state(0)
    settings = module.train_settings()
    shared = np.zeros(2 * module.SIZE)

    def refused(error, message, *arguments):
        before = theta.copy(), state.copy(), progress.copy()
        with pytest.raises(error, match=message):
            module.train_epoch(*arguments)
        for array, kept in zip((theta, state, progress), before, strict=True):
            np.testing.assert_array_equal(array, kept)

    for _ in range(2):  # before the first call and after it: the same words
        refused(TypeError, "missing a required argument: 'settings'", theta, x, t, state, progress)
        refused(ValueError, r"theta must be of shape \(17,\), came one of length 16",
                theta[1:], x, t, state, progress, settings)  # fmt: skip
        refused(TypeError, r"theta must be a C-contiguous float64 array of shape \(17,\), came one"
                r" of shape \(17,\): float32",
                theta.astype(np.float32), x, t, state, progress, settings)  # fmt: skip
        refused(ValueError, "x must hold at least one sample, came 0",
                theta, x[:0], t[:0], state, progress, settings)  # fmt: skip
        refused(ValueError, "t must have as many samples as x, came 7 and 8",
                theta, x, t[1:], state, progress, settings)  # fmt: skip
        refused(TypeError, r"x must be a C-contiguous float64 array .* came list",
                theta, x.tolist(), t, state, progress, settings)  # fmt: skip
        refused(TypeError, r"x must .* came one of shape \(8, 2\): float64, not C-contiguous",
                theta, np.asfortranarray(x), t, state, progress, settings)  # fmt: skip
        refused(ValueError, r"state must be of shape \(34,\), came one of length 33",
                theta, x, t, state[1:], progress, settings)  # fmt: skip
        refused(ValueError, r"progress must be of shape \(2,\), came one of length 1",
                theta, x, t, state, progress[:1], settings)  # fmt: skip
        refused(TypeError, r"progress must be a C-contiguous uint64 array of shape \(2,\), came one"
                r" of shape \(2,\): int64",
                theta, x, t, state, progress.astype(np.int64), settings)  # fmt: skip
        refused(ValueError, r"settings must be of shape \(5,\), came one of length 4",
                theta, x, t, state, progress, settings[1:])  # fmt: skip
        refused(TypeError, r"settings must be a C-contiguous float64 array .*: float32",
                theta, x, t, state, progress, settings.astype(np.float32))  # fmt: skip
        for batch in (-1.0, np.nan, -np.inf):
            refused(ValueError, "batch must be at least 1, or 0 for all .*, came -?(1.0|nan|inf)",
                    theta, x, t, state, progress, module.train_settings(batch=batch))  # fmt: skip
        refused(ValueError, "state must not overlap theta in memory",
                shared[: module.SIZE], x, t, shared, progress, settings)  # fmt: skip
        refused(ValueError, "theta must not overlap t in memory",
                shared[: module.SIZE], x[:4], shared[:8].reshape(4, 2), state, progress,
                settings)  # fmt: skip
        module.train_epoch(*map(np.copy, (theta, x, t, state, progress, settings)))


def test_shapes_are_checked_inside_a_user_s_compiled_code(module):
    @nb.njit
    def epoch(theta, x, t, state, progress, settings):
        return module.train_epoch(theta, x, t, state, progress, settings)

    x, t = numbers(8)
    theta, (state, progress) = module.init(0), module.train_state(0)
    with pytest.raises(ValueError, match="state must be of shape"):
        epoch(theta, x, t, state[1:], progress, module.train_settings())
    with pytest.raises(ValueError, match="settings must be of shape"):
        epoch(theta, x, t, state, progress, module.train_settings()[1:])


def test_names_of_arguments_can_be_given(module):
    x, t = numbers(8)
    theta, (state, progress) = module.init(0), module.train_state(0)
    settings = module.train_settings()
    module.train_epoch(theta, x, t, settings=settings, progress=progress, state=state)
    assert progress[1] == 2


def test_python_can_run_all_of_it(interpret):
    """As NUMBA_DISABLE_JIT=1 does it, for a debugger: random numbers wrap around there too."""
    spec = trained({"batch": 3, "optimizer": "sgd"})
    module = interpret(passes(spec).source)
    x, t = numbers(10)
    theta, (state, progress) = module.init(0), module.train_state(2**63)
    assert state.size == 0
    losses = [module.train_epoch(theta, x, t, state, progress, module.train_settings())
              for _ in range(5)]  # fmt: skip
    assert losses[-1] < losses[0] and progress[1] == 20
