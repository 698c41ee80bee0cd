"""`symgrad train`: fit a network to a table, in a folder from which it can be resumed."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symgrad.errors import SymgradError

if TYPE_CHECKING:
    from symgrad.spec.training import Training
    from symgrad.training.checkpoint import Epoch

RUNS = Path("runs")
_SPECS = (".toml", ".json")


def train_command(
    spec: Annotated[
        Path | None,
        typer.Argument(metavar="SPEC", help="A spec file, .toml or .json.", show_default=False),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATA", help="Samples: .csv, .parquet, .npz or .npy.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FOLDER", help="A new folder for the run.",
            show_default="runs/NAME, or runs/NAME-2, …",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Go on with the run in this folder; its record has the rest. DATA is needed only "
            "if it has moved.",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="A target column; repeat it for several.", show_default="the last columns"
        ),
    ] = None,
    weight: Annotated[
        str | None,
        typer.Option(
            help="The column of sample weights, for a spec that takes them.",
            show_default="array w, or 1 each",
        ),
    ] = None,
    missing: Annotated[
        str,
        typer.Option(
            help="What becomes of samples with missing values: refuse; drop; or mean, which fills "
            "inputs with the column's mean."
        ),
    ] = "refuse",
    optimizer: Annotated[
        str | None,
        typer.Option(
            help="sgd, momentum, nesterov, rmsprop, adam, adam_hat, adamw, adagrad or lion; or a "
            "method of "
            "SciPy's that sees all samples at once: lbfgs, bfgs, cg, newton_cg, tnc or slsqp.",
            show_default="the spec's, or adam",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Size of a step.", show_default="the spec's, or the optimizer's own"),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            help="How the rate changes: constant, linear, cosine, exponential or step.",
            show_default="the spec's, or constant",
        ),
    ] = None,
    warmup: Annotated[
        float | None,
        typer.Option(
            help="Epochs in which the rate grows from 0.", show_default="the spec's, or 0"
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="N|all", help="Samples a step, at most.", show_default="the spec's, or 32"
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Passes over the training samples, or iterations of a method of SciPy's. With "
            "--resume: more than before continue a finished run.",
            show_default="the spec's, or 50",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Everything random comes from this number.",
            show_default="the spec's, or 0",
        ),
    ] = None,
    clip: Annotated[
        float | None,
        typer.Option(help="The largest norm of a gradient.", show_default="the spec's, or none"),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="End after so many epochs without a lower validation loss, and keep the weights "
            "of the lowest.",
            show_default="the spec's, or none",
        ),
    ] = None,
    validation: Annotated[
        float | None,
        typer.Option(
            help="Share of the samples held out, less than 1.", show_default="the spec's, or 0.2"
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Train once for each of so many folds, which is then held out: an estimate of how "
            "well the network does. For weights to use, train without it.",
        ),
    ] = None,
    standardize: Annotated[
        bool | None,
        typer.Option(
            "--standardize/--no-standardize",
            help="Shift and scale numbers to mean 0 and deviation 1; the targets too, where the "
            "loss is a distance of numbers.",
            show_default="the spec's, or --standardize",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw loss curves, and the confusion matrix or predicted against true, as .png, "
            ".svg or .pdf; drawn anew while it trains.",
        ),
    ] = None,
    checkpoint: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Time between two checkpoints; more where writing would take over 5 % of it.",
        ),
    ] = 2.0,
) -> None:  # fmt: skip
    """Train a network, and store all of it in a folder.

    Options go over what the spec's [training] says. The folder has the record (run.json), the
    history of the losses and, at the end, the weights; and checkpoints, so that a run that was
    interrupted, or killed, is gone on with by --resume: to the very weights that it would have had.
    A method of SciPy's then takes its steps again from the first. Ctrl-C takes effect at the end of
    an epoch.
    """
    changes = {
        "optimizer": optimizer,
        "rate": rate,
        "schedule": schedule,
        "warmup": warmup,
        "batch": batch if batch in (None, "all") else _whole(batch),
        "epochs": epochs,
        "seed": seed,
        "clip": clip,
        "patience": patience,
        "validation": validation,
        "standardize": standardize,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    if resume is not None:
        others = {"target": target, "weight": weight, "folds": folds, "output": output}
        _refuse_with_resume(given | others | ({} if missing == "refuse" else {"missing": missing}))
        if spec is not None and data is None and spec.suffix.lower() not in _SPECS:
            spec, data = None, spec  # one argument alone may be either
    elif spec is None or data is None:
        raise SymgradError(
            "a spec and data are needed: symgrad train SPEC DATA, or symgrad train --resume RUN"
        )
    place = {"runs": RUNS} if output is None else {"into": output}
    options: dict[str, Any] = {
        "spec": spec, "data": data,
        "targets": tuple(target or ()), "weight": weight, "missing": missing, **place, **given
    }  # fmt: skip

    from symgrad.training import train as training
    from symgrad.training.fit import Ending
    from symgrad.training.runner import BrokenOff, Interrupted

    with _Bar() as bar:
        how: dict[str, Any] = {"checkpoint": checkpoint, "plot": plot, "callback": bar}
        try:
            if resume is not None:
                result = training.resume(resume, data, spec=spec, epochs=epochs, **how)
            elif folds is not None:
                how |= {"folds": folds}
                result = training.cross_validate(**options, **how)
            else:
                result = training.train(**options, **how)
        except Interrupted as interrupted:
            bar.hide()
            typer.echo(str(interrupted), err=True)
            raise typer.Exit(130) from None
        except KeyboardInterrupt:
            bar.hide()
            typer.echo("interrupted before the first epoch: nothing is lost", err=True)
            raise typer.Exit(130) from None
        except BrokenOff as broken:
            bar.hide()
            typer.echo(f"error: {broken}", err=True)
            raise typer.Exit(1) from None

    from symgrad.cli.results import show_folds, show_run
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
    if plot is not None and bar.begun:
        typer.echo(f"plot: {plot}")
    if result.ending is Ending.DIVERGED:
        typer.echo(f"error: {advice(result)}", err=True)
        raise typer.Exit(1)


def _refuse_with_resume(given: Mapping[str, object]) -> None:
    for name, value in given.items():
        if value is not None and name != "epochs":
            raise SymgradError(
                f"--{name} cannot be given with --resume: the run goes on as it began; leave it "
                "out, or train anew"
            )


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SymgradError(f"--batch: a number of samples, or all, not {text!r}") from None


class _Bar:
    """A training watched: a bar on stderr, if that is a terminal, and a line for each beginning."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        self.bar = Progress(
            BarColumn(bar_width=8),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("", total=None)
        self.begun = False
        self.notes: tuple[str, ...] = ()
        self.samples = 0
        self.first = self.now = self.start = time.monotonic()
        self.done = self.epochs = 0

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *error: object) -> None:
        self.hide()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.start

    def on_fit_begin(
        self, training: "Training", title: str, notes: tuple[str, ...], samples: int, done: int
    ) -> None:
        self.hide()
        for note in notes:
            if note not in self.notes:
                typer.echo(note, err=True)
        self.notes += notes
        typer.echo(f"{title}: going on after epoch {done:,}" if done else title, err=True)
        if not self.begun:
            self.start = time.monotonic()
        self.begun, self.samples, self.epochs, self.done = True, samples, training.epochs, 0
        self.bar.reset(self.task, total=self.epochs, completed=done, description="")
        self.bar.start()

    def on_epoch_end(self, number: int, epoch: "Epoch") -> None:
        now = time.monotonic()
        if not self.done:  # the first has been compiled, which says nothing of the next
            self.first, self.done = now, number
        if now - self.now < 0.1 and number < self.epochs:
            return
        self.now = now
        description = f"loss {epoch.loss:.3g}"
        if epoch.validation_loss == epoch.validation_loss:
            description += f", validation {epoch.validation_loss:.3g}"
        if now > self.first and number > self.done:
            rate = (number - self.done) * self.samples / (now - self.first)
            description += f", {_short(rate)} samples/s"
        self.bar.update(self.task, completed=number, description=description)

    def on_interrupt(self) -> None:
        # Straight to the terminal: the handler may have come in the middle of a buffered write.
        os.write(2, b"\nstopping at the end of this epoch; once more to leave at once\n")

    def hide(self) -> None:
        self.bar.stop()


def _short(number: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"
