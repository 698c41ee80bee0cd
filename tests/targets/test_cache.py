"""What is compiled is found again wherever a module goes, and a cache that is spoilt, full, shut or
another's is as none."""

import errno
import os
import pwd
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import symgrad
from symgrad.targets import cache
from symgrad.targets.cache import is_safe
from symgrad.targets.write import write
from symgrad.training.freeze import source
from tests.paths import ROOT, copy_generated
from tests.training.test_freeze import NETWORKS, trained

XOR = ROOT / "generated" / "xor.py"
BESIDE = {path.name: path for path in XOR.parent.glob("_symgrad_*.py")}

# The arguments say how modules are imported; of each it prints what it predicts, and whether what
# computes that came from a file.
USE = """
import importlib, sys
import numpy as np

def use(module):
    y = module.predict(np.linspace(-1.0, 1.0, 9), np.array([[0.25, 1.0]]))
    print(y.tobytes().hex(), module.predict.work.methods[module.predict.work.few][1].cache_hits)

def imported(name):
    if name.endswith(".py"):
        import symgrad
        return symgrad.load(name)
    return importlib.import_module(name)

for module in [imported(name) for name in sys.argv[1:]]:
    use(module)
"""


def run(folder: Path, *names: str, program: str = USE, **environment: str) -> list[list[str]]:
    """What `USE` prints, a list for each module."""
    given = {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "NUMBA_CACHE_DIR": ""} | environment
    command = [sys.executable, "-c", program, *names]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | given, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def entries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.nbc"))


# What `predict` is made of, each function in a file of its own.
KEPT = ["xor._enter_predict", "xor._fits", "xor._prediction_of_chunk", "xor.tanh"]


