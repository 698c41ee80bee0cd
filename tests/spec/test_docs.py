"""docs/spec.md says what there is, and what is not yet there is refused."""

import re
import tomllib

import pytest

from symgrad.errors import SpecError
from symgrad.spec.derivatives import SHORT
from symgrad.spec.formula import derivatives_of
from symgrad.spec.parts import Head, Layer, Loss, Term
from symgrad.spec.spec import Spec
from symgrad.spec.words import SAME_ACTIVATIONS, SAME_KEYS, SAME_LOSSES
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "spec.md").read_text(encoding="utf-8")
BUILT, NEXT = PAGE.split("\n# What comes next\n")


def blocks(text: str) -> list[str]:
    return re.findall(r"```toml\n(.*?)```", text, re.DOTALL)


def test_the_spec_of_today_is_one() -> None:
    spec = Spec.parse(tomllib.loads(blocks(BUILT)[0]))
    assert (spec.input_names, spec.output_names) == (("x", "t"), ("u",))
    assert spec.loss_tree is not None and len(derivatives_of(spec.loss_tree)) == 2
    assert spec.derivatives == ("jacobian",)


def test_other_words_are_said() -> None:
    about = BUILT.split("\n## Other words\n")[1].split("\n## ")[0]
    words = [SAME_ACTIVATIONS, SAME_LOSSES, SAME_KEYS, SHORT]
    for other, ours in (pair for same in words for pair in same.items()):
        (row,) = (line for line in about.splitlines() if f"`{other}`" in line.partition(" | ")[0])
        assert f"`{ours}`" in row.partition(" | ")[2]


def spec_with(formula: str, x: list[str] | int = 2, y: tuple[str, ...] = ("u", "v")) -> Spec:
    layer = {"names": list(y)} if y else {"units": 2}
    loss = {"formula": formula}
    return Spec.parse({"name": "net", "inputs": x, "layers": [layer], "loss": loss})


ABOUT_FORMULAS = BUILT.split("\n## Formulas\n")[1].split("\n## ")[0]
FORMULAS = re.findall(r"^\| (`.*`) \| ", ABOUT_FORMULAS, flags=re.M)


@pytest.mark.parametrize("row", FORMULAS)
def test_what_formulas_may_hold_is_read(row: str) -> None:
    for quantity in re.findall("`(.*?)`", row):
        named = not {"y", "t"} & {*re.findall(r"\w+", quantity)} and "x[" not in quantity
        inputs: list[str] | int = ["x", "p"] if named and quantity != "x" else 2
        assert spec_with(f"{quantity} + y[0]", inputs, ("u", "v") if named else ()).loss_tree


HIDDEN = [
    ("u*t + x", ["x", "t"], ("u",), ""),
    ("x[1]*u", ["x", "s"], ("u",), "x is one column"),
    ("t[0]*u", ["x", "t"], ("u",), "t is one column"),
    ("y**2", ["x", "t"], ("y",), ""),
    ("y**2", ["x", "t"], ("y", "u"), "another name"),
    ("(y - t)**2", ["x", "t"], ("u",), "write target"),
    ("(u - target)**2 + t", ["x", "t"], ("u",), ""),
    ("(y[0] - target[0])**2 + t", ["x", "t"], (), ""),
    ("y*x", 2, (), "for each output and for each input"),
]


@pytest.mark.parametrize(("formula", "inputs", "outputs", "wrong"), HIDDEN)
def test_what_is_hidden_is_refused(
    formula: str, inputs: list[str] | int, outputs: tuple[str, ...], wrong: str
) -> None:
    if not wrong:
        assert spec_with(formula, inputs, outputs).loss_tree
        return
    with pytest.raises(SpecError, match=wrong):
        spec_with(formula, inputs, outputs)


def test_the_terms_of_the_page_are_some() -> None:
    terms, heads = (block for block in blocks(BUILT) if "[[loss.terms]]" in block)
    network = {"name": "net", "inputs": ["x", "t"], "layers": [{"names": ["u"]}]}
    spec = Spec.parse(network | tomllib.loads(terms))
    assert [*spec.of_terms] == ["equation", "start"]
    spec = Spec.parse({"name": "net", "inputs": 2} | tomllib.loads(heads))
    assert [spec.head_of(term) for term in spec.loss.terms] == [*spec.heads]


@pytest.mark.parametrize("model", [Spec, Layer, Head, Loss, Term], ids=lambda model: model.__name__)
def test_every_key_is_there(model: type[Spec | Layer | Head | Loss | Term]) -> None:
    for name, field in model.model_fields.items():
        assert re.search(rf"`\[*{field.alias or name}\b", BUILT), name


@pytest.mark.parametrize("block", blocks(NEXT))
def test_what_is_not_yet_there_is_refused(block: str) -> None:
    base = {"name": "net", "inputs": 2, "layers": [{"units": 1}]}
    assert Spec.parse(base)
    with pytest.raises(SpecError):
        Spec.parse(base | tomllib.loads(block))
