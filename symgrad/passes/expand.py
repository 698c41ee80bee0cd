"""expand: a spec becomes the one loss expression, in shared form.

    z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]        layer 1
    a1[n,i1] = tanh(z1[n,i1])
    y[n,i2]  = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]       layer 2, the output
    e[n]     = Σ_i2 ½(y[n,i2] - t[n,i2])²             loss of a sample
    E        = 1/N Σ_n e[n]                           the loss

This is the network as a textbook writes it: softmax is exp/Σexp, cross-entropy is -t·log y. Nothing
is made stable, shared or differentiated here.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from sympy import Abs, Expr, I, Integer, Mul, Rational, Sum, cosh, exp, log, nan, oo, zoo

from symgrad.errors import SpecError
from symgrad.language.dtypes import Dtype, misfit, remedy
from symgrad.language.functions import (
    ACTIVATIONS,
    IN_FORMULAS,
    constant,
    huber,
    maximum,
    minimum,
    xlogy,
)
from symgrad.language.indices import (
    SAMPLE,
    SAMPLES,
    fresh,
    operands,
    rebuild,
    sum_over,
    unit,
)
from symgrad.language.indices import axis as axis_of
from symgrad.language.notation import as_it_stands, group, group_factors, undistributed
from symgrad.language.order import is_constant
from symgrad.language.program import Constant, Definition, Program, array, name_of, reads
from symgrad.spec.formula import (
    Binary,
    Call,
    Column,
    Derivative,
    Negate,
    Number,
    Tree,
    Variable,
    axes_outside_sums,
    derivatives_of,
)
from symgrad.spec.scaling import Numbers, Scaling
from symgrad.spec.spec import Spec

LOSSES: dict[str, Callable[..., Expr]] = {
    # one output's part in the loss of a sample, y the output and t the target; constants by name
    "squared": lambda y, t: (y - t) ** 2 / 2,
    "absolute": lambda y, t: as_it_stands(Abs)(y - t),
    "huber": lambda y, t, delta: delta**2 * huber((y - t) / delta),
    "log_cosh": lambda y, t: log(as_it_stands(cosh)(y - t)),
    "cross_entropy": lambda y, t: -xlogy(t, y),
    "binary_cross_entropy": lambda y, t: -xlogy(t, y) - xlogy(1 - t, 1 - y),
    "poisson": lambda y, t: y - xlogy(t, y),
    "kl": lambda y, t: xlogy(t, t) - xlogy(t, y),
}


@undistributed
def expand(spec: Spec) -> Program:
    """The loss of `spec` as a program with the outputs y (samples, outputs) and E (a scalar)."""
    widths = spec.widths
    last = len(spec.layers)
    extents = {"n": SAMPLES, **{str(layer): Integer(width) for layer, width in enumerate(widths)}}
    definitions: list[Definition] = []
    weights: list[Expr] = []
    matrices: list[tuple[int, Expr]] = []  # the weights but for biases, and whose they are
    constants: list[Constant] = []

    def define(name: str, indices: tuple[Expr, ...], value: Expr) -> Expr:
        target = array(name, *indices)
        definitions.append(Definition(target, value))
        return target

    def known(name: str, values: Numbers | None, here: Expr) -> Expr | None:
        """Numbers of columns: an array, or the one number for all of them."""
        if not isinstance(values, tuple):
            return None if values is None else exact(values)
        constants.append(Constant(array(name, here), tuple(map(exact, values))))
        return constants[-1].target

    made = [array("x", SAMPLE, unit(0))]
    if spec.scaling_of_inputs:
        made = [define("a0", (SAMPLE, unit(0)), _scaled_in(spec.scaling_of_inputs, made[0], known))]
    for number, layer in enumerate(spec.layers, start=1):
        here, z = unit(number), Integer(0)
        for name, source in spec.sources(number):
            below = unit(source)
            matrices.append((number, array(name, below, here)))
            weights.append(matrices[-1][1])
            z = z + Sum(made[source] * weights[-1], (below, 0, widths[source] - 1))
        if layer.bias:
            weights.append(array(f"b{number}", here))
            z = z + weights[-1]
        if layer.activation != "identity":
            z = define(f"z{number}", (SAMPLE, here), z)
        a = _activation(spec, layer.activation, z, widths[number])
        if layer.residual:
            ((_, source),) = spec.sources(number)
            a = a + made[source].base[SAMPLE, here]
        output = number == last and not spec.scaling_of_outputs
        made.append(define("y" if output else f"a{number}", (SAMPLE, here), a))
    if spec.scaling_of_outputs:
        y = _scaled_out(spec.scaling_of_outputs, made[-1], known)
        made.append(define("y", (SAMPLE, unit(last)), y))

    given, loss = _loss_of_samples(spec, made[-1], define)
    extents |= _extent_of_targets(spec)
    inputs = [array("x", SAMPLE, unit(0)), *given, *(array(name) for name in spec.loss.arguments)]
    inputs += [target(each, spec) for each in inner_derivatives(spec)]
    for number, matrix in matrices:
        if spec.penalty(number, "l1") or spec.penalty(number, "l2"):
            name = str(matrix.base.label).removeprefix("W")
            loss = loss + define(f"R{name}", (), _penalty(spec, number, matrix, widths))
    define("E", (), loss)
    return Program(
        name=spec.name,
        inputs=tuple(inputs),
        weights=tuple(weights),
        extents=extents,
        definitions=tuple(definitions),
        outputs=("y", "E"),
        fixed=frozenset(
            name
            for number, layer in enumerate(spec.layers, start=1)
            if not layer.trainable
            for name in (*(name for name, _ in spec.sources(number)), f"b{number}")
        ),
        constants=tuple(constants),
    )


# Numbers of columns under a name, with the index of these: an array of constants or a number.
_Known = Callable[[str, Numbers | None, Expr], Expr | None]


def _scaled_in(scaling: Scaling, x: Expr, known: _Known) -> Expr:
    """The inputs in the network's own units."""
    here = x.indices[-1]
    value = _clipped(scaling, "x", x, here, known)
    if (shift := known("x_shift", scaling.shift, here)) is not None:
        value = value - shift
    if (scale := known("x_scale", scaling.scale, here)) is not None:
        value = group(value) / scale
    return value


