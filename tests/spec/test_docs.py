"""docs/spec.md says what there is, and what is not yet there is refused."""

import re
import tomllib

import pytest

from symgrad.errors import SpecError
from symgrad.spec.parts import Layer, Loss
from symgrad.spec.spec import Spec
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "spec.md").read_text(encoding="utf-8")
BUILT, NEXT = PAGE.split("\n# What comes next\n")


def blocks(text: str) -> list[str]:
    return re.findall(r"```toml\n(.*?)```", text, re.DOTALL)


def test_the_spec_of_today_is_one() -> None:
    spec = Spec.parse(tomllib.loads(blocks(BUILT)[0]))
    assert (spec.input_names, spec.output_names) == (("x", "t"), ("u",))


@pytest.mark.parametrize("model", [Spec, Layer, Loss], ids=lambda model: model.__name__)
def test_every_key_is_there(model: type[Spec | Layer | Loss]) -> None:
    for name, field in model.model_fields.items():
        assert re.search(rf"`\[*{field.alias or name}\b", BUILT), name


@pytest.mark.parametrize("block", blocks(NEXT))
def test_what_is_not_yet_there_is_refused(block: str) -> None:
    base = {"name": "net", "inputs": 2, "layers": [{"units": 1}]}
    assert Spec.parse(base)
    with pytest.raises(SpecError):
        Spec.parse(base | tomllib.loads(block))
