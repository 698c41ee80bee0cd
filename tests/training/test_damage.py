"""Files of a run that are damaged, edited, or another run's: refused in words, with their name."""

import copy
import io
import json
import random
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

import symgrad
from symgrad.errors import DataError, SpecError, SymgradError
from symgrad.npz import read_npy, read_npz
from symgrad.spec.spec import Spec
from symgrad.training import checkpoint
from symgrad.training.experiment import Options, new_experiment, run_id
from symgrad.training.run import Run, load_trained
from tests.paths import ROOT
from tests.trainings import PLANE, execute, plane, plane_csv, same, text, weights

SEED, FLIPS = 13, 400


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run of three epochs."""
    folder = tmp_path_factory.mktemp("run")
    symgrad.train(PLANE, plane_csv(folder), folder / "run", epochs=3)
    return folder / "run"


@pytest.fixture
def mine(run, tmp_path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(run, tmp_path / "run"))


def content(archive: Path) -> list[tuple[str, str, bytes]]:
    return [(n, str(a.dtype), a.tobytes()) for n, a in sorted(read_npz(archive).items())]


def flips(whole: bytes, count: int) -> Iterator[bytes]:
    """The bytes with one bit flipped, or more, or the end cut off; the same for a seed."""
    chance = random.Random(SEED)
    for _ in range(count):
        damaged = bytearray(whole)
        for _ in range(chance.choice([1, 1, 1, 2, 8])):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.1:
            del damaged[chance.randrange(len(damaged)) :]
        yield bytes(damaged)


@pytest.mark.parametrize("name", ["weights.npz", "checkpoint.npz"])
@pytest.mark.filterwarnings("ignore:Reading `.npy`")
def test_a_flipped_bit_is_noticed_or_changes_nothing(mine, name):
    path = mine / name
    read = load_trained if name == "weights.npz" else lambda _: checkpoint.load(path)
    whole, right, refused = path.read_bytes(), content(path), 0
    for damaged in flips(whole, FLIPS):
        path.write_bytes(damaged)
        try:
            read(mine)
        except DataError as error:
            refused += 1
            assert str(path) in str(error) and "\n" not in str(error)
        else:
            # In what an archive says of a file's age, say.
            assert content(path) == right
    assert refused > FLIPS / 2


def test_a_damaged_record_is_refused_or_read(mine):
    path = mine / "run.json"
    whole, refused = path.read_bytes(), 0
    for damaged in flips(whole, FLIPS):
        path.write_bytes(damaged)
        for read in (Run.load, symgrad.resume):
            try:
                read(mine)
            except SymgradError as error:
                refused += 1
                assert "\n" not in str(error)
    assert refused > FLIPS / 4


def places(data: Any, place: tuple = ()) -> Iterator[tuple]:
    """The keys to everything within JSON data."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        yield (*place, key)
        if isinstance(value, dict | list) and value:
            yield from places(value, (*place, key))


WRONG: list[Any] = [
    None, True, -1, 0, 1.5, 10**30, float("nan"), "", "x", "\ud800", [], [[1], [1, 2]], {}, {"a": 1}
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("status", ["finished", "interrupted"])
def test_a_record_with_anything_wrong_in_it_ends_in_no_traceback(mine, status):
    path, data = mine / "run.json", plane_csv(mine.parent)
    record = json.loads(path.read_bytes()) | {"status": status}
    refused, chance = 0, random.Random(SEED)
    for place in places(record):
        for wrong in [..., *(WRONG if len(place) == 1 else chance.sample(WRONG, 4))]:
            changed = copy.deepcopy(record)
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            if wrong is ...:
                del inner[place[-1]]
            else:
                inner[place[-1]] = wrong
            if status == "interrupted" and place[:2] == ("spec", "layers"):
                continue  # another network, which would be compiled
            path.write_text(json.dumps(changed))
            for read in (Run.load, symgrad.resume, load_trained):
                if read is symgrad.resume and status == "interrupted" and place[0] != "data":
                    continue
                try:
                    read(mine)
                except SymgradError as error:
                    refused += 1
                    assert str(error).isprintable(), place
                path.write_text(json.dumps(changed))
    assert refused > 200
    assert data.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": "3"}, "epochs: Input should be a valid integer"),
        ({"figures": {"training": {}}}, "figures.training.samples: Field required"),
        ({"figures": None}, "figures: Input should be a valid dictionary"),
        ({"fold": 3}, "there is no fold 3"),
        ({"status": "done"}, "status: Input should be 'running', 'interrupted', "),
        ({"started": None}, "started: Input should be a valid string"),
        ({"spec": {}}, "spec.training: Field required"),
        ({"id": 7}, "id: Input should be a valid string"),
    ],
)
def test_what_is_wrong_in_a_record_is_said(mine, change, message):
    record = json.loads((mine / "run.json").read_bytes()) | change
    text(mine / "run.json", json.dumps(record))
    for read in (Run.load, symgrad.resume, load_trained):
        with pytest.raises(SymgradError) as caught:
            read(mine)
        assert str(caught.value).startswith(f"{mine / 'run.json'}: the run's record cannot be read")
        assert message in str(caught.value)


