"""cache: folders for a module that nobody has named a place for; nobody else can write there."""

import atexit
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def folders(content: str) -> Iterator[Path]:
    """Folders for what has the hash `content`, the best first: one in the user's cache, where it is
    found again, and one for this run. They may be full."""
    for made in (_in_the_cache, _for_this_run):
        folder = made(content)
        if folder is not None:
            yield folder


def _in_the_cache(content: str) -> Path | None:
    """A folder in the user's cache, or None if there is none, or it is not the user's alone."""
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME", ""))
        if not home.is_absolute():  # as the XDG standard wants it
            home = Path.home() / ".cache"
        if not home.is_absolute():
            return None
        folder = home / "symgrad" / content
        for missing in [each for each in (folder, *folder.parents) if not each.exists()][::-1]:
            missing.mkdir(0o700, exist_ok=True)  # as the standard wants it, whatever the umask
        # Where a link leads now is judged and used, not where it leads later.
        folder = Path(os.path.realpath(folder, strict=True))
        return folder if is_safe(folder) else None
    except (OSError, RuntimeError):  # RuntimeError: nobody knows a home of this user
        return None


def _for_this_run(content: str) -> Path | None:
    """A folder that is gone when Python ends, or None if there is no place for one."""
    try:
        root = _temporary()
        return root / content if is_safe(root) else None
    except OSError:
        return None


@cache
def _temporary() -> Path:
    root = Path(os.path.realpath(tempfile.mkdtemp(prefix="symgrad-")))
    atexit.register(_remove, root, os.getpid())
    return root


def _remove(root: Path, maker: int) -> None:
    """A forked process that ends leaves the folder to the one that has made it."""
    if os.getpid() == maker:
        shutil.rmtree(root, ignore_errors=True)


def is_safe(folder: Path) -> bool:
    """Whether only this user and the system can put files into a folder, whose path has no links.

    What lies there will run: somebody else, who makes it first where all may, would have code run
    as this user. Hence it and all above it belong to this user or to the system, and nobody else
    may write there; above it they may where they can't rename what isn't theirs, as in /tmp.
    """
    if not hasattr(os, "getuid"):  # Windows, where the user's folder is the user's
        return True
    trusted = {os.getuid(), 0, os.stat("/").st_uid}
    for path in (folder, *folder.parents):
        about = path.stat()
        private = about.st_gid == about.st_uid  # by convention a group of this user alone
        others = stat.S_IWOTH | (0 if private else stat.S_IWGRP)
        sticky = path != folder and about.st_mode & stat.S_ISVTX
        if about.st_uid not in trusted or (about.st_mode & others and not sticky):
            return False
    return True