def kept(folder: Path) -> list[str]:
    return [path.name.split("-")[0] for path in entries(folder)]


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A folder with a package, whose module `xor` has been compiled, and what that predicts."""
    folder = tmp_path_factory.mktemp("warm")
    (folder / "pack").mkdir()
    copy_generated("xor", folder / "pack")
    ((predicted, hits),) = run(folder, "pack.xor")
    assert hits == "0" and kept(folder) == KEPT
    return folder, predicted


@pytest.fixture
def compiled(warm, tmp_path):
    """A copy of it."""
    shutil.copytree(warm[0], tmp_path / "copy")
    return tmp_path / "copy", warm[1]


# ---- Modules that move ---------------------------------------------------------------------------


def test_a_package_can_be_renamed(compiled):
    folder, predicted = compiled
    (folder / "pack").rename(folder / "other")
    assert run(folder, "other.xor") == [[predicted, "1"]]
    (folder / "other" / "__init__.py").touch()  # it was a namespace package
    assert run(folder, "other.xor") == [[predicted, "1"]]


def test_a_module_can_be_imported_without_its_package_and_from_its_file(compiled):
    folder, predicted = compiled
    assert run(folder / "pack", "xor") == [[predicted, "1"]]
    assert run(folder, "pack/xor.py") == [[predicted, "1"]]


@pytest.mark.slow
def test_folders_may_be_called_anything(compiled):
    folder, predicted = compiled
    strange = folder / os.fsdecode("ein Ordner äß 零 ".encode() + b"\xff")
    (folder / "pack").rename(strange)
    assert run(strange, "xor") == [[predicted, "1"]]
    shutil.rmtree(strange / "__pycache__")
    assert run(strange, "xor") == [[predicted, "0"]]
    assert run(strange, "xor") == [[predicted, "1"]]


def test_a_module_under_two_names_in_one_process(compiled):
    folder, predicted = compiled
    shutil.copytree(folder / "pack", folder / "copied")
    assert run(folder, "pack.xor", "copied.xor", "pack/xor.py") == [[predicted, "1"]] * 3


@pytest.mark.slow
def test_a_module_run_as_a_script(compiled):
    folder, predicted = compiled
    script = folder / "script.py"
    copy_generated("xor", folder)
    source = XOR.read_text("utf-8")
    script.write_text(f"{source}\n{USE.split('def imported')[0]}\nuse(sys.modules[__name__])\n")
    for hits in "01":
        done = subprocess.run([sys.executable, script], capture_output=True, encoding="utf-8")
        assert done.stdout.split() == [predicted, hits], done.stderr
    assert run(folder, "script")[1:] == [[predicted, "1"]]


@pytest.mark.slow
def test_a_module_in_a_zip_file_is_cached_in_the_user_s_folder(compiled, tmp_path):
    folder, predicted = compiled
    with zipfile.ZipFile(folder / "all.zip", "w") as file:
        for path in (XOR, *BESIDE.values()):
            file.write(path, f"pack/{path.name}")
        file.writestr("pack/__init__.py", "")
    shutil.rmtree(folder / "pack")
    places = {"PYTHONPATH": str(folder / "all.zip"), "XDG_CACHE_HOME": str(tmp_path / "user")}
    for hits in "01":
        assert run(tmp_path, "pack.xor", **places) == [[predicted, hits]]
    assert kept(tmp_path / "user") == KEPT
    (folder / "all.zip").rename(folder / "moved.zip")
    places["PYTHONPATH"] = str(folder / "moved.zip")
    assert run(tmp_path, "pack.xor", **places) == [[predicted, "1"]]


def test_numba_s_own_setting_says_where(compiled, tmp_path):
    folder, predicted = compiled
    shutil.rmtree(folder / "pack" / "__pycache__")
    (folder / "other").mkdir()
    copy_generated("xor", folder / "other")
    where = {"NUMBA_CACHE_DIR": str(tmp_path / "elsewhere")}
    assert run(folder, "pack.xor", **where) == [[predicted, "0"]]
    assert not entries(folder) and kept(tmp_path / "elsewhere") == KEPT
    assert run(folder, "other.xor", **where) == [[predicted, "1"]]  # one module, one cache


def test_a_copy_that_was_edited_does_not_run_what_was_not(compiled):
    """Each is compiled in a process of its own, where Numba gives equal names to the functions of
    both; then both are taken from the cache in one."""
    folder, predicted = compiled
    source = XOR.read_text("utf-8")
    line = "a1[i1] = tanh(z1)"
    assert line in source
    (folder / "edited").mkdir()
    copy_generated("xor", folder / "edited")
    (folder / "edited" / "xor.py").write_text(source.replace(line, f"{line} * 2.0"), "utf-8")
    ((other, _),) = run(folder, "edited.xor")
    assert other != predicted
    for names in (["pack.xor", "edited.xor"], ["edited.xor", "pack.xor"]):
        wanted = {"pack.xor": [predicted, "1"], "edited.xor": [other, "1"]}
        assert run(folder, *names) == [wanted[name] for name in names]


CALLER = """
import importlib, os, numba, numpy as np
xor = importlib.import_module(os.environ["WHERE"])

@numba.njit(cache=True)
def mine(theta, x):
    return xor.predict(theta, x)

