"""Samples in memory, in arrays that are sliced, and in files: what is read, and what is refused."""

import os
import pickle

import numpy as np
import pytest

from symgrad.distributed.out_of_core import OutOfCore
from symgrad.distributed.sources import InMemory, Npy, Parquet, Sliced, in_ranges, total_of
from symgrad.errors import DataError
from symgrad.lowering.arithmetic import LEAF
from tests.distributed.samples import module_of, same_bits, samples_of

pyarrow = pytest.importorskip("pyarrow")
SAMPLES = 11 * LEAF + 5


def npy(folder, arrays):
    files = [folder / f"{name}.npy" for name in "xtw"[: len(arrays)]]
    for file, array in zip(files, arrays, strict=True):
        np.save(file, array)
    return Npy(tuple(files), arrays[0].dtype.name)


def parquet(folder, arrays, files=2, rows=300):
    from pyarrow import parquet

    x, t, *w = arrays
    columns = {f"x{k}": x[:, k] for k in range(4)} | {f"t{k}": t[:, k] for k in range(3)}
    columns |= {"w": w[0]} if w else {}
    paths = []
    for part in np.array_split(np.arange(len(x)), files):
        table = pyarrow.table({name: column[part] for name, column in columns.items()})
        paths.append(folder / f"part-{len(paths)}.parquet")
        parquet.write_table(table, paths[-1], row_group_size=rows)
    inputs, targets = tuple(f"x{k}" for k in range(4)), tuple(f"t{k}" for k in range(3))
    return Parquet(tuple(paths), inputs, targets, x.dtype.name, "w" if w else None)


SOURCES = {
    "memory": lambda folder, arrays: InMemory(arrays),
    "sliced": lambda folder, arrays: Sliced(arrays, arrays[0].dtype.name),
    "npy": npy,
    "parquet": parquet,
}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("name", ["plain", "weighted"])
def test_all_of_them_give_the_same_samples(kind, name, tmp_path):
    arrays = samples_of(name, SAMPLES, "float32")
    source = pickle.loads(pickle.dumps(SOURCES[kind](tmp_path, arrays)))
    assert source.samples == SAMPLES
    for start, end in ((0, SAMPLES), (0, 1), (250, 301), (599, 1001), (SAMPLES - 1, SAMPLES)):
        for found, array in zip(source.read(start, end), arrays, strict=True):
            assert found.tobytes() == array[start:end].tobytes()
            assert found.dtype == np.float32 and found.flags.c_contiguous
    parts = in_ranges(source, 3)
    assert [first * LEAF for first, _ in parts] == [
        sum(part.samples for _, part in parts[:k]) for k in range(3)
    ]


@pytest.mark.parametrize("kind", SOURCES)
def test_out_of_core_has_the_bits_of_all_in_memory(kind, tmp_path):
    arrays, module = samples_of("weighted", SAMPLES), module_of("weighted")
    source = SOURCES[kind](tmp_path, arrays)
    with OutOfCore(module, source, numbers=2 * LEAF * 8) as whole:
        assert whole.together == 2
        for seed in range(3):
            theta = module.init(seed)
            assert same_bits(whole(theta), module.loss_and_gradient(theta, *arrays))
            assert whole.loss(theta) == module.loss(theta, *arrays)
            assert whole.loss(theta + 1) == module.loss(theta + 1, *arrays)


def test_the_weights_are_summed_as_the_module_sums_them():
    w = np.random.default_rng(0).random(1_000_003).astype(np.float32) ** 20
    total = 0.0
    for each in w.tolist():
        total += each
    assert total_of(InMemory((w, w, w)), weighted=True) == total != np.sum(w, dtype=np.float64)


@pytest.mark.parametrize("kind", ["npy", "parquet"])
@pytest.mark.parametrize("how", ["touched", "shorter", "gone"])
def test_a_file_that_changes_meanwhile_is_refused(kind, how, tmp_path):
    arrays, module = samples_of("plain", SAMPLES), module_of("plain")
    source = SOURCES[kind](tmp_path, arrays)
    file = source.files[-1]
    with OutOfCore(module, source, numbers=2 * LEAF * 7) as whole:
        theta = module.init(0)
        whole(theta)
        if how == "touched":
            os.utime(file, ns=(1, 1))
        elif how == "shorter":
            file.write_bytes(file.read_bytes()[:-100])
        else:
            file.unlink()
        said = "No such file" if how == "gone" else f"{file} has changed while it was read"
        with pytest.raises(DataError, match=said):
            whole(theta + 1)


def test_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"x\.npy: No such file"):
        Npy((tmp_path / "x.npy",), "float64")
    for name in ("x.npy", "x.parquet"):
        (tmp_path / name).write_bytes(b"no such thing")
    with pytest.raises(DataError, match=r"x\.npy"):
        Npy((tmp_path / "x.npy",), "float64")
    with pytest.raises(DataError, match=r"x\.parquet"):
        Parquet((tmp_path / "x.parquet",), ("a",), ("b",), "float64")
    np.save(tmp_path / "x.npy", np.zeros((3, 1)))
    np.save(tmp_path / "t.npy", np.zeros((4, 1)))
    with pytest.raises(DataError, match="as many samples"):
        Npy((tmp_path / "x.npy", tmp_path / "t.npy"), "float64")


def test_other_dtypes_are_converted(tmp_path):
    arrays, module = samples_of("plain", SAMPLES, "float32"), module_of("plain")
    source = npy(tmp_path, arrays)
    source.dtype = "float64"
    theta = module.init(0)
    with OutOfCore(module, source) as whole:
        expected = module.loss_and_gradient(theta, *(array.astype(float) for array in arrays))
        assert same_bits(whole(theta), expected)
