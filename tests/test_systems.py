"""What other systems lack, or do otherwise: taken away here, in a process of its own."""

import os
import subprocess
import sys

import pytest

from symgrad import replacing, shell
from symgrad.targets.llvm import symbols
from symgrad.training import atomic
from symgrad.training.signals import catch_interrupts
from tests.paths import ROOT


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="shows which files are open")
def test_nothing_is_needed_that_windows_lacks(tmp_path):
    folder = tmp_path / "größer als α"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-m", "tests.elsewhere", str(folder)],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "ca ché"), "PYTHONPATH": str(ROOT)},
        cwd=folder, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-1500:]
    assert done.stdout.splitlines()[-1] == "done"


@pytest.fixture
def open_elsewhere(monkeypatch):
    """Windows, where another program lets go of a file when it was asked for so many times."""
    replace, refusals = os.replace, []

    def refusing(aside, path):
        if refusals:
            refusals.pop()
            raise PermissionError(13, "Permission denied", str(aside), None, str(path))
        replace(aside, path)

    monkeypatch.setattr(os, "replace", refusing)
    monkeypatch.setattr(replacing, "PATIENCE", 0.2)
    return refusals


def test_a_file_that_someone_reads_is_replaced_when_they_are_done(open_elsewhere, tmp_path):
    open_elsewhere += [None] * 3
    atomic.write(tmp_path / "run.json", b"new")
    assert (tmp_path / "run.json").read_bytes() == b"new" and not open_elsewhere


def test_one_that_stays_open_is_an_error_and_stays_as_it_was(open_elsewhere, tmp_path):
    (tmp_path / "run.json").write_bytes(b"old")
    open_elsewhere += [None] * 1000
    with pytest.raises(atomic.Unwritable, match="another program may have it open"):
        atomic.write(tmp_path / "run.json", b"new")
    assert (tmp_path / "run.json").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["run.json"]


def test_where_no_permission_is_final_nothing_is_waited_for(open_elsewhere, tmp_path, monkeypatch):
    monkeypatch.setattr(replacing, "PATIENCE", 0.0)
    open_elsewhere += [None] * 2
    with pytest.raises(atomic.Unwritable, match=r"cannot be written: Permission denied$"):
        atomic.write(tmp_path / "run.json", b"new")
    assert len(open_elsewhere) == 1


@pytest.mark.parametrize(
    ("text", "posix", "windows"),
    [
        ("runs/iris", "runs/iris", "runs/iris"),
        (r"C:\runs\iris-2", r"'C:\runs\iris-2'", r"C:\runs\iris-2"),
        (r"C:\My runs\α", r"'C:\My runs\α'", r'"C:\My runs\α"'),
        ("a,b*", "'a,b*'", '"a,b*"'),
        ('a "b"', "'a \"b\"'", r'"a \"b\""'),
    ],
)
def test_words_are_quoted_for_the_shell_that_reads_them(text, posix, windows):
    assert (shell.word(text, windows=False), shell.word(text, windows=True)) == (posix, windows)


@pytest.mark.skipif(sys.platform == "win32", reason="they are there")
def test_object_code_is_not_for_a_system_that_lacks_what_it_calls(monkeypatch):
    """Windows has these functions in libraries that are not here: Numba takes the network."""
    import symgrad

    spec = {"name": "n", "inputs": 1, "layers": [{"units": 1}]}
    assert symgrad.compile(spec)._kept is not None
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(symbols, "add", symbols.add.__wrapped__)
    assert not symbols.add()
    assert symgrad.compile(spec)._kept is None


def test_signals_that_a_system_has_are_caught_and_given_back():
    import signal

    from symgrad.training import signals

    known = [signal.SIGINT, signal.SIGTERM]
    assert known + [s for s in signal.Signals if s.name == "SIGBREAK"] == signals._SIGNALS
    before = signal.getsignal(signal.SIGTERM)
    said = []
    with catch_interrupts(lambda: said.append("once")) as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set() and said == ["once"]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_child_whose_parent_died_ends_where_no_limit_can_be_set():
    code = (
        "import sys, time; sys.modules['resource'] = None\n"
        "from symgrad.explain.scalars.run import confine\n"
        "confine(1 << 32, 0.2); time.sleep(60)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=50
    )
    assert done.returncode == 1