y = mine(np.linspace(-1.0, 1.0, 9), np.array([[0.25, 1.0]]))
print(y.tobytes().hex(), sum(mine.stats.cache_hits.values()))
"""


def test_a_cached_caller_finds_the_package_renamed(compiled):
    """Numba stores what it compiled of a module with the functions of users that call it."""
    folder, predicted = compiled
    (folder / "caller.py").write_text(CALLER)
    assert run(folder, program="import caller", WHERE="pack.xor") == [[predicted, "0"]]
    (folder / "pack").rename(folder / "other")
    assert run(folder, program="import caller", WHERE="other.xor") == [[predicted, "1"]]


def test_public_functions_keep_their_names():
    module = symgrad.load(XOR)
    for name in ("predict", "loss", "loss_and_gradient", "loss_and_gradient_into", "step"):
        function = getattr(module, name)
        assert (function.__module__, function.__qualname__) == (module.__name__, name)


LARGE = """
import importlib, sys
import numpy as np
digits = importlib.import_module(sys.argv[1])
many = 40_000 if sys.argv[2] == "threads" else 3
random = np.random.default_rng(0)
x, t = np.float32(random.random((many, 64))), np.float32(random.random((many, 10)))
theta, work = digits.init(0), digits.loss_and_gradient.work
work.calls_until_threads = 0
E, gradient = digits.loss_and_gradient(theta, x, t)
digits.train_epoch(theta, x[:50], t[:50], *digits.train_state(0), digits.train_settings())
of = work.threaded.stats.cache_hits if many > 3 else {0: work.methods[work.few][1].cache_hits}
print(E, gradient[0], sum(of.values()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["one", "threads"])
def test_a_package_with_products_threads_and_epochs_can_be_renamed(tmp_path, way):
    (tmp_path / "pack").mkdir()
    copy_generated("digits", tmp_path / "pack")
    ((*before, missed),) = run(tmp_path, "pack.digits", way, program=LARGE)
    (tmp_path / "pack").rename(tmp_path / "other")
    ((*after, hit),) = run(tmp_path, "other.digits", way, program=LARGE)
    assert (missed, hit) == ("0", "1")
    assert [*map(float, after)] == pytest.approx([*map(float, before)], rel=1e-5)


FROZEN = """
import importlib, os, numba, numpy as np
frozen = importlib.import_module(os.environ["WHERE"])

@numba.njit(cache=True)
def mine(x):
    return frozen.predict(x)

x = np.ones((1, len(frozen.INPUTS)))
print(frozen.predict(x).tobytes().hex(), mine(x).tobytes().hex())
print(*[sum(each.stats.cache_hits.values()) for each in (mine, frozen._outputs)])
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["loops", "products"])
def test_a_frozen_package_can_be_renamed(tmp_path, name):
    """Also under a cached function of a user's that calls it."""
    spec, options = NETWORKS[name]
    (tmp_path / "pack").mkdir()
    text = source(trained(spec, **options | {"labels": None}))
    (tmp_path / "pack" / "frozen.py").write_text(text, "utf-8")
    (tmp_path / "caller.py").write_text(FROZEN)
    before = run(tmp_path, program="import caller", WHERE="pack.frozen")
    (tmp_path / "pack").rename(tmp_path / "other")
    after = run(tmp_path, program="import caller", WHERE="other.frozen")
    assert before[1] == ["0", "0"] and after[1] == ["1", "1"]
    assert before[0] == after[0]


# ---- Entries that cannot be used -----------------------------------------------------------------


def middle_flipped(content: bytes) -> bytes:
    half = len(content) // 2
    return content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]


GONE = b"cgone_module\nfunction\n."  # a pickle
DAMAGE = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "one byte": lambda content: content[:1],
    "another bit": middle_flipped,
    "garbage": lambda content: bytes(range(256)) * 8,
    "a pickle of a module that is gone": lambda content: GONE,
    "the same after the hash": lambda content: content[:32] + GONE,
}


@pytest.mark.parametrize("first", [0, len(DAMAGE) - len(KEPT)])
def test_damaged_entries_are_compiled_anew(compiled, first):
    """Each entry in a way of its own, and between them in all ways."""
    assert_compiled_anew(*compiled, [*DAMAGE.values()][first : first + len(KEPT)])


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_entries_damaged_alike_are_compiled_anew(compiled, damage):
    assert_compiled_anew(*compiled, [damage] * len(KEPT))


def assert_compiled_anew(folder, predicted, damages):
    damaged = {
        path: damage(path.read_bytes())
        for path, damage in zip(entries(folder), damages, strict=True)
    }
    for path, content in damaged.items():
        path.write_bytes(content)
    assert run(folder, "pack.xor") == [[predicted, "0"]]
    assert entries(folder) == [*damaged]
    assert all(path.read_bytes() != content for path, content in damaged.items())


