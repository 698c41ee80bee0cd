"""What `symgrad train` is given: one value, made of its arguments and options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from symgrad.errors import SymgradError

# Those that go over what the spec's [training] says.
_OF_TRAINING = (
    "optimizer", "rate", "schedule", "warmup", "batch", "epochs", "seed", "clip", "patience",
    "validation", "standardize",
)  # fmt: skip


@dataclass(frozen=True)
class TrainOptions:
    """A field for each argument and option, with its help; None is one that was not given."""

    spec: Annotated[
        Path | None,
        typer.Argument(metavar="SPEC", help="A spec file, .toml or .json.", show_default=False),
    ] = None
    data: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DATA",
            help="Samples: .csv, .csv.gz (several of them are one table), .parquet, .npz or .npy;"
            " NAME=FILE for each term of a loss that has several.",
            show_default=False,
        ),
    ] = None
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="A new folder for the run.",
            show_default="runs/NAME, or runs/NAME-2, …",
        ),
    ] = None
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Go on with the run in this folder; its record has the rest. DATA is needed only "
            "if it has moved.",
        ),
    ] = None
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="A target column; repeat it for several.",
            show_default="those called like outputs, or the last columns",
        ),
    ] = None
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            help="The input columns, in this order: names, or patterns as temp_*.",
            show_default="those that the spec names, or all that are left",
        ),
    ] = None
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Columns, or patterns of them, to leave out."),
    ] = None
    categories: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            help="Input columns, or patterns of them, that hold words: each word becomes an input, "
            "1 where it applies.",
        ),
    ] = None
    separator: Annotated[
        str | None,
        typer.Option(
            help="What separates cells of CSV files: ',', ';', tab, …", show_default="guessed"
        ),
    ] = None
    decimal: Annotated[
        str | None,
        typer.Option(help="What decimals stand after: '.' or ','.", show_default="guessed"),
    ] = None
    weight: Annotated[
        str | None,
        typer.Option(
            help="The column of sample weights, for a spec that takes them.",
            show_default="array w, or 1 each",
        ),
    ] = None
    class_weight: Annotated[
        str | None,
        typer.Option(
            metavar="balanced",
            help="Have all classes weigh the same, for a spec that takes sample weights.",
            show_default="each sample weighs the same",
        ),
    ] = None
    missing: Annotated[
        str,
        typer.Option(
            help="What becomes of samples with missing values: refuse; drop; or mean, which fills "
            "inputs with the column's mean."
        ),
    ] = "refuse"
    initial: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN|FILE",
            help="Begin with the weights of a run, or of an .npz file, which may have but some: W1,"
            " b1, …",
            show_default="weights drawn by the seed",
        ),
    ] = None
    optimizer: Annotated[
        str | None,
        typer.Option(
            help="sgd, momentum, nesterov, rmsprop, adam, adam_hat, adamw, adagrad or lion; or a "
            "method of "
            "SciPy's that sees all samples at once: lbfgs, bfgs, cg, newton_cg, tnc or slsqp.",
            show_default="the spec's, or adam",
        ),
    ] = None
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            "--learning-rate",
            "--lr",
            help="Size of a step.",
            show_default="the spec's, or the optimizer's own",
        ),
    ] = None
    schedule: Annotated[
        str | None,
        typer.Option(
            help="How the rate changes: constant, linear, cosine, exponential or step.",
            show_default="the spec's, or constant",
        ),
    ] = None
    warmup: Annotated[
        float | None,
        typer.Option(
            help="Epochs in which the rate grows from 0.", show_default="the spec's, or 0"
        ),
    ] = None
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="N|all", help="Samples a step, at most.", show_default="the spec's, or 32"
        ),
    ] = None
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Passes over the training samples, or iterations of a method of SciPy's. With "
            "--resume: more than before continue a finished run.",
            show_default="the spec's, or 50",
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Everything random comes from this number.",
            show_default="the spec's, or 0",
        ),
    ] = None
    clip: Annotated[
        float | None,
        typer.Option(help="The largest norm of a gradient.", show_default="the spec's, or none"),
    ] = None
    patience: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="End after so many epochs without a lower validation loss, and keep the weights "
            "of the lowest.",
            show_default="the spec's, or none",
        ),
    ] = None
    validation: Annotated[
        float | None,
        typer.Option(
            help="Share of the samples held out, less than 1.", show_default="the spec's, or 0.2"
        ),
    ] = None
    folds: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Train once for each of so many folds, which is then held out: an estimate of how "
            "well the network does. For weights to use, train without it.",
        ),
    ] = None
    standardize: Annotated[
        bool | None,
        typer.Option(
            "--standardize/--no-standardize",
            help="Shift and scale numbers to mean 0 and deviation 1; the targets too, where the "
            "loss is a distance of numbers.",
            show_default="the spec's, or --standardize",
        ),
    ] = None
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="local|ADDRESS",
            help="Share the samples among workers of Dask's, here or at a scheduler's address, for "
            "a method of SciPy's: with the same weights.",
        ),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Workers with --dask local.", show_default="one a processor"),
    ] = None
    mpi: Annotated[
        bool,
        typer.Option(
            "--mpi", help="The same among ranks of MPI's: mpiexec -n 4 symgrad train … --mpi."
        ),
    ] = False
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw loss curves, and the confusion matrix or predicted against true, as .png, "
            ".svg or .pdf; drawn anew while it trains.",
        ),
    ] = None
    plain: Annotated[
        bool,
        typer.Option("--plain", help="A line of progress on the terminal, without the curve."),
    ] = False
    checkpoint: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Time between two checkpoints; more where writing would take over 5 % of it.",
        ),
    ] = 2.0

    @property
    def files(self) -> Any:
        """The data as `symgrad.train` takes it, None if there is none."""
        return files_of(self.data)

    def selection(self) -> dict[str, Any]:
        """What is said of the columns, as `symgrad.train` takes it."""
        from symgrad.training.data.selection import parsed

        return {
            "targets": tuple(self.target or ()),
            "inputs": parsed(self.inputs),
            "ignore": parsed(self.ignore),
            "categories": parsed(self.categories),
            "weight": self.weight,
            "class_weight": self.class_weight,
            "missing": self.missing,
            "separator": self.separator,
            "decimal": self.decimal,
        }

    def training_options(self) -> dict[str, Any]:
        """What goes over the spec's [training]; SymgradError for a batch that is no number."""
        given = {name: getattr(self, name) for name in _OF_TRAINING}
        if self.batch not in (None, "all"):
            given["batch"] = _whole(self.batch)
        return {name: value for name, value in given.items() if value is not None}


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SymgradError(f"--batch: a number of samples, or all, not {text!r}") from None


def name_and_file(path: Path) -> tuple[str | None, Path]:
    """The name of a term and its file, where they are given as NAME=FILE, and no file is called
    so."""
    name, equals, file = str(path).partition("=")
    if not (equals and file and name.isidentifier()) or path.exists():
        return None, path
    return name, Path(file)


def files_of(data: list[Path] | None) -> Any:
    """Arguments DATA as `symgrad.train` takes them: by the names of terms where they are given as
    NAME=FILE."""
    if not data:
        return None
    named = [name_and_file(path) for path in data]
    if not any(name for name, _ in named):
        return data[0] if len(data) == 1 else data
    found: dict[str, Any] = {}
    for name, file in named:
        if name is None:
            raise SymgradError(f"{file}: of which term? give all data as NAME=FILE")
        found[name] = [*found[name], file] if name in found else [file]
    return {name: files[0] if len(files) == 1 else files for name, files in found.items()}
