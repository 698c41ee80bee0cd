"""crew: the workers of all peers, seen from the process that asks them, and their turns.

Peers are measured in turns, A B C A B C …, so that what else happens on the machine meets all of
them alike. A turn begins when all workers sleep: thread pools spin for a while after their work.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic, sleep

import numpy as np

from benchmarks.nets import Row
from benchmarks.peers import BY_KEY
from benchmarks.tasks import TASKS

BUILD_SECONDS = 90  # a peer whose code takes longer to make is not practical for a row
CALL_SECONDS = 2  # a call that takes longer is not measured further
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_DEPRECATION_WARNINGS": "0",
    "CUDA_VISIBLE_DEVICES": "",
}


class Failed(Exception):
    """A worker did not answer; the reason is the message."""


@dataclass
class Worker:
    """The process of one peer, started when it is first asked and again after it was stopped."""

    key: str
    scratch: Path
    process: subprocess.Popen | None = None
    versions: dict[str, str] = field(default_factory=dict)
    missing: str | None = None
    answers: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)

    def start(self) -> None:
        peer = BY_KEY[self.key]
        caches = {
            "TMPDIR": str(self.scratch),  # whatever a peer writes goes with the crew
            "NUMBA_CACHE_DIR": str(self.scratch / "numba"),
            "PYTENSOR_FLAGS": f"base_compiledir={self.scratch / 'pytensor'}",
        }
        log = (self.scratch / f"{self.key}.log").open("a")
        self.answers = queue.SimpleQueue()
        self.process = subprocess.Popen(
            [interpreter(self.key), "-m", "benchmarks.worker", self.key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            bufsize=1,
            start_new_session=True,  # so that it can be stopped with the compilers it has started
            env={**os.environ, **ENVIRONMENT, **caches, **dict(peer.environment)},
        )
        log.close()
        threading.Thread(
            target=_forward, args=(self.process.stdout, self.answers), daemon=True
        ).start()
        said = self.receive(BUILD_SECONDS)
        self.versions, self.missing = said.get("versions", {}), said.get("missing")

    def receive(self, seconds: float) -> dict:
        try:
            line = self.answers.get(timeout=seconds)
        except queue.Empty:
            self.stop()
            raise Failed(f"takes more than {seconds:.0f} s") from None
        if line is None:
            self.stop()
            raise Failed(f"ended; see {self.scratch / self.key}.log")
        return json.loads(line)

    def ask(self, action: str, patience: float = BUILD_SECONDS, **rest: object) -> dict:
        """Raises `Failed` where no answer comes."""
        if self.process is None:
            self.start()
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(json.dumps({"action": action, **rest}) + "\n")
        return self.receive(patience)

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    @property
    def ticks(self) -> int:
        """Processor time used so far, in the kernel's ticks; 0 where there is no /proc."""
        try:
            text = Path(f"/proc/{self.process.pid}/stat").read_text() if self.process else ""
        except OSError:
            return 0
        times = text.rpartition(")")[2].split()[11:13]
        return sum(map(int, times))


def interpreter(key: str) -> str:
    """This process's Python; or, of a peer in an environment of its own, what PYTHON_JAX names."""
    return os.environ.get(f"PYTHON_{key.upper().replace('-', '_')}", sys.executable)


def _forward(lines: Iterable[str], answers: queue.SimpleQueue) -> None:
    for line in lines:
        answers.put(line)
    answers.put(None)


@dataclass
class Timing:
    """What was found for one peer on one row; seconds, or the reason why there are none."""

    median: float | None = None  # the median of the rounds' medians
    spread: tuple[float, float] | None = None  # the rounds' least and largest median
    variant: str = ""
    tried: dict[str, float] = field(default_factory=dict)  # all variants, briefly
    disagreement: float | None = None
    preparing: float | None = None  # seconds, building included
    reason: str = ""


def busy() -> float:
    """Seconds of processor time of everything on the machine; 0 where there is no /proc."""
    try:
        times = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return 0.0
    user, nice, system, _idle, _wait, interrupts, soft, stolen = map(int, times)
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")


class Disagreement(Exception):
    """Peers do not compute the same: nothing is measured."""


