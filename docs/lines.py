"""For each module in `generated/`, how many lines it has, and the share of mathematics in them.

Mathematics are the docstring's equations and the functions that `build` is told of: elementary
functions, and those that run the equations. Blank lines are not counted in shares.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

GENERATED = Path(__file__).resolve().parent.parent / "generated"


@dataclass(frozen=True)
class Composition:
    """How many lines a module has, how many of them are not blank, and how many mathematics."""

    lines: int
    filled: int
    mathematics: int

    @property
    def share(self) -> float:
        return self.mathematics / self.filled


def composition(text: str) -> Composition:
    """Of the text of an emitted module."""
    tree, lines = ast.parse(text), text.splitlines()
    names = _built(tree)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    bodies = [lines[node.lineno - 1 : node.end_lineno] for node in functions if node.name in names]
    assert len(bodies) == len(names), "a module builds what it does not define"
    filled = sum(map(_filled, bodies))
    return Composition(len(lines), _filled(lines), len(_equations(tree)) + filled)


def modules() -> dict[str, Path]:
    """The modules of the example specs, by name."""
    return {path.stem: path for path in sorted(GENERATED.glob("[!_]*.py"))}


def _built(tree: ast.Module) -> set[str]:
    """The functions that the call of `build` at the end of a module names."""
    last = tree.body[-1]
    assert isinstance(last, ast.Expr) and isinstance(last.value, ast.Call)
    named = {each.arg: each.value for each in last.value.keywords}
    return {*ast.literal_eval(named["inlined"]), *ast.literal_eval(named["compiled"])}


def _equations(tree: ast.Module) -> list[str]:
    says = ast.get_docstring(tree) or ""
    return [line for line in says.splitlines() if line.startswith("    ") and " = " in line]


def _filled(lines: list[str]) -> int:
    return sum(bool(line.strip()) for line in lines)


def main() -> None:
    print(f"{'module':<12}{'lines':>6}{'mathematics':>13}")
    for name, path in modules().items():
        found = composition(path.read_text(encoding="utf-8"))
        print(f"{name:<12}{found.lines:>6}{found.share:>13.0%}")


if __name__ == "__main__":
    main()
