"""worker: a process of its own for one peer, which prepares rows and times them when asked.

Reads requests from standard input, one JSON object a line, and answers each with one:

    {"action": "prepare", "row": …, "dtype": …, "how": "prepare" | "inside", "folder": …}
        → {"variants": [{"name": …, "file": …, "seconds": …}], "seconds": …}
        where the file holds loss and gradient, and seconds are those of a call, and of preparing;
        or {"impractical": reason} or {"error": message}
    {"action": "time", "variant": k, "seconds": …} → {"median": …, "least": …, "samples": …}
    {"action": "release"} → {}

It sleeps in between: a worker that waits takes nothing from the one that measures.
"""

import gc
import importlib
import json
import os
import sys
import traceback
from time import perf_counter

import numpy as np

from benchmarks.nets import parse
from benchmarks.peers import BY_KEY, NotPractical, Variant
from benchmarks.tasks import TASKS
from benchmarks.timing import time

UNABLE = {
    "inside": "cannot be called from a compiled loop",
    "train": "is not asked to train",
    "derive": "is not asked for derivatives by inputs",
    "control": "is not asked to plan",
}


class Worker:
    def __init__(self, key: str) -> None:
        self.peer = BY_KEY[key]
        self.module = importlib.import_module(f"benchmarks.peers.{self.peer.module}")
        self.variants: list[Variant] = []

    def prepare(self, row: str, dtype: str, how: str, folder: str) -> dict:
        self.release()
        if not hasattr(self.module, how):
            return {"impractical": UNABLE[how]}
        found = parse(row)
        start = perf_counter()
        try:
            given = TASKS[how].numbers(found, dtype)
            self.variants = list(getattr(self.module, how)(found.net, *given))
        except NotPractical as reason:
            return {"impractical": str(reason)}
        answer: dict = {"seconds": perf_counter() - start, "variants": []}
        for number, variant in enumerate(self.variants):
            variant.begin()
            if variant.value is None:
                answer["variants"].append({"name": variant.name, "file": None, "seconds": 0.0})
                continue
            start = perf_counter()
            E, gradient = variant.value()
            seconds = perf_counter() - start
            file = os.path.join(folder, f"{self.peer.key}-{number}.npy")
            np.save(file, np.concatenate([[E], np.asarray(gradient, np.float64)]))
            answer["variants"].append({"name": variant.name, "file": file, "seconds": seconds})
        return answer

    def time(self, variant: int, seconds: float) -> dict:
        self.variants[variant].begin()
        return time(self.variants[variant].call, seconds)

    def release(self) -> dict:
        self.variants = []
        gc.collect()
        return {}

    def answer(self, request: dict) -> dict:
        action = request.pop("action")
        try:
            return getattr(self, action)(**request)
        except Exception as error:  # whatever goes wrong in a peer is told, and stops only it
            traceback.print_exc()
            return {"error": f"{type(error).__name__}: {error}".strip().splitlines()[0][:300]}


def main() -> None:
    # What frameworks print goes to standard error; answers have the first output to themselves.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        worker = Worker(sys.argv[1])
    except ImportError as error:
        answers.write(json.dumps({"missing": str(error)}) + "\n")
        return
    answers.write(json.dumps({"versions": worker.peer.versions}) + "\n")
    for line in sys.stdin:
        answers.write(json.dumps(worker.answer(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
