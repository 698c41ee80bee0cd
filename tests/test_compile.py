"""The driver: from what a user gives to formulas, a program, numbers and a module."""

import re
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy

import symgrad
from symgrad.checking import reference
from symgrad.errors import SpecError, SymgradError
from symgrad.language.program import Program
from symgrad.language.verify import verify
from symgrad.targets.cache import _temporary
from tests.nets import net
from tests.paths import ROOT

XOR = ROOT / "specs" / "xor.toml"
ORDERS = ["loss-first", "weights-first", "cheapest"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The user's cache, empty."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture(scope="module")
def xor():
    return symgrad.compile(XOR)


def given(spec, seed=0, samples=4):
    random = np.random.default_rng(seed)
    theta = random.normal(size=spec.weights)
    x, t = (
        random.normal(size=(samples, spec.inputs)),
        random.uniform(0.1, 0.9, (samples, spec.outputs)),
    )
    return (theta, x, t, *([random.uniform(0.5, 2, samples)] if spec.loss.sample_weights else []))


# --------------------------------------------------------------------------------- what goes in


def test_takes_a_path_a_dict_or_a_spec():
    spec = symgrad.Spec.load(XOR)
    sources = {symgrad.compile(each).source for each in (XOR, str(XOR), spec, spec.normalised())}
    assert len(sources) == 1


def test_takes_json(tmp_path):
    import json

    path = tmp_path / "xor.json"
    path.write_text(json.dumps(symgrad.Spec.load(XOR).normalised()))
    compiled = symgrad.compile(path)
    assert compiled.source == symgrad.compile(XOR).source.replace("xor.toml", "xor.json")


def test_what_is_no_spec_is_refused():
    for wrong in (None, 3, ["xor.toml"]):
        with pytest.raises(SpecError, match="a spec is a path, a mapping or a Spec"):
            symgrad.compile(wrong)
    with pytest.raises(SpecError, match="there is no such file"):
        symgrad.compile("nowhere.toml")
    with pytest.raises(SpecError, match="units"):
        symgrad.compile({"name": "net", "inputs": 2, "layers": [{"units": 0}]})


def test_an_unknown_order_is_refused():
    with pytest.raises((SymgradError, ValueError), match="sideways") as refused:
        symgrad.compile(XOR, order="sideways")
    for order in ORDERS:
        assert order in str(refused.value)


# ------------------------------------------------------------------------------ what comes out


def test_the_loss_is_a_formula(xor):
    assert isinstance(xor.loss, sympy.Expr)
    names = {str(each.base) for each in xor.loss.atoms(sympy.Indexed)}
    assert names == {"x", "t", "W1", "b1", "W2", "b2"}


def test_the_gradient_is_a_formula_for_each_array(xor):
    assert list(xor.gradient) == ["W1", "b1", "W2", "b2"] and len(xor.gradient) == 4
    assert all(isinstance(formula, sympy.Expr) for formula in xor.gradient.values())
    assert "W1" in xor.gradient and "W3" not in xor.gradient
    with pytest.raises(KeyError):
        xor.gradient["d_W1"]


def test_the_program_has_loss_and_derivatives(xor):
    assert isinstance(xor.program, Program)
    verify(xor.program)
    assert {"E", "d_W1", "d_b1", "d_W2", "d_b2"} <= set(xor.program.outputs)


def test_the_spec_and_the_order_are_kept(xor):
    assert xor.spec == symgrad.Spec.load(XOR)
    assert xor.order == "loss-first"


@pytest.mark.parametrize("order", ORDERS)
def test_orders_differ_in_the_way_only(interpret, order):
    compiled = symgrad.compile(XOR, order=order)
    assert f"Options: order = {order}," in compiled.source
    theta, x, t = given(compiled.spec)
    value, gradient = interpret(compiled.source).loss_and_gradient(theta, x, t)
    expected, wanted = symgrad.compile(XOR).evaluate(theta, x, t)
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-11, atol=1e-14)


# -------------------------------------------------------------------------------- evaluation


EVALUATED = {
    "xor": symgrad.Spec.load(XOR),
    "residual": net([3, 3, 3, 2], ["silu", "gelu", "softmax"], residual=[1, 2],
                    kind="cross_entropy", l1=0.01, l2=0.1, sample_weights=True),
    "formulas": net([2, 3, 2], ["mine", "norm"],
                    own={"mine": "max(z, 0.1*z)", "norm": "z / sqrt(1 + sum(z**2))"},
                    formula="log(cosh(y - t))"),
}  # fmt: skip


