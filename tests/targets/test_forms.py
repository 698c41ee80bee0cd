"""The two forms of an emitted module, what all modules have in common in a file beside it or in its
own: the same bits, wherever they are imported from, and nothing left behind."""

import ast
import difflib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile

import numpy as np
import pytest

import symgrad
from symgrad.compiler import write_all
from symgrad.errors import SymgradError
from symgrad.targets.numba.emit import runtime, runtime_name
from tests.nets import net
from tests.paths import ROOT
from tests.targets.test_write import contents, failing_from

BESIDE = f"{runtime_name()}.py"


def example(name):
    return symgrad.compile(ROOT / "specs" / f"{name}.toml")


def python(folder, *arguments, **environment):
    """Runs Python in a process of its own that has symgrad nowhere; what it prints."""
    given = {"PYTHONPATH": "", "NUMBA_CACHE_DIR": ""} | environment
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env=os.environ | given, capture_output=True, encoding="utf-8", timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


# ------------------------------------------------------------------------------------ the same bits

# All that the module named by the last argument computes, as bytes.
ALL = """
import importlib, sys
import numpy as np
net = importlib.import_module(sys.argv[-1])
random = np.random.default_rng(3)
dtype = net.SPEC["dtype"]
many = 50 + 4 * net.GRADIENT_THREADED
theta = net.init(1)
for samples in (1, 50, many):
    x = random.normal(size=(samples, net.I0)).astype(dtype)
    t = random.uniform(size=(samples, net.SPEC["layers"][-1]["units"])).astype(dtype)
    print(net.predict(theta, x).tobytes().hex()[:100_000])
    print(net.loss(theta, x, t).hex())
    loss, gradient = net.loss_and_gradient(theta, x, t)
    print(loss.hex(), gradient.tobytes().hex())
    print(net.step(theta, x, t, 0.01).hex(), theta.tobytes().hex())
if "SETTINGS" in vars(net):
    state, progress = net.train_state(2)
    print(net.train_epoch(theta, x[:100], t[:100], state, progress, net.train_settings()).hex())
    print(theta.tobytes().hex(), state.tobytes().hex(), progress.tolist())
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["xor", "digits"])
def test_both_forms_have_the_same_bits(tmp_path, name):
    """Each in a process of its own, as users have them."""
    compiled, printed = example(name), []
    for single_file in (False, True):
        folder = tmp_path / f"single {single_file}"
        compiled.write(folder, single_file)
        assert (folder / BESIDE).is_file() != single_file
        printed.append(python(folder, "-c", ALL, name))
    assert len(printed[0].splitlines()) == 12 + 2 * (name == "digits")
    assert printed[0] == printed[1]


# -------------------------------------------------------------------------------- wherever they lie

USE = """
import importlib, sys
import numpy as np
net = importlib.import_module(sys.argv[-1])
loss, gradient = net.loss_and_gradient(net.init(0), np.eye(2), np.ones((2, 1)))
print(net.__name__, loss.hex(), gradient.tobytes().hex())
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with the module and the file that it imports, and what it computes."""
    folder = tmp_path_factory.mktemp("written")
    assert example("xor").write(folder) == folder / "xor.py"
    module = symgrad.load(folder / "xor.py")
    loss, gradient = module.loss_and_gradient(module.init(0), np.eye(2), np.ones((2, 1)))
    return folder, f"{loss.hex()} {gradient.tobytes().hex()}\n"


def test_a_module_at_top_level(written, tmp_path):
    folder, computed = written
    assert python(tmp_path, "-c", USE, "xor", PYTHONPATH=str(folder)) == f"xor {computed}"


@pytest.mark.parametrize("name", ["pack.xor", "pack.inner.xor"])
@pytest.mark.parametrize("namespace", [False, True])
def test_a_module_as_a_member_of_a_package(written, tmp_path, name, namespace):
    folder, computed = written
    *packages, _ = name.split(".")
    inside = tmp_path.joinpath(*packages)
    shutil.copytree(folder, inside)
    if not namespace:
        for each in (tmp_path / "pack", inside):
            (each / "__init__.py").touch()
    assert python(tmp_path, "-c", USE, name) == f"{name} {computed}"


def test_a_module_as_a_script(written, tmp_path):
    folder, _ = written
    assert python(tmp_path, str(folder / "xor.py")) == ""
    shutil.copytree(folder, tmp_path / "pack")
    assert python(tmp_path, "-m", "pack.xor") == ""


def test_a_module_loaded_from_its_file(written, tmp_path):
    """Also where its folder is none to import from, and after that is gone."""
    folder, computed = written
    program = USE.replace("importlib.import_module", "symgrad.load")
    program = f"import symgrad, os, shutil\n{program}"
    shutil.copytree(folder, tmp_path / "there")
    program += "shutil.rmtree(os.path.dirname(net.__file__))\n"
    program += "print(net.predict(net.init(0), np.eye(2)).shape)\n"
    found = python(
        tmp_path, "-c", program, str(tmp_path / "there" / "xor.py"), PYTHONPATH=str(ROOT)
    )
    assert found == f"xor {computed}(2, 1)\n"


@pytest.mark.slow
def test_a_module_in_a_zip_file(written, tmp_path):
    """At its top, or as a member of a package in it; from the cache the second time."""
    folder, computed = written
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        file.writestr("pack/__init__.py", "")
        for path in (folder / "xor.py", folder / BESIDE):
            file.write(path, path.name)
            file.write(path, f"pack/{path.name}")
    places = {"PYTHONPATH": str(tmp_path / "all.zip"), "XDG_CACHE_HOME": str(tmp_path / "user")}
    for name in ("xor", "pack.xor") * 2:
        assert python(tmp_path, "-c", USE, name, **places) == f"{name} {computed}"
    assert [*(tmp_path / "user").rglob("*.nbc")]


def test_modules_of_one_folder_share_the_file_beside_them(tmp_path):
    write_all([example("xor"), example("iris")], tmp_path)
    program = "import sys, xor, iris; print(*[name for name in sys.modules if '_symgrad_' in name])"
    assert python(tmp_path, "-c", program) == f"{runtime_name()}\n"


# ---------------------------------------------------------------------------------- what is missing

MISSING = """
import importlib, sys
try:
    importlib.import_module(sys.argv[-1])