def test_entries_under_another_s_name_are_not_taken(compiled):
    folder, predicted = compiled
    first, *rest = entries(folder)
    contents = [path.read_bytes() for path in (first, *rest)]
    for path, content in zip((*rest, first), contents, strict=True):
        path.write_bytes(content)
    assert run(folder, "pack.xor") == [[predicted, "0"]]


@pytest.mark.parametrize(
    "which",
    ["numba", *(pytest.param(each, marks=pytest.mark.slow) for each in ("numpy", "llvmlite"))],
)
def test_entries_of_another_version_are_not_taken(compiled, which):
    folder, predicted = compiled
    other = f"import numba, {which}; {which}.__version__ = '0.0.0'\n{USE}"
    assert run(folder, "pack.xor", program=other) == [[predicted, "0"]]
    assert run(folder, "pack.xor", program=other) == [[predicted, "1"]]


def test_a_folder_in_the_place_of_an_entry_is_left_alone(compiled, tmp_path):
    folder, predicted = compiled
    for path in entries(folder):
        path.unlink()
        path.mkdir()
    user = {"XDG_CACHE_HOME": str(tmp_path / "user")}
    for hits in "01":  # in the user's folder
        assert run(folder, "pack.xor", **user) == [[predicted, hits]]
    assert all(path.is_dir() for path in entries(folder))


# A limit on the size of files is to a process what a full disk is.
LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"


def test_a_full_disk_leaves_functions_uncached(compiled, tmp_path):
    folder, predicted = compiled
    shutil.rmtree(folder / "pack" / "__pycache__")
    # what Python itself would cache is small enough
    user = {"XDG_CACHE_HOME": str(tmp_path / "user"), "PYTHONDONTWRITEBYTECODE": "1"}
    assert run(folder, "pack.xor", program=LIMIT + USE, **user) == [[predicted, "0"]]
    left = [path for path in (*folder.rglob("*"), *tmp_path.rglob("user/**/*")) if path.is_file()]
    assert sorted(path.name for path in left) == sorted(["xor.py", *BESIDE])
    assert run(folder, "pack.xor", **user) == [[predicted, "0"]]


def test_a_full_disk_does_not_hinder_reading(compiled):
    folder, predicted = compiled
    assert run(folder, "pack.xor", program=LIMIT + USE) == [[predicted, "1"]]


# ---- The user's folder ---------------------------------------------------------------------------

OWNED = pytest.mark.skipif(os.getuid() != 0, reason="only the system's user gives files away")
SOMEBODY = 12_345


@pytest.fixture(autouse=True)
def no_folder_yet():
    cache._temporary.cache_clear()
    yield
    cache._temporary.cache_clear()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The user's cache, and a temporary folder beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path / "home"


def made() -> Path:
    """Where the module of the example ends up."""
    module = symgrad.compile(ROOT / "specs" / "xor.toml").module
    assert module.SIZE == 9
    return Path(module.__file__)


def test_folders_are_made_for_this_user_alone(home):
    before = os.umask(0)
    try:
        path = made()
    finally:
        os.umask(before)
    assert path.is_relative_to(home)
    for folder in (home, home / "symgrad", path.parent):
        assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("place", ["symgrad", "symgrad/content", "."])
def test_a_folder_that_all_may_write_is_not_used(home, place):
    content = made().parent.name
    path = home / place.replace("content", content)
    path.chmod(0o777)
    assert not made().is_relative_to(home)
    path.chmod(0o755)
    assert made().is_relative_to(home)


@OWNED
@pytest.mark.parametrize("place", ["symgrad", "symgrad/content", "."])
def test_a_folder_of_somebody_else_is_not_used(home, place):
    """Who makes it first, where all may, would have their code run."""
    good = made()
    os.chown(home / place.replace("content", good.parent.name), SOMEBODY, SOMEBODY)
    good.write_text("raise SystemExit\n")
    assert not made().is_relative_to(home)
    assert good.read_text() == "raise SystemExit\n"


