"""shell: words as one types them into this system's shell, for what a message says to type."""

import os
import re
import shlex

_PLAIN = re.compile(r"[\w.:/\\+=-]+")


def word(said: str | os.PathLike[str], windows: bool = os.name == "nt") -> str:
    """A text or a path as one word, quoted where it must be."""
    text = os.fspath(said)
    if not windows:
        return shlex.quote(text)
    quoted = text.replace('"', r"\"")  # as programs of Windows read it
    return text if _PLAIN.fullmatch(text) else f'"{quoted}"'
