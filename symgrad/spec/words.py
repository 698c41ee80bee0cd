"""words: what others call things.

A word that means just the same as one of ours is as good as ours: specs may have either, and what
is made of a spec, its digest too, has ours. For a word that means something else, or nothing here,
`answer` says what to write; it is never taken for one that only looks alike.
"""

import re
from collections.abc import Iterable, Mapping

# Where a spec declares an activation of one of these names, it is that.
SAME_ACTIVATIONS: Mapping[str, str] = {
    "swish": "silu", "logistic": "sigmoid", "linear": "identity",
}  # fmt: skip
SAME_LOSSES: Mapping[str, str] = {
    "crossentropy": "cross_entropy", "binary_crossentropy": "binary_cross_entropy",
}  # fmt: skip
SAME_KEYS: Mapping[str, str] = {"learning_rate": "rate", "lr": "rate"}

# Keys that are no keys here, and which ones are meant.
MEANT: Mapping[str, str] = {
    **SAME_KEYS,
    **dict.fromkeys(("neurons", "nodes", "size", "width", "out_features", "outputs"), "units"),
    **dict.fromkeys(("input_size", "input_dim", "in_features", "features"), "inputs"),
    **dict.fromkeys(("activations", "act", "nonlinearity"), "activation"),
    **dict.fromkeys(("batch_size", "minibatch"), "batch"),
    **dict.fromkeys(("max_iter", "iterations"), "epochs"),
    **dict.fromkeys(("scheduler", "lr_schedule"), "schedule"),
    **dict.fromkeys(("trained", "frozen", "freeze", "requires_grad"), "trainable"),
    "use_bias": "bias", "skip": "residual", "random_state": "seed",
    **dict.fromkeys(("learning_rate_init", "step_size"), "rate"),
    **dict.fromkeys(("clipnorm", "max_norm"), "clip"),
    **dict.fromkeys(("normalize", "normalise", "standardise"), "standardize"),
}


def with_others(names: Iterable[str]) -> list[str]:
    """Names of ours, and other words for them."""
    same = {**SAME_ACTIVATIONS, **SAME_LOSSES}
    names = list(names)
    return [*names, *(other for other, name in same.items() if name in names)]


def answer(word: str, outputs: int | None = None) -> str | None:
    """What to write in place of a word that others have for something; None if it is no such word.

    `outputs` says how many the network has, as far as that is known.
    """
    plain = re.sub("[^a-z0-9]", "", word[:64].lower())
    name = _SPELLED.get(plain, plain)
    if name in _MEANS:
        return _of_mean(name, *_MEANS[name], outputs)
    if name in _FORMULAS:
        more = f"; {_MORE[name]}" if name in _MORE else ""
        return f'declare it: [activations.{name}] with formula = "{_FORMULAS[name]}"{more}'
    if plain.startswith("conv"):
        name = "conv"
    return _ANSWERS.get(name)


def _of_mean(name: str, kind: str, ours: str, theirs: str, outputs: int | None) -> str:
    """Of a loss that is a mean over outputs: ours, and a formula of theirs."""
    if outputs == 1:
        return f'"{kind}" is {ours}; {name} is formula = "{theirs}" in place of kind'
    m, where = ("m", ", m the number of outputs") if outputs is None else (f"{outputs}", "")
    return (
        f'"{kind}" is {ours}, summed over outputs and averaged over samples; {name}, a mean over'
        f' outputs too, is formula = "{theirs}/{m}" in place of kind{where}'
    )


# Of one output: what ours is, and theirs as a formula.
_MEANS: Mapping[str, tuple[str, str, str]] = {
    "mse": ("squared", "½·(y - t)²", "(y - t)**2"),
    "mae": ("absolute", "|y - t|", "abs(y - t)"),
    "bce": ("binary_cross_entropy", "-t·log y - (1 - t)·log(1 - y)",
            "-(t*log(y) + (1 - t)*log(1 - y))"),
    "smooth_l1": ("huber", "½·d² up to d = |y - t| = 1, and d - ½ beyond",
                 "(0.5*min(abs(y - t), 1)**2 + max(abs(y - t), 1) - 1)"),
    "logcosh": ("log_cosh", "log cosh(y - t)", "log(cosh(y - t))"),
}  # fmt: skip

# Activations that are not built in.
_FORMULAS: Mapping[str, str] = {
    "relu6": "min(max(z, 0), 6)",
    "prelu": "max(z, 0) + 0.25*min(z, 0)",
    "hardtanh": "min(max(z, -1), 1)",
    "hard_sigmoid": "min(max(z/6 + 0.5, 0), 1)",
    "hard_swish": "z*min(max(z/6 + 0.5, 0), 1)",
    "gelu_tanh": "0.5*z*(1 + tanh(0.7978845608028654*(z + 0.044715*z**3)))",
}
_MORE: Mapping[str, str] = {
    "prelu": "its slope is a number, here 0.25, and not learnt; leaky_relu is built in, with 0.01",
}

