"""files: the paths that data is given by, a pattern of paths as the paths that it stands for."""

import glob
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, Any

from symgrad.errors import DataError

CSV = (".csv", ".csv.gz")


def files_of(source: Any) -> list[Path] | None:
    """The files that data lies in; None where it is none. DataError for a pattern that none has.

    A pattern is text with `*`, `?` or `[`, where there is no file of that name.
    """
    if isinstance(source, list) and source and all(isinstance(s, str | PathLike) for s in source):
        return [path for each in source for path in files_of(each) or ()]
    if not isinstance(source, str | PathLike):
        return None
    path = Path(source)
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    found = sorted(map(Path, glob.glob(str(path))))
    if not found:
        raise DataError(f"{path}: there is no such file")
    return found


def is_csv(path: Path) -> bool:
    return path.name.lower().endswith(CSV)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked if it is called .gz; DataError where it is damaged."""
    if path.suffix.lower() != ".gz":
        with path.open("rb") as file:
            yield file
        return
    try:
        with gzip.open(path, "rb") as file:
            yield file  # type: ignore[misc]
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: no gzip file, or damaged ({error})") from error
