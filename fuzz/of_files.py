"""Damaged files: whatever stands in one, it is read, or refused in the project's own words.

A file is damaged byte by byte, an NPZ archive in one of its arrays too (so that its checksum is
right), and JSON in what it says.
"""

import io
import json
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import symgrad
from fuzz.crash import at_most, last_line, signature
from fuzz.hunt import Finding, Kind
from symgrad.errors import SymgradError
from symgrad.interop.files import load, save
from symgrad.interop.onnx import read as read_onnx
from symgrad.interop.onnx import write as write_onnx
from symgrad.spec.spec import Spec
from symgrad.training import data
from symgrad.training.consistency import load_weights

SECONDS = 60

SPEC: dict[str, Any] = {
    "name": "rings",
    "dtype": "float32",
    "inputs": 2,
    "layers": [{"units": 3, "activation": "swish"}, {"units": 3, "activation": "softmax"}],
    "loss": {"kind": "cross_entropy"},
    "activations": {"swish": {"formula": "z/(1 + exp(-beta*z))", "constants": {"beta": 1.5}}},
    "training": {"epochs": 2, "batch": 8},
}
TOML = """\
name = "rings"
inputs = 2
[[layers]]
units = 3
activation = "swish"   # declared below
[[layers]]
units = 3
[loss]
formula = "log(cosh(y - t))"
l2 = 1e-4
[activations.swish]
formula = "z/(1 + exp(-beta*z))"
constants = { beta = 1.5 }
[training]
optimizer = "adam"
epochs = 20
"""


def _read_trained(path: Path) -> None:
    load_weights(path)


# What reads each of the files, given its path.
READERS: dict[str, Callable[[Path], object]] = {
    "run/weights.npz": _read_trained,
    "run/checkpoint.npz": lambda path: symgrad.Run.load(path.parent),
    "run/run.json": lambda path: symgrad.Run.load(path.parent),
    "imported/rings.npz": lambda path: load(path.with_suffix(".json")),
    "imported/rings.json": load,
    "rings.onnx": lambda path: read_onnx(path, output="y"),
    "rings.csv": lambda path: data.read(path, SPEC_READ),
    "rings.npz": lambda path: data.read(path, SPEC_READ),
    "rings.npy": lambda path: data.read(path, SPEC_READ),
    "rings.parquet": lambda path: data.read(path, SPEC_READ),
    "rings.toml": Spec.load,
}
SPEC_READ = Spec.parse(SPEC).normalised()

Edit = tuple[str, int, Any]

