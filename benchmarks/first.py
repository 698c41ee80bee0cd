"""first: a process that makes one first gradient, and says how long its parts took.

python -m benchmarks.first PEER ROW DTYPE     {"import": seconds, "first": seconds}
python -m benchmarks.first source ROW DTYPE FILE    the same, for spec → source, written to FILE
python -m benchmarks.first FILE ROW DTYPE     the same, for a module that was emitted to a file

"import" is what the peer needs before it knows the network: its package, or Numba.
"""

import importlib
import json
import sys
from pathlib import Path
from time import perf_counter

from benchmarks.nets import numbers, parse


def source(row, dtype: str, file: str) -> tuple[float, float, float]:
    start = perf_counter()
    import symgrad

    symgrad.compile  # noqa: B018 - the compiler is imported when it is first asked for
    imported = perf_counter()
    text = symgrad.compile({**row.net.spec, "dtype": dtype}).source
    done = perf_counter()
    Path(file).write_text(text)
    return start, imported, done


def emitted(row, dtype: str, file: str) -> tuple[float, float, float]:
    given = numbers(row, dtype)
    start = perf_counter()
    import numba  # noqa: F401

    imported = perf_counter()
    sys.path.insert(0, str(Path(file).parent))
    module = importlib.import_module(Path(file).stem)
    module.loss_and_gradient(*given)
    return start, imported, perf_counter()


def peer(row, dtype: str, key: str) -> tuple[float, float, float]:
    from benchmarks.peers import BY_KEY

    given = numbers(row, dtype)
    start = perf_counter()
    module = importlib.import_module(f"benchmarks.peers.{BY_KEY[key].module}")
    imported = perf_counter()
    next(iter(module.prepare(row.net, *given))).value()
    return start, imported, perf_counter()


def main(what: str, name: str, dtype: str, *rest: str) -> None:
    row = parse(name)
    if what == "source":
        start, imported, done = source(row, dtype, *rest)
    elif what.endswith(".py"):
        start, imported, done = emitted(row, dtype, what)
    else:
        start, imported, done = peer(row, dtype, what)
    print("\n" + json.dumps({"import": imported - start, "first": done - imported}))


if __name__ == "__main__":
    main(*sys.argv[1:])