def _scaled_out(scaling: Scaling, a: Expr, known: _Known) -> Expr:
    """The outputs in the units of the data."""
    value, here = a, a.indices[-1]
    if (scale := known("y_scale", scaling.scale, here)) is not None:
        value = value * scale
    if (shift := known("y_shift", scaling.shift, here)) is not None:
        value = value + shift
    return _clipped(scaling, "y", value, here, known)


def _clipped(scaling: Scaling, name: str, value: Expr, here: Expr, known: _Known) -> Expr:
    """NaN stays NaN: a number comes first in what takes the larger or the smaller of two."""
    if scaling.ends is None:
        return value
    low, high = (
        known(f"{name}_{end}", numbers, here)
        for end, numbers in zip(("low", "high"), scaling.ends, strict=True)
    )
    return minimum(maximum(value, low), high)


@undistributed
def loss_of_output(spec: Spec) -> Program:
    """The loss without penalties as a program of what the network gives, y, which is given here."""
    last = len(spec.layers)
    definitions: list[Definition] = []

    def define(name: str, indices: tuple[Expr, ...], value: Expr) -> Expr:
        target = array(name, *indices)
        definitions.append(Definition(target, value))
        return target

    y = array("y", SAMPLE, unit(last))
    given, loss = _loss_of_samples(spec, y, define)
    define("E", (), loss)
    extents = {"n": SAMPLES, str(last): Integer(spec.outputs)}
    x = array("x", SAMPLE, unit(0))
    extents |= {"0": Integer(spec.inputs), **_extent_of_targets(spec)}
    return Program(spec.name, (y, x, *given), (), extents, tuple(definitions), ("E",))


def _loss_of_samples(
    spec: Spec, y: Expr, define: Callable[[str, tuple[Expr, ...], Expr], Expr]
) -> tuple[list[Expr], Expr]:
    """What it takes beside the output, and the mean of the losses of all samples."""
    t, every_sample = array("t", SAMPLE, _index_of_targets(spec)), (SAMPLE, 0, SAMPLES - 1)
    factor = exact(spec.loss.weight)
    e = define("e", (SAMPLE,), _loss(spec, array("x", SAMPLE, unit(0)), y, t))
    if not spec.loss.sample_weights:
        return [t], factor * (Sum(e, every_sample) / SAMPLES)
    w = array("w", SAMPLE)
    total = define("w_total", (), Sum(w, every_sample))
    return [t, w], factor * (Sum(w * e, every_sample) / total)


