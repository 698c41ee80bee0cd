"""`python -m fuzz`: random cases for some minutes; what is found is made small and printed."""

import argparse
import json
import random
import sys
from pathlib import Path

from fuzz import of_arrays, of_files, of_formulas, of_specs
from fuzz.hunt import Group, Hunt, Kind
from fuzz.modules import interpreted


def kinds(options: argparse.Namespace) -> dict[str, Kind]:
    looking = of_formulas.Looking(None if options.compiles else interpreted, options.gaps)
    known = [
        of_formulas.kind(looking),
        of_formulas.compiled_kind(looking),
        of_specs.kind(),
        of_files.kind(),
        of_arrays.kind(),
    ]
    return {kind.name: kind for kind in known}


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    made.add_argument("--minutes", type=float, default=10)
    made.add_argument("--seed", type=int, help="draws the same cases again")
    made.add_argument("--kinds", default="", help="some of them, as in formula,file")
    made.add_argument("--case", help="this one alone, as a finding names it")
    made.add_argument("--only", default="", help="findings that begin so, as crash")
    made.add_argument("--compiles", action="store_true", help="formulas: only whether they do")
    made.add_argument("--gaps", action="store_true", help="formulas: no better than as written")
    made.add_argument("--report", type=Path, help="a file for what is found, as it is found")
    return made


def main() -> int:
    options = parser().parse_args()
    known = kinds(options)
    if options.case:
        return tried(known, json.loads(options.case))
    names = options.kinds.split(",") if options.kinds else list(known)
    if unknown := [name for name in names if name not in known]:
        parser().error(f"no kind {unknown[0]!r}; there are {', '.join(known)}")
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    hunt = Hunt([known[name] for name in names], seed, options.only)
    print(f"seed {seed}, {options.minutes:g} minutes", flush=True)

    def tell(text: str) -> None:
        print(text, flush=True)
        if options.report:
            options.report.write_text(hunt.report(), encoding="utf-8")

    hunt.run(options.minutes, tell)
    print(f"\n{hunt.summary()}")
    return int(bool(hunt.groups))


def tried(known: dict[str, Kind], data: dict[str, object]) -> int:
    """One case: what is wrong with it, printed."""
    kind = known[str(data.pop("kind", "formula"))]
    found = kind.judge(kind.read(data))
    print("\n".join(Group(kind, each).shown() for each in found) or "nothing is wrong with it")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
