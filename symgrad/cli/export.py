"""`symgrad export`: trained weights into a file of another tool: ONNX, PMML, .nnet."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from symgrad.cli.options import RunArgument

if TYPE_CHECKING:
    from symgrad.training.trained import Trained

_SUFFIXES = {".onnx": "onnx", ".pmml": "pmml", ".nnet": "nnet"}


def export_command(
    run: RunArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The file to write: .onnx, .pmml, .nnet; by default the spec's name and .onnx.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Export a trained network as an ONNX file, for onnxruntime and others; or as PMML or .nnet.

    It takes inputs in raw units, scales them, and gives raw outputs, and labels for classes. Only a
    file that symgrad has written is ever overwritten. What a format cannot hold is refused: PMML
    has common activations, .nnet relu and numbers alone.
    """
    from symgrad.interop import formats
    from symgrad.interop.errors import InteropError
    from symgrad.spec.spec import Spec
    from symgrad.training.run import load_trained

    if output is not None and output.suffix.lower() not in _SUFFIXES:
        raise InteropError(
            f"{output}: what is written is an ONNX file, which ends in .onnx, or one of PMML, in"
            " .pmml, or a .nnet; symgrad freeze writes a module of Python"
        )
    trained = load_trained(run)
    path = output or Path(f"{Spec.recorded(trained.spec).name}.onnx")
    form = _SUFFIXES[path.suffix.lower()]
    writer = formats.module(form)
    if os.path.lexists(path) and not writer.is_own(path):
        raise InteropError(
            f"{path} is there already and is no file that symgrad wrote; it was left as it is."
            " Choose another name"
        )
    writer.write(trained, path)
    typer.echo(f"wrote {path}" + ("; to use it:" if form == "onnx" else ""))
    if form == "onnx":
        _say_how(trained, path)


def _say_how(trained: "Trained", path: Path) -> None:
    """How onnxruntime runs the file."""
    typer.echo("    import onnxruntime")
    typer.echo(f"    session = onnxruntime.InferenceSession({str(path)!r})")
    columns = len(trained.columns.network_inputs)
    if trained.columns.categories:
        typer.echo("    # a column of x for each name in its metadata, symgrad.inputs: of those as")
        typer.echo("    # 'column=word' 1 where the word stands, and 0 elsewhere")
    typer.echo(f"    session.run(None, {{'x': x}})  # x float64 of shape (samples, {columns})")
