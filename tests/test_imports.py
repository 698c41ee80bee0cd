"""What is imported: no more than a job takes; nothing of the compiler where it was done before."""

import json
import os
import subprocess
import sys

import pytest

from tests.paths import ROOT

# What takes long to import, and the compiler.
HEAVY = (
    "sympy", "jinja2", "numba", "matplotlib", "scipy.optimize", "mpmath", "filelock",
    "symgrad.pipeline", "symgrad.lowering", "symgrad.passes", "symgrad.language.program",
)  # fmt: skip

SAY = """
import json, sys
print(json.dumps([name for name in {heavy} if name in sys.modules]))
"""


def imported(program, folder, heavy=HEAVY):
    """Those that a process has imported in the end."""
    done = subprocess.run(
        [sys.executable, "-c", program + SAY.format(heavy=list(heavy))],
        env={**os.environ, "XDG_CACHE_HOME": str(folder), "PYTHONPATH": str(ROOT)}, cwd=folder,
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-800:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "name",
    ["symgrad", "symgrad.compiler", "symgrad.cli.main", "symgrad.training.train", "symgrad.interop",
     "symgrad.spec.spec", "symgrad.targets.llvm.module"],
)  # fmt: skip
def test_to_import_it_needs_nothing_heavy(name, tmp_path):
    assert imported(f"import {name}", tmp_path) == []


def test_what_emitted_modules_have_the_text_of_needs_no_numba(tmp_path):
    names = [path.stem for path in (ROOT / "symgrad" / "runtime").glob("[a-z]*.py")]
    assert len(names) > 5
    program = "\n".join(f"import symgrad.runtime.{name}" for name in names)
    assert imported(program, tmp_path) == []


CALL = f"""
import numpy as np, symgrad
module = symgrad.compile({str(ROOT / "specs" / "xor.toml")!r}).module
x, t = np.zeros((4, 2)), np.zeros((4, 1))
module.loss_and_gradient(module.init(0), x, t), module.predict(module.init(0), x)
"""
TRAIN = f"""
import sys
sys.argv = ["symgrad", "train", {str(ROOT / "specs" / "iris.toml")!r},
            {str(ROOT / "data" / "iris.csv")!r}, "-o", "run{{}}", "--epochs", "2"]
from symgrad.cli.main import app
app(standalone_mode=False)
"""
PREDICT = f"""
import sys
sys.argv = ["symgrad", "predict", "run1", {str(ROOT / "data" / "iris.csv")!r}]
from symgrad.cli.main import app
app(standalone_mode=False)
"""
FIT = """
import warnings
import numpy as np
from symgrad.sklearn import MLPClassifier
warnings.simplefilter("ignore")
x = np.random.default_rng(0).normal(size=(40, 3))
MLPClassifier((4,), max_iter=2).fit(x, x[:, 0] > 0).predict(x)
"""


def test_a_network_that_was_compiled_before_is_called_without_the_compiler(tmp_path):
    assert "sympy" in imported(CALL, tmp_path) and imported(CALL, tmp_path) == []


def test_nor_is_the_compiler_needed_to_train_it_and_to_predict(tmp_path):
    assert "sympy" in imported(TRAIN.format(1), tmp_path)
    assert imported(TRAIN.format(2), tmp_path) == ["filelock"]  # a run's folder is locked
    assert imported(PREDICT, tmp_path) == []


@pytest.mark.slow
def test_nor_by_an_estimator(tmp_path):
    pytest.importorskip("sklearn")
    ours = [name for name in HEAVY if name != "scipy.optimize"]  # scikit-learn's own
    assert "sympy" in imported(FIT, tmp_path, ours) and imported(FIT, tmp_path, ours) == []
