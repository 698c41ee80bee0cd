"""What an emitted module promises: names, shapes, types, refusals, and how it may be called."""

import ast
import copy
import inspect
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from math import sqrt

import numba
import numpy as np
import pytest
from numba.core.errors import TypingError
from scipy.optimize import minimize

import symgrad
from symgrad.checking import reference
from symgrad.pipeline import passes
from symgrad.spec.spec import ACTIVATIONS, LOSSES
from tests.nets import net
from tests.paths import ROOT, copy_generated

IN_PLACE = ["loss_and_gradient_into", "step"]
CONVERTING = ["predict", "loss", "loss_and_gradient"]
FUNCTIONS = CONVERTING + IN_PLACE

SPECS = {
    # loops over float64, and products over float32 with sample weights, a residual and no bias
    "loops": net([2, 3, 2], ["tanh", "identity"]),
    "products": net(
        [17, 17, 2],
        ["relu", "softmax"],
        residual=[1],
        bias=False,
        dtype="float32",
        kind="cross_entropy",
        l2=0.1,
        sample_weights=True,
    ),
}


class Case:
    """A module, its spec, and arguments for its functions: numbers that every format can hold."""

    def __init__(self, spec, module):
        self.spec, self.module, self.dtype = spec, module, np.dtype(spec.dtype)

    def given(self, name, samples=3):
        """Arguments by name, in order."""
        random = np.random.default_rng(5)

        def eighths(*shape):
            return (random.integers(-8, 9, shape) / 8).astype(self.dtype)

        arrays = {
            "theta": eighths(self.module.SIZE),
            "x": eighths(samples, self.spec.inputs),
            "t": eighths(samples, self.spec.outputs),
            "w": 1 + abs(eighths(samples)),
            "gradient": np.zeros(self.module.SIZE, self.dtype),
            "rate": 0.5,
        }
        return {key: arrays[key] for key in inspect.signature(self.function(name)).parameters}

    def function(self, name):
        return getattr(self.module, name)

    def call(self, name, changed=None, **more):
        return self.function(name)(*(self.given(name, **more) | (changed or {})).values())


@pytest.fixture(scope="session")
def cases(build):
    return {name: Case(spec, build(spec)) for name, spec in SPECS.items()}


@pytest.fixture(scope="session")
def natives():
    """The same networks as Python calls them in object code."""
    return {name: Case(spec, symgrad.compile(spec).module) for name, spec in SPECS.items()}


KINDS = [(kind, name) for kind in ("numba", "native") for name in SPECS]


@pytest.fixture(params=KINDS, ids="-".join)
def case(cases, natives, request):
    kind, name = request.param
    return (natives if kind == "native" else cases)[name]


def parameters(names, leave=()):
    """Every argument of every function."""
    found = []
    for name in names:
        arguments = ["theta", "x"] + ([] if name == "predict" else ["t", "w"])
        arguments += ["gradient"] if name == "loss_and_gradient_into" else []
        found += [(name, argument) for argument in arguments if argument not in leave]
    return found


def has(case, name, argument):
    return argument in inspect.signature(case.function(name)).parameters


def assert_same(one, other):
    """Equal to the last bit, types and all."""
    one, other = (each if isinstance(each, tuple) else (each,) for each in (one, other))
    for mine, theirs in zip(one, other, strict=True):
        assert type(mine) is type(theirs)
        assert np.asarray(mine).dtype == np.asarray(theirs).dtype
        np.testing.assert_array_equal(mine, theirs)


# ----------------------------------------------------------------------------- names and numbers


def test_names(case):
    for name in (*FUNCTIONS, "init", "pack", "unpack"):
        assert callable(getattr(case.module, name))
        assert getattr(case.module, name).__doc__
        assert getattr(case.module, name).__name__ == name


def test_signatures(cases):
    def names(case):
        return [list(inspect.signature(case.function(name)).parameters) for name in FUNCTIONS]

    assert names(cases["loops"]) == [
        ["theta", "x"],
        ["theta", "x", "t"],
        ["theta", "x", "t"],
        ["theta", "x", "t", "gradient"],
        ["theta", "x", "t", "rate"],
    ]
    assert names(cases["products"]) == [
        ["theta", "x"],
        ["theta", "x", "t", "w"],
        ["theta", "x", "t", "w"],
        ["theta", "x", "t", "w", "gradient"],
        ["theta", "x", "t", "w", "rate"],
    ]


def test_the_spec_is_plain_data(case):
    assert case.spec.normalised() == case.module.SPEC
    assert symgrad.Spec.parse(case.module.SPEC) == case.spec


def test_size_and_parameters(cases):
    loops, products = (cases[name].module for name in ("loops", "products"))
    assert loops.PARAMETERS == {
        "W1": (0, (2, 3)),
        "b1": (6, (3,)),
        "W2": (9, (3, 2)),
        "b2": (15, (2,)),
    }
    assert list(loops.PARAMETERS) == ["W1", "b1", "W2", "b2"]
    assert loops.SIZE == 17
    assert products.PARAMETERS == {"W1": (0, (17, 17)), "W2": (289, (17, 2))}
    assert products.SIZE == 323


