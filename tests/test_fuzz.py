"""`make fuzz`: what judges is right itself, and a fault that is planted is found and made small."""

import json
import random
import sys
from types import SimpleNamespace
from unittest import mock

import mpmath
import numpy as np
import pytest

from fuzz import __main__ as command
from fuzz import of_arrays, of_files, of_formulas, of_specs
from fuzz.arithmetic import Exact, Written
from fuzz.formulas import FUNCTIONS, formula, names, simpler
from fuzz.hunt import Hunt
from fuzz.judging import Reading
from fuzz.networks import ACTIVATIONS, LOSSES, Case
from fuzz.of_formulas import Looking, judge
from fuzz.places import Place
from symgrad.errors import DataError, SpecError
from symgrad.spec import formula as grammar
from symgrad.spec.spec import ACTIVATIONS as BUILT_IN
from symgrad.spec.spec import LOSSES as KINDS
from symgrad.spec.spec import Spec

KIND = of_formulas.kind(Looking())


# ---- The oracle ----------------------------------------------------------------------------------

CLOSED = {
    # value and slope, in closed form
    "exp(z)/(exp(z) + exp(-z))": lambda z: 1 / (1 + mpmath.exp(-2 * z)),
    "-log(1/(1 + exp(-z)))": lambda z: mpmath.log1p(mpmath.exp(-z)),
    "tanh(z/2)/2 + 0.5": lambda z: 1 / (1 + mpmath.exp(-z)),
    "(z**3 - 2*z)*z**-0.5": lambda z: z**2.5 - 2 * mpmath.sqrt(z),
    "sum(sin(z)*cos(z)) + sum(1)": lambda z: mpmath.sin(2 * z) / 2 + 1,
    "max(z, 2)*min(z, 2)/2 + 0*abs(z)": lambda z: z,
    "softplus(z) - softplus(-z) + relu(z) - relu(-z)": lambda z: 2 * z,
    "expm1(log1p(z)) + erf(z) + sinh(z) - cosh(z)": lambda z: z + mpmath.erf(z) - mpmath.exp(-z),
    "atan(z) + atan(1/z) + sigmoid(z)": lambda z: mpmath.pi / 2 + 1 / (1 + mpmath.exp(-z)),
    "sqrt(exp(z))": lambda z: mpmath.exp(z / 2),
}


def near(one, other, bits=140):
    return abs(one - other) <= mpmath.ldexp(1 + abs(other), -bits)


@pytest.mark.parametrize("text", CLOSED)
def test_the_oracle_against_closed_forms(text):
    with mpmath.workprec(200):
        for z in (0.375, 1.0, 5.5, 20.0):
            reading = Reading(Case(text), [Place((z,), (1.0,))], Exact())
            assert near(reading.y.value[0, 0], CLOSED[text](mpmath.mpf(z))), z
            assert near(reading.forward[0, 0], mpmath.diff(CLOSED[text], z), 80), z


def test_losses_over_units_by_hand():
    place = Place((1.0, 2.0), (0.5, -1.0))
    reading = Reading(Case("exp(z)/sum(exp(z))", "sum(t*y)*sum(y)", units=2), [place], Exact())
    p = [float(mpmath.exp(z) / (mpmath.e + mpmath.e**2)) for z in (1, 2)]
    assert [float(v) for v in reading.y.value[0]] == pytest.approx(p, rel=1e-15)
    assert float(reading.loss.value[0, 0]) == pytest.approx(0.5 * p[0] - p[1], rel=1e-14)
    slope = 1.5 * p[0] * p[1]  # of Σ t·p by z1, Σ p being 1
    assert [float(v) for v in reading.forward[0]] == pytest.approx([slope, -slope], rel=1e-14)


@pytest.mark.parametrize(
    ("text", "slopes"),
    [
        ("relu(z)", (0, 0, 1)),
        ("abs(z)", (-1, 0, 1)),
        ("max(z, 0)", (0, 0, 1)),
        ("min(z, 2*z)", (2, 2, 1)),  # the second where they are equal, or the other one
        ("sqrt(relu(-z**2))", (0, 0, 0)),  # flat: 0 · ∞ = 0
        ("sqrt(z**2)", (0, 0, 0)),  # the tip of a norm
    ],
)
def test_slopes_at_a_kink(text, slopes):
    place = [Place((0.0,), (1.0,))]
    came = [Reading(Case(text), place, Exact(), side).forward[0, 0] for side in (-1, 0, 1)]
    assert tuple(came) == slopes


