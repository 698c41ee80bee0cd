"""expand: a spec becomes the one loss expression, in shared form.

    z1[n,i1] = Σ_i0 x[n,i0]·W1[i0,i1] + b1[i1]        layer 1
    a1[n,i1] = tanh(z1[n,i1])
    y[n,i2]  = Σ_i1 a1[n,i1]·W2[i1,i2] + b2[i2]       layer 2, the output
    e[n]     = Σ_i2 ½(y[n,i2] - t[n,i2])²             loss of a sample
    E        = 1/N Σ_n e[n]                           the loss

This is the network as a textbook writes it: softmax is exp/Σexp, cross-entropy is -t·log y. Nothing
is made stable, shared or differentiated here.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from itertools import starmap

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
from symgrad.spec.parts import Objective
from symgrad.spec.scaling import Numbers, Scaling
from symgrad.spec.spec import Group, Spec

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
    last = len(spec.layers)
    extents = {"n": SAMPLES, **_extents(spec)}
    definitions: list[Definition] = []
    weights: list[Expr] = []
    matrices: list[tuple[int, Expr]] = []  # the weights but for biases, and whose they are
    fixed: set[str] = set()
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
        begun = len(weights)
        for head in spec.groups(number):
            called = f"{number}{head.label}"
            here, z = unit(called), Integer(0)
            for name, source in spec.sources(number, head.label):
                below = unit(source)
                matrices.append((number, array(name, below, here)))
                weights.append(matrices[-1][1])
                z = z + Sum(made[source] * weights[-1], (below, 0, spec.widths[source] - 1))
            if layer.bias:
                weights.append(array(f"b{called}", here))
                z = z + weights[-1]
            if head.activation != "identity":
                z = define(f"z{called}", (SAMPLE, here), z)
            a = _activation(spec, head.activation, z, head.units)
            if layer.residual:
                ((_, source),) = spec.sources(number)
                a = a + made[source].base[SAMPLE, here]
            output = number == last and not spec.scaling_of_outputs
            made.append(define(head.of("y") if output else f"a{number}", (SAMPLE, here), a))
        if not layer.trainable:
            fixed |= {name_of(weight) for weight in weights[begun:]}
    if spec.scaling_of_outputs:
        y = _scaled_out(spec.scaling_of_outputs, made[-1], known)
        made.append(define("y", (SAMPLE, unit(last)), y))

    given, loss = _loss_of_samples(spec, made[-len(spec.heads) :], define)
    extents |= _extent_of_targets(spec)
    inputs = [array("x", SAMPLE, unit(0)), *given, *(array(name) for name in spec.loss.arguments)]
    inputs += [target(each, spec) for each in inner_derivatives(spec)]
    for number, matrix in matrices:
        if spec.penalty(number, "l1") or spec.penalty(number, "l2"):
            name = str(matrix.base.label).removeprefix("W")
            loss = loss + define(f"R{name}", (), _penalty(spec, number, matrix, extents))
    define("E", (), loss)
    return Program(
        name=spec.name,
        inputs=tuple(inputs),
        weights=tuple(weights),
        extents=extents,
        definitions=tuple(definitions),
        outputs=(*outputs_of(spec), "E"),
        fixed=frozenset(fixed),
        constants=tuple(constants),
    )


def outputs_of(spec: Spec) -> tuple[str, ...]:
    """The arrays that hold the outputs, y or those of the heads."""
    return tuple(head.of("y") for head in spec.heads)


def _extents(spec: Spec) -> dict[str, Expr]:
    """How many inputs there are, and units of each layer, or of its heads."""
    groups = {
        f"{number}{group.label}": Integer(group.units)
        for number in range(1, len(spec.layers) + 1)
        for group in spec.groups(number)
    }
    return {"0": Integer(spec.inputs), **groups}


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
    definitions: list[Definition] = []

    def define(name: str, indices: tuple[Expr, ...], value: Expr) -> Expr:
        target = array(name, *indices)
        definitions.append(Definition(target, value))
        return target

    y = [array(head.of("y"), SAMPLE, _index_of(spec, head)) for head in spec.heads]
    given, loss = _loss_of_samples(spec, y, define)
    define("E", (), loss)
    axes = ("0", *(axis_of(each.indices[-1]) for each in y))
    extents = {"n": SAMPLES, **{axis: _extents(spec)[axis] for axis in axes}}
    x = array("x", SAMPLE, unit(0))
    extents |= _extent_of_targets(spec)
    return Program(spec.name, (*y, x, *given), (), extents, tuple(definitions), ("E",))


def _index_of(spec: Spec, head: Group) -> Expr:
    return unit(f"{len(spec.layers)}{head.label}")


def _loss_of_samples(
    spec: Spec,
    outputs: Sequence[Expr],
    define: Callable[[str, tuple[Expr, ...], Expr], Expr],
) -> tuple[list[Expr], Expr]:
    """What it takes beside the outputs, those of each head, and the mean of the losses of all
    samples."""
    y, every_sample = tuple(outputs), (SAMPLE, 0, SAMPLES - 1)
    t, factor = _targets(spec, y), exact(spec.loss.weight)
    if spec.loss.of_heads:
        e = Integer(0)
        for term in spec.loss.terms:
            ((own_y, own_t),) = (
                pair
                for head, *pair in zip(spec.heads, y, t, strict=True)
                if head == spec.head_of(term)
            )
            own = _loss(spec, term, (own_y,), (own_t,))
            e = e + exact(term.weight) * define(f"e_{term.name}", (SAMPLE,), own)
    else:
        e = _loss(spec, spec.loss, y, t)
    e = define("e", (SAMPLE,), e)
    if not spec.loss.sample_weights:
        return [*t], factor * (Sum(e, every_sample) / SAMPLES)
    w = array("w", SAMPLE)
    total = define("w_total", (), Sum(w, every_sample))
    return [*t, w], factor * (Sum(w * e, every_sample) / total)


def _targets(spec: Spec, outputs: Sequence[Expr]) -> tuple[Expr, ...]:
    """The targets: those of each head, where there is one for each output."""
    if spec.quantities.axis_of_targets == "outputs":
        heads = zip(spec.heads, outputs, strict=True)
        return tuple(array(head.of("t"), *y.indices) for head, y in heads)
    return (array("t", SAMPLE, _index_of_targets(spec)),)


def _index_of_targets(spec: Spec) -> Expr:
    """That of inputs, or one of their own for targets that are read by their numbers alone."""
    return unit(0 if spec.quantities.axis_of_targets == "inputs" else len(spec.layers) + 1)


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
    at, ranges = {"outputs": z.indices[-1]}, {"outputs": [(z.indices[-1], width)]}
    value = lower(
        spec.activations[name].tree, lambda _, at: z.base[SAMPLE, at["outputs"]], at, ranges
    )
    return _checked(value, (z,), spec.activations[name].formula, spec.dtype)


def _loss(spec: Spec, judged: Objective, y: Sequence[Expr], t: Sequence[Expr]) -> Expr:
    """The loss of a sample by the outputs y of one head or more: summed over these, unless the
    formula has done so itself."""
    extents, indices = _extents(spec), [each.indices[-1] for each in y]
    ranges: Ranges = {
        "outputs": [(index, int(extents[axis_of(index)])) for index in indices],
        "inputs": [(unit(0), spec.inputs)],
    }
    if judged.kind is not None:
        numbers = {name: exact(value) for name, value in judged.kind_constants.items()}
        each = (LOSSES[judged.kind](*pair, **numbers) for pair in zip(y, t, strict=True))
        return _added(
            sum_over(loss, here, Integer(width))
            for loss, (here, width) in zip(each, ranges["outputs"], strict=True)
        )
    tree = judged.in_terms_of(spec.quantities_of(judged))
    assert tree is not None
    known = {"y": y, "t": t, "x": (array("x", SAMPLE, unit(0)),)}
    at = {axis: here for axis, ((here, _), *_) in ranges.items()}

    def read(leaf: Tree, at: Mapping[str, Expr]) -> Expr:
        match leaf:
            case Column(name, place):
                return _column(known[name], place, dict(ranges["outputs"]))
            case Variable(name, axis):
                return _along(known[name], at[axis])
            case Derivative():
                found = target(leaf, spec)
                here = "inputs" if leaf.by == "each" else "outputs"
                return found.base[SAMPLE, at[here]] if len(found.indices) > 1 else found
        raise AssertionError(leaf)

    axes = axes_outside_sums(tree)
    checked = (*y, *(target(each, spec) for each in derivatives_of(tree)))

    def summed(here: Expr, width: int) -> Expr:
        """Over the outputs of one head, and over the inputs, if it is something of each of them."""
        value = lower(tree, read, {**at, "outputs": here}, ranges)
        each = _checked(value, checked, str(judged.formula), spec.dtype)
        over = {**ranges, "outputs": [(here, width)]}
        for axis in sorted(axes):
            ((index, many),) = over[axis]
            each = sum_over(each, index, Integer(many))
        return each

    return _added(starmap(summed, ranges["outputs"][: None if "outputs" in axes else 1]))


def _added(values: Iterable[Expr]) -> Expr:
    return reduce(operator.add, values)


def _column(arrays: Sequence[Expr], place: int, widths: Mapping[Expr, int]) -> Expr:
    """A column of arrays that stand side by side."""
    *others, last = arrays
    for each in others:
        if place < widths[each.indices[-1]]:
            return each.base[SAMPLE, Integer(place)]
        place -= widths[each.indices[-1]]
    return last.base[SAMPLE, Integer(place)]


def _along(arrays: Sequence[Expr], here: Expr) -> Expr:
    """What of several arrays has such an index, at it."""
    (own,) = (each for each in arrays if axis_of(each.indices[-1]) == axis_of(here))
    return own.base[SAMPLE, here]


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


def _penalty(spec: Spec, number: int, weight: Expr, extents: Mapping[str, Expr]) -> Expr:
    """λ₂/2 Σ W² + λ₁ Σ |W| of one array of a layer's."""
    rows, columns = weight.indices
    many = {index: extents[axis_of(index)] for index in weight.indices}
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

# What each axis goes through: indices, and how many values each takes; of outputs one for each
# head.
Ranges = Mapping[str, Sequence[tuple[Expr, int]]]


def lower(tree: Tree, read: Read, at: Mapping[str, Expr], ranges: Ranges) -> Expr:
    """A formula's tree as an expression; `at` has the index of each axis, `ranges` all that it goes
    through."""

    def inside(part: Tree) -> Expr:
        return lower(part, read, at, ranges)

    match tree:
        case Number(value):
            return Rational(value.numerator, value.denominator)
        case Variable() | Column() | Derivative():
            return read(tree, at)
        case Negate(operand):
            return -inside(operand)
        case Binary(sign, left, right):
            return _OPERATORS[sign](inside(left), inside(right))
        case Call("sum", (body,)):
            axis = next(iter(sorted(axes_outside_sums(body))), "outputs")
            return _added(
                sum_over(lower(body, read, {**at, axis: other}, ranges), other, Integer(width))
                for other, width in ((fresh(i, [at[axis]]), width) for i, width in ranges[axis])
            )
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