def test_docstring_says_what_it_is(case):
    assert case.module.__doc__.splitlines()[0].startswith(case.spec.name + ":")
    assert case.spec.digest() in case.module.__doc__
    assert "o not edit" in case.module.__doc__
    assert f"symgrad compile {case.spec.name}.toml" in case.module.__doc__


# -------------------------------------------------------------------------- init, pack and unpack


def test_init_depends_on_the_seed_alone(case):
    theta = case.module.init()
    assert theta.shape == (case.module.SIZE,) and theta.dtype == case.dtype
    assert theta.flags.c_contiguous and theta.flags.writeable
    np.testing.assert_array_equal(theta, case.module.init(0))
    np.testing.assert_array_equal(case.module.init(7), case.module.init(seed=7))
    assert (case.module.init(7) != theta).any()


RELU_LIKE = {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus"}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_init_is_glorot_or_he(interpret, activation):
    """Uniform: the largest of 1200 weights comes near the limit and does not exceed it."""
    module = interpret(passes(net([40, 30], [activation], dtype="float32")).source)
    weights = module.unpack(module.init(1))
    limit = sqrt(6 / 40) if activation in RELU_LIKE else sqrt(6 / (40 + 30))
    largest = abs(weights["W1"]).max()
    assert 0.98 * limit < largest <= np.float32(limit)
    assert abs(weights["W1"].mean()) < 0.1 * limit
    assert weights["W1"].std() == pytest.approx(limit / sqrt(3), rel=0.05)
    assert not weights["b1"].any()


def test_unpack_gives_views(case):
    theta = case.module.init(3)
    views = case.module.unpack(theta)
    assert list(views) == list(case.module.PARAMETERS)
    for name, (offset, shape) in case.module.PARAMETERS.items():
        assert views[name].shape == shape and np.shares_memory(views[name], theta)
        np.testing.assert_array_equal(views[name].ravel(), theta[offset:][: views[name].size])
    views["W2"][1, 0] = 42
    offset, shape = case.module.PARAMETERS["W2"]
    assert theta[offset + shape[1]] == 42


def test_pack_undoes_unpack(case):
    theta = case.module.init(3)
    packed = case.module.pack(case.module.unpack(theta))
    assert_same(packed, theta)
    assert not np.shares_memory(packed, theta)
    lists = {name: array.tolist() for name, array in case.module.unpack(theta).items()}
    backwards = dict(reversed(lists.items()))
    assert_same(case.module.pack(backwards), theta)


def test_pack_refuses_other_names(case):
    weights = case.module.unpack(case.module.init())
    with pytest.raises(ValueError, match=r"W1, .*came W1"):
        case.module.pack({"W1": weights["W1"]})
    with pytest.raises(ValueError, match=r"W1, .*V1"):
        case.module.pack(weights | {"V1": weights["W1"]})


def test_pack_refuses_other_shapes(case):
    weights = case.module.unpack(case.module.init())
    for wrong in (weights["W2"].T, weights["W2"].ravel(), weights["W2"][:, :1], 0.0):
        came = str(np.shape(wrong))
        with pytest.raises(ValueError) as refused:
            case.module.pack(weights | {"W2": wrong})
        assert "W2" in str(refused.value)
        assert str(weights["W2"].shape) in str(refused.value) and came in str(refused.value)


def test_unpack_refuses_other_shapes(case):
    for wrong in (np.zeros(case.module.SIZE + 1), np.zeros((1, case.module.SIZE)), np.float64(1)):
        with pytest.raises(ValueError, match="theta") as refused:
            case.module.unpack(wrong)
        assert str(np.shape(wrong)) in str(refused.value)
        assert str((case.module.SIZE,)) in str(refused.value)


# -------------------------------------------------------------------------------------- values


def test_predict(case):
    given = case.given("predict")
    y = case.module.predict(**given)
    assert y.dtype == case.dtype and y.shape == (3, case.spec.outputs) and y.flags.c_contiguous
    expected = reference.predict(case.spec.normalised(), **given)
    np.testing.assert_allclose(y, expected, rtol=1e-12 if case.dtype == "float64" else 1e-5)


def test_loss(case):
    given = case.given("loss")
    value = case.module.loss(**given)
    assert type(value) is float
    expected = reference.loss(case.spec.normalised(), *given.values())
    assert value == pytest.approx(float(expected), rel=1e-12 if case.dtype == "float64" else 1e-5)


def test_loss_and_gradient(case):
    value, gradient = case.call("loss_and_gradient")
    assert type(value) is float
    assert gradient.shape == (case.module.SIZE,) and gradient.dtype == case.dtype
    assert value == pytest.approx(case.call("loss"), rel=1e-14 if case.dtype == "float64" else 1e-6)


def test_loss_and_gradient_into(case):
    given = case.given("loss_and_gradient_into")
    given["gradient"][:] = np.nan  # whatever was there is overwritten, not added to
    before = {name: array.copy() for name, array in given.items() if name != "gradient"}
    value = case.module.loss_and_gradient_into(**given)
    assert_same((value, given["gradient"]), case.call("loss_and_gradient"))
    for name, array in before.items():
        np.testing.assert_array_equal(given[name], array)


def test_step(case):
    given = case.given("step")
    theta = given["theta"].copy()
    value, gradient = case.call("loss_and_gradient")
    assert case.module.step(**given) == value
    expected = theta - case.dtype.type(0.5) * gradient
    np.testing.assert_allclose(given["theta"], expected, rtol=4 * np.finfo(case.dtype).eps)
    assert (given["theta"] != theta).any()


def test_one_array_may_hold_all_the_weights(native):
    spec = net([3, 2], ["tanh"], bias=False)
    module, given = native(spec), [np.ones((4, 3)), np.full((4, 2), 0.5)]
    theta = module.init(1)
    assert [*module.PARAMETERS] == ["W1"]
    E, gradient = module.loss_and_gradient(theta, *given)
    assert pytest.approx(float(reference.loss(spec.normalised(), theta, *given))) == E
    step = 1e-6 * np.eye(6)
    slopes = [
        (module.loss(theta + h, *given) - module.loss(theta - h, *given)) / 2e-6 for h in step
    ]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-7, atol=1e-9)
    y = np.tanh(given[0] @ theta.reshape(3, 2))
    np.testing.assert_allclose(module.predict(theta, given[0]), y, rtol=1e-12)