@pytest.mark.parametrize("spec", EVALUATED.values(), ids=EVALUATED)
def test_evaluate_agrees_with_the_module(interpret, spec):
    compiled = symgrad.compile(spec)
    data = given(spec)
    value, gradient = compiled.evaluate(*data)
    expected, wanted = interpret(compiled.source).loss_and_gradient(*data)
    assert value == pytest.approx(expected, rel=1e-13)
    assert gradient.shape == wanted.shape and gradient.dtype == np.float64
    np.testing.assert_allclose(gradient, wanted, rtol=1e-10, atol=1e-14)
    assert value == pytest.approx(float(reference.loss(spec.normalised(), *data)), rel=1e-13)


@pytest.mark.parametrize("spec", EVALUATED.values(), ids=EVALUATED)
def test_evaluate_in_any_precision(spec):
    compiled = symgrad.compile(spec)
    data = given(spec, samples=2)
    value, gradient = compiled.evaluate(*data, digits=40)
    assert isinstance(value, mpmath.mpf) or type(value).__name__ == "mpf"
    more, finer = compiled.evaluate(*data, digits=60)
    with mpmath.workdps(60):
        assert abs(more - value) < mpmath.mpf(10) ** -36 * abs(more)
        scale = max(abs(each) for each in finer)
        for mine, better in zip(gradient, finer, strict=True):
            assert abs(better - mine) < mpmath.mpf(10) ** -36 * scale
    double, wanted = compiled.evaluate(*data)
    assert double == pytest.approx(float(value), rel=1e-13)
    np.testing.assert_allclose(wanted, gradient.astype(float), rtol=1e-10, atol=1e-14)


def test_evaluate_takes_array_likes(xor):
    theta, x, t = given(xor.spec)
    value, gradient = xor.evaluate(theta.tolist(), x.tolist(), t.tolist())
    again, same = xor.evaluate(theta, x, t)
    assert value == again
    np.testing.assert_array_equal(gradient, same)


@pytest.mark.parametrize("name", ["theta", "x", "t"])
def test_evaluate_refuses_other_shapes(xor, name):
    arguments = dict(zip(("theta", "x", "t"), given(xor.spec), strict=True))
    for wrong in (arguments[name][:-1], arguments[name][None], arguments[name][..., :-1]):
        if wrong.shape == arguments[name].shape:
            continue
        with pytest.raises(ValueError, match=r"theta|x|t|axes|samples"):
            xor.evaluate(**arguments | {name: wrong})


# ------------------------------------------------------------------------------------- modules


def written(folder):
    """What the files in a folder hold, by name."""
    return {path.name: path.read_text("utf-8") for path in folder.iterdir() if path.is_file()}


def test_written_into_a_folder_at_once(tmp_path):
    compiled = symgrad.compile(XOR, into=tmp_path / "new")
    path = tmp_path / "new" / "xor.py"
    assert written(path.parent) == compiled.files
    assert Path(compiled.module.__file__) == path
    assert compiled.module is compiled.module
    theta, x, t = given(compiled.spec)
    value, gradient = compiled.module.loss_and_gradient(theta, x, t)
    expected, wanted = compiled.evaluate(theta, x, t)
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-11, atol=1e-14)


def test_nothing_is_written_without_being_asked_for(tmp_path, monkeypatch, cache):
    monkeypatch.chdir(tmp_path)
    compiled = symgrad.compile(XOR)
    compiled.evaluate(*given(compiled.spec))
    assert compiled.source and compiled.loss and [*tmp_path.iterdir()] in ([], [cache])


def test_written_where_it_is_asked_for(tmp_path, xor):
    path = xor.write(tmp_path / "some" / "where")
    assert path == tmp_path / "some" / "where" / "xor.py"
    assert written(path.parent) == xor.files


def test_written_as_one_file_if_that_is_asked_for(tmp_path, xor):
    path = xor.write(tmp_path, single_file=True)
    assert path == tmp_path / "xor.py"
    assert written(tmp_path) == {"xor.py": xor.source}


def test_two_files_are_the_mathematics_and_what_it_imports(xor):
    module, runtime = xor.files
    assert module == "xor.py" and f"from {runtime.removesuffix('.py')} import " in xor.files[module]
    assert "def _gradient_of_leaf(" in xor.files[module]
    assert "import numba" in xor.files[runtime] and "numba" not in xor.files[module]
    assert not re.search(r"(?<!\.)\bxor\b", xor.files[runtime])  # but for the operation
    assert symgrad.compile(XOR, order="cheapest").files[runtime] == xor.files[runtime]


