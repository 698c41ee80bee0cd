"""One network: read, and compared with what the tool, or onnxruntime, makes of the same inputs."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exporters.textbook import value
from symgrad.interop import InteropError, Network, onnx

TOLERANCE = {"float32": 1e-6, "float64": 1e-12}


@dataclass(frozen=True)
class Outcome:
    """What came of it: `read`, with the difference relative to the largest output, or why not."""

    tool: str
    version: str
    way: str  # how it went in: a file of an exporter, or the object itself
    network: str
    result: str  # read, wrong, refused, or the tool's own failure
    why: str = ""


def report(outcome: Outcome) -> None:
    """A line for the table to be made of."""
    print(json.dumps(asdict(outcome)), flush=True)


def tried(
    tool: str,
    version: str,
    way: str,
    name: str,
    read: Callable[[], Network],
    x: np.ndarray,
    y: Callable[[], Any],
) -> None:
    """Reads a network and compares its values at x with y."""

    def outcome(result: str, why: str = "") -> None:
        report(Outcome(tool, version, way, name, result, why))

    try:
        expected = np.asarray(y(), np.float64)
    except Exception as error:  # whatever another's software does is a row of the table
        return outcome("not run", _line(error))
    try:
        network = read()
    except InteropError as error:
        return outcome("refused", str(error))
    found = value(network, np.asarray(x).reshape(len(x), -1))
    expected = expected.reshape(len(x), -1)
    if found.shape[1] == 1 and expected.shape[1] == 2:
        expected = expected[:, 1:]  # of two classes the second one's probability
    if found.shape != expected.shape:
        return outcome("wrong", f"the shape {found.shape}, not {expected.shape}")
    difference = np.max(np.abs(found - expected)) / max(float(np.max(np.abs(expected))), 1e-30)
    right = difference <= TOLERANCE[network.spec.dtype]
    return outcome("read" if right else "wrong", f"{difference:.1e}")


def tried_file(
    tool: str,
    version: str,
    way: str,
    name: str,
    write: Callable[[Path], Any],
    x: np.ndarray,
    folder: Path,
) -> None:
    """Writes an ONNX file, reads it, and compares with onnxruntime."""
    called = re.sub(r"[^A-Za-z0-9.]+", "_", f"{way} {name}")
    path = folder / f"{called}.onnx"
    try:
        write(path)
    except Exception as error:
        return report(Outcome(tool, version, way, name, "not written", _line(error)))
    return tried(tool, version, way, name, lambda: onnx.read(path), x, lambda: ran(path, x))


def ran(path: Path, x: np.ndarray) -> np.ndarray:
    """What onnxruntime makes of a file: its numbers, of a ZipMap's maps too."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    kind = {"tensor(float)": np.float32, "tensor(double)": np.float64}[given.type]
    outputs = session.run(None, {given.name: x.astype(kind)})
    for output in outputs:
        if isinstance(output, list):
            return np.array([[*row.values()] for row in output])
        if output.dtype.kind == "f":
            return output
    raise ValueError("no output of numbers")


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"
