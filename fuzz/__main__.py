"""`python -m fuzz`: random cases for some minutes; what is found is made small and printed."""

import argparse
import json
import random
import sys
from functools import partial
from pathlib import Path

from fuzz import of_arrays, of_files, of_formulas, of_specs
from fuzz.hunt import Group, Hunt, Kind
from fuzz.modules import interpreted

print = partial(print, flush=True)  # hours may lie between two lines


def kinds(options: argparse.Namespace) -> list[Kind]:
    make = None if options.compiles else interpreted
    return [
        of_formulas.kind(of_formulas.Looking(make, options.gaps)),
        of_files.kind(),
        of_arrays.kind(),
        of_specs.kind(),
    ]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, help="draws the same cases again")
    parser.add_argument("--kinds", default="", help="some of them, as in formula,file")
    parser.add_argument("--case", help="this one alone, as a finding names it")
    parser.add_argument("--only", default="", help="findings that begin so, as crash")
    parser.add_argument("--compiles", action="store_true", help="formulas: only whether they do")
    parser.add_argument("--gaps", action="store_true", help="formulas: no better than as written")
    parser.add_argument("--report", type=Path, help="a file for what is found, as it is found")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    chosen = {kind.name: kind for kind in kinds(options)}
    if options.case:
        data = json.loads(options.case)
        kind = chosen[data.pop("kind", "formula")]
        found = kind.judge(kind.read(data))
        print("\n".join(Group(kind, each).shown() for each in found) or "nothing is wrong with it")
        return bool(found)
    names = options.kinds.split(",") if options.kinds else list(chosen)
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    hunt = Hunt([chosen[name] for name in names], seed, options.only)
    print(f"seed {seed}, {options.minutes:g} minutes")

    def tell(text: str) -> None:
        print(text)
        if options.report:
            options.report.write_text(hunt.report(), encoding="utf-8")

    hunt.run(options.minutes, tell)
    print(f"\n{hunt.summary()}")
    return bool(hunt.groups)


if __name__ == "__main__":
    sys.exit(main())