def test_the_loss_is_the_average_over_samples(cases):
    case = cases["loops"]
    given = case.given("loss")
    single = [case.module.loss(given["theta"], x[None], t[None])
              for x, t in zip(given["x"], given["t"], strict=True)]  # fmt: skip
    assert case.module.loss(**given) == pytest.approx(np.mean(single), rel=1e-14)


def test_sample_weights_repeat_samples(cases):
    """A weight of 2 is a sample that is there twice, a weight of 0 one that is not there."""
    case = cases["products"]
    given = case.given("loss_and_gradient")
    weighted = case.module.loss_and_gradient(**given | {"w": np.array([2, 0, 1], np.float32)})
    twice = {name: given[name][[0, 0, 2]] for name in ("x", "t")} | {"w": np.ones(3, np.float32)}
    repeated = case.module.loss_and_gradient(**given | twice)
    assert weighted[0] == pytest.approx(repeated[0], rel=1e-6)
    np.testing.assert_allclose(weighted[1], repeated[1], rtol=1e-4, atol=1e-6)


def test_many_samples_keep_their_digits(natives):
    """Sums of float32 would be off by 1 % at 10⁶ terms."""
    case = natives["products"]
    given = case.given("loss", samples=1)
    once = case.module.loss(**given)
    many = {name: np.repeat(given[name], 300_000, axis=0) for name in ("x", "t", "w")}
    assert case.module.loss(**given | many) == pytest.approx(once, rel=1e-6)


def test_calls_with_keywords(case):
    for name in FUNCTIONS:
        expected = case.call(name)
        assert_same(case.function(name)(**case.given(name)), expected)
        backwards = dict(reversed(case.given(name).items()))
        assert_same(case.function(name)(**backwards), expected)
        first, *rest = case.given(name).items()
        assert_same(case.function(name)(first[1], **dict(rest)), expected)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_wrong_number_of_arguments(case, name):
    function, values = case.function(name), list(case.given(name).values())
    for wrong in ([], values[:-1], [*values, values[0]]):
        with pytest.raises(TypeError, match="argument"):
            function(*wrong)
    with pytest.raises(TypeError, match="nothing"):
        function(*values, nothing=1)
    with pytest.raises(TypeError, match="theta"):
        function(*values, theta=values[0])


# --------------------------------------------------------------------------- whatever is an array