def test_what_has_no_value_is_nan_and_not_infinite():
    for text in ("log(z)", "sqrt(z)", "z**0.5", "log1p(2*z)"):
        assert mpmath.isnan(Reading(Case(text), [Place((-1.0,), (1.0,))], Exact()).y.value[0, 0])
    assert Reading(Case("log(z)"), [Place((0.0,), (1.0,))], Exact()).y.value[0, 0] == -mpmath.inf
    assert mpmath.isnan(Reading(Case("1/z"), [Place((0.0,), (1.0,))], Exact()).y.value[0, 0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_as_written_is_what_numpy_gives_and_noise_is_of_its_size(dtype):
    z = np.array([[-3.0], [0.25], [7.0]], dtype)
    places = [Place((float(v),), (1.0,)) for v in z[:, 0]]
    reading = Reading(Case("z/(1 + exp(-z))", dtype=dtype), places, Written(dtype, 64, 0))
    one = np.dtype(dtype).type(1)
    assert np.array_equal(reading.y.value[0], z / (one + np.exp(-z)))
    off = np.abs(reading.y.value / reading.y.value[0] - 1).max() / np.finfo(dtype).eps
    assert 1 < off < 12


def test_slopes_back_are_slopes_forward():
    where = [Place((0.3, -1.2, 2.0), (1.0, 0.5, -1.0)), Place((1.0, 1.0, 1.0), (0.0, 2.0, 3.0))]
    for activation, loss in (
        ("exp(z)/sum(exp(z))", "-log(y)*t + sum(y**2)/y"),
        ("z*sum(abs(z))", "max(y, t)*sum(1) + 3"),
        ("sum(z)", "relu(y - t)*y"),
    ):
        case = Case(activation, loss, units=3)
        reading = Reading(case, where, Written("float64", 1, 0))
        np.testing.assert_allclose(reading.backward, reading.forward, 1e-12, 1e-14)


def test_every_function_and_built_in_is_known():
    assert {*FUNCTIONS, "sum"} == set(grammar.FUNCTIONS)
    assert set(ACTIVATIONS) == set(BUILT_IN)
    assert set(LOSSES) == set(KINDS)


# ---- Formulas ------------------------------------------------------------------------------------


def test_formulas_are_of_the_grammar_and_the_seed_draws_them_again():
    drawn = [
        formula(random.Random(seed), ("y", "t"), ("c",), True, 1 + seed % 8) for seed in range(300)
    ]
    for text in drawn:
        try:
            grammar.parse(text, ("y", "t"), {"c": 0.7})
        except grammar.FormulaError as error:  # as 1/0, a sum in a sum never
            assert "has no finite real value" in str(error), text
        assert "y" in names(text)
    again = [
        formula(random.Random(seed), ("y", "t"), ("c",), True, 1 + seed % 8) for seed in range(300)
    ]
    assert drawn == again
    used = set().union(*map(names, drawn))
    assert used == {*FUNCTIONS, "sum", "y", "t", "c"}


def test_simpler_formulas_have_a_part_less():
    assert set(simpler("exp(z)*2", ("z",))) == {
        "exp(z)", "2", "z", "1", "z * 2", "1 * 2", "exp(1) * 2", "exp(z) * 1",
    }  # fmt: skip


def stub(value, slope):
    """What makes a module that gives these, whatever the source."""

    def make(source):
        def both(theta, x, t):
            return value(theta[0]), np.array([slope(theta[0])])

        return SimpleNamespace(
            predict=lambda theta, x: np.array([[value(theta[0])]]), loss_and_gradient=both
        )

    return make


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_a_rewrite_that_cancels_is_found():
    case = Case("exp(z)/(exp(z) + exp(-z))")
    right = stub(lambda z: sigmoid(2 * z), lambda z: 2 * sigmoid(2 * z) * sigmoid(-2 * z))
    assert judge(case, Looking(right)) == []
    cancelling = stub(lambda z: (1 + np.tanh(z)) / 2, lambda z: (1 - np.tanh(z) ** 2) / 2)
    found = judge(case, Looking(cancelling))
    assert {each.kind for each in found} == {"wrong: value of y", "wrong: gradient"}
    assert all(each.case.place.z[0] < 0 for each in found if each.kind == "wrong: value of y")


def test_no_more_is_asked_than_the_formula_gives_as_written():
    case = Case("1 - 1/(1 + exp(-z))")  # 0 in the right tail, as it is written
    as_written = stub(lambda z: 1 - sigmoid(z), lambda z: -np.exp(-z) / (1 + np.exp(-z)) ** 2)
    assert judge(case, Looking(as_written)) == []
    nan = stub(lambda z: np.nan if z == 100 else -np.expm1(-np.logaddexp(0, -z)), lambda z: 0.0)
    assert {each.kind for each in judge(case, Looking(nan))} == {"wrong: gradient"}
    kinds = {each.kind for each in judge(case, Looking(nan, gaps=True))}
    assert kinds == {"wrong: gradient", "gap: value of y"}


def test_nan_where_numpy_has_a_number_is_found():
    case = Case("sqrt(max(0, z))")
    naive = stub(lambda z: np.sqrt(max(0, z)), lambda z: (z > 0) / (2 * np.sqrt(max(0, z))))
    found = judge(case, Looking(naive))
    assert {"NaN: gradient"} <= {each.kind for each in found}
    flat = stub(lambda z: z if np.isnan(z) else np.sqrt(max(0, z)),
                lambda z: 0.5 / np.sqrt(z) if z > 0 else 0.0)  # fmt: skip
    assert judge(case, Looking(flat)) == []


def test_what_1_by_0_comes_to_is_judged_where_numpy_has_a_number():
    case = Case("min(1/sqrt(abs(z)), 10)", place=Place((0.0,), (1.0,)))
    assert judge(case, Looking(stub(lambda z: 10.0, lambda z: 0.0))) == []
    found = judge(case, Looking(stub(lambda z: np.nan, lambda z: np.nan)))
    assert {each.kind for each in found} == {"NaN: value of y", "NaN: gradient"}
    # outside its domain a formula has no value, whatever NumPy makes of an infinity
    overflows = Case("(-z*10)**-0.5", place=Place((1.7e308,), (1.0,)))
    assert judge(overflows, Looking(stub(lambda z: np.nan, lambda z: np.nan))) == []


def test_nan_that_vanishes_is_found():
    swallowing = stub(lambda z: z if z > 0 else 0.0, lambda z: float(z > 0))
    assert [each.kind for each in judge(Case("relu(z)"), Looking(swallowing))] == [
        "NaN vanishes: value of y"
    ]


def test_a_number_that_the_dtype_has_not_is_refused():
    assert judge(Case("log(z + 1e-60)", dtype="float32")) == []
    assert judge(Case("log(z + 1e-60)"), Looking(stub(
        lambda z: np.log(z + 1e-60), lambda z: 1 / (z + 1e-60)))) == []  # fmt: skip


def test_refusals_need_a_place_and_a_reason():
    with mock.patch.object(of_formulas, "passes", side_effect=SpecError("no")):
        assert [each.kind for each in judge(Case("exp(z)"))] == ["refused without a place"]
    refusal = SpecError("formula 'exp(z)': it has no finite value, whatever z is")
    with mock.patch.object(of_formulas, "passes", side_effect=refusal):
        assert [each.kind for each in judge(Case("exp(z)"))] == ["refused, though it has values"]
    assert judge(Case("z - z")) == []
    assert judge(Case("1/0 + z")) == []


def crashing(spec, order="loss-first"):
    if "tanh" in spec.activations["f"].formula:
        raise RecursionError
    raise SpecError("formula: refused")


def test_a_crash_is_found_made_small_and_counted():
    hunt = Hunt([KIND], seed=0)
    with mock.patch.object(of_formulas, "passes", crashing):
        for text in ("1 + exp(tanh(z*2)/c)", "log(tanh(abs(z) + 1))"):
            case = Case(text, "t*y", "float32", 2, (("c", 0.7),))
            (finding,) = judge(case)
            hunt.add(KIND, finding)
    (group,) = hunt.groups.values()
    assert group.finding.case == Case("tanh(z)")
    assert group.finding.kind == "crash: RecursionError in outside symgrad"
    assert group.times == 2


def test_a_wrong_slope_is_made_small():
    make = stub(np.sinh, lambda z: np.cosh(z) * (1 if z < 3 else 1.001))
    kind = of_formulas.kind(Looking(make))
    hunt = Hunt([kind], 0)
    (finding,) = (f for f in judge(Case("sinh(z)"), Looking(make)) if f.kind == "wrong: gradient")
    hunt.add(kind, finding)
    (group,) = hunt.groups.values()
    shown = group.shown()
    again = json.loads(shown.split("--case '")[1].rstrip("'"))
    assert again.pop("kind") == "formula"
    assert Case.read(again) == group.finding.case


def test_the_compiler_passes_where_it_is_right():
    """From the formula to the verdict, nothing replaced."""
    assert judge(Case("z*sigmoid(z) + tanh(z)", dtype="float32")) == []
    assert judge(Case("tanh(z)", "sum((y - t)**2)", units=2)) == []


# ---- Networks, files, arrays ---------------------------------------------------------------------


NETWORK = {
    "name": "net",
    "dtype": "float64",
    "inputs": 2,
    "layers": [{"units": 3, "activation": "inner"}, {"units": 2, "activation": "tanh"}],
    "loss": {"formula": "(y - t)**2 + sin(c*y)", "constants": {"c": 0.4}, "l1": 0.0, "l2": 0.1},
    "activations": {"inner": {"formula": "z*sigmoid(z)"}},
}


def test_a_wrong_gradient_of_a_network_is_found_and_made_small():
    case = of_specs.Case(json.dumps(NETWORK), "cheapest", 2)
    assert of_specs.judge(case) == []
    real = of_specs.interpreted

    def doubled(source):
        module = real(source)
        right = module.loss_and_gradient

        def wrong(*arguments):
            loss, gradient = right(*arguments)
            return loss, 2 * gradient

        module.loss_and_gradient = wrong
        return module

    kind = of_specs.kind()
    with mock.patch.object(of_specs, "interpreted", doubled):
        (finding,) = of_specs.judge(case)
        assert finding.kind.startswith("wrong gradient")
        assert of_specs.Case.read(json.loads(json.dumps(case.data()))) == case
        hunt = Hunt([kind], 0)
        hunt.add(kind, finding)
    (group,) = hunt.groups.values()
    smallest = group.finding.case.spec
    assert smallest["layers"] == [{"units": 1, "activation": "identity", "bias": False}]
    assert smallest["loss"] == {"kind": "squared", "l1": 0.0, "l2": 0.0}
    assert (smallest["inputs"], smallest["activations"]) == (1, {})


def test_networks_are_drawn_by_the_rules():
    for seed in range(200):
        Spec.parse(of_specs.draw(random.Random(seed)).spec)


@pytest.fixture(scope="module")
def files():
    return of_files.whole()


@pytest.mark.parametrize("file", of_files.READERS)
def test_files_as_they_should_be_are_read(files, file):
    of_files.READERS[file](files / file)


def test_damage_that_is_refused_in_words_is_none_and_a_crash_is(files):
    case = of_files.Case("rings.csv", (("flip", 3, 1), ("put", 9, "00"), ("end", 40, 0)))

    def reads(error):
        def read(path):
            assert path.read_bytes() != (files / "rings.csv").read_bytes()
            raise error

        return mock.patch.dict(of_files.READERS, {"rings.csv": read})

    with reads(DataError("rings.csv: damaged")):
        assert of_files.judge(case) == []
    with reads(DataError("damaged")):
        assert [each.kind for each in of_files.judge(case)] == [
            "refused without the file's name: rings.csv"
        ]
    kind, hunt = of_files.kind(), Hunt([of_files.kind()], 0)
    with reads(KeyError("x")):
        (finding,) = of_files.judge(case)
        assert finding.kind == "crash: rings.csv: KeyError in outside symgrad"
        hunt.add(kind, finding)
    (group,) = hunt.groups.values()
    assert len(group.finding.case.edits) == 1


def test_edits():
    content = b"abcdef"
    for edit, changed in (
        (("flip", 0, 1), b"ccbcdef"[1:]),
        (("set", 1, 48), b"a0cdef"),
        (("cut", 2, 2), b"abef"),
        (("put", 3, "00ff"), b"abc\x00\xffdef"),
        (("end", 4, 0), b"abcd"),
    ):
        assert of_files.edited(content, edit, "") == changed
    text = b'{"a": [1, {"b": null}], "c": 2}'
    assert json.loads(of_files.edited(text, ("node", 2, "[7]"), "")) == {
        "a": [[7], {"b": None}], "c": 2,
    }  # fmt: skip
    assert json.loads(of_files.edited(text, ("node", 5, None), "")) == {"a": [1, {"b": None}]}


def test_an_array_in_an_archive_is_damaged_and_the_archive_is_whole(files, tmp_path):
    path = tmp_path / "w.npz"
    path.write_bytes((files / "run" / "weights.npz").read_bytes())
    of_files.damage(path, of_files.Case("w.npz", (("node", 0, "7"),), "spec"))
    with np.load(path) as archive, np.load(files / "run" / "weights.npz") as before:
        assert str(archive["spec"]) == "7"
        assert np.array_equal(archive["theta"], before["theta"])


def test_what_is_taken_though_it_should_be_refused_is_found():
    odd = of_arrays.Case("predict", "float64", (("x", "complex128", "C", "right"),))
    assert of_arrays.judge(odd) == []
    real = of_arrays.module("float64")

    def taking(theta, x):
        return real.predict(theta, np.asarray(x).real.copy())

    fake = SimpleNamespace(SIZE=real.SIZE, predict=taking)
    with mock.patch.object(of_arrays, "module", lambda dtype: fake):
        assert [each.kind for each in of_arrays.judge(odd)] == ["complex128 is taken for x"]
        usual = of_arrays.Case("predict", "float64", (("x", "float32", "strided", "right"),))
        assert of_arrays.judge(usual) == []
        fake.predict = lambda theta, x: real.predict(theta, np.asarray(x)) + (x.itemsize == 4)
        assert [each.kind for each in of_arrays.judge(usual)] == ["computed with something else"]


# ---- The command ---------------------------------------------------------------------------------


def ran(capsys, *arguments):
    with mock.patch.object(sys, "argv", ["fuzz", *arguments]):
        code = command.main()
    return code, capsys.readouterr().out


def test_one_case_by_the_command(capsys):
    assert ran(capsys, "--case", '{"activation": "tanh(z)"}') == (0, "nothing is wrong with it\n")
    with mock.patch.object(of_formulas, "passes", crashing):
        code, out = ran(capsys, "--case", '{"activation": "tanh(z)"}')
    assert code == 1
    assert out.startswith("crash: RecursionError") and "python -m fuzz --case" in out


def test_a_hunt_prints_its_seed_and_what_it_tried(capsys, tmp_path):
    report = tmp_path / "found.txt"
    with mock.patch.object(of_formulas, "passes", side_effect=RecursionError):
        code, out = ran(
            capsys,
            "--minutes",
            "0.001",
            "--seed",
            "7",
            "--kinds",
            "formula",
            "--report",
            str(report),
        )
    assert code == 1
    assert out.startswith("seed 7, 0.001 minutes\n")
    assert out.rstrip().endswith("findings: 1; seed 7")
    assert "crash: RecursionError" in report.read_text(encoding="utf-8")


def test_kinds_by_name(capsys):
    for kind in ("formula", "compiled", "spec", "file", "array"):
        options = ["--minutes", "0", "--kinds", kind, "--seed", "1"]
        assert ran(capsys, *options) == (
            0,
            "seed 1, 0 minutes\n\ntried: nothing; findings: 0; seed 1\n",
        )
    with pytest.raises(SystemExit, match="2"):
        ran(capsys, "--kinds", "formulas")
    assert "no kind 'formulas'; there are formula, compiled, spec" in capsys.readouterr().err