# What a node of JSON is replaced by; None stands for its removal.
VALUES = (
    None, "null", "true", "0", "1", "-1", "3", "1.5", "1e400", "-0.0", "NaN", "1e999999",
    str(2**70), '""', '"x"', '"running"', '"\\ud800"', "[]", "[1]", "[[]]", "{}",
    '{"a": 1}', '["a", "b", "c"]',
)  # fmt: skip
WORDS = (
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\n", b'"', b",", b"[", b"{", b"nan", b"1e999", b"-",
    b"999999999999", b"\r", b"'", b"\\", b"0x10", b"\xed\xa0\x80", b"=",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Edits of a file, or of one of the arrays in an NPZ archive, from the last to the first."""

    file: str
    edits: tuple[Edit, ...]
    member: str = ""

    def data(self) -> dict[str, Any]:
        return {"file": self.file, "member": self.member, "edits": self.edits}

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Case":
        edits = tuple((how, where, what) for how, where, what in given["edits"])
        return cls(given["file"], edits, given.get("member", ""))

    def size(self) -> tuple[float, ...]:
        return (len(self.edits), sum(len(str(edit)) for edit in self.edits))

    def __str__(self) -> str:
        inside = f", {self.member}" if self.member else ""
        return f"{self.file}{inside}: " + "; ".join(" ".join(map(str, e)) for e in self.edits)


def kind() -> Kind:
    return Kind("file", 1, draw, judge, smaller, Case.read)


@cache
def whole() -> Path:
    """A folder with all of them as they should be. A network is trained for the run."""
    folder = Path(tempfile.mkdtemp(prefix="symgrad-fuzz-"))
    dice = np.random.default_rng(1)
    x = dice.normal(size=(24, 2)).round(3)
    labels = ["in", "on", "out"]
    t = dice.integers(0, 3, 24)
    lines = [f"{a},{b},{labels[c]}" for (a, b), c in zip(x.tolist(), t, strict=True)]
    (folder / "rings.csv").write_text("\n".join(["u,v,ring", *lines, ""]), encoding="utf-8")
    np.savez(folder / "rings.npz", x=x, t=np.eye(3)[t])
    np.save(folder / "rings.npy", np.column_stack([x, np.eye(3)[t]]))
    (folder / "rings.toml").write_text(TOML, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = symgrad.train(SPEC, folder / "rings.csv", into=folder / "run")
    record = json.loads((folder / "run" / "run.json").read_text(encoding="utf-8"))
    for name, value in record.items():
        if name in ("started", "ended", "seconds", "versions"):  # the same in every hunt
            record[name] = value if isinstance(value, dict) else type(value)()
    (folder / "run" / "run.json").write_text(json.dumps(record, indent=2), encoding="utf-8")
    write_onnx(run, folder / "rings.onnx")
    save(read_onnx(folder / "rings.onnx", output="y"), folder / "imported")
    try:
        import pandas

        frame = pandas.read_csv(folder / "rings.csv")
        frame.to_parquet(folder / "rings.parquet")
    except ImportError:
        READERS.pop("rings.parquet")
    return folder


def draw(rng: Random) -> Case:
    folder = whole()
    file = rng.choice(list(READERS))
    member = ""
    if file.endswith(".npz") and rng.random() < 0.7:
        with np.load(folder / file) as archive:
            member = rng.choice(archive.files)
    content = _content(folder / file, member)
    text = _json(content, member) if member or file.endswith(".json") else None
    if text is not None and rng.random() < 0.8:
        count = len(list(_nodes(json.loads(text))))
        return Case(file, (("node", rng.randrange(count), rng.choice(VALUES)),), member)
    edits = [_edit(rng, len(content), bool(member)) for _ in range(rng.choice((1, 1, 1, 2, 4)))]
    return Case(file, tuple(edits), member)


def _edit(rng: Random, length: int, header: bool) -> Edit:
    # an array's header is its first 128 bytes, and says how long the rest is
    place = rng.randrange(min(length, 128) if header and rng.random() < 0.7 else length)
    how = rng.choice(("flip", "flip", "set", "cut", "put", "end"))
    match how:
        case "flip":
            return how, place, rng.randrange(8)
        case "set":
            return how, place, rng.choice((0, 255, 48, 57, rng.randrange(256)))
        case "cut":
            return how, place, rng.choice((1, 2, 4, 100))
        case "put":
            return how, place, rng.choice(WORDS).hex()
    return how, place, 0


def judge(case: Case) -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="symgrad-fuzz-") as name:
        folder = Path(name) / "files"
        shutil.copytree(whole(), folder)
        path = folder / case.file
        damage(path, case)
        try:
            with at_most(SECONDS), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                READERS[case.file](path)
        except SymgradError as error:
            return list(_unclear(case, str(error)))
        except Exception as error:  # that any other comes out is what is looked for
            return [Finding(f"crash: {case.file}: {signature(error)}", case, last_line(error))]
    return []


def _unclear(case: Case, message: str) -> Iterator[Finding]:
    """A refusal has one line or a few, and names its file."""
    names = {Path(case.file).name, Path(case.file).stem, "run"}
    if not any(name in message for name in names):
        yield Finding(f"refused without the file's name: {case.file}", case, message[:200])


def smaller(case: Case) -> Iterator[Case]:
    for number in range(len(case.edits)):
        if len(case.edits) > 1:
            yield replace(case, edits=case.edits[:number] + case.edits[number + 1 :])


# ---- Damage --------------------------------------------------------------------------------------


def damage(path: Path, case: Case) -> None:
    content = _content(path, case.member)
    for edit in case.edits:
        content = edited(content, edit, case.member)
    if not case.member:
        path.write_bytes(content)
        return
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            archive.writestr(f"{name}.npy", content if name == case.member else _bytes(array))


def _bytes(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _content(path: Path, member: str) -> bytes:
    if not member:
        return path.read_bytes()
    with np.load(path) as archive:
        return _bytes(archive[member])


def _json(content: bytes, member: str) -> str | None:
    """The JSON that a file or an array holds, if it is any."""
    if not member:
        return content.decode()
    return str(np.load(io.BytesIO(content))) if member in ("columns", "spec") else None


def edited(content: bytes, edit: Edit, member: str) -> bytes:
    how, place, what = edit
    match how:
        case "flip" if place < len(content):
            return content[:place] + bytes([content[place] ^ 1 << what]) + content[place + 1 :]
        case "set":
            return content[:place] + bytes([what]) + content[place + 1 :]
        case "cut":
            return content[:place] + content[place + what :]
        case "put":
            return content[:place] + bytes.fromhex(what) + content[place:]
        case "end":
            return content[:place]
        case "node":
            text = _json(content, member)
            assert text is not None
            changed = _with_node(text, place, what)
            return _bytes(np.array(changed)) if member else changed.encode()
    return content


def _nodes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all parts of a JSON value."""
    yield path
    if isinstance(value, dict | list):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _nodes(each, (*path, name))


def _with_node(text: str, number: int, new: str | None) -> str:
    value = json.loads(text)
    path = list(_nodes(value))[number]
    mark = "\N{BULLET} here"
    if not path:
        return new or ""
    holder = value
    for name in path[:-1]:
        holder = holder[name]
    if new is None:
        del holder[path[-1]]
        return json.dumps(value)
    holder[path[-1]] = mark
    return json.dumps(value).replace(json.dumps(mark), new)
