"""A loss that is a sum of terms, each of samples of its own: against each term compiled by itself,
against the NumPy loss, and to the bit where that is promised."""

import inspect
import json
from threading import Event
from xml.etree import ElementTree

import numpy as np
import pytest

import symgrad
from symgrad.checking import reference
from symgrad.checking.check import check
from symgrad.errors import SpecError, SymgradError
from symgrad.explain.clock import Clock
from symgrad.explain.explain import explain
from symgrad.inspect import view
from symgrad.lowering.verify import verify
from symgrad.pipeline import passes
from symgrad.runtime.forks import several_threads
from symgrad.spec.spec import Spec
from symgrad.targets.numba.load import load

EQUATION = {
    "name": "equation",
    "formula": "(D(u, t) + u*D(u, x) - nu*D(u, x, x))**2",
    "constants": {"nu": 0.01},
}
START = {"name": "start", "formula": "(u - target)**2", "weight": 10.0, "sample_weights": True}
ENDS = {"name": "ends", "formula": "u**2 + x*x"}
KIND = {"name": "kind", "kind": "huber", "weight": 0.25}

LOSSES = {
    "one": {"terms": [START]},
    "two": {"terms": [EQUATION, START], "l2": 0.01},
    "argument": {"terms": [KIND, EQUATION], "l1": "argument", "l2": 0.1},
    "names": {"terms": [KIND | {"name": "a"}, START | {"name": "b_a"}, ENDS | {"name": "x_a"}]},
    "four": {"terms": [ENDS, EQUATION, KIND, START]},
}


def spec_of(loss, units=3, **more):
    layers = [{"units": units, "activation": "tanh"}, {"names": ["u"]}]
    base = {"name": "net", "dtype": "float64", "inputs": ["x", "t"], "layers": layers}
    return base | {"loss": loss} | more


class Case:
    """A compiled spec, with weights and samples at random."""

    def __init__(self, loss, samples=7, **more):
        self.compiled = symgrad.compile(spec_of(loss, **more))
        self.spec, self.module = self.compiled.spec, self.compiled.module
        random = np.random.default_rng(5)
        dtype = self.spec.dtype
        self.theta = random.normal(size=self.spec.weights).astype(dtype)
        self.data, self.by_term = {}, {}
        for place, (name, term) in enumerate(self.spec.of_terms.items()):
            many = samples + 3 * place
            own = {"x": random.normal(size=(many, 2))}
            if term.reads_target:
                own["t"] = random.normal(size=(many, 1))
            if term.loss.sample_weights:
                own["w"] = random.random(many)
            own = {key: value.astype(dtype) for key, value in own.items()}
            self.by_term[name] = own
            self.data |= {f"{key}_{name}": value for key, value in own.items()}
        self.penalties = dict.fromkeys(self.spec.loss.arguments, 0.125)
        self.given = (*self.data.values(), *self.penalties.values())

    def alone(self, name):
        """A term by itself, which is given targets whether it is of them or not."""
        own = dict(self.by_term[name])
        own.setdefault("t", np.zeros((len(own["x"]), 1), self.spec.dtype))
        given = [own[key] for key in ("x", "t", "w") if key in own]
        term = self.compiled.terms[name]
        penalties = [self.penalties[each] for each in term.spec.loss.arguments]
        return term.module.loss_and_gradient(self.theta, *given, *penalties)


@pytest.fixture(scope="module", params=LOSSES)
def case(request):
    return Case(LOSSES[request.param])


def test_arguments_are_those_of_the_terms_in_their_order(case):
    given = ["theta", *case.data, *case.penalties]
    assert [*inspect.signature(case.module.loss).parameters] == given
    into = inspect.signature(case.module.loss_and_gradient_into)
    assert [*into.parameters] == [*given, "gradient"]


def test_the_loss_is_the_sum_of_its_terms_to_the_bit(case):
    E, gradient = case.module.loss_and_gradient(case.theta, *case.given)
    parts = [case.alone(name) for name in case.spec.of_terms]
    total, slopes = parts[0]
    for value, slope in parts[1:]:
        total, slopes = total + value, slopes + slope
    assert E == total == case.module.loss(case.theta, *case.given)
    np.testing.assert_array_equal(gradient, slopes)


