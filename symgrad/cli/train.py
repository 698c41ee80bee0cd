"""`symgrad train`: fit a network to a table, in a folder from which it can be resumed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from symgrad.cli.options import with_options
from symgrad.cli.train_options import TrainOptions
from symgrad.errors import SymgradError

if TYPE_CHECKING:
    from symgrad.cli.progress import ProgressBar
    from symgrad.training.run import Folds, Run
    from symgrad.training.runner import Engine

RUNS = Path("runs")
_SPECS = (".toml", ".json")


@with_options(TrainOptions)
def train_command(options: TrainOptions) -> None:
    """Train a network, and store all of it in a folder.

    Options go over what the spec's [training] says. The folder has the record (run.json), the
    history of the losses and, at the end, the weights; and checkpoints, so that a run that was
    interrupted, or killed, is gone on with by --resume: to the very weights that it would have had.
    A method of SciPy's then takes its steps again from the first. Ctrl-C takes effect at the end of
    an epoch.
    """
    _refuse_engines(options)
    with _led(options) as leads:
        if leads:
            _train_command(options)


def _train_command(options: TrainOptions) -> None:
    training = options.training_options()
    if options.resume is not None:
        _refuse_with_resume(options, training)
        options = _spec_or_data(options)
    elif options.spec is None or not options.data:
        raise SymgradError(
            "a spec and data are needed: symgrad train SPEC DATA, or symgrad train --resume RUN"
        )
    from symgrad.cli.progress import ProgressBar

    with ProgressBar(options.plain) as bar, _exit_codes(bar):
        result = _train(options, training, bar)
    _show(result, options, bar)


def _refuse_with_resume(options: TrainOptions, training: dict[str, Any]) -> None:
    names = (
        "target", "inputs", "ignore", "categories", "separator", "decimal", "weight",
        "class_weight", "folds", "output",
    )  # fmt: skip
    given = training | {name: getattr(options, name) for name in names}
    if options.missing != "refuse":
        given["missing"] = options.missing
    for name, value in given.items():
        if value not in (None, []) and name != "epochs":
            raise SymgradError(
                f"--{name.replace('_', '-')} cannot be given with --resume: the run goes on as it "
                "began; leave it out, or train anew"
            )


def _spec_or_data(options: TrainOptions) -> TrainOptions:
    """With --resume one argument alone may be either."""
    spec = options.spec
    if spec is not None and spec.suffix.lower() not in _SPECS:
        return replace(options, spec=None, data=[spec, *(options.data or ())])
    return options


def _refuse_engines(options: TrainOptions) -> None:
    if options.workers is not None and options.dask != "local":
        raise SymgradError("--workers is for --dask local")
    if options.dask is not None and options.mpi:
        raise SymgradError("--dask or --mpi, not both")
    if options.folds is not None and (options.dask is not None or options.mpi):
        raise SymgradError("--folds cannot be given with --dask or --mpi")


@contextmanager
def _led(options: TrainOptions) -> Iterator[bool]:
    """Whether this process trains: of several ranks of MPI's one does, and the others compute."""
    if not options.mpi:
        yield True
        return
    from symgrad.distributed.mpi import led

    with led() as leads:
        yield leads


def _engine(options: TrainOptions) -> "Engine | None":
    """What computes, if that is not this process alone."""
    if options.mpi:
        from symgrad.distributed import mpi

        return mpi.Engine()
    if options.dask is None:
        return None
    from symgrad.distributed import dask

    return dask.Engine(options.dask, options.workers)


@contextmanager
def _exit_codes(bar: "ProgressBar") -> Iterator[None]:
    """What has ended a training before its time, said in a line, and as the exit code."""
    from symgrad.training.runner import BrokenOff, Interrupted

    try:
        yield
    except Interrupted as interrupted:
        message, code = str(interrupted), 130
    except KeyboardInterrupt:
        message, code = "interrupted before the first epoch: nothing is lost", 130
    except BrokenOff as broken:
        message, code = f"error: {broken}", 1
    else:
        return
    bar.leave()
    typer.echo(message, err=True)
    raise typer.Exit(code)


def _train(options: TrainOptions, training: dict[str, Any], bar: "ProgressBar") -> "Run | Folds":
    from symgrad.training.train import cross_validate, resume, train

    arguments: dict[str, Any] = {
        "checkpoint": options.checkpoint, "plot": options.plot, "callback": bar
    }  # fmt: skip
    if options.resume is not None:
        arguments |= {"spec": options.spec, "epochs": options.epochs, "initial": options.initial}
        arguments["engine"] = _engine(options)
        return resume(options.resume, options.files, **arguments)
    assert options.spec is not None
    arguments |= {
        **options.selection(),
        "initial": options.initial,
        **({"runs": RUNS} if options.output is None else {"into": options.output}),
        **training,
    }
    engine = _engine(options)
    if options.folds is not None:
        return cross_validate(options.spec, options.files, options.folds, **arguments)
    return train(options.spec, options.files, engine=engine, **arguments)


def _show(result: "Run | Folds", options: TrainOptions, bar: "ProgressBar") -> None:
    """What has come out; exit code 1 if the training diverged."""
    from symgrad.cli.results import show_folds, show_run
    from symgrad.training.fit import Ending
    from symgrad.training.run import Folds, advice

    assert result.folder is not None
    if not bar.begun:
        typer.echo(f"{result.folder} has ended already, and is left as it is")
        if result.ending is Ending.FINISHED:
            typer.echo("a larger number of --epochs goes on with it")
    if isinstance(result, Folds):
        show_folds(result)
    else:
        show_run(result, bar.seconds if bar.begun else None, bar.notes)
    if options.plot is not None and bar.begun:
        typer.echo(f"plot: {options.plot}")
    if result.ending is Ending.DIVERGED:
        typer.echo(f"error: {advice(result)}", err=True)
        raise typer.Exit(1)