class LikeAnArray:
    """As pandas, xarray and others have it."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


def unaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:]
    result = raw.view(array.dtype).reshape(array.shape)
    result[...] = array
    assert not result.flags.aligned
    return result


def strided(array):
    wide = np.zeros((*array.shape, 2), array.dtype)
    wide[..., 0] = array
    return wide[..., 0]


def read_only(array):
    result = array.copy()
    result.flags.writeable = False
    return result


FORMS = {
    "a list": np.ndarray.tolist,
    "a tuple": lambda array: tuple(array.tolist()),
    "a list of arrays": list,
    "Fortran order": np.asfortranarray,
    "strided": strided,
    "backwards": lambda array: array[::-1].copy()[::-1],
    "read-only": read_only,
    "unaligned": unaligned,
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "float16": lambda array: array.astype(np.float16),
    "float32": lambda array: array.astype(np.float32),
    "float64": lambda array: array.astype(np.float64),
    "longdouble": lambda array: array.astype(np.longdouble),
    "with __array__": LikeAnArray,
    "a subclass": lambda array: array.view(np.recarray),
    "memoryview": memoryview,
    "broadcast": lambda array: np.broadcast_to(array, (2, *array.shape))[1],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_array_likes_are_converted(case, form):
    for name, argument in parameters(CONVERTING):
        if has(case, name, argument):
            expected, array = case.call(name), case.given(name)[argument]
            result = case.call(name, {argument: form(array)})
            if name == "loss_and_gradient":
                wide = np.asarray(form(array)).dtype == np.float64 and argument == "theta"
                expected = (expected[0], expected[1].astype(np.float64 if wide else case.dtype))
            assert_same(result, expected)


@pytest.mark.parametrize("kind", [int, np.int8, np.uint16, bool])
def test_whole_numbers_are_converted(case, kind):
    for name, argument in parameters(CONVERTING):
        if has(case, name, argument):
            numbers = np.ones(case.given(name)[argument].shape, kind)
            expected = case.call(name, {argument: numbers.astype(case.dtype)})
            assert_same(case.call(name, {argument: numbers}), expected)


def test_the_gradient_is_as_wide_as_theta(cases):
    for case in cases.values():
        theta = case.given("loss_and_gradient")["theta"]
        for dtype in (np.float64, case.dtype):
            _, gradient = case.call("loss_and_gradient", {"theta": theta.astype(dtype)})
            assert gradient.dtype == dtype and gradient.flags.writeable
        _, gradient = case.call("loss_and_gradient", {"theta": theta.tolist()})
        assert gradient.dtype == np.float64


def test_conversion_does_not_depend_on_earlier_calls(cases):
    """Numba remembers the types of arrays, but neither byte order nor alignment."""
    for name, argument in parameters(CONVERTING):
        for case in cases.values():
            if has(case, name, argument):
                array, expected = case.given(name)[argument], case.call(name)
                swapped = array.astype(array.dtype.newbyteorder())
                for form in (unaligned(array), swapped, array, unaligned(array), swapped):
                    result = case.call(name, {argument: form})
                    if name == "loss_and_gradient":
                        result = (result[0], result[1].astype(case.dtype))
                    assert_same(result, expected)


def test_conversion_leaves_arguments_alone(case):
    theta = strided(case.given("loss_and_gradient")["theta"])
    before = theta.copy()
    case.call("loss_and_gradient", {"theta": theta})
    np.testing.assert_array_equal(theta, before)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda array: array + 1j,
        lambda array: array.astype(str),
        lambda array: array.astype(object),
        lambda array: array.astype(str).tolist(),
        lambda array: None,
        lambda array: "text",
        lambda array: array.astype("datetime64[s]"),
        lambda array: {"a": 1},
    ],
    ids=["complex", "strings", "objects", "list of strings", "None", "text", "dates", "dict"],
)
def test_what_holds_no_real_numbers_is_refused(case, wrong):
    for name, argument in parameters(CONVERTING):
        if has(case, name, argument):
            with pytest.raises(TypeError, match=f"{argument} must .*came"):
                case.call(name, {argument: wrong(case.given(name)[argument])})


# ------------------------------------------------------------------------------------ shapes


def wrong_sizes(array):
    """Of the right number of axes and the wrong length, along each."""
    for place in range(array.ndim):
        for change in (-1, 1):
            shape = list(array.shape)
            shape[place] += change
            yield np.ones(shape, array.dtype)


@pytest.mark.parametrize(("name", "argument"), parameters(FUNCTIONS), ids=lambda value: str(value))
def test_other_sizes_are_refused(case, name, argument):
    if not has(case, name, argument):
        return
    array = case.given(name)[argument]
    for wrong in wrong_sizes(array):
        if name == "predict" and wrong.shape[0] != array.shape[0] and argument == "x":
            continue  # another number of samples is no mistake there
        with pytest.raises(ValueError) as refused:
            case.call(name, {argument: wrong})
        message = str(refused.value)
        if argument == "x" and wrong.shape[0] != array.shape[0]:
            # seen from x, it is t that has another number of samples
            assert "samples" in message and str(wrong.shape[0]) in message
            assert str(array.shape[0]) in message
            continue
        (place,) = np.flatnonzero(np.array(wrong.shape) != array.shape)
        assert message.startswith(argument)
        assert str(array.shape[place]) in message and str(wrong.shape[place]) in message


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_samples_are_refused(case, name):
    with pytest.raises(ValueError, match="at least one sample"):
        case.call(name, samples=0)


@pytest.mark.parametrize("name", CONVERTING)
def test_nothing_at_all_is_refused(case, name):
    for empty in ([], (), [[]], np.zeros((0,))):
        with pytest.raises(ValueError, match=r"x must .*came"):
            case.call(name, {"x": empty})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_one_sample_is_enough(case, name):
    result = case.call(name, samples=1)
    assert np.all(np.isfinite(result if name != "loss_and_gradient" else result[1]))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_another_number_of_axes_is_refused(case, name):
    for _, argument in parameters([name]):
        if has(case, name, argument):
            array = case.given(name)[argument]
            for wrong in (array[None], np.array(array[0]), array[..., None]):
                with pytest.raises((ValueError, TypeError)) as refused:
                    case.call(name, {argument: wrong})
                message = str(refused.value)
                assert message.startswith(argument) and "of shape (" in message
                assert "came" in message and str(wrong.shape) in message


def test_ragged_lists_are_refused(case):
    with pytest.raises(ValueError, match=r"x must be of shape \(samples, "):
        case.call("predict", {"x": [[1.0], [1.0, 2.0]]})


def test_one_axis_does_not_stand_for_one_sample(case):
    with pytest.raises(ValueError, match=r"x must be of shape \(samples, .*came \(\d+,\)"):
        case.call("predict", {"x": case.given("predict")["x"][0]})


# --------------------------------------------------------------------------------- in place


REFUSED_IN_PLACE = {
    "a list": (np.ndarray.tolist, "came list"),
    "another type": (lambda array: array.astype(np.float16), "float16"),
    "whole numbers": (lambda array: array.astype(np.int64), "int64"),
    "strided": (strided, "not C-contiguous"),
    "unaligned": (unaligned, "not aligned"),
    "big-endian": (lambda array: array.astype(array.dtype.newbyteorder(">")), ">f"),
    "complex": (lambda array: array + 1j, "complex"),
    "objects": (lambda array: array.astype(object), "object"),
    "like an array": (LikeAnArray, "LikeAnArray"),
    "nothing": (lambda array: None, "NoneType"),
}


@pytest.mark.parametrize(("form", "came"), REFUSED_IN_PLACE.values(), ids=REFUSED_IN_PLACE)
def test_what_works_in_place_does_not_convert(case, form, came):
    for name, argument in parameters(IN_PLACE):
        if has(case, name, argument):
            given = case.given(name)
            with pytest.raises(TypeError) as refused:
                case.function(name)(**given | {argument: form(given[argument])})
            message = str(refused.value)
            assert message.startswith(f"{argument} must be") and ";" not in message
            assert str(case.dtype) in message and "of shape (" in message
            assert "came" in message and came in message
            assert not given.get("gradient", np.zeros(1)).any()  # nothing has been written


def test_fortran_order_is_refused_in_place(case):
    for name in IN_PLACE:
        x = np.asfortranarray(case.given(name)["x"])
        with pytest.raises(TypeError, match=r"x must be .*came.*not C-contiguous"):
            case.call(name, {"x": x})


def test_what_is_only_read_may_be_read_only(case):
    for name, argument in parameters(IN_PLACE, leave=["gradient"]):
        if has(case, name, argument) and (name, argument) != ("step", "theta"):
            array = read_only(case.given(name)[argument])
            assert_same(case.call(name, {argument: array}), case.call(name))


@pytest.mark.parametrize(
    ("name", "argument"), [("step", "theta"), ("loss_and_gradient_into", "gradient")]
)
def test_what_is_written_may_not_be_read_only(case, name, argument):
    array = read_only(case.given(name)[argument])
    with pytest.raises(TypeError, match=f"{argument} must be .*came.*read-only"):
        case.call(name, {argument: array})
    np.testing.assert_array_equal(array, case.given(name)[argument])


def test_messages_name_only_what_is_wrong(case):
    """A read-only theta is no fault where it is only read."""
    wrong = {"theta": read_only(case.given("step")["theta"]), "x": [[1.0]]}
    with pytest.raises(TypeError) as refused:
        case.call("loss_and_gradient_into", wrong)
    assert str(refused.value).startswith("x must be") and "theta" not in str(refused.value)


def test_all_that_is_wrong_is_named(case):
    wrong = {"x": [[1.0]], "t": None}
    with pytest.raises(TypeError, match=r"x must be .*came list; t must be .*came NoneType"):
        case.call("step", wrong)


@pytest.mark.parametrize("rate", [0.5, np.float32(0.5), np.float64(0.5)])
def test_any_number_is_a_rate(case, rate):
    given, expected = case.given("step"), case.given("step")
    case.module.step(**expected)
    case.module.step(**given | {"rate": rate})
    np.testing.assert_array_equal(given["theta"], expected["theta"])


def test_whole_numbers_are_rates(case):
    given, expected = case.given("step"), case.given("step")
    case.module.step(**expected | {"rate": 1.0})
    for rate in (1, np.int64(1), True):
        again = {name: np.copy(value) for name, value in given.items()} | {"rate": rate}
        case.module.step(**again)
        np.testing.assert_array_equal(again["theta"], expected["theta"])


@pytest.mark.parametrize("rate", ["0.1", None, 1j, np.array([0.1]), [0.1]])
def test_what_is_no_number_is_no_rate(case, rate):
    given = case.given("step")
    with pytest.raises(TypeError, match=f"rate must be a number, came {type(rate).__name__}"):
        case.module.step(**given | {"rate": rate})
    np.testing.assert_array_equal(given["theta"], case.given("step")["theta"])


def test_the_gradient_must_not_overlap_what_is_read(case):
    size = case.module.SIZE
    for argument in ("theta", "x", "t", "w"):
        if not has(case, "loss_and_gradient_into", argument):
            continue
        array = case.given("loss_and_gradient_into")[argument]
        for shift in (0, 1, array.size - 1, 1 - size):
            memory = np.zeros(3 * (size + array.size), case.dtype)
            shared = memory[size:][: array.size].reshape(array.shape)
            shared[...] = array
            gradient = memory[size + shift :][:size]
            before = memory.copy()
            with pytest.raises(ValueError, match=f"gradient must not overlap {argument}"):
                case.call("loss_and_gradient_into", {argument: shared, "gradient": gradient})
            np.testing.assert_array_equal(memory, before)
        for shift in (array.size, -size):  # side by side
            memory = np.zeros(3 * (size + array.size), case.dtype)
            shared = memory[size:][: array.size].reshape(array.shape)
            shared[...] = array
            gradient = memory[size + shift :][:size]
            changed = {argument: shared, "gradient": gradient}
            value = case.call("loss_and_gradient_into", changed)
            assert_same((value, gradient), case.call("loss_and_gradient"))


# -------------------------------------------------------------------------- NaN and infinity


def placed(array, where, number):
    result = array.copy()
    result.flat[where] = number
    return result


def test_nan_comes_out(case):
    for name in ("loss", "loss_and_gradient", "loss_and_gradient_into", "step"):
        for argument in ("theta", "x", "t", "w"):
            if has(case, name, argument):
                array = case.given(name)[argument]
                for where in (0, array.size - 1):
                    result = case.call(name, {argument: placed(array, where, np.nan)})
                    assert np.isnan(result[0] if isinstance(result, tuple) else result)
                    assert argument == "w" or np.isnan(
                        case.call("predict", {argument: placed(array, where, np.nan)})
                        if argument in ("theta", "x") else np.nan
                    ).any()  # fmt: skip


def test_nan_comes_out_of_every_activation_compiled(chains):
    """A bias of NaN at each layer has to pass all the layers after it."""
    for _, module in chains:
        x, t = np.full((2, 3, 2), 0.5, np.float32)
        theta = module.init(1)
        assert np.isfinite(module.loss(theta, x, t))
        assert np.isnan(module.loss(theta, placed(x, 3, np.nan), t))
        for name in module.PARAMETERS:
            spoilt = theta.copy()
            module.unpack(spoilt)[name].flat[-1] = np.nan
            assert np.isnan(module.loss(spoilt, x, t)), name
            assert np.isnan(module.loss_and_gradient(spoilt, x, t)[0]), name


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_lets_nan_through(interpret, activation):
    module = interpret(passes(net([2, 2], [activation])).source)
    given = [np.full(6, 0.5), np.full((3, 2), 0.5), np.full((3, 2), 0.5)]
    for place, array in enumerate(given):
        for where in range(array.size):
            changed = [*given[:place], placed(array, where, np.nan), *given[place + 1 :]]
            assert np.isnan(module.loss(*changed))
            assert np.isnan(module.loss_and_gradient(*changed)[0])


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("last", ["sigmoid", "softmax"])
def test_every_loss_lets_nan_through(interpret, kind, last):
    module = interpret(passes(net([2, 2], [last], kind=kind, sample_weights=True)).source)
    given = [np.full(6, 0.5), np.full((3, 2), 0.5), np.full((3, 2), 0.5), np.ones(3)]
    for value in (0.0, 0.5, 1.0):
        given[2] = np.full((3, 2), value)
        assert np.isfinite(module.loss(*given))
        for place, array in enumerate(given):
            changed = [*given[:place], placed(array, 1, np.nan), *given[place + 1 :]]
            assert np.isnan(module.loss(*changed))
            assert np.isnan(module.loss_and_gradient(*changed)[0])


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_infinity_comes_out(cases, infinity):
    """Where it does not meet a bound: tanh(∞) is 1, and so are probabilities bounded."""
    case = cases["loops"]
    for argument, where in (("t", 0), ("t", 5), ("theta", -1), ("theta", 9)):
        for name in ("loss", "loss_and_gradient", "step"):
            array = case.given(name)[argument]
            result = case.call(name, {argument: placed(array, where, infinity)})
            assert not np.isfinite(result[0] if isinstance(result, tuple) else result)
    case = cases["products"]
    for argument in ("theta", "x", "t", "w"):
        array = case.given("loss")[argument]
        assert not np.isfinite(case.call("loss", {argument: placed(array, 0, infinity)}))


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_infinity_means_what_it_means_in_numpy(interpret, activation, infinity):
    """The limit, or nothing finite."""
    spec = net([1, 2], [activation])
    module = interpret(passes(spec).source)
    theta, t = np.array([1.0, -1.0, 0.5, 0.5]), np.array([[0.25, 0.5]])
    value = module.loss(theta, np.array([[infinity]]), t)
    expected = reference.loss(spec.normalised(), theta, [[infinity]], t)
    assert value == pytest.approx(float(expected), rel=1e-12) or not (
        np.isfinite(value) or np.isfinite(expected)
    )


# ------------------------------------------------------------------------- from compiled code


@pytest.mark.parametrize(
    "case",
    [("numba", "loops"), pytest.param(("numba", "products"), marks=pytest.mark.slow)],
    indirect=True,
)
def test_calls_from_compiled_code(case):
    predict, loss, into, both, step = (
        case.function(name)
        for name in ("predict", "loss", "loss_and_gradient_into", "loss_and_gradient", "step")
    )
    if case.spec.loss.sample_weights:

        @numba.njit
        def use(theta, x, t, w, gradient, rate):
            y = predict(theta, x)
            first, second = loss(theta, x, t, w), into(theta, x, t, w, gradient)
            third, gained = both(theta, x, t, w)
            return y, first, second, third, gained, step(theta, x, t, w, rate)
    else:

        @numba.njit
        def use(theta, x, t, gradient, rate):
            y = predict(theta, x)
            first, second = loss(theta, x, t), into(theta, x, t, gradient)
            third, gained = both(theta, x, t)
            return y, first, second, third, gained, step(theta, x, t, rate)

    given = case.given("loss_and_gradient_into") | {"rate": 0.5}
    y, first, second, third, gained, before = use(*given.values())
    value, gradient = case.call("loss_and_gradient")
    assert_same(y, case.call("predict"))
    assert first == pytest.approx(case.call("loss"), rel=1e-6)
    assert second == third == before == pytest.approx(value, rel=1e-6)
    for mine in (gained, given["gradient"]):
        np.testing.assert_allclose(mine, gradient, rtol=1e-4, atol=1e-6)
    stepped = case.given("step")
    case.module.step(**stepped)
    np.testing.assert_allclose(given["theta"], stepped["theta"], rtol=1e-5, atol=1e-6)


def test_calls_by_way_of_the_module(cases):
    case = cases["loops"]
    module = case.module

    @numba.njit
    def use(theta, x, t, gradient):
        return (
            module.SIZE,
            module.loss(theta, x, t),
            module.loss_and_gradient_into(theta, x, t, gradient),
        )

    size, value, again = use(**case.given("loss_and_gradient_into"))
    assert size == module.SIZE
    assert value == pytest.approx(case.call("loss"), rel=1e-14)
    assert again == pytest.approx(value, rel=1e-14)


def test_functions_as_arguments_of_compiled_code(cases):
    """One caller, any network; what is passed is compiled in."""

    @numba.njit
    def descend(step, theta, x, t, rate, steps):
        value = 0.0
        for _ in range(steps):
            value = step(theta, x, t, rate)
        return value

    case = cases["loops"]
    mine, expected = case.given("step"), case.given("step")
    value = descend(case.module.step, *mine.values(), 5)
    for _ in range(5):
        last = case.module.step(**expected)
    assert value == pytest.approx(last, rel=1e-12)
    np.testing.assert_allclose(mine["theta"], expected["theta"], rtol=1e-12, atol=1e-14)


@numba.njit
def caller(function, theta, x, t):
    return function(theta, x, t)


@numba.njit
def into_caller(function, theta, x, t, gradient):
    return function(theta, x, t, gradient)


def test_wrong_types_in_compiled_code_are_numbas_own_error(cases):
    case = cases["loops"]
    theta, x, t = case.given("loss").values()
    for wrong in (theta.astype(np.float32), theta.astype(np.int64), strided(theta), theta[None]):
        with pytest.raises(TypingError):
            caller(case.module.loss, wrong, x, t)
    for wrong in (np.asfortranarray(x), x.astype(np.float32), strided(x), x[0]):
        with pytest.raises(TypingError):
            caller(case.module.loss, theta, wrong, t)
    with pytest.raises(TypingError):  # it would be written
        into_caller(case.module.loss_and_gradient_into, theta, x, t, read_only(theta))


def test_wrong_shapes_in_compiled_code_are_value_errors(cases):
    case = cases["loops"]
    function, given = case.module.loss_and_gradient_into, case.given("loss_and_gradient_into")
    assert into_caller(function, *given.values()) == case.call("loss_and_gradient")[0]
    for argument, array in given.items():
        for wrong in wrong_sizes(array):
            changed = given | {argument: wrong}
            with pytest.raises(ValueError, match=argument if argument != "x" else "[xt]"):
                into_caller(function, *changed.values())
    with pytest.raises(ValueError, match="at least one sample"):
        empty = case.given("loss_and_gradient_into", samples=0)
        into_caller(function, *empty.values())
    with pytest.raises(ValueError, match="overlap"):
        into_caller(function, *(given | {"gradient": given["theta"]}).values())


def test_no_writing_beyond_the_ends(cases):
    """What lies before and behind the arrays that are written stays as it is."""
    for case in cases.values():
        size = case.module.SIZE
        for name, argument in (("loss_and_gradient_into", "gradient"), ("step", "theta")):
            memory = np.full(size + 200, 7, case.dtype)
            inside = memory[100:-100]
            inside[:] = case.given(name)[argument]
            case.call(name, {argument: inside})
            assert (memory[:100] == 7).all() and (memory[-100:] == 7).all()


# ---------------------------------------------------------------------------------- threads


def test_threads_get_the_same_results(case):
    expected = case.call("loss_and_gradient", samples=50)
    given = case.given("loss_and_gradient", samples=50)
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(case.module.loss_and_gradient, **given) for _ in range(200)]
        for call in calls:
            assert_same(call.result(), expected)


def test_threads_may_make_the_first_call(build):
    """Each function is compiled when it is first used, whoever is first."""
    module = build(net([2, 1], ["tanh"]))
    theta, x, t = module.init(1), np.ones((3, 2)), np.ones((3, 1))
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(module.loss_and_gradient, theta, x, t) for _ in range(16)]
        results = [call.result() for call in calls]
    for result in results:
        assert_same(result, results[0])


@pytest.mark.slow  # how far the other thread comes depends on the machine's load
def test_other_threads_run_meanwhile(cases):
    case = cases["loops"]
    given = case.given("loss", samples=2_000_000)
    case.module.loss(**given)
    done, counted = threading.Event(), 0

    def work():
        for _ in range(3):
            case.module.loss(**given)
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    while not done.is_set():
        counted += 1
        time.sleep(0.0005)
    worker.join()
    assert counted > 10  # with the lock held, one for each call at most


# ---------------------------------------------------------------------------------- pickling


def test_functions_are_pickled_by_name(case):
    for name in (*FUNCTIONS, "init", "pack", "unpack"):
        function = case.function(name)
        if sys.modules[case.module.__name__] is case.module:
            assert pickle.loads(pickle.dumps(function)) is function
        assert copy.deepcopy(function) is function


def test_attributes_of_classes_are_no_methods(case):
    class Holder:
        loss = case.module.loss

    assert Holder().loss is Holder.loss is case.module.loss


def test_representations_name_module_and_function(case):
    assert "net.step(theta, x, t, " in repr(case.module.step)


# ------------------------------------------------------------------------------------- SciPy


@pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "CG", "TNC"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_scipy_minimises(minimised, dtype, method):
    module, x, t = minimised[dtype]
    best = np.inf
    for seed in range(3):
        found = minimize(module.loss_and_gradient, module.init(seed).astype(float), (x, t),
                         method=method, jac=True)  # fmt: skip
        best = min(best, found.fun)
    assert best < 1e-4


@pytest.fixture(scope="module")
def minimised(native):
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    t = np.array([[0.0], [1.0], [1.0], [0.0]])
    return {
        dtype: (native(net([2, 4, 1], ["tanh", "identity"], dtype=dtype)), x, t)
        for dtype in ("float64", "float32")
    }


# ------------------------------------------------------------------------- anywhere, on its own


def python(program, cwd, **environment):
    """Runs a program in a process of its own; what it prints."""
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_imports_nothing_but_numpy_and_numba():
    for path in (ROOT / "generated").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                beside = (path.parent / f"{node.module}.py").is_file()
                assert node.level == 0 or beside  # as a member of a package
                names = [] if beside else [node.module]
            for name in names:
                package = name.split(".")[0]
                assert package in {"numpy", "numba", "llvmlite"} | sys.stdlib_module_names


USE = """
import sys
import numpy as np
import xor
x, t = np.array([[0.0, 1.0]]), np.array([[1.0]])
value, gradient = xor.loss_and_gradient(xor.init(), x, t)
print(sorted({"symgrad", "sympy", "jinja2", "pydantic"} & set(sys.modules)))
print(value, gradient.shape, xor.predict(xor.init(), x).shape, xor.__file__)
"""


def test_a_copy_works_anywhere(tmp_path):
    copy_generated("xor", tmp_path)
    loaded, numbers = python(USE, tmp_path).splitlines()
    assert loaded == "[]"
    assert "(9,) (1, 1)" in numbers and str(tmp_path) in numbers


def test_works_where_nothing_can_be_cached(tmp_path):
    """Neither beside the file, where a file is in the way, nor in the user's folder."""
    copy_generated("xor", tmp_path)
    (tmp_path / "__pycache__").write_text("in the way")
    nowhere = {"HOME": os.devnull, "XDG_CACHE_HOME": os.devnull, "NUMBA_CACHE_DIR": ""}
    _, numbers = python(USE, tmp_path, **nowhere).splitlines()
    assert "(9,) (1, 1)" in numbers
    assert (tmp_path / "__pycache__").read_text() == "in the way"