def test_the_loss_is_that_of_numpy(case):
    spec = case.spec.normalised()
    spec = {**spec, "loss": {**spec["loss"], **case.penalties}}
    expected = reference.loss(spec, case.theta, *case.data.values(), dtype=np.longdouble)
    assert case.module.loss(case.theta, *case.given) == pytest.approx(float(expected), rel=1e-9)


def test_it_is_judged_by_oracles(case):
    report = check(case.spec.normalised(), case.module)
    assert report.passed, report
    assert [v.oracle for v in report.verdicts if v.compared] == ["complex step", "differences"]


def test_a_wrong_term_is_found(case):
    class Wrong:
        PARAMETERS = case.module.PARAMETERS

        @staticmethod
        def loss_and_gradient(theta, *given):
            x, *rest = given
            return case.module.loss_and_gradient(theta, x * (1 + 1e-6), *rest)

    assert not check(case.spec.normalised(), Wrong).passed


def test_the_interpreter_evaluates_the_same(case):
    E, gradient = case.compiled.evaluate(case.theta, **case.data, **case.penalties)
    assert pytest.approx(case.module.loss(case.theta, *case.given), rel=1e-13) == E
    found = case.module.loss_and_gradient(case.theta, *case.given)[1]
    np.testing.assert_allclose(gradient, found, rtol=1e-11, atol=1e-13)
    with pytest.raises(TypeError, match="given by name; came none"):
        case.compiled.evaluate(case.theta)


def test_a_step_goes_down_the_gradient(case):
    theta = case.theta.copy()
    E, gradient = case.module.loss_and_gradient(theta, *case.given)
    assert case.module.step(theta, *case.given, 0.5) == E
    np.testing.assert_allclose(theta, case.theta - 0.5 * gradient, rtol=1e-15, atol=1e-15)


@pytest.mark.slow
def test_the_emitted_module_has_the_same_bits(tmp_path):
    case = Case(LOSSES["two"])
    emitted = load(case.compiled.write(tmp_path))
    for name in ("loss_and_gradient", "loss"):
        found, expected = (
            getattr(module, name)(case.theta, *case.given) for module in (emitted, case.module)
        )
        np.testing.assert_equal(found, expected)
    theta, other = case.theta.copy(), case.theta.copy()
    assert emitted.step(theta, *case.given, 0.1) == case.module.step(other, *case.given, 0.1)
    np.testing.assert_array_equal(theta, other)
    with pytest.raises(ValueError, match="t_start must have as many samples as x_start"):
        emitted.loss(case.theta, *case.given[:2], np.zeros((2, 1)), np.ones(2))


def test_what_does_not_fit_is_named_by_its_term():
    case = Case(LOSSES["two"])
    x, x_start, t_start, w_start = case.given
    for wrong, message in (
        ((x[:, :1], x_start, t_start, w_start), r"x_equation must be of shape \(samples, 2\)"),
        ((x, x_start, t_start[:2], w_start), "t_start must have as many samples as x_start"),
        ((x, x_start, t_start, w_start[:2]), "w_start must have as many samples as x_start"),
        ((x[:0], x_start, t_start, w_start), "x_equation must hold at least one sample"),
    ):
        with pytest.raises(ValueError, match=message):
            case.module.loss(case.theta, *wrong)
    gradient = np.full(case.spec.weights, 7.0)
    with pytest.raises(ValueError, match="t_start"):
        case.module.loss_and_gradient_into(case.theta, x, x_start, t_start[:2], w_start, gradient)
    assert (gradient == 7).all()  # nothing is written before all is known to fit


@pytest.mark.skipif(not several_threads(), reason="there is one thread")
def test_threads_change_no_bit():
    case = Case(LOSSES["two"], samples=3000, dtype="float32")
    work = case.module.loss_and_gradient_into.work
    one, other = (np.empty(case.spec.weights, np.float32) for _ in range(2))
    work.alone(None)(case.theta, *case.given, one)
    work.alone(None, threads=True)(case.theta, *case.given, other)
    np.testing.assert_array_equal(one, other)


