"""`symgrad import`: a network in a file of others into a spec and its weights."""

from pathlib import Path
from typing import Annotated

import typer

from symgrad.shell import word


def import_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A network's file.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where the two files go.")
    ] = Path("."),
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="The spec's name; by default that of the file.",
            show_default=False,
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            "--loss",
            metavar="KIND",
            help="The spec's loss; by default the usual one with the last activation.",
            show_default=False,
        ),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option(
            "--spec",
            metavar="SPEC",
            help="The spec that a file of weights alone is for (.safetensors, .pt).",
            show_default=False,
        ),
    ] = None,
    graph_output: Annotated[
        str | None,
        typer.Option(
            "--graph-output",
            metavar="NAME",
            help="Which tensor of the graph is the network's output, where it has several.",
            show_default=False,
        ),
    ] = None,
    no_scaling: Annotated[
        bool,
        typer.Option("--no-scaling", help=".nnet, FANN: leave the stored scaling out."),
    ] = False,
    no_clip: Annotated[
        bool,
        typer.Option("--no-clip", help=".nnet, FANN: leave the cut of inputs or outputs out."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are there already.")
    ] = False,
) -> None:
    """Import a network from a file: its spec as NAME.json, its weights as NAME.npz.

    Read are ONNX files, Keras's .keras, and, for a spec that is given, weights alone in
    .safetensors and PyTorch's .pt; and older tools' files, told apart by endings and contents:
    PMML, MATLAB's genFunction, R's nnet (dput or JSON), OpenCV's ANN_MLP, .nnet, FANN, lwtnn. What
    is no multilayer perceptron is refused, with what is not understood. No code in a file is run.
    """
    from symgrad.interop.files import save
    from symgrad.interop.reading import read_file

    network = read_file(
        file,
        spec=spec,
        name=name,
        loss=loss,
        output=graph_output,
        scaling=not no_scaling,
        clip=not no_clip,
    )
    for path in save(network, output, force):
        typer.echo(f"wrote {path}")
    shape = "-".join(map(str, network.spec.widths))
    if network.labels is not None:
        typer.echo(f"the classes of its outputs: {', '.join(map(str, network.labels))}")
    typer.echo(f"a {shape} network of {network.spec.weights:,} weights; to use it:")
    written = word(output / f"{network.spec.name}.json")
    typer.echo(f"    symgrad compile {written}")
    typer.echo(f"    theta = numpy.load('{output / network.spec.name}.npz')['theta']")
