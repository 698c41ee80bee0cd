"""freeze: trained weights → a module whose `predict(x)` needs nothing else.

    Trained ──source──▶ text ──write_frozen──▶ NAME.py

The network in it is the one that a compiled module has, to the bit: the same passes make it, and
the same templates print it. What is added stands in `templates/frozen.py.jinja`: how raw inputs
reach the network, what is made of its output, and the numbers.
"""

import hashlib
import math
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from symgrad import __version__
from symgrad.errors import SymgradError
from symgrad.language.count import operations
from symgrad.language.program import Program, prune
from symgrad.language.unicode import listing
from symgrad.lowering import cost_model
from symgrad.lowering.derivatives import LoweredDerivative, lower_derivative
from symgrad.lowering.heads import in_columns, prediction
from symgrad.lowering.kernels import Kernels, kernels
from symgrad.lowering.layout import parameters
from symgrad.lowering.lower import Layout
from symgrad.lowering.schedule import schedule
from symgrad.passes.derivatives import Network, derivative
from symgrad.passes.expand import expand, outputs_of
from symgrad.passes.share import share
from symgrad.passes.stabilize import stabilize
from symgrad.pipeline import passes
from symgrad.spec.formula import quoted
from symgrad.spec.names import module_problem
from symgrad.spec.spec import Spec
from symgrad.targets.elementary import ULP, with_callees
from symgrad.targets.numba.emit import (
    elementary_keys,
    in_docstring,
    in_lines,
    input_count,
    public_names,
    render,
    runtime,
    table,
    units_of_heads,
    with_constants,
)
from symgrad.targets.numba.plain import constants, plain, with_names
from symgrad.targets.write import write
from symgrad.training.consistency import check_consistency
from symgrad.training.folder import WEIGHTS
from symgrad.training.labels import dtype_name, portable
from symgrad.training.module import Array, gives_probabilities
from symgrad.training.trained import Label, Trained

# The header lists so many inputs, and so many outputs, with so many characters of their names.
LISTED = 64
NAME_SHOWN = 60

# A line of numbers has about so many characters.
LINE = 100

# The constants of a module that gives outputs, and of one that gives labels.
_CONSTANTS = (("INPUTS", "OUTPUTS", "SPEC"), ("INPUTS", "LABELS", "SPEC"))

# And what one has besides whose inputs may be words.
_OF_CATEGORIES = ("CATEGORIES", "COLUMNS", "encode")

# What one has besides that gives the loss: those that compiled code can call with what it calls in
# their place, what all of it is, and what it takes.
_TRAINABLE = [
    ("loss_and_gradient", "_fit_anew"),
    ("loss_and_gradient_into", "_fit"),
    ("outputs_by", "_outputs_by"),
]
_OF_GRADIENT = ("PARAMETERS", "SIZE", "THETA", *(name for name, _ in _TRAINABLE))
_TO_TRAIN = ["_check_targets", "_scale_targets", "_fit", "_fit_anew", "_outputs_by"]

# How every frozen module begins.
_HEAD = re.compile(r'"""[^\n]*\n\nFrozen by symgrad ')


