"""What optimisers make of files that exporters have written: each file changed, read, compared."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import onnxsim
import onnxslim
from onnx import version_converter

from exporters.trial import tried_file

LEVELS = onnxruntime.GraphOptimizationLevel
RUNTIME = onnxruntime.__version__
EVERY = 3  # the files are many, and differ little


def offline(level: Any) -> Callable[[Path, Path], None]:
    """onnxruntime's own optimisation, kept in a file."""

    def optimise(path: Path, into: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.optimized_model_filepath = str(into)
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    return optimise


def converted(path: Path, into: Path) -> None:
    onnx.save(version_converter.convert_version(onnx.load(path), 21), into)


# Tool, version, what it does, and how.
OPTIMISERS: list[tuple[str, str, str, Callable[[Path, Path], Any]]] = [
    ("onnxruntime", RUNTIME, "offline, basic", offline(LEVELS.ORT_ENABLE_BASIC)),
    ("onnxruntime", RUNTIME, "offline, extended", offline(LEVELS.ORT_ENABLE_EXTENDED)),
    ("onnxruntime", RUNTIME, "offline, all", offline(LEVELS.ORT_ENABLE_ALL)),
    ("onnxsim", onnxsim.__version__, "simplified",
     lambda path, into: onnx.save(onnxsim.simplify(onnx.load(path))[0], into)),
    ("onnxslim", onnxslim.__version__, "slimmed",
     lambda path, into: onnx.save(onnxslim.slim(onnx.load(path)), into)),
    ("onnx", onnx.__version__, "converted to opset 21", converted),
]  # fmt: skip


def main(folder: Path) -> None:
    onnxruntime.set_default_logger_severity(4)
    written = sorted(path for path in folder.parent.rglob("*.onnx") if path.parent != folder)
    for path in written[::EVERY]:
        try:
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            (given,) = session.get_inputs()
        except Exception:  # a row of its exporter's table says so
            continue
        kind = {"tensor(float)": np.float32, "tensor(double)": np.float64}[given.type]
        shape = (7, *(extent for extent in given.shape[1:]))
        x = (np.random.default_rng(0).normal(size=shape) * 2).astype(kind)
        for tool, version, way, optimise in OPTIMISERS:
            tried_file(
                tool,
                version,
                way,
                path.stem,
                lambda into, p=path, o=optimise: o(p, into),
                x,
                folder,
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