@pytest.mark.slow
def test_python_can_run_it_all(tmp_path):
    """As in a debugger, which does not step into compiled code."""
    copy_generated("xor", tmp_path)
    as_compiled, in_python = (
        python(USE, tmp_path, NUMBA_DISABLE_JIT=switch).splitlines()[1].split() for switch in "01"
    )
    assert float(in_python[0]) == pytest.approx(float(as_compiled[0]), rel=1e-12)
    assert in_python[1:] == as_compiled[1:]


def test_caches_beside_the_file(tmp_path):
    copy_generated("xor", tmp_path)
    python(USE, tmp_path, NUMBA_CACHE_DIR="")
    cached = {path.name.split("-")[0] for path in (tmp_path / "__pycache__").glob("*.nbc")}
    assert {"xor._enter_predict", "xor._enter_loss_and_gradient_into"} <= cached


def test_imports_from_the_project_and_pickles_between_processes():
    program = (
        "import pickle, sys\n"
        "from generated import xor\n"
        "sys.stdout.write(pickle.dumps([xor.step, xor.init]).hex())"
    )
    text = python(program, ROOT)
    again = (
        f"import pickle; step, init = pickle.loads(bytes.fromhex({text!r})); print(step, init(3))"
    )
    assert "generated.xor.step" in python(again, ROOT)
