"""alike: loops of many layers that differ in names only become one function, which each calls.

What they compute is then compiled once. The function is that of the first such layer, the names in
it from outside its parameters; two loops are alike if they read the same but for names.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from symgrad.compiler import costs
from symgrad.compiler.memory import Memory
from symgrad.compiler.schedule import Block, Rows, Schedule, definitions_of
from symgrad.compiler.split import sums_over_samples
from symgrad.compiler.statements import Line, Loop, Statement, comments, lines
from symgrad.language.indices import SAMPLE

NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Alike:
    """A function for loops that differ in names only: those of the first are its parameters."""

    name: str
    parameters: tuple[str, ...]
    body: tuple[Statement, ...]
    first: str
    others: tuple[str, ...]


def outlined(
    schedule: Schedule,
    places: Memory,
    written: list[tuple[Block, list[Statement]]],
    extents: Iterable[str],
    family: str,
) -> tuple[list[Statement], tuple[Alike, ...]]:
    """The statements of all blocks, with calls for loops that many have in common, and what is
    called: functions whose names begin with `family`. `extents` are names of numbers of units."""
    outside = {*schedule.program.given, *schedule.program.by_name, *extents}
    forms = [_form(schedule, places, block, body, outside) for block, body in written]
    counts = Counter(form for form, _ in forms if form)
    functions: dict[str, Alike] = {}
    members: dict[str, list[str]] = {}
    statements: list[Statement] = []
    for (block, body), (form, parameters) in zip(written, forms, strict=True):
        if counts[form] < costs.ALIKE_FROM:
            statements += body
            continue
        (loop,) = (s for s in body if isinstance(s, Loop))
        name = _purpose(schedule, places, block)
        if form not in functions:
            used = {token for line in lines(loop) for token in NAME.findall(line)}
            again = [
                Line(f"{other} = {places.place(other)}  # in the same memory")
                for other in sorted(used & places.takes_over.keys())
            ]
            functions[form] = Alike(f"_{family}_{name}", parameters, (*again, loop), name, ())
        else:
            members.setdefault(form, []).append(name)
        call = f"{functions[form].name}({', '.join(('rows', *parameters))})"
        statements += [*comments(loop), Line(call)]
    return statements, tuple(
        replace(each, others=tuple(members[form])) for form, each in functions.items()
    )


def _purpose(schedule: Schedule, places: Memory, block: Block) -> str:
    """What a block is for: the last array that others read."""
    kept = [d.name for d in definitions_of(block) if places.storage[d.name] != "local"]
    return [n for n in kept if not sums_over_samples(schedule.program.by_name[n])][-1]


def _form(
    schedule: Schedule, places: Memory, block: Block, body: list[Statement], outside: set[str]
) -> tuple[str, tuple[str, ...]]:
    """A loop over samples without its names, and those from outside it; "" if a scalar is summed
    in it, which a function could not do for its caller."""
    if not isinstance(block, Rows) or any(
        definition.indices in ((), (SAMPLE,)) for definition in block.definitions
    ):
        return "", ()
    numbers: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        token = places.place(match[0])  # LLVM must see that two names are one array
        renamed = token in outside or re.fullmatch(r"[a-z]+\d+", token)
        return numbers.setdefault(token, f"#{len(numbers)}") if renamed else token

    text = "\n".join(line for statement in body for line in lines(statement))
    form = NAME.sub(numbered, text)
    parameters = [n for n in numbers if n in outside and places.storage.get(n) != "local"]
    return form, (*parameters, *(["N"] if re.search(r"\bN\b", text) else []))
