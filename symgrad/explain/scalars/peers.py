"""Other tools, each run in a child process: SymPy cannot be interrupted, and any may run out.

A child is given networks one after the other. It is ended by force as soon as one of them takes
too long, or the reader has had enough; whatever happens, none is left behind.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from queue import Empty, Queue
from tempfile import TemporaryFile
from threading import Thread
from typing import IO, Any

from symgrad.errors import SymgradError
from symgrad.explain.clock import Clock
from symgrad.spec.spec import Spec

# The tools that can be named, and how they write their own names.
PEERS = {"wrenfold": "wrenfold", "casadi": "CasADi", "symengine": "SymEngine"}
TITLES = {"sympy": "SymPy", **PEERS}

MEMORY = 4 << 30  # bytes of address space that a child may take; not on Windows
POLL = 0.05  # seconds: how soon the reader's wish to stop is noticed
STAGES = ("build", "diff", "cse")

Message = Mapping[str, Any]


def installed(name: str) -> bool:
    return find_spec(name) is not None


def check_peers(names: Sequence[str]) -> None:
    """Raises SymgradError for a name that is not known, and for a tool that is not installed."""
    if unknown := [name for name in names if name not in PEERS]:
        raise SymgradError(f"no tool {unknown[0]!r} to compare with; there are {', '.join(PEERS)}")
    if absent := [name for name in dict.fromkeys(names) if not installed(name)]:
        verb = "is" if len(absent) == 1 else "are"
        raise SymgradError(
            f"{' and '.join(absent)} {verb} not installed; pip install {' '.join(absent)}"
        )


@dataclass
class Outcome:
    """What a tool has made of one network.

    `seconds` by stage (build, diff, cse), as far as they were finished. `sizes` in operations for
    one sample: `textbook` (loss and every derivative as trees), `plain` (before the elimination of
    common subexpressions, where the tool shares by itself), `shared` (after it). `ended` is why it
    is not finished, for a table: "not within 6 s", "out of memory"; empty if it is.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    ended: str = ""

    @property
    def stage(self) -> str:
        """The stage that it was in, if it is not finished and had finished another."""
        return next((stage for stage in STAGES if self.seconds and stage not in self.seconds), "")

    def take(self, message: Message) -> None:
        if "stage" in message:
            self.seconds[message["stage"]] = message["seconds"]
        self.sizes |= {
            key: value for key, value in message.items() if key in ("textbook", "plain", "shared")
        }
        self.ended = message.get("failed", "")


NOT_TRIED = "not tried"


def run(
    tool: str, specs: Sequence[Spec], limit: float, clock: Clock, memory: int = MEMORY
) -> list[Outcome]:
    """One outcome for each spec; those after the first that is not finished are not tried.

    `limit` is in seconds for each, counting included, and the time to start not. `memory` is in
    bytes.
    """
    if clock.over:
        return [Outcome(ended=clock.why) for _ in specs]
    outcomes: list[Outcome] = []
    request = {
        "tool": tool,
        "specs": [spec.normalised() for spec in specs],
        "memory": memory,
        "seconds": 60 + limit * len(specs),
    }
    with _child(request) as child:
        outcomes.append(_outcome(child, clock.left, clock, "ready"))
        for done, spec in enumerate(specs):
            if outcomes[-1].ended:
                break
            clock.progress(f"{TITLES[tool]}: {'-'.join(map(str, spec.widths))}", done / len(specs))
            outcomes.append(_outcome(child, limit, clock, "done"))
    started, *found = outcomes
    if started.ended:
        found = [started]
    return found + [Outcome(ended=NOT_TRIED) for _ in specs[len(found) :]]


def _outcome(child: "_Child", limit: float, clock: Clock, until: str) -> Outcome:
    """What the child says until it says `until`."""
    outcome = Outcome()
    deadline = time.monotonic() + limit
    while True:
        if clock.over:
            outcome.ended = clock.why
        elif time.monotonic() > deadline:
            outcome.ended = f"not within {limit:.3g} s"
        if outcome.ended:
            return outcome
        try:
            message = child.messages.get(timeout=POLL)
        except Empty:
            continue
        if message is None:
            outcome.ended = clock.why if clock.over else child.why()
            return outcome
        outcome.take(message)
        if until in message:
            return outcome


@dataclass
class _Child:
    process: "subprocess.Popen[bytes]"
    errors: IO[bytes]
    messages: "Queue[Message | None]"  # None after the last

    def why(self) -> str:
        """Why it has ended by itself."""
        code = self.process.wait()
        self.errors.seek(0)
        said = self.errors.read()
        if b"MemoryError" in said or b"bad_alloc" in said:
            return "out of memory"
        return f"ended by signal {-code}" if code < 0 else f"failed with exit code {code}"


@contextmanager
def _child(request: Message) -> Iterator[_Child]:
    with TemporaryFile() as given, TemporaryFile() as errors:
        given.write(json.dumps(request).encode())
        given.seek(0)
        process = subprocess.Popen(
            # -P: nothing is imported from the folder that happens to be the present one
            [sys.executable, "-P", "-m", "symgrad.explain.scalars.run"],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(),
        )
        assert process.stdout is not None
        messages: Queue[Message | None] = Queue()
        reader = Thread(target=_read, args=(process.stdout, messages), daemon=True)
        reader.start()
        try:
            yield _Child(process, errors, messages)
        finally:
            process.kill()
            process.wait()
            reader.join()
            process.stdout.close()


def _environment() -> dict[str, str]:
    """The child imports what this process would, and figures are the same from run to run."""
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    # BLAS, which is not used, would reserve address space for each of its threads
    fixed = {"PYTHONPATH": path, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
    return {**os.environ, **fixed}


def _read(lines: IO[bytes], messages: "Queue[Message | None]") -> None:
    for line in lines:
        if line.endswith(b"\n"):  # the last may be cut off in the middle
            messages.put(json.loads(line))
    messages.put(None)
