"""Emitted modules are imported from their files, wherever these lie."""

import inspect
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import symgrad
from symgrad.errors import SymgradError
from symgrad.pipeline import passes
from symgrad.spec.spec import Spec
from symgrad.targets.numba.emit import runtime_name
from symgrad.targets.write import write
from tests.nets import net
from tests.paths import ROOT


def copy_as(path: Path) -> Path:
    """An emitted module, and beside it what it imports."""
    path.parent.mkdir(parents=True, exist_ok=True)
    module, *beside = symgrad.compile(ROOT / "specs" / "xor.toml").files.items()
    path.write_text(module[1], "utf-8")
    write(dict(beside), path.parent)
    return path


@pytest.fixture(autouse=True)
def known_modules(monkeypatch):
    """What is loaded here is forgotten afterwards."""
    monkeypatch.setattr(sys, "modules", sys.modules)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("loaded_"):
            del sys.modules[name]


@pytest.mark.parametrize("kind", [str, Path])
def test_loads_from_a_path(tmp_path, kind):
    module = symgrad.load(kind(copy_as(tmp_path / "loaded_one.py")))
    assert module.__name__ == "loaded_one"
    assert module.SIZE == 9 and module.init().shape == (9,)


def test_the_module_knows_its_file(tmp_path, monkeypatch):
    """Debuggers step into it, and Numba caches beside it."""
    monkeypatch.delitem(sys.modules, runtime_name(), raising=False)
    path = copy_as(tmp_path / "loaded_two.py")
    module = symgrad.load(path)
    assert Path(module.__file__) == path
    assert inspect.getsourcefile(module.predict.body) == str(path)
    beside = Path(inspect.getsourcefile(module.init))
    assert beside == path.with_name(f"{runtime_name()}.py")
    assert "return _loss(theta, x, t)" in inspect.getsource(module.loss.body)


def test_loads_from_a_relative_path(tmp_path, monkeypatch):
    copy_as(tmp_path / "folder" / "loaded_three.py")
    monkeypatch.chdir(tmp_path)
    module = symgrad.load(os.path.join("folder", "loaded_three.py"))
    monkeypatch.chdir("/")
    assert Path(module.__file__).is_absolute()
    assert "return _loss(theta, x, t)" in inspect.getsource(module.loss.body)


def test_can_be_pickled_by_name(tmp_path):
    module = symgrad.load(copy_as(tmp_path / "loaded_four.py"))
    assert sys.modules["loaded_four"] is module
    assert pickle.loads(pickle.dumps(module.step)) is module.step


def test_takes_no_name_that_means_something_else(tmp_path):
    """A file called like a module that is imported already loads beside it."""
    import numpy

    module = symgrad.load(copy_as(tmp_path / "numpy.py"))
    assert sys.modules["numpy"] is numpy and module is not numpy
    assert module.SIZE == 9


def test_modules_of_one_name_do_not_mix(tmp_path):
    first = symgrad.load(copy_as(tmp_path / "a" / "loaded_five.py"))
    path = copy_as(tmp_path / "b" / "loaded_five.py")
    path.write_text(path.read_text("utf-8").replace("SIZE = 9", "SIZE = 10"), "utf-8")
    second = symgrad.load(path)
    assert (first.SIZE, second.SIZE) == (9, 10)
    assert sys.modules["loaded_five"] is first


def test_loads_the_newest_version_of_a_file(tmp_path):
    path = copy_as(tmp_path / "loaded_six.py")
    symgrad.load(path)
    path.write_text(path.read_text("utf-8").replace("SIZE = 9", "SIZE = 4711"), "utf-8")
    assert symgrad.load(path).SIZE == 4711


@pytest.mark.parametrize("name", ["nothing.py", "net.toml", "folder", "folder.py", "no_suffix"])
def test_what_is_no_module_is_refused(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "net.toml").touch()
    (tmp_path / "no_suffix").touch()
    with pytest.raises(SymgradError, match=r"no emitted module; name a \.py file") as refused:
        symgrad.load(tmp_path / name)
    assert str(tmp_path / name) in str(refused.value)


@pytest.mark.parametrize(
    "content", ["def broken(:\n", "x = 1\n  y = 2\n", "text \x00 with a null", "'unfinished"]
)
def test_what_is_no_python_is_refused(tmp_path, content):
    path = tmp_path / "loaded_seven.py"
    path.write_text(content, "utf-8")
    with pytest.raises(SymgradError, match=r"loaded_seven\.py"):
        symgrad.load(path)
    assert "loaded_seven" not in sys.modules


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "loaded_eight.py"
    path.write_bytes(b"x = '\xff\xfe'\n")
    with pytest.raises(SymgradError, match=r"loaded_eight\.py"):
        symgrad.load(path)


@pytest.mark.slow
def test_two_modules_of_one_name_do_not_share_compiled_code(tmp_path):
    """Each is compiled in a process of its own, where Numba gives equal names to the functions of
    both; then both are taken from the cache in one. The first would write what the second has not.
    """
    paths = []
    for optimizer in ("momentum", "sgd"):
        spec = net([2, 1], ["identity"]).normalised()
        spec |= {"training": {"optimizer": optimizer, "batch": "all"}}
        source = passes(Spec.parse(spec)).source
        paths += write({"net.py": source}, tmp_path / optimizer)
    script = (
        "import sys, numpy, symgrad\n"
        "x, t = numpy.ones((1, 2)), numpy.ones((1, 1))\n"
        "for path in sys.argv[1:]:\n"
        "    module = symgrad.load(path)\n"
        "    theta, settings = module.init(0), module.train_settings()\n"
        "    for step in range(3):\n"
        "        module.train_epoch(theta, x, t, *module.train_state(0), settings)\n"
        "    print(theta.tobytes().hex())"
    )

    def trained(*paths):
        command = [sys.executable, "-c", script, *map(str, paths)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    alone = [trained(path)[0] for path in paths]
    assert alone[0] != alone[1]
    assert trained(*paths) == alone
