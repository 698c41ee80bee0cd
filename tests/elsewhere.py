"""Not a test: a process in which Linux lacks what Windows lacks, as far as one can take it away.

It imports every module of symgrad, then trains, resumes, predicts, freezes and fits, in folders
with blanks and letters beyond ASCII. `tests/test_systems.py` runs it:

    python -X warn_default_encoding -m tests.elsewhere FOLDER
"""

import builtins
import importlib
import multiprocessing
import os
import pkgutil
import signal
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
OF_OS = (
    "O_DIRECTORY", "O_NOFOLLOW", "chown", "fchmod", "fchown", "fork", "forkpty", "getegid",
    "geteuid", "getgid", "getgroups", "getpgid", "getuid", "killpg", "lchown", "mkfifo", "nice",
    "pread", "pwrite", "register_at_fork", "sched_getaffinity", "setsid", "statvfs", "sysconf",
    "uname", "wait4",
)  # fmt: skip
OF_SIGNAL = ("SIGALRM", "SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "alarm", "setitimer")
OTHERS = (
    "cma", "llvmlite.binding", "numba", "numpy", "pandas", "pyarrow", "rich", "scipy.optimize",
    "sklearn", "sympy", "threadpoolctl", "typer",
)  # fmt: skip


def hide() -> None:
    """From here on the process has nothing of that; other packages were told by `sys.platform` what
    system this is, and may keep what they took."""
    for name in OTHERS:
        try:
            importlib.import_module(name)
        except ImportError:
            assert name in ("pandas", "pyarrow", "sklearn"), name
    for name in MODULES:
        sys.modules[name] = None
    for owner, names in ((os, OF_OS), (signal, OF_SIGNAL)):
        for name in names:
            if hasattr(owner, name):
                delattr(owner, name)
    os.open, os.replace = _open(os.open), _replace(os.replace)
    builtins.open = _without_proc(builtins.open)
    # Whoever opens text without an encoding gets another one there.
    warnings.filterwarnings("error", category=EncodingWarning, module=r"symgrad\.")


def _open(opened):
    def open(path, *arguments, **named):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *arguments, **named)

    return open


def _replace(replaced):
    def replace(source, target):
        held = {os.path.realpath(each.path) for each in os.scandir("/proc/self/fd")}
        if held & {os.path.realpath(source), os.path.realpath(target)}:
            raise PermissionError(13, "Permission denied", source, None, target)
        return replaced(source, target)

    return replace


def _without_proc(opened):
    def open(file, mode="r", buffering=-1, encoding=None, *more, **named):
        if str(file).startswith("/proc/"):
            raise FileNotFoundError(2, "No such file or directory", file)
        if "b" not in mode and encoding is None:
            warnings.warn("no encoding", EncodingWarning, stacklevel=2)
        return opened(file, mode, buffering, encoding, *more, **named)

    return open


def import_all() -> int:
    """Every module but those that need a package that is not here, which must be one of theirs."""
    import symgrad

    names = [each.name for each in pkgutil.walk_packages(symgrad.__path__, "symgrad.")]
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            assert error.name in ("keras", "matplotlib", "onnx", "torch"), (name, error)
    return len(names)


def table(folder: Path) -> Path:
    import numpy as np

    x = np.random.default_rng(1).normal(size=(90, 2)).round(4)
    rows = [f"{a},{b},{'größer' if a > b else 'kleiner'}" for a, b in x.tolist()]
    path = folder / "Größen α.csv"
    path.write_text("\n".join(["länge,b,art", *rows, ""]), encoding="utf-8")
    return path


SPEC = """
name = "two"
inputs = 2

[[layers]]
units = 4
activation = "tanh"

[[layers]]
units = 1
activation = "sigmoid"

[loss]
kind = "binary_cross_entropy"
"""


def in_use(run: str) -> str:
    """What another process is told that wants to train in a folder."""
    from symgrad.training.folder import Folder, InUse

    try:
        Folder.open(Path(run)).close()
    except InUse as error:
        return str(error)
    return "free"


def fit(seed: int):
    """An estimator, fitted: in another process, and given back by pickle."""
    import numpy as np

    from symgrad.sklearn import MLPClassifier

    warnings.filterwarnings("ignore", category=UserWarning)  # ConvergenceWarning
    x = np.random.default_rng(0).normal(size=(60, 3))
    return MLPClassifier((4,), max_iter=3, random_state=seed).fit(x, x[:, 0] > 0)


def main(folder: Path) -> None:
    import numpy as np

    import symgrad
    from symgrad.cli.main import app
    from symgrad.targets.numba.load import load
    from symgrad.training.folder import Folder
    from symgrad.training.run import Run

    print("modules", import_all())
    points = np.random.default_rng(2).normal(size=(5, 2))
    spec, data = folder / "zwei größen.toml", table(folder)
    spec.write_text(SPEC, encoding="utf-8")
    place = folder / "Läufe und mehr" / "α"
    whole = symgrad.train(spec, data, place.with_name("β"), epochs=6)
    symgrad.train(spec, data, place, epochs=3)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        with Folder.open(place):
            assert "another process is training there" in pool.submit(in_use, str(place)).result()
        assert pool.submit(in_use, str(place)).result() == "free"
        run = symgrad.resume(place, epochs=6)
        assert isinstance(run, Run) and isinstance(whole, Run)
        assert np.array_equal(run.trained.theta, whole.trained.theta)
        said = run.predict(data).csv()
        assert "größer" in said and said == Run.load(place).predict(data).csv()
        answers = folder / "Antworten ö.csv"
        for arguments in (["freeze", str(place), "-o", str(folder / "fertig ö")],
                          ["predict", str(place), str(data), "-o", str(answers)]):  # fmt: skip
            app(arguments, standalone_mode=False)
        assert answers.read_text(encoding="utf-8") == said
        frozen = load(folder / "fertig ö" / "two_frozen.py")
        exact = frozen.probabilities(points).astype("float32")
        assert np.array_equal(exact, run.predict(points).probabilities)
        x = np.random.default_rng(3).normal(size=(5, 3))
        for seed, there in enumerate(pool.map(fit, (0, 1))):
            here = fit(seed)
            assert np.array_equal(there.predict_proba(x), here.predict_proba(x))
    left = [path.name for path in folder.rglob("*") if path.name.endswith(".part")]
    assert not left, left
    print("done")


if __name__ in ("__main__", "__mp_main__"):  # spawned processes have no more than this one
    hide()
if __name__ == "__main__":
    main(Path(sys.argv[1]))
