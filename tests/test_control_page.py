"""docs/control.md is true: its code and its command run, and print what it says."""

import re
import runpy

import numpy as np
import pytest

from tests.paths import ROOT
from tests.test_derivatives_page import expected, holds

PAGE = (ROOT / "docs" / "control.md").read_text(encoding="utf-8")
SCRIPT = runpy.run_path(str(ROOT / "docs" / "control.py"))


@pytest.mark.slow
def test_it_prints_what_it_says(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(".")
    names: dict[str, object] = {}
    SCRIPT["run"](names)
    said = [e for code in re.findall(r"```python\n(.*?)```", PAGE, re.S) for e in expected(code)]
    printed = [line for line in capfd.readouterr().out.splitlines() if re.match(r"[-(\d]", line)]
    for one, other in zip(said, printed, strict=True):
        assert holds(one, other), (one, other)
    # slopes in raw units are those of the predictions, from Python as from compiled code
    run, x = names["run"], names["x"][:7]
    steps = 0.05 * np.eye(3)
    differences = [(run.predict(x + s).outputs - run.predict(x - s).outputs) / 0.1 for s in steps]
    np.testing.assert_allclose(run.jacobian(x)[:, 0], np.hstack(differences), atol=1e-3)
    np.testing.assert_allclose(names["jacobian"](x), run.jacobian(x), rtol=1e-6)
    with pytest.raises(ValueError, match="x must be of shape"):
        names["jacobian"](x[:, :2])


def test_the_script_runs_all_of_the_page():
    assert PAGE.count("```python\n") == 4 and PAGE.count("```sh\n") == 1
