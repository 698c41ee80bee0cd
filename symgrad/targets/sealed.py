"""sealed: files that are whole, of what they are named for, or as if there were none."""

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path


def write(path: Path, meaning: str, content: bytes) -> None:
    """Writes a file, whole or not at all, if there is room for it; `meaning` is what it depends
    on."""
    aside = path.with_name(f".{secrets.token_hex(8)}.part")
    with suppress(OSError):
        try:
            aside.write_bytes(_seal(meaning, content) + content)
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)


def read(path: Path, meaning: str) -> bytes | None:
    """What was written so; None where it is not there, not whole, or depends on something else."""
    try:
        found = path.read_bytes()
    except OSError:
        return None
    content = found[_LENGTH:]
    return content if found[:_LENGTH] == _seal(meaning, content) else None


_LENGTH = hashlib.sha256().digest_size


def _seal(meaning: str, content: bytes) -> bytes:
    return hashlib.sha256(f"{len(meaning)} {meaning}".encode() + content).digest()
