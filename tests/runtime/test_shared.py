"""The files that emitted modules have the text of: they stand alone, and are there whole."""

import ast
from pathlib import Path

import pytest

import symgrad.runtime
from symgrad.targets.numba import emit

FILES = sorted(Path(symgrad.runtime.__file__).parent.glob("[a-z]*.py"))


def imports(text):
    """What a text imports, and of which files of the room it imports it."""
    found, own = set(), set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("symgrad."):
            own.add(str(node.module).removeprefix("symgrad.runtime."))
            assert not any(alias.asname for alias in node.names)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            of = getattr(node, "module", None)
            found |= {(of, alias.name, alias.asname) for alias in node.names}
    return found, own


def test_all_of_them_are_in_emitted_modules():
    assert {path.stem for path in FILES} == {*emit.SHARED}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_emitted_modules_have_their_text_and_what_they_import(path):
    text, (found, own) = emit.runtime(), imports(path.read_text("utf-8"))
    below = emit.text_of(path.stem)
    assert below and text.count(below) == 1
    assert path.read_text("utf-8").endswith(f"\n{below}\n")
    assert found - {(None, "numba", None), ("numba", "types", None)} <= imports(text)[0]
    for name in own:  # what they need of others stands above
        assert emit.SHARED.index(name) < emit.SHARED.index(path.stem)


def test_emitted_modules_import_nothing_of_symgrad():
    assert imports(emit.runtime())[1] == set()


@pytest.mark.parametrize("below", [False, True])
def test_no_name_is_given_twice(below):
    names = [
        node.name
        for node in ast.parse(emit.runtime(below)).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name != "_"
    ]
    assert len(names) == len({*names})