TRAINED = {"training": {"optimizer": "adam", "rate": 0.01, "batch": 4}}


def test_train_steps_takes_a_step_for_each_batch_of_the_longest_term():
    """By hand: each term's batches in turn, the shorter one's anew when they are through."""
    case = Case(LOSSES["two"], samples=8, **TRAINED)
    x, x_start, t_start, w_start = case.given
    order, starts = np.array([3, 1, 0, 2, 7, 6, 5, 4]), np.array([0, 3, 6, 8])
    order_start, starts_start = np.array([9, 8, 1, 0, 4, 5]), np.array([0, 2, 6])
    settings = case.module.train_settings()
    theta, (state, progress) = case.theta.copy(), case.module.train_state(1)
    mean = case.module.train_steps(
        theta, *case.given, order, starts, order_start, starts_start, state, progress, settings
    )
    losses, expected, (state, progress) = [], case.theta.copy(), case.module.train_state(1)
    whole = case.module.train_settings(batch=0)
    for rows, rows_start in zip(
        np.split(order, starts[1:-1]),
        [order_start[:2], order_start[2:], order_start[:2]],
        strict=True,
    ):
        data = x[rows], x_start[rows_start], t_start[rows_start], w_start[rows_start]
        losses.append(case.module.train_epoch(expected, *data, state, progress, whole))
    np.testing.assert_array_equal(theta, expected)
    assert mean == pytest.approx(np.mean(losses), rel=1e-15)


def test_an_epoch_is_reproducible_and_goes_on():
    case = Case(LOSSES["two"], samples=30, **TRAINED)
    settings = case.module.train_settings()

    def after(epochs, theta, state, progress):
        for _ in range(epochs):
            loss = case.module.train_epoch(theta, *case.given, state, progress, settings)
        return loss

    theta, again = case.theta.copy(), case.theta.copy()
    first, second = case.module.train_state(3), case.module.train_state(3)
    begun = case.module.loss(theta, *case.given)
    assert after(40, theta, *first) == after(40, again, *second)
    np.testing.assert_array_equal(theta, again)
    assert case.module.loss(theta, *case.given) < 0.7 * begun


def test_wrong_orders_are_refused():
    case = Case(LOSSES["two"], samples=8, **TRAINED)
    going_on = (*case.module.train_state(1), case.module.train_settings())
    good = np.arange(8), np.array([0, 8]), np.arange(11), np.array([0, 11])
    for place, wrong, message in (
        (2, np.array([0, 99]), "starts_start must lie within order_start"),
        (3, np.array([0, 99]), "starts_start must lie within order_start"),
        (0, np.array([0, 9] * 4), "order_equation must hold numbers of samples; x_equation has"),
        (1, np.array([3]), "starts_equation must say where a batch begins"),
    ):
        given = [*good]
        given[place] = wrong
        with pytest.raises(ValueError, match=message):
            case.module.train_steps(case.theta.copy(), *case.given, *given, *going_on)


def test_derivatives_of_the_network_are_there_beside_terms():
    case = Case(LOSSES["two"], derivatives=["jacobian", "laplacian"])
    x = case.by_term["equation"]["x"]
    step = 1e-6
    slopes = [
        (case.module.predict(case.theta, x + h) - case.module.predict(case.theta, x - h)) / 2e-6
        for h in step * np.eye(2)
    ]
    found = case.module.jacobian(case.theta, x)
    np.testing.assert_allclose(found[:, 0], np.concatenate(slopes, axis=1), atol=1e-8)
    assert check(case.spec.normalised(), case.module).passed
    with pytest.raises(SpecError, match="is of a loss of one kind or formula"):
        Spec.parse(spec_of(LOSSES["two"], derivatives=["hessian_vector"]))


def test_the_one_formula_is_in_each_terms_own_data():
    compiled = symgrad.compile(spec_of(LOSSES["two"], units=1))
    names = {str(symbol) for symbol in compiled.loss.free_symbols}
    assert {"N_equation", "N_start", "x_equation", "t_start", "w_start"} <= names
    assert not {"N", "x", "t", "w"} & names
    assert "x_start" in str(compiled.gradient["b2"])


