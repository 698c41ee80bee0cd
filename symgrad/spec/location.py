"""Where the keys and values of a spec file stand: text → `Places`, for messages only.

The parsers do not say where they found what, so this follows brackets, keys and headers next to
them. A key written with escapes is missed; the line of the table around it then serves.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

Path: TypeAlias = tuple[int | str, ...]  # of keys and list positions: ("layers", 1, "units")

# A string that is never closed counts as one up to its end, so that no text is scanned twice.
STRING = (
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:"{3,5})?|"(?:[^"\\\n]|\\.)*+"?'
    r"|'''(?:[^']|'(?!''))*+(?:'{3,5})?|'[^'\n]*+'?"
)
_WORD = re.compile(
    rf"{STRING}|#[^\n]*+|\n|[\[\]{{}}=:,.]|[^\s\[\]{{}}=:,.\"'#]++",
    re.DOTALL,  # a string may go on over lines
)
_OPENING, _CLOSING = ("[", "{"), ("]", "}")
_DEPTH = 6  # brackets inside one another; a valid spec has four


@dataclass(slots=True)
class Place:
    """A key or an item of a list: its line, counted from 1, and what stands inside it."""

    line: int
    inside: dict[int | str, "Place"] = field(default_factory=dict)

    def enter(self, key: int | str, line: int) -> "Place":
        """The place of `key` in here; it stands in `line` unless it was met before."""
        return self.inside.setdefault(key, Place(line))

    def line_of(self, path: Path) -> int:
        """The line of what `path` leads to, as far as that is known; 0 if nothing of it is."""
        place = self
        for part in path:
            if part not in place.inside:
                break
            place = place.inside[part]
        return place.line


class Places(NamedTuple):
    """What stands where in a file."""

    root: Place
    repeated: dict[str, int]  # the line of a key's second occurrence in one JSON object


def find_places(text: str) -> Places:
    """One pass over the words of a TOML or JSON file, valid as far as it matters."""
    root, repeated = Place(0), dict[str, int]()
    frames = [(root, False)]  # the open tables and lists: where, and whether it is a list
    keys: list[str] = []  # those of the entry or header being read
    value: Place | None = None  # the value being read, from its entry's = or : up to its end
    header = 0  # the brackets that opened the header being read
    skipped = 0  # brackets open below the depth at which a spec has anything
    line = 1
    for match in _WORD.finditer(text):
        word = match[0]
        place, in_list = frames[-1]
        if skipped or (len(frames) > _DEPTH and word in _OPENING):
            skipped += (word in _OPENING) - (word in _CLOSING)
        elif word == "\n":
            if len(frames) == 1:  # in brackets a line's end means nothing
                keys, value, header = [], None, 0
        elif word[0] == "#":
            pass
        elif header and word == "[":
            header = 2
        elif header and word == "]":
            table = root
            for number, key in enumerate(keys, 1):
                table = table.enter(key, line)
                if header == 2 and number == len(keys):  # [[layers]] adds an item,
                    table = table.enter(len(table.inside), line)
                elif 0 in table.inside:  # [layers.x] belongs to the last one
                    table = table.inside[len(table.inside) - 1]
            frames, value, header = [(table, False)], table, 0
        elif word in _CLOSING:
            value = place
            if len(frames) > 1:
                frames.pop()
        elif word == ",":
            keys, value = [], None
        elif in_list or value is not None:
            if value is None:
                value = place.enter(len(place.inside), line)
            if word in _OPENING:
                frames.append((value, word == "["))
                keys, value = [], None
        elif word in ("=", ":"):
            if word == ":" and keys and keys[-1] in place.inside:
                repeated.setdefault(keys[-1], line)
            value = place
            for key in keys:
                value = value.enter(key, line)
        elif word == "[":
            header = 1
        elif word == "{":  # a JSON file as a whole
            frames.append((place, False))
        elif word != ".":
            keys.append(word[1:-1] if word[0] in "\"'" else word)
        line += word.count("\n")
    return Places(root, repeated)
