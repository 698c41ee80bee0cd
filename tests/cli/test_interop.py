"""`symgrad export` and `symgrad import`: files in and out, and one message for what is wrong."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import symgrad
from symgrad.cli.main import app
from symgrad.interop import Network, errors, files, pmml
from symgrad.interop.onnx import read, write
from symgrad.targets.numba.emit import parameters
from tests import nets
from tests.interop.test_network import network
from tests.training.test_freeze import trained

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SPEC = nets.net([3, 4, 2], ["tanh", "softmax"], dtype="float32", kind="cross_entropy")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A weights file as a run has it."""
    made = trained(SPEC, labels=("no", "yes"))
    layout = parameters(symgrad.compile(SPEC).program)
    np.savez(tmp_path / "weights.npz", **made.arrays(layout))  # type: ignore[arg-type]
    return tmp_path / "weights.npz"


def command(*arguments: Any) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def test_a_run_is_exported(weights, tmp_path, monkeypatch):
    path = tmp_path / "my.onnx"
    code, said = command("export", weights, "-o", path)
    assert code == 0 and f"wrote {path}" in said and "shape (samples, 3)" in said
    session = onnxruntime.InferenceSession(path)
    y, label = session.run(None, {"x": np.ones((2, 3))})
    assert y.shape == (2, 2) and set(label) <= {"no", "yes"}
    monkeypatch.chdir(tmp_path)
    assert command("export", weights)[0] == 0
    assert (tmp_path / f"{SPEC.name}.onnx").read_bytes() == path.read_bytes()


def test_the_folder_of_a_run_will_do(weights, tmp_path):
    assert command("export", tmp_path, "-o", tmp_path / "a.onnx")[0] == 0


def test_only_own_files_are_overwritten(weights, tmp_path):
    path = tmp_path / "my.onnx"
    path.write_text("mine")
    code, said = command("export", weights, "-o", path)
    assert code == 2 and "is no file that symgrad wrote; it was left as it is" in said
    assert path.read_text() == "mine"
    write(network([2, 1], ["tanh"]), path)
    assert command("export", weights, "-o", path)[0] == 0


@pytest.mark.parametrize("name", ["plant.c", "plant", "plant.py", "plant.onnx.gz"])
def test_what_ends_otherwise_is_no_onnx_file(weights, tmp_path, name):
    code, said = command("export", weights, "-o", tmp_path / name)
    assert code == 2 and f"{name}: what is written is an ONNX file, which ends in .onnx" in said
    assert not (tmp_path / name).exists()


def test_what_is_no_run_is_refused(weights, tmp_path):
    code, said = command("export", tmp_path / "nothing", "-o", tmp_path / "a.onnx")
    assert code == 2 and said.startswith("error: ")
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"no archive")
    code, said = command("export", bad, "-o", tmp_path / "a.onnx")
    assert code == 2 and "no weights file of symgrad's" in said
    code, said = command("export", weights, "-o", tmp_path / "missing" / "a.onnx")
    assert code == 2 and "cannot be written" in said
    assert not (tmp_path / "a.onnx").exists()


def test_a_network_is_imported(tmp_path):
    net = network([3, 4, 2], ["mine", "softmax"], "float32", own={"mine": "z*erf(z)"})
    file = write(net, tmp_path / "theirs.onnx")
    code, said = command("import", file, "-o", tmp_path / "out")
    assert code == 0 and "a 3-4-2 network of 26 weights" in said
    again = files.load(tmp_path / "out" / "net.json")
    assert again.spec == net.spec and again.theta.tobytes() == net.theta.tobytes()
    assert symgrad.compile(tmp_path / "out" / "net.json").spec == net.spec


def test_names_and_losses_may_be_given(tmp_path):
    file = write(network([3, 2], ["tanh"]), tmp_path / "theirs.onnx")
    code, _ = command("import", file, "-o", tmp_path, "--name", "mine", "--loss", "huber")
    assert code == 0
    spec = json.loads((tmp_path / "mine.json").read_text())
    assert spec["name"] == "mine" and spec["loss"] == {"kind": "huber"}


def test_files_are_replaced_only_by_force(tmp_path):
    file = write(network([3, 2], ["tanh"]), tmp_path / "theirs.onnx")
    assert command("import", file, "-o", tmp_path)[0] == 0
    before = (tmp_path / "net.npz").read_bytes()
    code, said = command("import", file, "-o", tmp_path, "--name", "net")
    assert code == 2 and "net.json is there already; it was left as it is" in said
    assert (tmp_path / "net.npz").read_bytes() == before
    assert command("import", file, "-o", tmp_path, "--force")[0] == 0


def test_the_output_of_a_graph_may_be_named(weights, tmp_path):
    file = tmp_path / "run.onnx"
    assert command("export", weights, "-o", file)[0] == 0
    code, said = command("import", file, "-o", tmp_path)  # of a label no network is made
    assert code == 0 and "the classes of its outputs: no, yes" in said
    assert files.load(tmp_path / "run.json").labels == ("no", "yes")
    named = ("--graph-output", "y", "--name", "named")
    assert command("import", file, "-o", tmp_path, *named)[0] == 0
    assert read(file, output="y").spec.layers[-1].activation == "softmax"