def test_notebooks_show_each_term():
    compiled = symgrad.compile(spec_of(LOSSES["two"]))
    root = ElementTree.fromstring(compiled._repr_html_())
    titles = [row.get("title") for row in root.iter("tr")]
    assert {"part_of_e[n]", "d_y[n,i2]"} <= {str(t).split(" =")[0] for t in titles}
    blocks = compiled._repr_latex_().split("\n\n")
    assert blocks[0] == r"$$\text{equation}$$" and len(blocks) == 4
    assert repr(compiled).startswith("Compiled net: equation: 2-3-1")


def test_what_is_inspected_is_of_each_term():
    compiled = symgrad.compile(spec_of(LOSSES["two"]))
    text = view(compiled, "gradient")
    assert text.startswith("term equation:\nz1[n,i1]") and "\n\nterm start:\nz1[n,i1]" in text
    data = json.loads(view(compiled, "expand", "json"))
    assert [*data["terms"]] == ["equation", "start"]
    assert view(compiled.terms["start"], "gradient") in text
    assert "def _start_gradient_of_leaf(" in view(compiled, "source")
    with pytest.raises(SymgradError, match="say which is to be explained, as by --term equation"):
        next(explain(compiled, Clock(10, Event(), lambda *_: None)))


def test_programs_are_of_a_term():
    compiled = symgrad.compile(spec_of(LOSSES["two"]))
    with pytest.raises(SymgradError, match=r"compiled.terms\['equation'\].program"):
        _ = compiled.program
    with pytest.raises(SymgradError, match="no term 'end'; there are equation, start"):
        compiled.of_term("end")
    with pytest.raises(SymgradError, match="its loss has none"):
        compiled.terms["start"].of_term("start")
    assert compiled.of_term("start").spec.loss.weight == 10


REFUSED = [
    ({"kind": "squared", "terms": [KIND]}, "a loss with terms has no kind of its own"),
    ({"weight": 2.0, "terms": [KIND]}, "a loss with terms has no weight of its own"),
    ({"terms": [KIND, {**KIND, "name": "Kind"}]}, "'Kind' is there already, but for capitals"),
    ({"terms": [KIND, KIND]}, "'kind' is there already; names of terms must differ"),
    ({"terms": [{**KIND, "name": "hessian"}]}, "'hessian' is the name of a function"),
    ({"terms": [{**KIND, "name": "a b"}]}, "'a b' is no identifier"),
    ({"terms": [{**KIND, "weight": 0.0}]}, "must be greater than 0; a term that counts"),
    ({"terms": [{"name": "a", "formula": "x"}]}, "loss.terms[0].formula: the formula must use y"),
    ({"terms": [{"name": "a"}]}, "a term has either a kind or a formula, but neither is given"),
    ({"terms": []}, "a loss has either a kind or a formula, or terms, but none is given"),
]


@pytest.mark.parametrize(("loss", "message"), REFUSED)
def test_refusals(loss, message):
    with pytest.raises(SpecError) as caught:
        Spec.parse(spec_of(loss))
    assert message in str(caught.value)


def test_the_weight_of_a_loss_by_itself():
    """What makes a term of a loss also a spec by itself."""
    loss = {"kind": "squared"}
    one, three = (symgrad.compile(spec_of(loss | more)) for more in ({}, {"weight": 3.0}))
    theta, x, t = one.module.init(1), np.ones((4, 2)), np.zeros((4, 1))
    assert three.module.loss(theta, x, t) == pytest.approx(3 * one.module.loss(theta, x, t))
    assert one.spec.digest() != three.spec.digest()
    assert "weight" not in one.spec.normalised()["loss"]
    assert check(three.spec.normalised(), three.module).passed
    assert Spec.parse(three.spec.normalised()) == three.spec


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_the_lowered_program_is_sound(loss):
    verify([*passes(Spec.parse(spec_of(loss, **TRAINED))).lowered.functions])