class Crew:
    """`with Crew(keys) as crew: crew.measure(row, dtype, …)`"""

    def __init__(self, keys: Iterable[str], say: Callable[[str], None] = print) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="symgrad-benchmarks-")
        self.workers = {key: Worker(key, Path(self.folder.name)) for key in keys}
        self.say = say
        self.others = 0.0  # cores that other programs kept busy while the last row was measured

    def __enter__(self) -> "Crew":
        for worker in self.workers.values():
            try:
                worker.start()
            except Failed as failure:
                worker.missing = str(failure)
            if worker.missing:
                self.say(f"  {BY_KEY[worker.key].title} is missing: {worker.missing}")
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers.values():
            worker.stop()
        self.folder.cleanup()

    @property
    def present(self) -> list[Worker]:
        return [worker for worker in self.workers.values() if not worker.missing]

    @property
    def versions(self) -> dict[str, str]:
        return {k: v for worker in self.present for k, v in worker.versions.items()}

    @property
    def missing(self) -> dict[str, str]:
        return {worker.key: worker.missing for worker in self.workers.values() if worker.missing}

    def _own(self) -> float:
        """Seconds of processor time of the workers and of this process."""
        spent = os.times()
        ticks = sum(worker.ticks for worker in self.present)
        return spent.user + spent.system + ticks / os.sysconf("SC_CLK_TCK")

    def rest(self) -> None:
        """Returns when no worker runs any more; spinning threads fall asleep meanwhile."""
        until = monotonic() + 2
        before = sum(worker.ticks for worker in self.present)
        while monotonic() < until:
            sleep(0.03)
            now = sum(worker.ticks for worker in self.present)
            if now == before:
                return
            before = now

    def measure(
        self,
        row: Row,
        dtype: str,
        rounds: int,
        seconds: float,
        how: str = "prepare",
        keys: Iterable[str] | None = None,
    ) -> dict[str, Timing]:
        """Prepares all peers, checks them, and times them in turns.

        Without rounds they are only checked. Raises `Disagreement` where a loss or gradient is
        not the reference's.
        """
        asked = [w for w in self.present if keys is None or w.key in keys]
        found = {worker.key: Timing() for worker in asked}
        prepared = self._prepare(row, dtype, how, asked, found)
        turns = []
        if rounds:
            turns = [
                (worker, self._fastest(worker, prepared[worker.key], found))
                for worker in asked
                if worker.key in prepared
            ]
        medians: dict[str, list[float]] = {}
        start, before = monotonic(), busy() - self._own()
        for _ in range(rounds):
            for worker, variant in turns:
                answer = self._time(worker, variant, seconds, found)
                if answer:
                    medians.setdefault(worker.key, []).append(answer["median"])
        elapsed = monotonic() - start
        self.others = max(0.0, busy() - self._own() - before) / elapsed if turns else 0.0
        for key, times in medians.items():
            if not found[key].reason:
                found[key].median, found[key].spread = median(times), (min(times), max(times))
        for worker in asked:
            if worker.process:
                worker.ask("release")
        return found

    def _prepare(self, row, dtype, how, asked, found) -> dict[str, list[str]]:
        """Names of variants by peer, all of them right."""
        task = TASKS[how]
        wanted = task.wanted(row.net, *task.numbers(row, dtype))
        allowed = task.allowed(row.net, dtype)

        def ask(worker: Worker) -> dict:
            try:
                folder = self.folder.name
                return worker.ask("prepare", row=row.name, dtype=dtype, how=how, folder=folder)
            except Failed as failure:
                return {"impractical": str(failure)}

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            answers = dict(zip(found, pool.map(ask, asked), strict=True))
        prepared = {}
        for key, answer in answers.items():
            if "variants" not in answer:
                found[key].reason = answer.get("impractical") or f"failed: {answer.get('error')}"
                continue
            worst, slow = 0.0, min(variant["seconds"] for variant in answer["variants"])
            if slow > CALL_SECONDS:
                found[key].reason = f"one call takes {slow:.1f} s"
                continue
            for variant in answer["variants"]:
                if variant["file"] is None:
                    continue
                E, *gradient = np.load(variant["file"])
                off = task.off(row.net, (E, np.array(gradient)), wanted)
                if off > allowed:
                    raise Disagreement(
                        f"{row.name}, {dtype}: {BY_KEY[key].title} ({variant['name']}) is off by"
                        f" {off:.1e}, more than {allowed:.0e}"
                    )
                worst = max(worst, off)
            found[key].disagreement, found[key].preparing = worst, answer["seconds"]
            prepared[key] = [variant["name"] for variant in answer["variants"]]
        return prepared

    def _fastest(self, worker: Worker, names: list[str], found: dict[str, Timing]) -> int:
        """The variant to measure: the fastest of two short tries each."""
        best = [np.inf] * len(names)
        for _ in range(2 if len(names) > 1 else 0):
            for number in range(len(names)):
                answer = self._time(worker, number, 0.05, found)
                best[number] = min(best[number], answer["median"] if answer else np.inf)
        chosen = int(np.argmin(best))
        if len(names) > 1:
            found[worker.key].tried = {n: t for n, t in zip(names, best, strict=True) if t < np.inf}
        found[worker.key].variant = names[chosen]
        return chosen

    def _time(self, worker, variant, seconds, found) -> dict | None:
        if found[worker.key].reason:
            return None
        self.rest()
        try:
            answer = worker.ask("time", variant=variant, seconds=seconds)
        except Failed as failure:
            answer = {"error": str(failure)}
        if "error" in answer:
            found[worker.key].reason = f"failed: {answer['error']}"
            return None
        return answer