except ImportError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("name", ["xor", "pack.xor"])
def test_a_module_without_the_file_beside_it_says_what_to_copy(written, tmp_path, name):
    *packages, _ = name.split(".")
    folder = tmp_path.joinpath(*packages)
    folder.mkdir(exist_ok=True)
    shutil.copy(written[0] / "xor.py", folder)
    message = f"ImportError {BESIDE} is missing: copy it along with this file, beside it\n"
    assert python(tmp_path, "-c", MISSING, name) == message
    loaded = f"import symgrad\n{MISSING}".replace("importlib.import_module", "symgrad.load")
    file = str(folder / "xor.py")
    assert python(tmp_path, "-c", loaded, file, PYTHONPATH=str(ROOT)) == message


@pytest.mark.parametrize("package", ["numba", "llvmlite"])
def test_another_package_that_is_missing_is_named_as_python_does(written, package):
    hidden = f"import sys; sys.modules[{package!r}] = None\n{MISSING}"
    found = python(written[0], "-c", hidden, "xor")
    assert found.startswith("ModuleNotFoundError ") and package in found
    assert "copy" not in found


# ---------------------------------------------------------------------------------- what is written


@pytest.mark.parametrize("number", [0, 1])
def test_both_files_are_written_or_neither(tmp_path, monkeypatch, number):
    compiled = example("xor")
    failing_from(monkeypatch, number)
    with pytest.raises(SymgradError):
        compiled.write(tmp_path)
    monkeypatch.undo()
    assert contents(tmp_path) == {}
    assert compiled.write(tmp_path) == tmp_path / "xor.py"
    assert (
        contents(tmp_path)
        == compiled.files
        == {"xor.py": compiled.files["xor.py"], BESIDE: runtime()}
    )


def test_where_the_second_file_cannot_be_put_the_first_stays_as_it_was(tmp_path):
    (tmp_path / BESIDE).mkdir()
    (tmp_path / "xor.py").write_text("old")
    with pytest.raises(SymgradError, match="cannot be written"):
        write_all([example("xor"), example("iris")], tmp_path)
    assert contents(tmp_path) == {"xor.py": "old"}


def of_before(text):
    """A module as another version of symgrad has emitted it, and the file that it imports."""
    other = "_symgrad_0123456789abcdef"
    return text.replace(runtime_name(), other), f"{other}.py"


