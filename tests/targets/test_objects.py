"""Object code in files: one process makes it and the others load it; what is not whole, another
network's, or in a folder where others may write, is as if there were none."""

import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from filelock import FileLock

from symgrad.compiler import compile
from symgrad.targets import cache
from symgrad.targets.llvm.kept import Kept
from tests.nets import net

WIDTHS = [20, 33, 2]  # matrix products, which networks have in common
X, T = np.full((3, 20), 0.5, np.float32), np.full((3, 2), 0.25, np.float32)


def network(activation="tanh"):
    return net(WIDTHS, [activation, "identity"], dtype="float32")


def computed(spec):
    """What a network's functions give, in object code from the cache, or made."""
    module = compile(spec).module
    theta = module.init(0)
    E, gradient = module.loss_and_gradient(theta, X, T)
    return E, gradient.tobytes(), module.predict(theta, X).tobytes()


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A cache with two networks, what they give, and the folder of each."""
    home = tmp_path_factory.mktemp("warm")
    home.chmod(0o700)
    results, folders = {}, {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home))
        for activation in ("tanh", "sigmoid"):
            results[activation] = computed(network(activation))
            folders[activation] = compile(network(activation))._kept.folder.name
    return home, results, folders


@pytest.fixture
def home(warm, tmp_path, monkeypatch):
    """A copy of that cache."""
    shutil.copytree(warm[0], tmp_path / "home")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def made(monkeypatch):
    """The units that are compiled from now on."""
    units = []
    real = Kept._compile

    def compiled(kept, symbol):
        units.append(symbol)
        return real(kept, symbol)

    monkeypatch.setattr(Kept, "_compile", compiled)
    return units


def objects(folder):
    return sorted(folder.rglob("*.o"))


def test_what_is_kept_is_loaded(home, warm, made):
    assert computed(network()) == warm[1]["tanh"]
    assert not made and len(objects(home)) > 6


@pytest.mark.parametrize("damage", ["half", "empty", "a bit", "another", "a folder", "gone"])
def test_what_is_not_whole_is_made_anew(home, warm, made, damage):
    """Object code, and what it is made from."""
    _, results, folders = warm
    folder = home / "symgrad" / folders["tanh"]
    paths = [path for path in folder.iterdir() if path.name != ".lock"]
    before = {path: path.read_bytes() for path in paths}
    for path, other in zip(paths, [*paths[1:], paths[0]], strict=True):
        content = before[path]
        path.unlink()
        if damage == "a folder":
            path.mkdir()
        elif damage != "gone":
            bit = content[:-1] + bytes([content[-1] ^ 1])
            half = content[: len(content) // 2]
            path.write_bytes(
                {"half": half, "empty": b"", "a bit": bit, "another": before[other]}[damage]
            )
    assert computed(network()) == results["tanh"]
    assert len(made) == len(objects(folder))
    if damage != "a folder":
        made.clear()
        assert computed(network()) == results["tanh"] and not made


def test_object_code_of_another_network_is_not_taken(home, warm, made):
    """It has the same name there, and takes arrays of the same shapes."""
    _, results, folders = warm
    one, other = (home / "symgrad" / folders[each] for each in ("tanh", "sigmoid"))
    for path in objects(one):
        shutil.copy(path, other / path.name)
    assert computed(network("sigmoid")) == results["sigmoid"]
    assert len(made) == len(objects(other))


@pytest.mark.parametrize("place", [".", "symgrad", "symgrad/network"])
def test_a_folder_that_others_may_write_to_is_not_used(
    home, warm, made, tmp_path, monkeypatch, place
):
    _, results, folders = warm
    (home / place.replace("network", folders["tanh"])).chmod(0o777)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    cache._temporary.cache_clear()
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    assert computed(network()) == results["tanh"]
    cache._temporary.cache_clear()
    assert made and {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before
    assert objects(tmp_path / "temporary")


# ---- Several processes ---------------------------------------------------------------------------

# The spec comes as the first argument; says what was compiled, and a loss.
CALL = """
import json, sys
import numpy as np
from symgrad.compiler import compile
from symgrad.targets.llvm.kept import Kept

