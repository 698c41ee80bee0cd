"""`symgrad import`: a network in a file of another tool into a spec and its weights."""

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
    graph_output: Annotated[
        str | None,
        typer.Option(
            "--graph-output",
            metavar="NAME",
            help="ONNX: which output of the graph is the network's, where it has several.",
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
    """Import a network from another tool: its spec as NAME.json, its weights as NAME.npz.

    Files of ONNX, PMML, MATLAB's genFunction, R's nnet (dput or JSON), OpenCV's ANN_MLP, .nnet,
    FANN and lwtnn, told apart by their endings and contents. What is no multilayer perceptron is
    refused, with what is not understood.
    """
    from symgrad.interop.files import save
    from symgrad.interop.formats import read

    options: dict[str, object] = {} if graph_output is None else {"output": graph_output}
    if no_scaling:
        options["scaling"] = False
    if no_clip:
        options["clip"] = False
    network = read(file, name=name, loss=loss, **options)
    for path in save(network, output, force):
        typer.echo(f"wrote {path}")
    shape = "-".join(map(str, network.spec.widths))
    typer.echo(f"a {shape} network of {network.spec.weights:,} weights; to use it:")
    spec = word(output / f"{network.spec.name}.json")
    typer.echo(f"    symgrad compile {spec}")
    typer.echo(f"    theta = numpy.load('{output / network.spec.name}.npz')['theta']")