def _index_of_targets(spec: Spec) -> Expr:
    """That of outputs, or of inputs; one of their own for targets that are read by their numbers
    alone."""
    last = len(spec.layers)
    places = {"outputs": last, "inputs": 0, None: last + 1}
    return unit(places[spec.quantities.axis_of_targets])


def _extent_of_targets(spec: Spec) -> dict[str, Expr]:
    if spec.quantities.axis_of_targets is not None:
        return {}
    return {str(len(spec.layers) + 1): Integer(spec.targets)}


def exact(value: float) -> Rational:
    """The number that was written, not the nearest binary one: 0.1 is 1/10."""
    return Rational(repr(value))


def _activation(spec: Spec, name: str, z: Expr, width: int) -> Expr:
    if name == "softmax":
        here = z.indices[-1]
        other = fresh(here, [here])
        return exp(z) / Sum(exp(z.base[SAMPLE, other]), (other, 0, width - 1))
    if name in ACTIVATIONS:
        return ACTIVATIONS[name](z)
    at, widths = {"outputs": z.indices[-1]}, {"outputs": width}
    value = lower(
        spec.activations[name].tree, lambda _, at: z.base[SAMPLE, at["outputs"]], at, widths
    )
    return _checked(value, (z,), spec.activations[name].formula, spec.dtype)


def _loss(spec: Spec, x: Expr, y: Expr, t: Expr) -> Expr:
    """The loss of a sample: summed over the outputs, unless the formula has done so itself."""
    here, width = y.indices[-1], spec.outputs
    if spec.loss.kind is not None:
        numbers = {name: exact(value) for name, value in spec.loss.kind_constants.items()}
        return sum_over(LOSSES[spec.loss.kind](y, t, **numbers), here, Integer(width))
    tree = spec.loss_tree
    assert tree is not None
    at = {"outputs": here, "inputs": unit(0)}
    widths = {"outputs": width, "inputs": spec.inputs}
    axes = axes_outside_sums(tree)

    def read(leaf: Tree, at: Mapping[str, Expr]) -> Expr:
        match leaf:
            case Column(name, place):
                return {"y": y, "t": t, "x": x}[name].base[SAMPLE, Integer(place)]
            case Variable(name, axis):
                return {"y": y, "t": t, "x": x}[name].base[SAMPLE, at[axis]]
            case Derivative():
                found = target(leaf, spec)
                here = "inputs" if leaf.by == "each" else "outputs"
                return found.base[SAMPLE, at[here]] if len(found.indices) > 1 else found
        raise AssertionError(leaf)

    value = lower(tree, read, at, widths)
    known = (y, *(target(each, spec) for each in derivatives_of(tree)))
    each = _checked(value, known, str(spec.loss.formula), spec.dtype)
    for axis in sorted(axes):
        each = sum_over(each, at[axis], Integer(widths[axis]))
    return each


def inner_derivatives(spec: Spec) -> tuple[Derivative, ...]:
    """The derivatives that stand in the loss."""
    tree = spec.loss_tree
    return () if tree is None else derivatives_of(tree)


def target(derivative: Derivative, spec: Spec) -> Expr:
    """What a derivative in the loss is called, before and after it is known how it is computed:
    d_u_d_x[n], d_y_d_x0[n,i2] of all outputs."""
    of, by = derivative.of, derivative.by
    column = of.place if isinstance(of, Column) else None
    name = "y" if column is None else _called(spec.output_names, "y", column, spec.outputs)
    indices = (SAMPLE,) if column is not None else (SAMPLE, unit(len(spec.layers)))
    if by == "laplacian":
        return array(f"laplacian_{name}", *indices)
    if by == "each":
        return array(f"d_{name}_d_x", SAMPLE, unit(0))
    assert not isinstance(by, str)
    inputs = (_called(spec.input_names, "x", place, 2) for place in by)
    return array("_d_".join([f"d_{name}", *inputs]), *indices)


def _called(names: Sequence[str] | None, array: str, place: int, many: int) -> str:
    """A column by its name, or as what it is: y where there is but one, else y0."""
    if names:
        return names[place]
    return array if many == 1 else f"{array}{place}"


