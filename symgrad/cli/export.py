"""`symgrad export`: trained weights into an ONNX file."""

import os
from pathlib import Path
from typing import Annotated

import typer

from symgrad.cli.options import RunArgument

_SUFFIXES = (".onnx",)


def export_command(
    run: RunArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The file to write; by default the spec's name and .onnx.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Export a trained network as an ONNX file, for onnxruntime and others.

    It takes inputs in raw units, scales them, and gives raw outputs, and labels for classes. Only a
    file that symgrad has written is ever overwritten.
    """
    from symgrad.interop.errors import InteropError
    from symgrad.interop.onnx import is_own, write
    from symgrad.spec.spec import Spec
    from symgrad.training.run import load_trained

    if output is not None and output.suffix.lower() not in _SUFFIXES:
        raise InteropError(
            f"{output}: what is written is an ONNX file, which ends in {' or '.join(_SUFFIXES)};"
            " symgrad freeze writes a module of Python"
        )
    trained = load_trained(run)
    path = output or Path(f"{Spec.recorded(trained.spec).name}.onnx")
    if os.path.lexists(path) and not is_own(path):
        raise InteropError(
            f"{path} is there already and is no file that symgrad wrote; it was left as it is."
            " Choose another name"
        )
    write(trained, path)
    typer.echo(f"wrote {path}; to use it:")
    typer.echo("    import onnxruntime")
    typer.echo(f"    session = onnxruntime.InferenceSession({str(path)!r})")
    columns = len(trained.columns.network_inputs)
    if trained.columns.categories:
        typer.echo("    # a column of x for each name in its metadata, symgrad.inputs: of those as")
        typer.echo("    # 'column=word' 1 where the word stands, and 0 elsewhere")
    typer.echo(f"    session.run(None, {{'x': x}})  # x float64 of shape (samples, {columns})")