made, real = [], Kept._compile
def compiled(kept, symbol):
    made.append(symbol)
    return real(kept, symbol)
Kept._compile = compiled

module = compile(json.loads(sys.argv[1])).module
X, T = np.full((3, 20), 0.5, np.float32), np.full((3, 2), 0.25, np.float32)
print("begun", flush=True)
E, gradient = module.loss_and_gradient(module.init(0), X, T)
print(json.dumps([made, E]))
"""


def process(program, *arguments):
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )


def said(running):
    out, error = running.communicate(timeout=60)
    assert running.returncode == 0, error[-500:]
    return out.splitlines()


def test_of_several_processes_one_compiles_and_the_others_wait(home, warm):
    for path in objects(home):
        path.unlink()
    given = json.dumps(network().normalised())
    results = [json.loads(said(each)[-1]) for each in [process(CALL, given) for _ in range(3)]]
    made = [symbol for units, _ in results for symbol in units]
    assert len(made) == len(set(made)) == len(objects(home)) > 3
    assert {E for _, E in results} == {warm[1]["tanh"][0]}


def test_of_several_processes_one_runs_the_passes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    program = f"{CALL}\nprint('sympy' in sys.modules)"
    given = json.dumps(network().normalised())
    ran = [said(each)[-1] for each in [process(program, given) for _ in range(3)]]
    assert sorted(ran) == ["False", "False", "True"]


def test_a_process_waits_for_the_one_that_compiles(home, warm):
    """And then takes what that has made."""
    folder = home / "symgrad" / warm[2]["tanh"]
    aside = {path: path.read_bytes() for path in objects(folder)}
    for path in aside:
        path.unlink()
    with FileLock(folder / ".lock"):
        waiting = process(CALL, json.dumps(network().normalised()))
        assert waiting.stdout.readline() == "begun\n"
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
        for path, content in aside.items():
            path.write_bytes(content)
    assert json.loads(said(waiting)[-1]) == [[], warm[1]["tanh"][0]]


KILLED = f"""
from symgrad.targets.llvm import kept
def compiled(self, symbol):
    print("compiles", flush=True)
    __import__("time").sleep(60)
kept.Kept._compile = compiled
{CALL.replace("Kept._compile = compiled", "")}
"""


def test_a_process_that_is_killed_while_it_compiles_leaves_no_lock(home, warm, made):
    for path in objects(home):
        path.unlink()
    killed = process(KILLED, json.dumps(network().normalised()))
    assert [killed.stdout.readline() for _ in "ab"] == ["begun\n", "compiles\n"]
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert computed(network()) == warm[1]["tanh"] and made
    assert not [*home.rglob("*.part")]


# ---- Interruptions -------------------------------------------------------------------------------

# The second argument says which unit is not made, counted from 1.
INTERRUPTED = """
import sys
from symgrad.targets.llvm.objects import Objects

left, make = int(sys.argv[2]), Objects._made
def interrupted(objects, symbol):
    global left
    left -= 1
    if left == 0:
        raise KeyboardInterrupt
    return make(objects, symbol)
Objects._made = interrupted
""" + CALL.replace(
    'print("begun", flush=True)',
    """
try:
    module.loss_and_gradient(module.init(0), X, T)
except KeyboardInterrupt:
    print("interrupted")
""",
)


@pytest.mark.parametrize("unit", [1, 2, 4])
def test_a_first_call_that_is_interrupted_can_be_made_again(home, warm, unit):
    """LLVM ends the process when code is used whose callees are missing."""
    for path in objects(home):
        path.unlink()
    done = said(process(INTERRUPTED, json.dumps(network().normalised()), str(unit)))
    assert done[0] == "interrupted"
    assert json.loads(done[-1])[1] == warm[1]["tanh"][0]
