"""`symgrad freeze`: trained weights into a module that predicts."""

from pathlib import Path
from typing import Annotated

import typer

from symgrad.cli.options import RunArgument
from symgrad.errors import SymgradError


def freeze_command(
    run: RunArgument,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FOLDER|NAME.py", help="Where the module goes, or its file."
        ),
    ] = Path("."),
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="The module's name; by default that of the spec, and _frozen.",
            show_default=False,
        ),
    ] = None,
    jacobian: Annotated[
        bool,
        typer.Option(
            "--jacobian",
            help="Have a function jacobian(x), too, as specs have that ask for it: how outputs move"
            " with inputs, both in raw units.",
        ),
    ] = False,
    gradient: Annotated[
        bool,
        typer.Option(
            "--gradient",
            help="Have functions loss_and_gradient(theta, x, t), the loss of training and its"
            " derivative by the weights, and outputs_by(theta, x), too, both of raw units.",
        ),
    ] = False,
) -> None:
    """Freeze trained weights into a module, NAME.py, whose predict(x) needs nothing else.

    It takes inputs in raw units, scales them, and gives raw outputs or class labels, to Python and
    to functions under Numba's njit. Only a frozen module is ever overwritten.
    """
    from symgrad.training.freeze import module_name, source, write_frozen
    from symgrad.training.run import load_trained, weights_file

    folder, name = _place(output, name)
    trained = load_trained(run)
    name = module_name(trained, name)
    text = source(trained, name, weights_file(run).name, jacobian, gradient)
    path = write_frozen(text, name, folder)
    where = "" if folder == Path(".") else f" in {folder}"
    typer.echo(f"wrote {path}; to use it{where}:")
    columns = trained.columns
    width = len(columns.network_inputs)
    if columns.categories:
        typer.echo(f"    from {name} import encode, predict")
        typer.echo("    predict(encode(columns))  # a frame, or a mapping with arrays by name")
    else:
        typer.echo(f"    from {name} import predict")
        typer.echo(f"    predict(x)  # x of shape (samples, {width})")


def _place(output: Path, name: str | None) -> tuple[Path, str | None]:
    """The folder of the module and its name, where that is said; `output` is either a folder or the
    module's own file."""
    if output.suffix != ".py" or output.is_dir():
        return output, name
    if name not in (None, output.stem):
        raise SymgradError(
            f"-o {output} and --name {name} name one module in two ways; leave one of them out"
        )
    return output.parent, output.stem