def test_weights_alone_are_for_a_spec(tmp_path):
    net = network([3, 4, 2], ["tanh", "softmax"], "float32")
    (tmp_path / "net.json").write_text(json.dumps(net.spec.normalised()))
    file = tmp_path / "theirs.safetensors"
    file.write_bytes(safetensors(net))
    code, said = command("import", file, "-o", tmp_path / "out")
    assert code == 2 and "holds weights alone" in said and "--spec NET.toml" in said
    code, _ = command("import", file, "--spec", tmp_path / "net.json", "-o", tmp_path / "out")
    assert code == 0
    assert files.load(tmp_path / "out" / "net.json").theta.tobytes() == net.theta.tobytes()
    code, said = command("import", tmp_path / "net.onnx", "--spec", tmp_path / "net.json")
    assert code == 2 and "a spec is for files of weights alone" in said


def safetensors(net: Network) -> bytes:
    """A file of the weights, by PyTorch's names."""
    arrays = {f"{2 * k}.weight": weight.T for k, (weight, _) in enumerate(net.layers)}
    arrays |= {f"{2 * k}.bias": bias for k, (_, bias) in enumerate(net.layers)}
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in arrays.items():
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": offsets}
        data += np.ascontiguousarray(array).tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize("kept", [0, 4, 30, 300])
def test_damaged_files_of_weights_are_refused(tmp_path, kept):
    net = network([3, 4, 2], ["tanh", "softmax"], "float32")
    (tmp_path / "net.json").write_text(json.dumps(net.spec.normalised()))
    file = tmp_path / "cut.safetensors"
    file.write_bytes(safetensors(net)[:kept])
    code, said = command("import", file, "--spec", tmp_path / "net.json", "-o", tmp_path)
    assert code == 2 and said == f"error: {file}: no safetensors file, or damaged"


def keras_file(path: Path, part: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Sequential", "layers": [part]}))
    return path


@pytest.mark.parametrize(
    "part",
    [
        {"module": "builtins", "class_name": "function", "config": "eval"},
        {"module": "keras.layers", "class_name": "Lambda", "config": {}},
        {"module": "keras.layers", "class_name": "Dense", "registered_name": "mine>Dense"},
    ],
)
def test_files_of_keras_that_hold_code_are_refused(tmp_path, part):
    """Before Keras is so much as imported."""
    file = keras_file(tmp_path / "theirs.keras", part)
    code, said = command("import", file, "-o", tmp_path)
    assert code == 2 and "which may do anything; read are Keras's own layers" in said
    file.write_bytes(b"no archive")
    code, said = command("import", file, "-o", tmp_path)
    assert code == 2 and "no file that Keras has saved, or damaged" in said
    code, said = command("import", tmp_path / "theirs.h5", "-o", tmp_path)
    assert code == 2 and "is in Keras's old form; save the model as .keras" in said


def test_what_is_no_network_is_refused_in_one_line(tmp_path):
    text = tmp_path / "text.onnx"
    text.write_text("no network")
    other = tmp_path / "weights.data"
    other.write_text("no network")
    files = {
        text: "no ONNX file, or damaged",
        tmp_path / "none": "No such file",
        other: "nor of another tool that is read: .onnx, .keras",
    }
    for file, message in files.items():
        code, said = command("import", file, "-o", tmp_path / "out")
        assert code == 2 and said.startswith(f"error: {file}") and message in said
    assert not (tmp_path / "out").exists()


def test_without_onnx_the_message_says_what_to_install(tmp_path, monkeypatch):
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name="onnx")

    monkeypatch.setattr(errors, "import_module", missing)
    code, said = command("import", tmp_path / "a.onnx")
    expected = "error: reading ONNX files needs the package onnx: pip install 'symgrad[onnx]'"
    assert code == 2 and said == expected


# ---- Other tools ---------------------------------------------------------------------------------


def test_files_of_other_tools_are_imported(tmp_path):
    far = Path(__file__).parent.parent / "interop" / "far"
    code, said = command("import", far / "opencv.yml", "-o", tmp_path)
    assert code == 0 and "a 3-4-2 network of 26 weights" in said
    assert files.load(tmp_path / "opencv.json").spec.scaling_of_outputs.scale is not None
    options = ("--no-scaling", "--no-clip", "--name", "plain")
    assert command("import", far / "own.nnet", "-o", tmp_path, *options)[0] == 0
    assert not files.load(tmp_path / "plain.json").spec.scaling_of_inputs
    code, said = command("import", far / "opencv.yml", "-o", tmp_path, "--no-clip")
    assert code == 2 and "clip is for files of nnet and fann, not of opencv" in said


def test_a_run_is_exported_as_pmml(weights, tmp_path):
    path = tmp_path / "run.pmml"
    code, said = command("export", weights, "-o", path)
    assert code == 0 and said == f"wrote {path}"
    assert pmml.read(path).labels == ("no", "yes")
    assert command("export", weights, "-o", path)[0] == 0
    path.write_text("mine")
    code, said = command("export", weights, "-o", path)
    assert code == 2 and "is no file that symgrad wrote; it was left as it is" in said
    code, said = command("export", weights, "-o", tmp_path / "run.nnet")
    assert code == 2 and "layer 1 has the activation tanh; in a .nnet file hidden layers" in said
