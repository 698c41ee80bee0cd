"""What several test files share: emitted modules, with Numba and without, and `pytest --update`."""

import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import pytest

from symgrad.compiler import Compiled
from symgrad.pipeline import passes
from symgrad.spec.spec import Spec
from symgrad.targets.numba.load import load
from symgrad.targets.write import write


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update", action="store_true", help="rewrite generated/ where it differs from specs/"
    )


@pytest.fixture(scope="session")
def interpret() -> Callable[[str], ModuleType]:
    """Makes a module of emitted source that Python runs as it stands: right, slow, and at once."""
    from fuzz.modules import interpreted

    return interpreted


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch, interpret: Callable[[str], ModuleType]) -> None:
    """Modules that symgrad makes for itself are run by Python, for tests of what it does with them:
    to compile one takes longer than all it is then used for."""
    made = property(lambda compiled: interpret(compiled.source))
    monkeypatch.setattr(Compiled, "module", made)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Networks as small as these gain little by more, and the other tests have the processors."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[[str, str], Path]:
    """Writes a source as NAME.py. Equal ones lie in one folder, whichever process of this run
    writes them: what Numba compiled of one, the next finds beside it."""
    mine = tmp_path_factory.getbasetemp()
    folders = (mine if worker_id == "master" else mine.parent) / "modules"

    def placed(name: str, source: str) -> Path:
        return write({f"{name}.py": source}, folders / sha256(source.encode()).hexdigest())[0]

    return placed


@pytest.fixture(scope="session")
def build(place: Callable[[str, str], Path]) -> Callable[[Spec], ModuleType]:
    """Makes a module of a spec that Numba compiles."""
    return lambda spec: load(place(spec.name, passes(spec).source))


@pytest.fixture(scope="session")
def native() -> Callable[[Spec], ModuleType]:
    """The same in object code, which takes a tenth of the time and has the same bits: for tests of
    what is computed, whoever compiles it."""
    return lambda spec: Compiled(spec).module


@pytest.fixture(scope="session")
def chains(native: Callable[[Spec], ModuleType]) -> list[tuple[Spec, ModuleType]]:
    """Compiled networks that have every activation, in float32: each layer has another."""
    from tests.nets import net

    activations = [
        ["relu", "gelu", "tanh", "selu", "softsign", "silu", "leaky_relu", "softmax"],
        ["sin", "elu", "mish", "softplus", "gaussian", "sigmoid", "identity"],
    ]
    specs = [net([2] * (len(each) + 1), each, dtype="float32") for each in activations]
    return [(spec, native(spec)) for spec in specs]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser, for tests of pages, where there is one."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"there is no browser: none of {', '.join(names)}")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()
