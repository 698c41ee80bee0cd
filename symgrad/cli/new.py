"""`symgrad new`: a spec to start from."""

from pathlib import Path
from string import Template
from typing import Annotated

import typer

from symgrad.errors import SpecError

STARTER = Template("""\
# The network $name. Next:
#
#   symgrad inspect $name.toml         its gradient, as equations
#   symgrad check $name.toml           that gradient against finite differences
#   symgrad compile $name.toml -o .    $name.py, to import or to read
#   symgrad train $name.toml DATA      weights, from a .csv, .parquet or .npz file

name = "$name"
dtype = "float64"            # or "float32": about twice as fast, 7 digits instead of 16
inputs = 4

[[layers]]                   # as many of these as you like
units = 16
activation = "tanh"          # relu, leaky_relu, elu, selu, gelu, silu, mish, softplus, softsign,
                             # sigmoid, tanh, sin, gaussian, identity, or one of your own, below
# bias = false               # leaves the bias out
# trainable = false          # training leaves the layer's weights as they are
# residual = true            # a = act(z) + a_previous; needs as many units as the layer before

[[layers]]                   # the last layer is the output
units = 1
activation = "identity"      # softmax, with cross_entropy, for one probability a class

[loss]                       # summed over outputs, averaged over samples
kind = "squared"             # absolute, huber, log_cosh, cross_entropy, binary_cross_entropy,
                             # poisson, kl, or a formula in place of a kind:
# formula = "log(cosh(y - t))"
# l2 = 1e-4                  # adds λ/2·Σ W²; l1 = λ adds λ·Σ |W|; biases are left alone
# sample_weights = true      # every sample with a weight of its own

# [training]                 # what `symgrad train` goes by, and the module's train_epoch
# optimizer = "adam"         # sgd, momentum, nesterov, rmsprop, adam_hat, adamw, lion, lbfgs, …
# rate = 0.001
# schedule = "cosine"        # constant, linear, exponential, step
# batch = 32                 # or "all"
# epochs = 100
# patience = 10              # ends early, by the samples held out
# validation = 0.2           # their share

# [activations.swish_beta]   # then activation = "swish_beta" in a layer
# formula = "z / (1 + exp(-beta*z))"
# constants = { beta = 1.5 }
""")


def new_command(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The network's name, a Python identifier.")
    ],
) -> None:
    """Write a commented starter spec, NAME.toml."""
    path = Path(f"{checked(name)}.toml")
    try:
        # "x" creates: a spec that is there already is never overwritten.
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(STARTER.substitute(name=name))
    except FileExistsError as error:
        raise SpecError(f"{path} exists already; it was left as it is") from error
    typer.echo(f"wrote {path}")


def checked(name: str) -> str:
    """The name, if a spec may have it; the spec's own rule decides."""
    from symgrad.spec.spec import Spec

    Spec.parse({"name": name, "inputs": 1, "layers": [{"units": 1}]})
    return name