# Other spellings, without what is between the words.
_SPELLED: Mapping[str, str] = {
    **dict.fromkeys(("mseloss", "meansquarederror", "meansquared"), "mse"),
    **dict.fromkeys(("maeloss", "meanabsoluteerror", "l1loss"), "mae"),
    **dict.fromkeys(("bcewithlogitsloss", "bcewithlogits", "logits"), "fromlogits"),
    **dict.fromkeys(("smoothl1", "smoothl1loss", "huberloss"), "smooth_l1"),
    **dict.fromkeys(("nllloss", "negativeloglikelihood"), "nll"),
    **dict.fromkeys(("kldiv", "kldivloss", "kullbackleibler", "kldivergence"), "kld"),
    **dict.fromkeys(("categoricalcrossentropy", "sparsecategoricalcrossentropy",
                     "crossentropyloss"), "classes"),
    **dict.fromkeys(("hardswish", "hardsilu"), "hard_swish"),
    **dict.fromkeys(("gelutanh", "gelunew", "geluapproximate"), "gelu_tanh"),
    **dict.fromkeys(("batchnormalization", "batchnorm1d", "layernorm", "layernormalization"),
                    "batchnorm"),
    **dict.fromkeys(("dropoutrate", "alphadropout"), "dropout"),
    **dict.fromkeys(("kernelsize", "filters", "maxpool", "pooling"), "conv"),
    **dict.fromkeys(("lstm", "gru", "recurrent"), "rnn"),
    **dict.fromkeys(("bfloat16", "half", "fp16"), "float16"),
    **dict.fromkeys(("double", "float", "single", "fp32", "fp64"), "precision"),
    **dict.fromkeys(("adamax", "nadam", "radam", "amsgrad", "adadelta", "rprop"), "kindofadam"),
    **dict.fromkeys(("reduceonplateau", "reducelronplateau"), "plateau"),
    **dict.fromkeys(("hiddenlayers", "hiddensizes", "hiddenlayersizes", "hiddensize"), "hidden"),
    **dict.fromkeys(("momentum", "rho", "beta1", "beta2", "epsilon", "weightdecay", "decay",
                     "every"), "constant"),
    "bceloss": "bce", "rootmeansquarederror": "rmse", "hardsigmoid": "hard_sigmoid",
    "parametricrelu": "prelu", "earlystop": "earlystopping", "classweights": "classweight",
}  # fmt: skip

_ANSWERS: Mapping[str, str] = {
    "l2loss": '"squared" is ½·Σ(y - t)²; a penalty on the weights is l2 = 1e-4 in [loss]',
    "rmse": '"squared" has its minimum where the RMSE has; training prints the RMSE',
    "nll": '"cross_entropy" is -Σ t·log y, of probabilities y, and not of their logarithms: give'
    ' the last layer activation = "softmax"',
    "classes": 'write kind = "cross_entropy", and activation = "softmax" in the last layer; in data'
    " the target may be one column with the class",
    "fromlogits": 'write kind = "binary_cross_entropy", summed over outputs, and activation ='
    ' "sigmoid" in the last layer: compiled together, they lose no digits',
    "kld": '"kl" is Σ t·log(t/y), summed over outputs and averaged over samples, of probabilities'
    " and not of their logarithms",
    "poissonnll": '"poisson" is y - t·log y, of y itself, and not of its logarithm',
    "hinge": 'for targets -1 and 1 write formula = "max(0, 1 - t*y)" in place of kind',
    "logsoftmax": 'write activation = "softmax", and kind = "cross_entropy" in [loss]: the'
    " logarithm is taken there",
    "batchnorm": "there is no batch normalisation (see Limits in the README): inputs are"
    ' standardised before training; of deep networks try "selu", residual = true, or clip in'
    " [training]",
    "conv": "there are no convolutions (see Limits in the README): layers are dense; give the"
    " network features of the image or signal as inputs",
    "rnn": "there is no recurrence (see Limits in the README): give the network the last values of"
    " a series as inputs",
    "dropout": "there is no dropout, for the loss is one formula, without chance; against"
    " overfitting write l2 = 1e-4 in [loss], or patience = 20 in [training]",
    "classweight": "it is no part of a spec: with sample_weights = true in [loss] train by symgrad"
    ' train --class-weight balanced, in Python class_weight="balanced"',
    "earlystopping": "write patience = 20 in [training]: training ends after so many epochs without"
    " a lower validation loss",
    "float16": "processors compute in float32 and float64; write float32",
    "precision": "write float32 or float64",
    "kindofadam": "nearest to it are adam and adamw, which are not the same",
    "plateau": 'a schedule knows the step alone; write schedule = "cosine", or patience = 20',
    "type": "layers are dense, all of them, and have no type; a loss has a kind",
    "name": "layers and losses have no name; outputs have, by names in the last layer",
    "hidden": 'each layer has a table: [[layers]] with units = 16 and activation = "relu"',
    "delta": "where Huber's loss becomes a line stands in constants = { delta = 2.0 } in [loss]",
    "constant": "numbers of an optimizer or a schedule stand in constants = { … } in [training]",
}
