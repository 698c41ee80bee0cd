"""docs/ensembles.md is true: its code runs, and its table has what there is."""

import re

import pytest

from symgrad.ensembles import Ensemble
from symgrad.targets.public import MEMBERS
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "ensembles.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("one_thread")
def test_its_code_runs(capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.S | re.M)
    exec("\n".join(blocks), {})
    said = re.findall(r"^print\(.*\)  # (.*)$", PAGE, flags=re.M)
    assert len(blocks) == 3 and capsys.readouterr().out.splitlines() == said


def test_its_tables_have_all_there_is():
    own = {name for name in vars(Ensemble) if not name.startswith("_")}
    rows = re.findall(r"^\| `(\w+)\(", PAGE, flags=re.M)
    assert own - {"module"} == {*rows} - {*MEMBERS} and {*MEMBERS} <= {*rows}