def _checked(value: Expr, variables: Sequence[Expr], formula: str, dtype: Dtype) -> Expr:
    """What shows once a formula is an expression: 1/(sqrt(2)**2 - 2) is infinite, y - y is 0.

    Numbers come together in it, exactly: z*1e-300*1e-300 has 1e-600, which no dtype holds.
    """
    names = {name_of(variable) for variable in variables}
    name = name_of(variables[0])
    factors = {product.as_coeff_Mul()[0] for product in value.atoms(Mul)}
    for number in value.atoms(Rational):
        if wrong := misfit(Fraction(number.p, number.q), dtype, number in factors):
            raise SpecError(
                f"formula {formula!r}: a number in it comes to {number.evalf(3)}, which is"
                f" {wrong}{remedy(dtype)}"
            )
    if _settled(value).has(zoo, nan, oo, -oo, I) or not all(map(_is_real, _constants(value))):
        raise SpecError(f"formula {formula!r}: it has no finite value, whatever {name} is")
    if not names & {*map(name_of, reads(value))}:
        raise SpecError(f"formula {formula!r}: it is the same whatever {name} is; use {name} in it")
    return value


def _settled(value: Expr) -> Expr:
    """`value` as SymPy has it once passes have built it anew: sqrt(-(z*z)) is I·|z| then."""
    parts = operands(value)
    return rebuild(value, map(_settled, parts)) if parts else value


def _constants(value: Expr) -> list[Expr]:
    """The largest parts of `value` in which nothing but numbers stands."""
    if is_constant(value):
        return [value]
    return [each for part in operands(value) for each in _constants(part)]


def _is_real(number: Expr) -> bool:
    """Whether a number is real: log(cos(2)) is not, which is seen when it is computed."""
    return bool(number.is_Rational or number.evalf(20).is_real)


def _penalty(spec: Spec, number: int, weight: Expr, widths: tuple[int, ...]) -> Expr:
    """λ₂/2 Σ W² + λ₁ Σ |W| of one array of a layer's."""
    rows, columns = weight.indices
    many = {index: widths[int(axis_of(index))] for index in weight.indices}
    penalty = Integer(0)
    for rate, each in ((_rate(spec, number, "l2") / 2, weight**2),
                       (_rate(spec, number, "l1"), IN_FORMULAS["abs"](weight))):  # fmt: skip
        total = Sum(Sum(each, (columns, 0, many[columns] - 1)), (rows, 0, many[rows] - 1))
        penalty = penalty + rate * total
    return penalty


def _rate(spec: Spec, number: int, penalty: str) -> Expr:
    """λ of a layer: a number, or what stands for one that is given at run time."""
    rate = spec.penalty(number, penalty)
    return array(penalty) if isinstance(rate, str) else exact(rate)


# What is read for a leaf of a formula's tree, where the index of each axis is what it is: that of
# units, or another in a sum over them.
Read = Callable[[Tree, Mapping[str, Expr]], Expr]


def lower(tree: Tree, read: Read, at: Mapping[str, Expr], widths: Mapping[str, int]) -> Expr:
    """A formula's tree as an expression; `at` has the index of each axis, `widths` how long it
    is."""

    def inside(part: Tree) -> Expr:
        return lower(part, read, at, widths)

    match tree:
        case Number(value):
            return Rational(value.numerator, value.denominator)
        case Variable() | Column() | Derivative():
            return read(tree, at)
        case Negate(operand):
            return -inside(operand)
        case Binary(operator, left, right):
            return _OPERATORS[operator](inside(left), inside(right))
        case Call("sum", (body,)):
            axis = next(iter(sorted(axes_outside_sums(body))), "outputs")
            other = fresh(at[axis], [at[axis]])
            within = lower(body, read, {**at, axis: other}, widths)
            return sum_over(within, other, Integer(widths[axis]))
        case Call(function, arguments):
            values = list(map(inside, arguments))
            if function in _OF_EITHER_SIGN:
                values = [group(value) for value in values]
            call = as_it_stands(IN_FORMULAS[function])(*values)
            return constant(call) if all(is_constant(value) for value in values) else call
    raise AssertionError(tree)


# SymPy takes a sign out of what they are called with, wherever it builds an expression anew; of a
# sum, where it does not distribute, it does so without end. Of what is grouped it does not.
_OF_EITHER_SIGN = {"abs", "sin", "cos", "sinh", "cosh", "tanh", "atan", "erf"}

_OPERATORS: dict[str, Callable[[Expr, Expr], Expr]] = {
    "+": lambda a, b: group(a) + group(b),
    "-": lambda a, b: group(a) - group(b),
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: group_factors(a) ** b,
}