def source(
    trained: Trained,
    name: str | None = None,
    file_name: str = WEIGHTS,
    jacobian: bool = False,
    gradient: bool = False,
) -> str:
    """The text of a frozen module: the same for the same arguments, on any machine.

    `name` is the module's, SPECNAME_frozen if none is given; `file_name` is that of the weights
    file, for the header. With `jacobian`, or where the spec asks for it, there is a function that
    gives the derivatives of outputs by inputs, both in raw units; with `gradient` there are the
    loss of training and its gradient, of data in raw units. Raises SymgradError for a name that no
    module can have, for a Jacobian of labels, and for a gradient of a loss of several terms,
    SpecError for a spec that is none, and DataError for numbers, names or labels that do not fit
    it.
    """
    spec = Spec.recorded(trained.spec)
    name = module_name(trained, name)
    check_consistency(trained, spec)
    # what is predicted is the same in all terms of a loss
    whole = share(stabilize(expand(next(iter(spec.of_terms.values()), spec))))
    program = prune(whole, outputs_of(spec))
    layout = parameters(program)
    single = spec.dtype == "float32"
    plan = schedule(in_columns(program, spec, "y"), program.outputs)
    network = kernels(prediction(spec), plan, layout, single)
    labels, categories = trained.columns.labels, bool(trained.columns.categories)
    probabilities = labels is not None and gives_probabilities(trained.spec)
    if jacobian and labels is not None:
        raise SymgradError(f"{name}: labels have no derivatives; freeze it without a Jacobian")
    wanted = labels is None and (jacobian or "jacobian" in spec.derivatives)
    slopes = _jacobian(spec, layout) if wanted else None
    loss = _gradient(spec, name) if gradient else None
    parts = [network, *([slopes.kernels] if slopes else []), *([loss] if loss else [])]
    own = [function for part in parts for function in part.functions]
    functions = with_callees(frozenset().union(*(part.elementary for part in parts)))
    entries = _entries(classifies=labels is not None, probabilities=probabilities)
    entries += [("jacobian", "_slopes")] if slopes else []
    around = _around(labels is not None, slopes, loss)
    weighted, targets_scaled = spec.loss.sample_weights, _scales_targets(trained, spec)
    keys = {
        "title": _title(name, spec),
        "version": __version__,
        "file_name": in_docstring(file_name),
        "command": in_docstring(_command(spec, name, file_name, jacobian, gradient)),
        "digest": spec.digest(),
        "weights_digest": digest(trained.theta),
        "dtype": spec.dtype,
        "number": "F" if single else "np.float64",
        "inputs": spec.inputs,
        "input_count": input_count(spec),
        "outputs": spec.outputs,
        "columns": max(spec.outputs, 2) if probabilities else spec.outputs,
        "expression": _equations(trained, spec, program),
        "operations": operations(program),
        "description": list(_description(trained)),
        "spec": plain(with_names(spec.normalised())),
        "constants": [*constants(spec.normalised(), spec.dtype)],
        "input_names": plain(trained.columns.network_inputs),
        "column_names": plain(trained.columns.inputs),
        "categories": plain(dict(trained.columns.categories)) if categories else None,
        "output_names": plain(trained.outputs),
        "labels": None if labels is None else plain(portable(labels)),
        "label_dtype": None if labels is None else f"np.{dtype_name(labels)}",
        "probabilities": probabilities,
        "entries": plain(entries),
        "public": public_names(
            [
                *_CONSTANTS[labels is not None],
                *(_OF_CATEGORIES if categories else ()),
                *(name for name, _ in entries),
                *(_OF_GRADIENT if loss else ()),
            ]
        ),
        "functions": functions,
        "inlined": plain([*functions, *(f.name for f in own if f.role == "inlined")]),
        "compiled": plain([*(f.name for f in own if f.role != "inlined"), *around]),
        "gradient": loss and with_constants(loss, "GRADIENT", single, layout),
        "trainable": plain(_TRAINABLE),
        "size": spec.weights,
        "targets": spec.targets,
        "targets_scaled": targets_scaled,
        "weighted": weighted,
        "data": "x, t, w" if weighted else "x, t",
        "raw_data": "raw_t, raw_w" if weighted else "raw_t",
        "of_targets": _of_targets(trained, spec),
        "outputs_function": entries[-1 if not slopes else -2][0],
        "slopes": slopes and with_constants(slopes.kernels, "JACOBIAN", single, layout),
        "differentiated": slopes and plain({"jacobian": table(slopes)}),
        "rounded": any(function in ULP for function in functions),
        "below": runtime(below=True),
        "units": ", ".join(f"I{k}" for k in range(len(spec.layers) + 1)),
        "heads": units_of_heads(spec),
        "parameters": in_lines(layout),
        "prediction": with_constants(network, "PREDICTION", single, layout),
        "stack": cost_model.STACK,
        "i": _output_index(spec),
        "fill": trained.scaling.fill is not None,
        "target_scaling": _scales_outputs(trained),
        "scaling": [(constant, lines(array)) for constant, array in _scaling(trained)],
        "weights": [
            (weight, _meaning(shape), lines(_part(trained.theta, offset, shape)))
            for weight, (offset, shape) in layout.items()
        ],
    }
    return render(keys | elementary_keys(single), "frozen.py.jinja")


def _around(
    classifies: bool, slopes: LoweredDerivative | None, loss: Kernels | None
) -> list[str]:
    """The functions of the template that are compiled."""
    more = ["_classes", "_labels"] if classifies else []
    more += ["_slopes"] if slopes else []
    more += _TO_TRAIN if loss else []
    return ["_check", "_scale", "_network", "_output", *more, "_outputs"]