def test_what_no_module_imports_any_more_is_removed(tmp_path, xor):
    """Whatever else lies in the folder: one's own files, links to nowhere, folders."""
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "nowhere.py").symlink_to(tmp_path / "absent.py")
    (tmp_path / "latin.py").write_bytes("# \xe9".encode("latin-1"))
    older, other = "_symgrad_0123456789abcdef", "_symgrad_0000000000000000"
    for name in (older, other, "_symgrad_notes"):
        (tmp_path / f"{name}.py").touch()
    (tmp_path / "old.py").write_text(f"if True:\n    from .{older} import build\n")
    before = {path.name for path in tmp_path.iterdir()}
    xor.write(tmp_path)
    after = {path.name for path in tmp_path.iterdir()}
    assert after == before - {f"{other}.py"} | set(xor.files)
    xor.write(tmp_path, single_file=True)
    assert {path.name for path in tmp_path.iterdir()} == before - {f"{other}.py"} | {"xor.py"}


def test_a_module_that_cannot_be_read_keeps_what_it_may_import(tmp_path, xor):
    older = tmp_path / "_symgrad_0123456789abcdef.py"
    older.touch()
    (tmp_path / "old.py").symlink_to("/proc/self/mem")  # a file that not even root can read
    xor.write(tmp_path)
    assert older.exists()


def test_both_forms_compute_the_same(tmp_path, xor):
    two, one = xor.write(tmp_path / "two"), xor.write(tmp_path / "one", single_file=True)
    data = given(xor.spec)
    value, gradient = symgrad.load(two).loss_and_gradient(*data)
    other, same = symgrad.load(one).loss_and_gradient(*data)
    assert value == other
    np.testing.assert_array_equal(gradient, same)


def test_a_folder_that_cannot_be_written(tmp_path, xor):
    (tmp_path / "file").touch()
    with pytest.raises(SymgradError, match="cannot be written"):
        symgrad.compile(XOR, into=tmp_path / "file")
    with pytest.raises(SymgradError, match="cannot be written"):
        xor.write(tmp_path / "file")


def test_modules_are_cached_by_content(cache):
    """The same source has one place, so that Numba finds what it has compiled before."""
    paths = [Path(symgrad.compile(XOR).module.__file__) for _ in range(2)]
    assert paths[0] == paths[1] and paths[0].is_relative_to(cache / "symgrad")
    assert paths[0].name == "xor.py"
    plain = symgrad.Spec.load(XOR).normalised()
    changed = symgrad.compile(plain | {"dtype": "float32"})
    other = symgrad.compile(XOR, order="weights-first")
    places = {Path(each.module.__file__) for each in (changed, other)} | {paths[0]}
    assert len(places) == 3
    for path in places:
        assert [each.name for each in path.parent.iterdir() if each.is_file()] == ["xor.py"]


def test_the_cache_is_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    module = symgrad.compile(XOR).module
    assert Path(module.__file__).is_relative_to(tmp_path / ".cache" / "symgrad")


@pytest.mark.parametrize("place", ["/dev/null", "/proc/self/fdinfo"])
def test_without_a_cache_there_is_a_module_all_the_same(monkeypatch, tmp_path, place):
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _temporary.cache_clear()
    module = symgrad.compile(XOR).module
    _temporary.cache_clear()
    assert module.SIZE == 9 and Path(module.__file__).is_relative_to(tmp_path)


def test_a_relative_cache_is_no_cache(monkeypatch, tmp_path):
    """The standard has relative paths ignored: they would litter the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    symgrad.compile(XOR).module.init()
    assert not (tmp_path / "relative").exists()


def test_a_spoilt_cache_is_written_anew(cache):
    path = Path(symgrad.compile(XOR).module.__file__)
    path.write_text("raise SystemExit\n")
    assert symgrad.compile(XOR).module.SIZE == 9


# --------------------------------------------------------------------------------- the package


def test_importing_symgrad_loads_nothing_heavy():
    import subprocess

    program = "import sys, symgrad; print(sorted({'sympy', 'numba', 'numpy'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8")
    assert found.stdout.strip() == "[]", found.stderr


def test_the_package_has_what_it_says():
    assert set(symgrad.__all__) >= {"Compiled", "Spec", "compile", "load"}
    for name in symgrad.__all__:
        assert getattr(symgrad, name).__name__ == name
    with pytest.raises(AttributeError, match="nonsense"):
        symgrad.nonsense  # noqa: B018
