"""Modules are written whole or not at all, and several of them all or none."""

import errno
import os
import resource
import stat
from contextlib import contextmanager
from pathlib import Path

import pytest

from symgrad.compiler import compile, write_all
from symgrad.errors import SymgradError
from symgrad.targets.write import write
from tests.nets import net


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in folder.iterdir() if path.is_file()}


def failing_from(monkeypatch, number: int) -> None:
    """Makes renaming fail from that file on."""
    real, count = os.replace, iter(range(1_000))

    def replace(*arguments, **named):
        if next(count) >= number:
            raise OSError(errno.EIO, "Input/output error")
        return real(*arguments, **named)

    monkeypatch.setattr(os, "replace", replace)


@contextmanager
def small_disk():
    """No file of this process may grow beyond 1,000 bytes, as if the disk were full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_writes_all_and_says_where(tmp_path):
    paths = write({"a.py": "A\n", "b.py": "B\n"}, tmp_path)
    assert paths == [tmp_path / "a.py", tmp_path / "b.py"]
    assert contents(tmp_path) == {"a.py": "A\n", "b.py": "B\n"}


@pytest.mark.parametrize("kind", [str, Path])
def test_makes_folders(tmp_path, kind):
    (path,) = write({"a.py": "A\n"}, kind(tmp_path / "x" / "y"))
    assert path == tmp_path / "x" / "y" / "a.py" and path.read_text() == "A\n"


def test_replaces_what_was_there_and_nothing_else(tmp_path):
    (tmp_path / "a.py").write_text("old")
    (tmp_path / "other.py").write_text("stays")
    write({"a.py": "new"}, tmp_path)
    assert contents(tmp_path) == {"a.py": "new", "other.py": "stays"}


def test_the_bytes_are_the_same_everywhere(tmp_path):
    (path,) = write({"a.py": "Σ_n z\nπ\n"}, tmp_path)
    assert path.read_bytes() == "Σ_n z\nπ\n".encode()


def test_files_have_the_users_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        (path,) = write({"a.py": "A\n"}, tmp_path)
        assert os.umask(0o027) == 0o027  # the mask itself is as it was
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_file_that_is_as_it_should_be_is_left_alone(tmp_path):
    """What Numba has cached for it goes by its time."""
    (path,) = write({"a.py": "A\n"}, tmp_path)
    os.utime(path, (1, 1))
    assert write({"a.py": "A\n", "b.py": "B\n"}, tmp_path) == [path, tmp_path / "b.py"]
    assert path.stat().st_mtime == 1
    write({"a.py": "other\n"}, tmp_path)
    assert path.stat().st_mtime != 1 and path.read_text() == "other\n"


OLD = {"a.py": "old a", "c.py": "old c"}


@pytest.fixture
def folder(tmp_path):
    for name, text in OLD.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_full_disk_changes_nothing(folder):
    with pytest.raises(SymgradError, match="cannot be written: File too large"), small_disk():
        write({"a.py": "A", "b.py": "B", "c.py": "C" * 100_000}, folder)
    assert contents(folder) == OLD


@pytest.mark.parametrize("number", [0, 1, 2])
def test_renaming_fails_for_all_or_none(folder, monkeypatch, number):
    failing_from(monkeypatch, number)
    with pytest.raises(SymgradError, match="Input/output error"):
        write({"a.py": "A", "b.py": "B", "c.py": "C"}, folder)
    monkeypatch.undo()
    assert contents(folder) == OLD


def test_a_folder_in_the_way_changes_nothing(tmp_path):
    (tmp_path / "b.py").mkdir()
    (tmp_path / "a.py").write_text("old")
    with pytest.raises(SymgradError, match=r"cannot be written"):
        write({"a.py": "new", "b.py": "B"}, tmp_path)
    assert contents(tmp_path) == {"a.py": "old"}


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write({"a.py": "A", "b.py": "B"}, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("inside", ["", "further/down"])
def test_a_folder_that_is_none_is_refused(tmp_path, inside):
    file = tmp_path / "file"
    file.write_text("not a folder")
    with pytest.raises(SymgradError, match="cannot be written") as refused:
        write({"a.py": "A"}, file / inside)
    assert str(file) in str(refused.value)
    assert file.read_text() == "not a folder"


def test_a_folder_that_cannot_be_written_is_refused():
    with pytest.raises(SymgradError, match=r"/proc/self/fdinfo.*: cannot be written: "):
        write({"a.py": "A"}, "/proc/self/fdinfo")


def test_text_that_cannot_be_encoded_leaves_nothing(tmp_path):
    with pytest.raises((SymgradError, UnicodeEncodeError)):
        write({"a.py": "A", "b.py": "\udcff"}, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("single_file", [False, True])
def test_specs_are_written_together(tmp_path, monkeypatch, single_file):
    specs = [net([2, 1], ["tanh"]).normalised() | {"name": name} for name in ("one", "two")]
    compiled = [compile(spec) for spec in specs]
    failing_from(monkeypatch, 1)
    with pytest.raises(SymgradError):
        write_all(compiled, tmp_path, single_file)
    monkeypatch.undo()
    assert contents(tmp_path) == {}
    written = write_all(compiled, tmp_path, single_file)
    assert written == [tmp_path / "one.py", tmp_path / "two.py"]
    expected = {"one.py": compiled[0].source, "two.py": compiled[1].source}
    expected = expected if single_file else compiled[0].files | compiled[1].files
    assert contents(tmp_path) == expected


def test_specs_of_one_name_do_not_overwrite_one_another(tmp_path):
    one = compile(net([2, 1], ["tanh"]))
    other = compile(net([2, 1], ["sin"]))
    with pytest.raises(SymgradError, match="net"):
        write_all([one, other], tmp_path)
    assert contents(tmp_path) == {}