def test_what_no_module_imports_any_more_is_removed(tmp_path):
    compiled = example("xor")
    text, beside = of_before(compiled.files["xor.py"])
    (tmp_path / "xor.py").write_text(text, "utf-8")
    (tmp_path / beside).write_text(runtime(), "utf-8")
    (tmp_path / "_symgrad_notes.py").write_text("a user's own\n")
    compiled.write(tmp_path)
    assert set(contents(tmp_path)) == {"xor.py", BESIDE, "_symgrad_notes.py"}
    compiled.write(tmp_path, single_file=True)
    assert set(contents(tmp_path)) == {"xor.py", "_symgrad_notes.py"}


def test_what_another_module_still_imports_stays(tmp_path):
    compiled = example("xor")
    text, beside = of_before(compiled.files["xor.py"])
    for name in ("xor.py", "other.py"):
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / beside).write_text(runtime(), "utf-8")
    users = "_symgrad_fedcba9876543210"
    (tmp_path / f"{users}.py").write_text(runtime(), "utf-8")
    mine = f"from {users} import matmul\n"
    (tmp_path / "mine.py").write_text(mine, "utf-8")
    compiled.write(tmp_path)
    others = {"other.py": text, beside: runtime(), "mine.py": mine, f"{users}.py": runtime()}
    assert contents(tmp_path) == compiled.files | others
    for path in ((tmp_path / "other.py"), tmp_path / "xor.py"):
        assert symgrad.load(path).SIZE == 9


# ------------------------------------------------------------------------------------- how it reads

CONTRACT = {
    "SPEC", "SIZE", "PARAMETERS", "init", "pack", "unpack", "predict", "loss", "loss_and_gradient",
    "loss_and_gradient_into", "gradient_of_leaves", "complete_gradient", "step",
}  # fmt: skip
OF_TRAINING = {
    "SETTINGS", "STATE", "train_epoch", "train_steps", "train_state", "train_settings",
}  # fmt: skip


@pytest.mark.parametrize("single_file", [False, True])
@pytest.mark.parametrize("name", ["xor", "iris"])
def test_a_module_shows_the_names_of_its_contract_and_no_others(tmp_path, name, single_file):
    compiled = example(name)
    module = symgrad.load(compiled.write(tmp_path, single_file))
    contract = CONTRACT | (OF_TRAINING if compiled.spec.training else set())
    assert set(dir(module)) == set(module.__all__) == contract
    assert dir(module) == sorted(contract) and len(module.__all__) == len(contract)
    assert all(hasattr(module, each) for each in contract)


def text_of(spec):
    compiled = symgrad.compile(spec)
    return compiled.files[f"{compiled.spec.name}.py"].splitlines()


def changed(one, other):
    """How many lines of two texts differ: of the longer side, where some stand for others."""
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    return sum(
        max(end - start, other_end - other_start)
        for tag, start, end, other_start, other_end in matcher.get_opcodes()
        if tag != "equal"
    )


@pytest.mark.parametrize("name", ["xor", "digits", "iris"])
def test_one_unit_more_changes_few_lines(name):
    spec = tomllib.loads((ROOT / "specs" / f"{name}.toml").read_text("utf-8"))
    spec["name"] = name
    before = text_of(spec)
    for layer in range(len(spec["layers"]) - 1):
        layers = [dict(each) for each in spec["layers"]]
        layers[layer]["units"] += 1
        after = text_of(spec | {"layers": layers})
        assert 0 < changed(before, after) <= 10
        _, beside = symgrad.compile(spec | {"layers": layers}).files
        assert beside == BESIDE


def test_what_all_modules_have_in_common_is_the_same_for_all():
    specs = [
        net([2, 1], ["tanh"]),
        net([40, 300, 3], ["silu", "softmax"], dtype="float32", kind="cross_entropy", l2=0.1),
        net([3, 4, 2], ["tanh", "identity"], sample_weights=True, l1="argument"),
    ]
    for spec in specs:
        _, beside = symgrad.compile(spec).files.items()
        assert beside == (BESIDE, runtime())


def imports_of(text):
    return {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip


def test_files_import_numpy_numba_and_the_standard_library_alone():
    text = example("digits").files["digits.py"]
    assert imports_of(text) == {"numpy", runtime_name()}
    numbas = {"numpy", "numba", "llvmlite"}
    for each in (runtime(), example("digits").source):
        assert numbas <= imports_of(each) <= numbas | sys.stdlib_module_names
    assert "scipy" not in runtime()


def test_a_module_needs_no_scipy(written):
    hidden = f"import sys; sys.modules['scipy'] = None\n{USE}print('scipy.linalg' in sys.modules)"
    folder, computed = written
    assert python(folder, "-c", hidden, "xor") == f"xor {computed}False\n"
