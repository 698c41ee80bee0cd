"""Random cases for some minutes: what is wrong with one is made small, told once, and counted."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol


class Case(Protocol):
    """One input that was tried. A frozen dataclass: equal cases are one."""

    def data(self) -> dict[str, Any]:
        """The case as plain data, for a command line."""

    def size(self) -> tuple[float, ...]:
        """Smaller for what a person would rather look at."""

    def __str__(self) -> str: ...


class Finding(NamedTuple):
    """`kind` says what went wrong. It tells one fault from another, or the case does that too."""

    kind: str
    case: Any
    detail: str
    by_case: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What findings are counted as one by."""
        return self.kind, str(self.case) if self.by_case else ""


@dataclass(frozen=True)
class Kind:
    """Cases of one kind: how they are drawn, judged, made smaller, and read from a command line."""

    name: str
    share: float  # of the time
    draw: Callable[[random.Random], Any]
    judge: Callable[[Any], list[Finding]]
    smaller: Callable[[Any], Iterator[Any]]
    read: Callable[[Mapping[str, Any]], Any]
    patience: float = 20  # seconds to make a finding small


@dataclass
class Group:
    """Findings that have become the same."""

    kind: Kind
    finding: Finding
    times: int = 1

    def shown(self) -> str:
        case = self.finding.case
        what = json.dumps({"kind": self.kind.name, **case.data()}, ensure_ascii=False)
        quoted = what.replace("'", "'\\''")
        return (
            f"{self.finding.kind}\n    {case}\n    {self.finding.detail}\n"
            f"    python -m fuzz --case '{quoted}'"
        )


@dataclass
class Hunt:
    """What has been tried and found so far."""

    kinds: list[Kind]
    seed: int
    only: str = ""  # what a finding's kind begins with
    tried: dict[str, int] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    groups: dict[tuple[str, str], Group] = field(default_factory=dict)

    def run(self, minutes: float, tell: Callable[[str], None]) -> None:
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            kind = min(self.kinds, key=lambda kind: self.spent.get(kind.name, 0) / kind.share)
            started = time.monotonic()
            number = self.tried.get(kind.name, 0)
            self.tried[kind.name] = number + 1
            case = kind.draw(random.Random(f"{self.seed}:{kind.name}:{number}"))
            for finding in kind.judge(case):
                if finding.kind.startswith(self.only) and self.add(kind, finding):
                    tell(f"\n[case {number}] {list(self.groups.values())[-1].shown()}")
            self.spent[kind.name] = self.spent.get(kind.name, 0) + time.monotonic() - started

    def add(self, kind: Kind, finding: Finding) -> bool:
        """Whether the finding is a new one, once it is small."""
        if finding.key not in self.groups:
            finding = shrunk(kind, finding)
        if finding.key in self.groups:
            self.groups[finding.key].times += 1
            return False
        self.groups[finding.key] = Group(kind, finding)
        return True

    def report(self) -> str:
        """All of it, the most frequent first."""
        groups = sorted(self.groups.values(), key=lambda g: (g.finding.kind, -g.times))
        found = [f"{group.times} times: {group.shown()}\n" for group in groups]
        return "\n".join([*found, self.summary()])

    def summary(self) -> str:
        tried = ", ".join(f"{number:,} {name}" for name, number in self.tried.items())
        return f"tried: {tried or 'nothing'}; findings: {len(self.groups)}; seed {self.seed}"


def shrunk(kind: Kind, finding: Finding) -> Finding:
    """The smallest case that is wrong in the same way: takes one thing less, as long as it is."""
    end = time.monotonic() + kind.patience
    tried = {finding.case}
    changed = True
    while changed:
        changed = False
        for case in sorted(kind.smaller(finding.case), key=lambda case: case.size()):
            if time.monotonic() > end:
                return finding
            if case in tried or case.size() >= finding.case.size():
                continue
            tried.add(case)
            same = [each for each in kind.judge(case) if each.kind == finding.kind]
            if same:
                finding, changed = same[0], True
                break
    return finding