# ------------------------------------------------------------------------------- made to do harm


def header(shape: str, descr: str = "'<f8'", rest: bytes = b"") -> bytes:
    said = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode("latin1")
    said += b" " * (-(len(said) + 11) % 64) + b"\n"
    return npy.magic(1, 0) + struct.pack("<H", len(said)) + said + rest


HARMFUL = {
    "10^12 rows": header("(1000000000000,)", rest=bytes(8)),
    "10^30 rows": header(f"({10**30},)"),
    "10^12 rows of nothing": header("(1000000000000,)", "'<U0'"),
    "10^30 rows of no columns": header(f"({10**30}, 0)"),
    "fewer numbers than there are": header("(2,)", rest=bytes(24)),
    "rows below 0": header("(-1,)", rest=bytes(8)),
    "Python objects": header("(1,)", "'|O'", b"\x80\x04N."),
    "a shape that is none": header("(3", rest=bytes(24)),
    "a shape of text": header("('3',)", rest=bytes(24)),
    "no such dtype": header("(3,)", "'<q9'", bytes(27)),
    "a dtype of fields without end": header("(3,)", "[" * 90 + "]" * 90, bytes(24)),
    "a string without end": header("(3,)", "'<f8", bytes(24)),
    "a version that is none": npy.MAGIC_PREFIX + b"\x09\x00" + bytes(90),
    "a header longer than its file": npy.magic(2, 0) + struct.pack("<I", 2**31) + bytes(50),
    "no array": b"hello",
    "nothing": b"",
}


@pytest.mark.parametrize("name", HARMFUL)
@pytest.mark.filterwarnings("ignore:Reading `.npy`")
def test_a_header_is_not_believed(name, mine):
    for file, array in (("weights.npz", "mean"), ("checkpoint.npz", "history")):
        with zipfile.ZipFile(mine / file) as archive:
            members = {each: archive.read(each) for each in archive.namelist()}
        with zipfile.ZipFile(mine / file, "w", zipfile.ZIP_DEFLATED) as archive:
            for each, inside in (members | {f"{array}.npy": HARMFUL[name]}).items():
                archive.writestr(each, inside)
        with pytest.raises(DataError) as caught:
            Run.load(mine) if file == "checkpoint.npz" else load_trained(mine)
        assert str(mine / file) in str(caught.value)
        with zipfile.ZipFile(mine / file, "w") as archive:
            for each, inside in members.items():
                archive.writestr(each, inside)
    Run.load(mine)
    # The same as data.
    (mine / "x.npy").write_bytes(HARMFUL[name])
    with pytest.raises(DataError, match=r"x\.npy"):
        symgrad.train(PLANE, mine / "x.npy")


def test_data_with_flipped_bits_is_refused_or_what_it_was(tmp_path):
    x, t = plane(9)
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x=x, t=t)
    whole, right = path.read_bytes(), content(path)
    for damaged in flips(whole, 600):
        path.write_bytes(damaged)
        try:
            assert content(path) == right
        except DataError as error:
            assert str(path) in str(error)
    for dtype in ("<f8", "<U3"):
        file = io.BytesIO()
        np.save(file, np.zeros((4, 3), dtype))
        for damaged in flips(file.getvalue(), 600):
            (tmp_path / "data.npy").write_bytes(damaged)
            try:
                symgrad.training.data.read(tmp_path / "data.npy", Spec.parse(PLANE).normalised())
            except DataError as error:
                assert "data.npy" in str(error)


def test_a_compressed_member_cannot_be_larger_than_its_file_can_hold(tmp_path):
    path = tmp_path / "weights.npz"
    np.savez_compressed(path, theta=np.zeros(100_000))
    assert read_npz(path)["theta"].shape == (100_000,)  # nearly as small as it can be
    whole = bytearray(path.read_bytes())
    place = whole.rindex(b"PK\x01\x02")
    whole[place + 24 : place + 28] = struct.pack("<I", 0xF0000000)
    path.write_bytes(whole)
    with pytest.raises(DataError, match=r"said to be larger than its file"):
        read_npz(path)


