"""Writes architecture.md: the way of one weight from the spec to its gradient, room by room.

    python docs/architecture.py

The words are those of architecture.in.md; all that is printed comes from the compiler, for
specs/xor.toml. A test compares the page.
"""

from collections.abc import Iterable
from pathlib import Path

from symgrad.compiler import Compiled
from symgrad.inspect import view
from symgrad.language.program import Program
from symgrad.language.unicode import equation, listing
from symgrad.lowering import listing as lowered_listing
from symgrad.lowering.module import LoweredModule, lower_module
from symgrad.spec.spec import Spec
from symgrad.targets.numba.emit import parameters

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
SPEC = ROOT / "specs" / "xor.toml"
DRIVERS = ("_gradient_at_once", "_sum_of_leaves")


def page() -> str:
    """The page's text."""
    compiled = Compiled(Spec.load(SPEC))
    stages, spec = compiled.stages, compiled.spec
    lowered = lower_module(spec, stages.schedule, parameters(stages.gradient), None)
    text = compiled.files[f"{spec.name}.py"]
    template = (ROOT / "docs" / "architecture.in.md").read_text(encoding="utf-8")
    return template.format(
        spec=fenced(SPEC.read_text(encoding="utf-8").strip(), "toml"),
        expand=fenced(listing(stages.expand)),
        edges=fenced(view(compiled, "differentiate").strip()),
        factor=fenced("\n".join(written(stages.factor, ("d_y", "d_a1", "d_z1", "d_W1")))),
        share=fenced("\n".join(written(stages.gradient, ("y_minus_t", "d_y", "d_z1", "d_W1")))),
        schedule=fenced(scheduled(compiled)),
        kernel=fenced(of(lowered, "_gradient_of_leaf")),
        driver=fenced("\n\n".join(of(lowered, name) for name in DRIVERS)),
        emitted=fenced(around(text, "d_W1[i0,i1] = Σ_n"), "python"),
        whole=fenced(around(text, "E = E_sum / N", before=2, after=1), "python"),
    )


def fenced(text: str, language: str = "") -> str:
    return f"```{language}\n{text}\n```"


def written(program: Program, names: Iterable[str]) -> list[str]:
    """The equations of some definitions, of those that the program has."""
    return [equation(program.by_name[name]) for name in names if name in program.by_name]


def scheduled(compiled: Compiled) -> str:
    """The schedule of the gradient."""
    shown = view(compiled, "schedule")
    return shown[shown.index("gradient:") :].strip()


def of(lowered: LoweredModule, name: str) -> str:
    """A function of the lowered program."""
    functions = [function for function in lowered.functions if function.name == name]
    return lowered_listing.listing(functions).strip()


def around(text: str, phrase: str, before: int = 0, after: int = 3) -> str:
    """The lines of an emitted module about the last that has this phrase."""
    lines = text.splitlines()
    place = max(n for n, line in enumerate(lines) if phrase in line)
    return "\n".join(lines[place - before : place + after + 1])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