def _jacobian(spec: Spec, layout: Layout) -> LoweredDerivative:
    network = Network(spec, share(stabilize(expand(next(iter(spec.of_terms.values()), spec)))))
    return lower_derivative("jacobian", spec, derivative("jacobian", network).program, layout)


def _gradient(spec: Spec, name: str) -> Kernels:
    """The loss and its gradient as the network's own module has them."""
    if spec.of_terms or spec.loss.arguments:
        what = "is a sum of terms, each of samples of its own" if spec.of_terms else "has arguments"
        raise SymgradError(f"{name}: the loss {what}; freeze it without a gradient")
    alone = passes(spec.model_copy(update={"training": None, "derivatives": ()}))
    assert alone.lowered.gradient is not None
    return alone.lowered.gradient


def module_name(trained: Trained, name: str | None = None) -> str:
    """`name`, or by default SPECNAME_frozen. Raises SymgradError if no module can have it."""
    if name is None:
        name = f"{Spec.recorded(trained.spec).name}_frozen"
    if wrong := module_problem(name):
        raise SymgradError(f"the module's name {quoted(name)} {wrong}")
    return name


def write_frozen(text: str, name: str, folder: str | os.PathLike[str]) -> Path:
    """Writes a frozen module into a folder as NAME.py, whole or not at all; returns its path.

    Raises SymgradError if something else is there already, or the folder can't be written.
    """
    path = Path(folder) / f"{name}.py"
    if os.path.lexists(path) and not _is_frozen(path):
        raise SymgradError(
            f"{path} is there already and is no frozen module; it was left as it is. Choose another"
            " name or folder"
        )
    return write({path.name: text}, folder)[0]


def _is_frozen(path: Path) -> bool:
    """Whether symgrad has frozen the module in a file."""
    if not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return _HEAD.match(file.read(1 << 16)) is not None


# ---- The header ----------------------------------------------------------------------------------


def _title(name: str, spec: Spec) -> str:
    shape = "-".join(map(str, spec.widths))
    return f"{name}: predictions by {spec.name}, a {shape} network, with its trained weights."


def _command(spec: Spec, name: str, file_name: str, jacobian: bool, gradient: bool) -> str:
    operand = f"./{file_name}" if file_name.startswith("-") else file_name
    option = "" if name == f"{spec.name}_frozen" else f" --name {name}"
    option += " --jacobian" * jacobian + " --gradient" * gradient
    return f"symgrad freeze {shlex.quote(operand)}{option}"


def digest(theta: Array) -> str:
    """SHA-256 of the weights in hexadecimal: of their bytes, the lowest of a number first."""
    return hashlib.sha256(theta.astype(theta.dtype.newbyteorder("<")).tobytes()).hexdigest()


def _equations(trained: Trained, spec: Spec, program: Program) -> list[str]:
    """The prediction from raw inputs to raw outputs or labels, a line each."""
    given, output, i = "raw", "y", _output_index(spec)
    rows: list[tuple[str, str]] = []
    if trained.scaling.fill is not None:
        given = "given"
        rows += [("given[n,i0]", "fill[i0] where raw[n,i0] is NaN, else raw[n,i0]")]
    rows += [("x[n,i0]", f"({given}[n,i0] - mean[i0])/scale[i0]")]
    for line in listing(program).splitlines():
        target, value = line.split(" = ", 1)
        rows += [(target.rstrip(), value)]
    if spec.has_heads:
        rows += [(f"y[n,{i}]", f"{', '.join(outputs_of(spec))}, side by side")]
    if _scales_outputs(trained):
        output = "output"
        rows += [(f"output[n,{i}]", f"y[n,{i}]·target_scale[{i}] + target_mean[{i}]")]
    if trained.columns.labels is not None:
        second = f"1 where {output}[n,0] ≥ ½, else 0"
        largest = f"the {i} with the largest {output}[n,{i}], the first of equals"
        rows += [("class[n]", second if spec.outputs == 1 else largest)]
        rows += [("label[n]", "LABELS[class[n]]")]
    width = max(len(target) for target, _ in rows)
    return [f"{target:<{width}} = {value}" for target, value in rows]


