"""Whether a row has the same bits alone as among others, on two threads, and on other processors.

`python -m benchmarks.bits_of_others [tool …]`: predictions of a 784-128-64-10 network of tanh in
float32, by each tool that is installed, as it comes; QEMU, if it is there, emulates processors.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise

import numpy as np

from symgrad.checking.bits import numbers

Predict = Callable[[np.ndarray], np.ndarray]
WIDTHS, ROWS, FEW = (784, 128, 64, 10), 1000, 140


def layers() -> list[tuple[np.ndarray, np.ndarray]]:
    found = []
    for seed, (below, units) in enumerate(pairwise(WIDTHS), start=1):
        weights = numbers(below * units, seed).reshape(below, units) / np.sqrt(below)
        found.append((weights.astype(np.float32), numbers(units, 10 + seed).astype(np.float32)))
    return found


def of_numpy() -> Predict:
    (W1, b1), (W2, b2), (W3, b3) = layers()
    return lambda x: np.tanh(np.tanh(x @ W1 + b1) @ W2 + b2) @ W3 + b3


def of_sklearn() -> Predict:
    from sklearn.neural_network import MLPRegressor

    model = MLPRegressor(hidden_layer_sizes=WIDTHS[1:-1], activation="tanh")
    model.partial_fit(*(np.zeros((8, width), np.float32) for width in (WIDTHS[0], WIDTHS[-1])))
    model.coefs_, model.intercepts_ = map(list, zip(*layers(), strict=True))
    return lambda x: np.asarray(model.predict(x))


def of_jax() -> Predict:
    from jax import jit
    from jax import numpy as jnp

    (W1, b1), (W2, b2), (W3, b3) = layers()
    network = jit(lambda x: jnp.tanh(jnp.tanh(x @ W1 + b1) @ W2 + b2) @ W3 + b3)
    return lambda x: np.asarray(network(x))


def of_onnxruntime() -> Predict:
    import onnx
    import onnxruntime

    value, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    nodes, constants, number = [], [], onnx.TensorProto.FLOAT
    for place, layer in enumerate(layers()):
        W, b, z = (f"{each}{place}" for each in "Wbz")
        constants += map(onnx.numpy_helper.from_array, layer, (W, b))
        nodes += [node("Gemm", [f"a{place}", W, b], [z]), node("Tanh", [z], [f"a{place + 1}"])]
    ends = [value("a0", number, ["n", WIDTHS[0]])], [value("z2", number, ["n", WIDTHS[-1]])]
    graph = onnx.helper.make_graph(nodes[:-1], "net", *ends, constants)
    opsets = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return lambda x: np.asarray(session.run(None, {"a0": x})[0])


def of_symgrad() -> Predict:
    import symgrad

    names = zip(WIDTHS[1:], ("tanh", "tanh", "identity"), strict=True)
    spec = {"name": "net", "dtype": "float32", "inputs": WIDTHS[0], "loss": {"kind": "squared"}}
    spec["layers"] = [{"units": units, "activation": name} for units, name in names]
    module = symgrad.compile(symgrad.Spec.parse(spec)).module
    arrays = (each for layer in layers() for each in layer)
    theta = module.pack(dict(zip(module.PARAMETERS, arrays, strict=True)))
    return lambda x: np.asarray(module.predict(theta, x))


TOOLS = {name.removeprefix("of_"): each for name, each in globals().items() if name[:3] == "of_"}


def measured(tool: str) -> dict[str, str]:
    predict = TOOLS[tool]()
    x = (2 * numbers(ROWS * WIDTHS[0], 4)).reshape(ROWS, -1).astype(np.float32)
    together = predict(x)
    title = f"{tool} {importlib.import_module(tool).__version__}"
    found = {"title": title, "hash": sha256(together.tobytes()).hexdigest()}
    for name, size in (("alone", 1), ("in sevens", 7)):
        apart = np.concatenate([predict(x[n : n + size]) for n in range(0, FEW, size)])
        found[name] = f"{(apart != together[:FEW]).sum()} of {apart.size}"
    return found


def run(tool: str, threads: int = 1, processor: str = "") -> dict[str, str]:
    limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads))
    emulator = ["qemu-x86_64", "-cpu", processor] if processor else []
    command = ["taskset", "-c", f"0-{threads - 1}", *emulator, sys.executable]
    command += ["-m", __spec__.name, "--of", tool]
    done = subprocess.run(command, env=os.environ | limits, capture_output=True, text=True)
    assert not done.returncode or processor, done.stderr
    return dict(json.loads(done.stdout or '{"hash": "none"}'))


if __name__ == "__main__" and sys.argv[1:2] == ["--of"]:
    print(json.dumps(measured(sys.argv[2])))
elif __name__ == "__main__":
    emulated = ["Haswell", "Nehalem"] if shutil.which("qemu-x86_64") else []
    print("other numbers: a row alone", "in sevens", "two threads", *emulated, sep=" | ")
    for tool in filter(importlib.util.find_spec, sys.argv[1:] or TOOLS):
        here, *others = run(tool), run(tool, 2), *(run(tool, processor=each) for each in emulated)
        words = {here["hash"]: "no", "none": "does not run"}
        says = [words.get(each["hash"], "yes") for each in others]
        print(here["title"], here["alone"], here["in sevens"], *says, sep=" | ", flush=True)
