"""`symgrad predict`: what a trained network says of new data."""

from pathlib import Path
from typing import Annotated

import typer

from symgrad.cli.options import RunArgument
from symgrad.errors import DataError


def predict_command(
    run: RunArgument,
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA",
            help="Samples: .csv, .csv.gz (several of them are one table), .parquet, .npz or .npy.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="The CSV file to write.",
            show_default="standard output",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Predict for new data, as CSV, a row a sample.

    The column `prediction` has the class, in the words of the training's data, or the number, in
    its units; several outputs, and those that the spec names, have a column each, by name. Classes
    have their probabilities as well, as p(CLASS). Where the data has the targets, the figures are
    shown on stderr.
    """
    if output is not None:
        if output.is_dir():
            raise DataError(f"{output} is a folder; -o names the file for the predictions")
        if output.exists():
            if any(path.exists() and output.samefile(path) for path in data):
                raise DataError(f"{output} is the data itself; name another file with -o")
            if output.suffix.lower() != ".csv":
                raise DataError(f"{output} is there already, and no .csv file; name another one")

    from symgrad.cli.results import show_classes, show_figures
    from symgrad.training import atomic
    from symgrad.training.predict import predict
    from symgrad.training.run import load_trained

    trained = load_trained(run)
    predictions = predict(trained, data[0] if len(data) == 1 else data)
    for note in predictions.notes:
        typer.echo(note, err=True)
    text = predictions.csv()
    if output is None:
        typer.echo(text, nl=False)
    else:
        atomic.write(output, text.encode())
        typer.echo(f"wrote {output}", err=True)
    if predictions.figures is not None:
        show_figures({"data": predictions.figures}, trained.outputs, err=True)
        show_classes("data", predictions.figures, predictions.classes, err=True)