def test_arrays_of_every_kind_are_read(tmp_path):
    arrays: dict[str, Any] = {
        "none": np.empty((0, 3)), "zero": np.array(1.5), "text": np.array(["a", "", "bcd"]),
        "empty": np.array(""), "fields": np.zeros(2, [("a", "<f4"), ("b", "<U2")]),
        "long": np.zeros(2, [("a" * 70_000, "<f4")]), "columns": np.asfortranarray(np.eye(3)),
        "umlaut": np.zeros(2, [("ŵ", "<i2")]), "big": np.arange(3, dtype=">u2"),
    }  # fmt: skip
    path = tmp_path / "arrays.npz"
    with pytest.warns(UserWarning, match="format 2|format 3"):
        np.savez(path, **arrays)
    with pytest.raises(DataError, match="'long' is damaged"):  # NumPy itself has a limit here
        read_npz(path)
    del arrays["long"]
    with pytest.warns(UserWarning, match="format 3"):
        np.savez(path, **arrays)
    again = read_npz(path)
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype and again[name].tobytes() == array.tobytes(), name
    np.save(tmp_path / "one.npy", np.eye(3))
    assert np.array_equal(read_npy(tmp_path / "one.npy"), np.eye(3))


EDITS: dict[str, tuple[Callable[[dict], Any], str]] = {
    "no theta": (lambda a: a.pop("theta"), "there is no 'theta'"),
    "no columns": (lambda a: a.pop("columns"), "there is no 'columns'"),
    "columns that are none": (lambda a: a.update(columns="5"), "its columns: Input should be"),
    "an input that is a number": (
        lambda a: a.update(columns='{"inputs": [1, 2], "targets": ["t"], "weight": null}'),
        "its columns.inputs.0: Input should be a valid string",
    ),
    "a label that is a list": (
        lambda a: a.update(columns='{"inputs": ["a"], "targets": ["t"], "labels": [[1], 2]}'),
        "its columns.labels.0",
    ),
    "no JSON": (lambda a: a.update(spec="{"), "no weights file of symgrad's, or damaged"),
    "nested without end": (
        lambda a: a.update(spec="[" * 100_000), "no weights file of symgrad's, or damaged"
    ),
    "a spec that is a list": (lambda a: a.update(spec="[]"), "its spec is no table"),
    "a spec that is none": (lambda a: a.update(spec='{"name": "a"}'), "'inputs' is missing"),
    "another shape": (lambda a: a.update(theta=np.zeros(3)), "theta must be float64 of shape"),
    "no characters": (
        lambda a: a.update(spec=np.array([2**31], np.uint32).view("<U1")[0:1].reshape(())),
        "'spec' is damaged (it holds characters that there aren't)",
    ),
    "text for numbers": (lambda a: a.update(mean=np.array(["a", "b"])), "mean must be float64"),
}


@pytest.mark.parametrize("name", EDITS)
def test_weights_put_together_wrongly_are_refused_with_their_name(name, mine):
    edit, message = EDITS[name]
    arrays = weights(mine)
    edit(arrays)
    np.savez(mine / "weights.npz", **arrays)
    with pytest.raises(DataError) as caught:
        load_trained(mine)
    assert str(caught.value).startswith(f"{mine / 'weights.npz'}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"history": np.zeros((3, 2))}, r"'history' is of shape \(3, 2\)"),
        ({"history": np.zeros(3)}, "'history' is float64 of shape"),
        ({"history": np.array([["a", "b", "c"]])}, "'history' is <U1"),
        ({"best_epoch": np.array("many")}, "'best_epoch' is <U4"),
        ({"best_loss": np.zeros(2)}, "'best_loss' is float64 of shape"),
        ({"progress": np.zeros(2)}, "'progress' is float64"),
        ({"run": np.zeros(2)}, "'run' is no text"),
    ],
)
def test_checkpoints_put_together_wrongly_are_refused_with_their_name(mine, edit, message):
    path = mine / "checkpoint.npz"
    with np.load(path) as file:
        np.savez(path, **{**file, **edit})
    with pytest.raises(DataError, match=rf"checkpoint\.npz is damaged \({message}.* begins anew"):
        Run.load(mine)


def test_the_command_says_it_in_a_line(mine):
    (mine / "weights.npz").write_bytes((mine / "weights.npz").read_bytes()[:-9])
    for command in (["predict", mine, "data.csv"], ["freeze", mine], ["export", mine]):
        done = execute(*command, cwd=mine.parent)
        assert done.code == 2 and "weights.npz: " in done.err and "Traceback" not in done.err


def test_specs_with_flipped_bits_are_refused_or_read(tmp_path):
    whole = (ROOT / "specs" / "digits.toml").read_bytes()
    for suffix, content in ((".toml", whole), (".json", json.dumps(PLANE).encode())):
        path = tmp_path / f"net{suffix}"
        for damaged in flips(content, 500):
            path.write_bytes(damaged)
            try:
                Spec.load(path)
            except SpecError as error:
                assert "net" in str(error)


