"""What is imported when: a network whose module is at hand is trained, and predicts, without the
compiler and what it is made with.

Each case is a process of its own, in which `compile` gives a module in NumPy. At its end nothing of
COMPILER is imported, whichever case it is, and nothing of the BESIDE that it names.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.linear import SPEC
from tests.paths import ROOT

# What passes and templates take, and Numba, which an emitted module imports itself.
COMPILER = {
    "jinja2", "llvmlite", "mpmath", "numba", "sympy",
    "symgrad.language.functions", "symgrad.lowering", "symgrad.passes", "symgrad.pipeline",
    "symgrad.targets.numba.emit",
}  # fmt: skip

# What only some uses take. scikit-learn imports SciPy itself, and pandas where there is one.
PICTURES, TABLES = {"matplotlib"}, {"pandas", "pyarrow"}
SCIENCE, TERMINAL = {"scipy"}, {"rich", "typer"}
BESIDE = PICTURES | TABLES | SCIENCE | TERMINAL

AT_HAND = """
import types
import symgrad.compiler
from tests import linear
def compiled(spec, order="loss-first", into=None):
    return types.SimpleNamespace(spec=spec, module=linear)
symgrad.compiler.Compiled = compiled
"""

COMMAND = """
from symgrad.cli.main import app
def run(*arguments):
    assert not app(arguments, prog_name="symgrad", standalone_mode=False)
"""

READ = "from symgrad.training.data import read\nfrom tests.linear import SPEC\n"

ESTIMATOR = """
import warnings
import numpy as np
from symgrad.sklearn import MLPRegressor
x = np.random.default_rng(0).normal(size=(40, 2))
def fit(**options):
    estimator = MLPRegressor(hidden_layer_sizes=(), random_state=0, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # for so few epochs
        estimator.fit(x, x[:, 0] - x[:, 1])
    assert estimator.predict(x).shape == (40,)
"""

# fmt: off
CASES = {
    "the package": ("import symgrad", BESIDE | {"numpy", "pydantic"}),
    "the compiler": ("import symgrad.compiler", BESIDE),
    "training": ("import symgrad.training.train", BESIDE),
    "interop": ("import symgrad.interop.sklearn", BESIDE),
    "the estimators' package": ("import symgrad.sklearn", BESIDE | {"numpy", "pydantic"}),
    "estimators": ("from symgrad.sklearn import MLPClassifier, MLPRegressor", PICTURES),
    "the command's help": (COMMAND + "run('--help')", BESIDE - {"typer"} | {"numpy", "pydantic"}),
    "a spec as TOML": ("import symgrad; symgrad.Spec.load('line.toml')", BESIDE | {"numpy"}),
    "a spec as data": (
        "import symgrad; from tests.linear import SPEC; symgrad.Spec.parse(SPEC)", BESIDE
    ),
    "a wrong spec": (
        "import symgrad\n"
        "try: symgrad.Spec.parse({'layers': [{'units': 0, 'activatoin': 'relu'}]})\n"
        "except symgrad.errors.SpecError: pass", BESIDE | {"numpy"}
    ),
    "a CSV file": (READ + "assert len(read('line.csv', SPEC)) == 40", BESIDE),
    "an NPZ file": (READ + "assert len(read('line.npz', SPEC)) == 40", BESIDE),
    "training in Python": (
        AT_HAND + "run = symgrad.train('line.toml', 'line.csv', epochs=3)\n"
        "run.predict('line.csv').csv()", BESIDE
    ),
    "folds": (
        AT_HAND + "symgrad.cross_validate('line.toml', 'line.npz', 2, epochs=3).table()", BESIDE
    ),
    "training by SciPy": (
        AT_HAND + "symgrad.train('line.toml', 'line.csv', optimizer='lbfgs', epochs=3)",
        BESIDE - SCIENCE,
    ),
    "the command train": (
        AT_HAND + COMMAND + "run('train', 'line.toml', 'line.csv', '--epochs', '3', '-o', 'run')",
        BESIDE - TERMINAL,
    ),
    "the commands resume and predict": (
        AT_HAND + COMMAND + "run('train', 'line.toml', 'line.csv', '--epochs', '3', '-o', 'run')\n"
        "run('train', '--resume', 'run', '--epochs', '5')\n"
        "run('predict', 'run', 'line.csv')", BESIDE - TERMINAL
    ),
    "an estimator's stochastic fit": (
        AT_HAND + ESTIMATOR + "fit(solver='sgd', max_iter=2, early_stopping=True)", PICTURES
    ),
    "an estimator's fit by SciPy": (
        AT_HAND + ESTIMATOR + "fit(solver='lbfgs', max_iter=2)", PICTURES
    ),
}
# fmt: on


@pytest.fixture
def folder(tmp_path):
    """A folder with a spec, and its samples as tables."""
    lines = (
        f'name = "linear"\ndtype = "float64"\ninputs = {SPEC["inputs"]}\n'
        '[[layers]]\nunits = 1\nactivation = "identity"\n'
    )
    (tmp_path / "line.toml").write_text(lines, encoding="utf-8")
    x = np.random.default_rng(0).normal(size=(40, 2))
    t = x[:, :1] - x[:, 1:]
    np.savez(tmp_path / "line.npz", x=x, t=t)
    table = np.hstack([x, t])
    np.savetxt(tmp_path / "line.csv", table, delimiter=",", header="a,b,c", comments="")
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_nothing_heavy_is_imported_that_is_not_used(case, folder):
    code, unused = CASES[case]
    if "sklearn import MLP" in code:
        pytest.importorskip("sklearn")
    found = imported(code, folder)
    assert "symgrad" in found and found & (COMPILER | unused) == set()


def test_estimators_import_no_more_of_scipy_than_scikit_learn_does(folder):
    pytest.importorskip("sklearn")
    ours = imported("from symgrad.sklearn import MLPRegressor", folder)
    theirs = imported("from sklearn.neural_network import MLPRegressor", folder)
    assert "scipy" in ours and not {n for n in ours - theirs if n.partition(".")[0] == "scipy"}


@pytest.mark.parametrize("name", sorted(COMPILER))
def test_to_compile_imports_all_of_the_compiler(name, compiling):
    """What is looked for above by these names would be found."""
    assert name in compiling


@pytest.fixture(scope="module")
def compiling():
    return imported(f"import symgrad; symgrad.compile({SPEC!r}).module", ROOT)


def imported(code, folder):
    """The modules that a process has imported that has run this."""
    code = f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())
