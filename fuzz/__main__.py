"""`python -m fuzz`: random cases for some minutes; what is found is made small and printed."""

import argparse
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.formulas import CONSTANTS, formula
from fuzz.judge import SAMPLES, Finding, judge
from fuzz.modules import compiled, interpreted
from fuzz.networks import ACTIVATIONS, LOSSES, Case
from fuzz.places import Place, places
from fuzz.shrink import shrunk


def draw(rng: random.Random) -> tuple[Case, list[Place]]:
    """A random case, and where to try it."""
    dtype = rng.choice(("float32", "float64"))
    units = rng.choice((1, 1, 1, 2, 3))
    constants = {"c": rng.choice(CONSTANTS)} if rng.random() < 0.3 else {}
    size = rng.choice((1, 2, 3, 3, 4, 4, 5, 6, 8))
    what = rng.random()
    sums = units > 1
    if what < 0.55:
        activation = formula(rng, ("z",), constants, sums, size)
        loss = "t*y" if units > 1 else "y"
    elif what < 0.85:
        activation = "identity"
        loss = formula(rng, ("y", "t", "y - t"), constants, sums, size)
    else:
        if rng.random() < 0.7:
            activation = rng.choice([name for name in ACTIVATIONS if name != "identity"])
        else:
            activation = formula(rng, ("z",), constants, sums, min(size, 3))
        if rng.random() < 0.3:
            loss = rng.choice(tuple(LOSSES))
        else:
            loss = formula(rng, ("y", "t", "y - t"), constants, sums, min(size, 4))
    case = Case(activation, loss, dtype, units, constants)
    return case, places(rng, dtype, units, pairs="t" in case.loss_formula)


@dataclass
class Group:
    """Findings that have become the same formula."""

    finding: Finding
    first: str  # the seed of the case that it was found with
    times: int = 1


@dataclass
class Hunt:
    """What has been found so far."""

    gaps: bool = False
    compiles: bool = False
    groups: dict[tuple[str, str], Group] = field(default_factory=dict)
    tried: int = 0

    def judged(
        self, case: Case, where: list[Place], make: Callable = interpreted, samples: int = SAMPLES
    ) -> list[Finding]:
        return judge(case, where, make, self.gaps, self.compiles, samples)

    def add(self, finding: Finding, where: list[Place], make: Callable, name: str) -> bool:
        """Whether it is new."""

        def again(case: Case) -> list[Finding]:
            if case.place is not None:
                return self.judged(case, [case.place], make, 16 * SAMPLES)
            tried = where if len(where[0].z) == case.units else [
                Place(place.z[: case.units], place.t[: case.units]) for place in where
            ]
            return self.judged(case, tried, make)

        known = finding.kind.startswith("crash") and (finding.kind, "") in self.groups
        if not known:
            if finding.case.place is not None and not any(
                each.kind == finding.kind for each in again(finding.case)
            ):
                return False  # with more samples it is no worse than as written
            finding = shrunk(finding, again)
        key = (finding.kind, "" if finding.kind.startswith("crash") else skeleton(finding.case))
        if key in self.groups:
            self.groups[key].times += 1
            return False
        self.groups[key] = Group(finding, name)
        return True


def skeleton(case: Case) -> str:
    return f"{case.activation} | {case.loss}"


def shown(finding: Finding) -> str:
    case = finding.case
    command = f"python -m fuzz --case '{case.text()}'"
    return f"{finding.kind}\n    {case.dtype}  {skeleton(case)}\n    {finding.detail}\n    {command}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--case", help="run this one case, as a finding names it")
    parser.add_argument("--only", default="", help="findings whose kind begins with this")
    parser.add_argument("--gaps", action="store_true", help="also NaN where the formula as written has no value")
    parser.add_argument("--compiles", action="store_true", help="only whether it compiles")
    parser.add_argument("--numba", action="store_true", help="compile with Numba: seconds a case")
    parser.add_argument("--report", type=Path, help="write what is found into this file as well")
    options = parser.parse_args()
    make = compiled if options.numba else interpreted
    hunt = Hunt(options.gaps, options.compiles)
    if options.case:
        case = Case.read(options.case)
        rng = random.Random(0)
        where = [case.place] if case.place else places(
            rng, case.dtype, case.units, "t" in case.loss_formula
        )
        found = hunt.judged(case, where, make)
        print("\n".join(map(shown, found)) or "nothing is wrong with it")
        return bool(found)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}, {options.minutes:g} minutes", flush=True)
    end = time.monotonic() + 60 * options.minutes
    while time.monotonic() < end:
        name = f"{seed}:{hunt.tried}"
        case, where = draw(random.Random(name))
        hunt.tried += 1
        for finding in hunt.judged(case, where, make):
            if finding.kind.startswith(options.only) and hunt.add(finding, where, make, name):
                newest = list(hunt.groups.values())[-1]
                print(f"\n[{name}] {shown(newest.finding)}", flush=True)
                if options.report:
                    options.report.write_text(report(hunt), encoding="utf-8")
    print(f"\n{hunt.tried} cases, {len(hunt.groups)} findings; seed {seed}")
    return bool(hunt.groups)


def report(hunt: Hunt) -> str:
    lines = [f"{hunt.tried} cases", ""]
    for group in sorted(hunt.groups.values(), key=lambda g: (g.finding.kind, -g.times)):
        lines += [f"{group.times}× {shown(group.finding)}", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