@OWNED
def test_a_group_may_not_write_either_unless_it_is_the_user_s_own(tmp_path):
    tmp_path.chmod(0o775)
    assert is_safe(tmp_path)
    os.chown(tmp_path, -1, SOMEBODY)
    assert not is_safe(tmp_path)
    tmp_path.chmod(0o755)
    assert is_safe(tmp_path)


def test_above_it_others_may_write_if_they_cannot_rename_what_is_not_theirs(tmp_path):
    folder = tmp_path / "all" / "mine"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o1777)
    assert is_safe(folder) and not is_safe(folder.parent)
    folder.parent.chmod(0o777)
    assert not is_safe(folder)


def test_a_link_is_where_it_leads(home, tmp_path):
    (tmp_path / "safe").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    home.mkdir()
    (home / "symgrad").symlink_to(tmp_path / "safe")
    assert made().is_relative_to(tmp_path / "safe")
    (home / "symgrad").unlink()
    (home / "symgrad").symlink_to(tmp_path / "open")
    assert made().is_relative_to(tmp_path / "temporary")


def test_without_a_home_there_is_a_folder_for_this_run(home, tmp_path, monkeypatch):
    """Neither in the environment, nor does the system know the user."""

    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(RuntimeError):
        Path.home()
    assert made().is_relative_to(tmp_path / "temporary")
    assert made().parent == made().parent  # one for a content
    monkeypatch.setenv("HOME", "relative")
    assert made().is_relative_to(tmp_path / "temporary")


@pytest.mark.parametrize(
    "number", ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "ENAMETOOLONG", "EMFILE", "EIO"]
)
def test_whatever_is_wrong_with_the_cache_there_is_a_module(home, tmp_path, monkeypatch, number):
    real = os.replace

    def replace(source, target):
        if Path(target).is_relative_to(home):
            raise OSError(getattr(errno, number), os.strerror(getattr(errno, number)))
        return real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    assert made().is_relative_to(tmp_path / "temporary")
    assert [path.name for path in home.rglob("*") if path.is_file()] in ([], [".lock"])


NOWHERE = """
import inspect, pickle
import numpy as np
import symgrad
compiled = symgrad.compile(sys.argv[1])
module, emitted = compiled.module, compiled.emitted
assert not hasattr(module, "__file__") and not hasattr(emitted, "__file__")
theta, x = module.init(0), np.ones((2, 2))
assert np.allclose(module.predict(theta, x), np.ones((2, 1)) * module.predict(theta, x)[0])
assert "def predict(" in inspect.getsource(emitted.predict.body)
assert pickle.loads(pickle.dumps(module.step)) is module.step
assert np.array_equal(module.predict(theta, x), emitted.predict(theta, x))
print(module.loss_and_gradient(theta, x, x[:, :1])[0])
"""


@pytest.mark.slow
def test_where_nothing_can_be_written_modules_are_made_in_memory(tmp_path):
    program = f"import sys\n{LIMIT}{NOWHERE}"
    places = {"XDG_CACHE_HOME": str(tmp_path / "user"), "TMPDIR": str(tmp_path)}
    full = run(tmp_path, str(ROOT / "specs" / "xor.toml"), program=program, **places)
    module = symgrad.load(XOR)
    theta, x = module.init(0), [[1.0, 1.0], [1.0, 1.0]]
    assert float(full[0][0]) == pytest.approx(module.loss(theta, x, [[1.0], [1.0]]), rel=1e-14)


# ---- What Python caches --------------------------------------------------------------------------


def test_a_module_written_anew_within_a_second_is_not_taken_for_the_old_one(tmp_path, monkeypatch):
    """Python goes by the second and the size of a file."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for text in ("VALUE = 1\n", "VALUE = 2\n", "VALUE = 3\n", "VALUE = 1\n"):
        (path,) = write({"rewritten.py": text}, tmp_path)
        module = symgrad.load(path)
        assert f"VALUE = {module.VALUE}\n" == text
    assert list((tmp_path / "__pycache__").glob("*.pyc"))