# ------------------------------------------------------------------------------------ another run's


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    """A run of the same net on the same data, from another seed."""
    folder = tmp_path_factory.mktemp("other")
    symgrad.train(PLANE, plane_csv(folder), folder / "run", epochs=3, seed=1)
    return folder / "run"


def id_of(run: Path) -> str:
    return json.loads((run / "run.json").read_bytes())["id"]


def without_id(run: Path) -> None:
    """As versions before there were ids left it."""
    record = json.loads((run / "run.json").read_bytes())
    del record["id"]
    text(run / "run.json", json.dumps(record))
    for name in ("weights.npz", "checkpoint.npz"):
        with np.load(run / name) as file:
            arrays = {each: file[each] for each in file.files if each != "run"}
        np.savez(run / name, **arrays)


def test_all_files_of_a_run_have_its_id_and_the_same_run_has_the_same(mine, other, tmp_path):
    number = id_of(mine)
    assert str(weights(mine)["run"]) == checkpoint.load(mine / "checkpoint.npz").run == number
    assert Run.load(mine).trained.run == number != id_of(other)
    symgrad.train(PLANE, plane_csv(tmp_path), tmp_path / "again", epochs=3)
    assert id_of(tmp_path / "again") == number
    assert same(weights(mine), weights(tmp_path / "again"))


def test_weights_of_another_run_are_refused(mine, other):
    shutil.copy(other / "weights.npz", mine / "weights.npz")
    wanted = f"{mine / 'weights.npz'} is of run {id_of(other)}, and this is run {id_of(mine)}: "
    for read in (Run.load, symgrad.resume, load_trained):
        with pytest.raises(DataError) as caught:
            read(mine)
        assert str(caught.value).startswith(wanted) and "name the file itself" in str(caught.value)
    assert load_trained(mine / "weights.npz").run == id_of(other)
    done = execute("predict", mine, mine.parent / "x.csv", cwd=mine.parent)
    assert done.code == 2 and wanted in done.err
    (mine / "run.json").unlink()  # nothing then says whose folder it is
    assert load_trained(mine).run == id_of(other)


def test_a_checkpoint_of_another_run_is_refused(mine, other, tmp_path):
    shutil.copy(other / "checkpoint.npz", mine / "checkpoint.npz")
    wanted = f"checkpoint.npz is of run {id_of(other)}, and this is run {id_of(mine)}: "
    data = plane_csv(tmp_path)
    with pytest.raises(DataError, match=f"{wanted}without this file the run begins anew"):
        symgrad.resume(mine, data, epochs=6)
    with pytest.raises(DataError, match=wanted):
        Run.load(mine)
    (mine / "checkpoint.npz").unlink()
    assert symgrad.resume(mine, data, epochs=6).trained.run == id_of(mine)


def test_a_checkpoint_from_beyond_the_end_is_refused(mine, tmp_path):
    longer, data = tmp_path / "longer", plane_csv(tmp_path)
    symgrad.train(PLANE, data, longer, epochs=9)
    assert id_of(longer) == id_of(mine)  # so far they are the same run
    shutil.copy(longer / "checkpoint.npz", mine / "checkpoint.npz")
    with pytest.raises(DataError, match="none of this run's: it is of epoch 9 of 6; without"):
        symgrad.resume(mine, data, epochs=6)


def test_runs_of_versions_without_ids_are_what_they_were(mine, other, tmp_path):
    without_id(mine)
    assert Run.load(mine).trained.run is None and load_trained(mine).run is None
    made = symgrad.resume(mine, plane_csv(tmp_path), epochs=5)
    assert len(made.history) == 5 and Run.load(mine).trained.run is None
    shutil.copy(other / "weights.npz", mine / "weights.npz")
    with pytest.raises(DataError, match=f"is of run {id_of(other)}, and this is a run without an"):
        Run.load(mine)


def test_each_fold_has_an_id_of_its_own(tmp_path):
    run = tmp_path / "run"
    symgrad.cross_validate(PLANE, plane(30), 3, run, epochs=2)
    ids = [id_of(run), *(id_of(run / f"fold-{fold}") for fold in (1, 2, 3))]
    assert len(set(ids)) == 4
    shutil.copy(run / "fold-1" / "weights.npz", run / "fold-2" / "weights.npz")
    with pytest.raises(DataError, match=f"is of run {ids[1]}, and this is run {ids[2]}"):
        symgrad.resume(run)


def test_the_id_depends_on_the_number_of_epochs_only_with_the_schedule():
    experiments = [
        new_experiment(PLANE, plane(30), Options(), {"epochs": epochs, "schedule": schedule})
        for schedule, epochs in [("constant", 2), ("constant", 3), ("cosine", 2), ("cosine", 3)]
    ]
    ids = list(map(run_id, experiments))
    assert ids[0] == ids[1] and len(set(ids)) == 3