def _description(trained: Trained) -> Iterator[str]:
    """What each input and each output is, by name."""
    columns = trained.columns
    yield "Inputs, in the units of the data that the network was trained with:"
    yield ""
    yield from _listed("raw[n,{}]", columns.network_inputs, "INPUTS")
    yield ""
    if columns.labels is None:
        yield "Outputs, likewise:"
        yield ""
        yield from _listed("output[n,{}]", trained.outputs, "OUTPUTS")
    else:
        shown = ", ".join(map(_shown, columns.targets[:LISTED]))
        yield f"Classes, of {shown or 'no name'}:"
        yield ""
        yield from _listed("class {}", portable(columns.labels), "LABELS")


def _listed(place: str, names: Sequence[Label], constant: str) -> Iterator[str]:
    """Names by their places, the first of them where there are many."""
    width = len(place.format(min(len(names), LISTED) - 1))
    for number, name in enumerate(names[:LISTED]):
        yield f"    {place.format(number):<{width}}  {_shown(name)}"
    if len(names) > LISTED:
        yield f"    … and {len(names) - LISTED:,} more: see {constant}"


def _shown(name: Label) -> str:
    """A name of the user's as the header shows it, cut where it is long."""
    if isinstance(name, str) and len(name) > NAME_SHOWN:
        return in_docstring(f"{name[:NAME_SHOWN]!r}…")
    return in_docstring(repr(name))


# ---- What there is -------------------------------------------------------------------------------


def _entries(classifies: bool, probabilities: bool) -> list[tuple[str, str]]:
    """The public functions, and the compiled one that does the work of each."""
    if not classifies:
        return [("predict", "_outputs")]
    outputs = "probabilities" if probabilities else "outputs"
    return [("predict", "_labels"), ("classes", "_classes"), (outputs, "_outputs")]


def _scales_outputs(trained: Trained) -> bool:
    """Whether outputs have units of their own. Those of classes have none, as a rule."""
    scaling = trained.scaling
    plainly = not np.any(scaling.target_mean) and bool(np.all(scaling.target_scale == 1))
    return trained.columns.labels is None or not plainly


def _scales_targets(trained: Trained, spec: Spec) -> bool:
    """Whether targets have units of their own: as outputs do, if they are those."""
    return _scales_outputs(trained) and spec.loss.targets is None


def _of_targets(trained: Trained, spec: Spec) -> str:
    """What targets are."""
    if spec.loss.targets is not None:
        return "t is as in training"
    if trained.columns.labels is None:
        return "t has the outputs that there should be"
    if spec.outputs == 1:
        return "t is 1 for the second class, 0 for the first"
    return "t is 1 in the column of a sample's class, the columns as in LABELS, else 0"


def _output_index(spec: Spec) -> str:
    """The index of the outputs in equations."""
    return f"i{len(spec.layers)}"


def _scaling(trained: Trained) -> Iterator[tuple[str, Array]]:
    """The arrays of the scaling by the names that they have in the module."""
    scaling = trained.scaling
    yield "_MEAN", scaling.mean
    yield "_SCALE", scaling.scale
    if scaling.fill is not None:
        yield "_FILL", scaling.fill
    if _scales_outputs(trained):
        yield "_TARGET_MEAN", scaling.target_mean
        yield "_TARGET_SCALE", scaling.target_scale


# ---- Numbers -------------------------------------------------------------------------------------


def _part(theta: Array, offset: int, shape: tuple[int, ...]) -> Array:
    return theta[offset : offset + math.prod(shape)].reshape(shape)


def _meaning(shape: tuple[int, ...]) -> str:
    rows = ": a row for each unit below" if len(shape) == 2 else ""
    return f"of shape {shape}{rows}"


def lines(array: Array) -> list[str]:
    """The numbers of a vector or a matrix as text; each row begins a line."""
    texts = shortest(array.ravel())
    fit = max(1, LINE // (1 + max(map(len, texts), default=1)))
    width = array.shape[-1]
    return [
        " ".join(texts[start : min(start + fit, row + width)])
        for row in range(0, len(texts), width)
        for start in range(row, row + width, fit)
    ]


def shortest(vector: Array) -> list[str]:
    """The shortest decimals that Python's `float`, rounded to the dtype, reads back to these bits.

    The shortest for a float32 need not be that: it is rounded twice. Then it is written in full.
    """
    full = [repr(number) for number in vector.tolist()]
    if vector.dtype.itemsize == 8:
        return full
    short = [str(number) for number in vector]
    read = np.array([float(text) for text in short], vector.dtype)
    return [s if same else f for s, f, same in zip(short, full, read == vector, strict=True)]
