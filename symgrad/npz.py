"""npz: arrays from NPZ and NPY files, which may be damaged, or made to do harm.

No code of theirs runs, and nothing is taken into memory that the file is too small to hold. What is
read is checked against the archive's checksums: a flipped bit does not come out as a number.
"""

import math
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from symgrad.errors import DataError

Array: TypeAlias = npt.NDArray[Any]

PICKLED = (
    "holds Python objects (a pickle), which could run code when loaded; "
    "store plain arrays of numbers or text"
)

# What the standard library and NumPy raise for an archive, or a header, that is none. An OSError
# may also be the disk's; the file is then no better.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,  # from the header, which is a Python expression
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    EOFError,
    NotImplementedError,  # a version of ZIP that there isn't
    RuntimeError,  # a member that is said to be encrypted
    OSError,
)

# What an entry of an archive's directory begins with.
_MEMBER = b"PK\x01\x02"

# deflate can't make more of a byte.
_MOST = 1032
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_AT_ONCE = 1 << 20


class Damaged(DataError):
    """A file whose content is not what it once was, or never made sense."""


class Archive:
    """An NPZ file that is open: the names of its arrays, and the arrays themselves when asked."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where there is no file, Damaged if it is no archive."""
        self.path = path
        self._file = path.open("rb")
        try:
            self._size = self._file.seek(0, 2)
            self._members = zipfile.ZipFile(self._file)
            for info in self._members.infolist():
                if _MEMBER in info.comment + info.extra:
                    raise zipfile.BadZipFile(f"{info.filename} hides another member")
        except _BROKEN as error:
            self._file.close()
            raise Damaged(f"{path}: not an NPZ file, or damaged ({_line(error)})") from error
        infos = self._members.infolist()
        self._infos = {info.filename.removesuffix(".npy"): info for info in infos}
        self.names = list(self._infos)

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._members.close()
        self._file.close()

    def read(self, name: str) -> Array:
        """The array of a name. Raises Damaged, and DataError if it is no array, or a pickle."""
        info = self._infos[name]
        try:
            if info.compress_type not in _METHODS:
                raise Damaged("is compressed in a way that NumPy never does")
            if info.compress_size > self._size or info.file_size > _MOST * info.compress_size:
                raise Damaged("is damaged (said to be larger than its file)")
            with self._members.open(info) as member:
                while member.read(_AT_ONCE):
                    pass  # at its end the checksum is compared
            return _array(lambda: self._members.open(info), info.file_size)
        except DataError as error:
            raise type(error)(f"{self.path}: {name!r} {error}") from error
        except _BROKEN as error:
            raise Damaged(f"{self.path}: {name!r} is damaged ({_line(error)})") from error


def read_npz(path: Path) -> dict[str, Array]:
    """All arrays of an NPZ file; raises as `Archive` does."""
    with Archive(path) as archive:
        return {name: archive.read(name) for name in archive.names}


def read_npy(path: Path) -> Array:
    """The array of an NPY file; raises OSError, Damaged and DataError."""
    with path.open("rb"):
        size = path.stat().st_size  # so that what is no file is told apart from what is damaged
    try:
        return _array(lambda: path.open("rb"), size)
    except DataError as error:
        raise type(error)(f"{path}: {error}") from error
    except _BROKEN as error:
        raise Damaged(f"{path}: damaged ({_line(error)})") from error


def _array(opened: Callable[[], IO[bytes]], size: int) -> Array:
    """The array in so many bytes, of which the header comes first, and says how many follow."""
    with opened() as file:
        if file.read(len(npy.MAGIC_PREFIX)) != npy.MAGIC_PREFIX:
            raise DataError("is no array")
    with opened() as file:
        version = npy.read_magic(file)
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        # Version 3 is version 2 with names in UTF-8, which have no bearing on the size.
        shape, _, dtype = readers.get(version, npy.read_array_header_2_0)(file)
        if dtype.hasobject:
            raise DataError(PICKLED)
        count: int = math.prod(shape, start=1)
        told, there = count * dtype.itemsize, size - file.tell()
        # Empty text has no size, and NumPy makes room for a character of each.
        if told != there or (count and not dtype.itemsize):
            raise Damaged(f"is damaged (of {told:,} bytes, {there:,} are there)")
    with opened() as file:
        array: Array = npy.read_array(file, allow_pickle=False)
    if not is_text(array):
        raise Damaged("is damaged (it holds characters that there aren't)")
    return array


def is_text(array: Array) -> bool:
    """Whether text is such in every character; true for what is no text. NumPy does not look."""
    if array.dtype.kind != "U" or not array.size:
        return True
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    return bool(native.reshape(-1).view(np.uint32).max(initial=0) <= sys.maxunicode)


def _line(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
