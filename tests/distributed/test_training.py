"""Training with samples shared among workers: the weights, and all that training has, are those of
one process."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

import symgrad
from symgrad.cli.main import app
from symgrad.distributed.joblib import Joblib
from symgrad.distributed.sources import InMemory
from symgrad.errors import Lost, SpecError
from symgrad.training.runner import BrokenOff
from tests.trainings import PLANE, execute, plane, plane_csv, same, start, text, weights

pytest.importorskip("joblib")


def by_threads(module, arrays):
    return Joblib(module, InMemory(arrays), 2, "threading")


def train(into, engine=by_threads, **more):
    given = {"optimizer": "lbfgs", "epochs": 25, "patience": 8, "checkpoint": 0.0} | more
    return symgrad.train(PLANE, plane(900), into, engine=engine, **given)


def test_all_of_a_run_is_that_of_one_process(tmp_path):
    here, there = train(tmp_path / "here", None), train(tmp_path / "there")
    assert same(weights(here.folder), weights(there.folder))
    assert here.history == there.history and here.figures == there.figures
    assert (here.ending, here.kept) == (there.ending, there.kept)


def test_a_run_is_resumed_by_another_engine_or_by_none(tmp_path):
    expected = train(tmp_path / "whole", None)
    data = plane(900)
    for name, first, then in (("one", by_threads, None), ("other", None, by_threads)):
        train(tmp_path / name, first, epochs=7)
        found = symgrad.resume(tmp_path / name, data, epochs=25, engine=then)
        assert same(weights(found.folder), weights(expected.folder))


@pytest.mark.parametrize("optimizer", ["bfgs", "cg", "tnc", "slsqp", "newton_cg"])
def test_every_method_takes_it(optimizer, tmp_path):
    found = [train(None, engine, optimizer=optimizer, epochs=4) for engine in (None, by_threads)]
    assert found[0].trained.theta.tobytes() == found[1].trained.theta.tobytes()


class Dying:
    """An engine whose workers are gone after so many calls."""

    def __init__(self, calls):
        self.calls = calls

    def __call__(self, module, arrays):
        whole = by_threads(module, arrays)
        sums = whole.sums

        def mortal(theta):
            self.calls -= 1
            if self.calls < 0:
                raise Lost("all are gone")
            return sums(theta)

        whole.sums = mortal
        return whole


def test_workers_that_are_gone_leave_the_checkpoint(tmp_path):
    expected = train(tmp_path / "whole", None)
    with pytest.raises(BrokenOff, match=r"all are gone\. In .* the first \d+ epochs are kept"):
        train(tmp_path / "run", Dying(12), checkpoint=1000.0)
    found = symgrad.resume(tmp_path / "run", plane(900), engine=by_threads)
    assert same(weights(found.folder), weights(expected.folder))


def test_steps_of_some_samples_are_refused_before_there_is_a_folder(tmp_path):
    with pytest.raises(SpecError, match="adam takes a step for each batch"):
        train(tmp_path / "run", optimizer="adam")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--workers", "2"], "--workers is for --dask local"),
        (["--dask", "local", "--mpi"], "--dask or --mpi, not both"),
        (["--dask", "local", "--folds", "3"], "--folds cannot be given with --dask or --mpi"),
    ],
)
def test_what_the_command_refuses(given, said):
    done = CliRunner().invoke(app, ["train", "spec.toml", "data.csv", *given])
    assert done.exit_code == 2 and said in done.output


@pytest.fixture
def problem(tmp_path):
    spec = text(tmp_path / "plane.json", json.dumps(PLANE))
    return tmp_path, ["train", spec, plane_csv(tmp_path, 900), "--optimizer", "lbfgs"]


def trained_here(folder, given, *more):
    done = execute(*given, *more, "-o", "here", cwd=folder)
    assert done.code == 0, done.err
    return weights(folder / "here")


@pytest.mark.slow
def test_the_command_trains_by_dask(problem):
    pytest.importorskip("distributed")
    folder, given = problem
    expected = trained_here(folder, given, "--epochs", 20)
    done = execute(
        *given, "--epochs", 20, "-o", "there", "--dask", "local", "--workers", 2, cwd=folder
    )
    assert done.code == 0, done.err
    assert same(weights(folder / "there"), expected)


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_an_interrupt_keeps_what_there_is(problem):
    pytest.importorskip("distributed")
    folder, given = problem
    endless = ["--optimizer", "cg", "--epochs", 100_000, "--validation", 0, "--checkpoint", 0]
    with start(
        *given, *endless, "-o", "run", "--dask", "local", "--workers", 2, cwd=folder
    ) as process:
        until((folder / "run" / "checkpoint.npz").exists)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    if process.returncode:  # else it was at its end by then
        assert process.returncode == 130 and "interrupted after epoch" in err


@pytest.mark.slow
def test_a_scheduler_that_is_killed_leaves_the_checkpoint(problem):
    pytest.importorskip("distributed")
    folder, given = problem
    given += ["--optimizer", "cg", "--epochs", 400, "--validation", 0, "--checkpoint", 0]
    expected = trained_here(folder, given)
    place = folder / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    def of_dask(name, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *map(str, arguments)]
        return subprocess.Popen(command, cwd=folder, **quiet)

    scheduler = of_dask("scheduler", "--port", 0, "--scheduler-file", place, "--no-dashboard")
    one = ["--nthreads", 1, "--no-dashboard", "--death-timeout", 5, "--no-nanny"]
    try:
        until(place.exists)
        workers = [of_dask("worker", "--scheduler-file", place, *one) for _ in range(2)]
        try:
            address = json.loads(place.read_text())["address"]
            with start(*given, "-o", "run", "--dask", address, cwd=folder) as process:
                until(lambda: (folder / "run" / "checkpoint.npz").exists() or process.poll())
                scheduler.kill()
                _, err = process.communicate(timeout=60)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
    finally:
        scheduler.kill()
        scheduler.wait()
    assert process.returncode == 1 and "is gone. In run the first" in err, err
    done = execute("train", "--resume", "run", cwd=folder)
    assert done.code == 0, done.err
    assert same(weights(folder / "run"), expected)
