"""The literal proposal: one scalar SymPy expression, its `diff` by each weight, exact digits.

The whole loss of one sample is a single expression in a symbol per weight (W1_0_1) and per datum
(x_0, t_0), with every sum written out. By linearity its derivatives, evaluated at each sample's
data and averaged, are the derivatives of the whole. Nothing is rearranged for stability: at 30
and more digits the textbook formulas will do. Its cost is why it judges small networks only.
"""

import ast
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from symgrad.checking.quantities import Derivative, Quantity, derivative, quantity
from symgrad.checking.reference import (
    Array,
    Spec,
    groups,
    inputs,
    is_leaf,
    is_sum,
    judged,
    lookup,
    operands,
    parse,
    penalty,
    scaling,
    shapes,
    taken,
    targets,
    terms,
    walk,
)

# See `cost`. The limit stands for 2 to 6 seconds on one core of two; measured, with 3 samples:
#   2-4-4-2 tanh 7,000: 0.7 s      2-4-4-2 relu 49,000: 1.5 s    3-8-8-2 sigmoid 111,000: 14 s
#   2-4-4-2 silu 49,000: 6 s       8-20-1 tanh  68,000: 2.6 s    4-4-4-4-4 tanh  220,000: 12 s
LIMIT = 50_000
WEIGHTS = 500
DEPTH = 8  # layers: SymPy recurses on depth, and formulas may be deep themselves


class Step(sp.Function):
    """1 above 0 and otherwise 0, with derivative 0 everywhere: the convention at kinks.

    SymPy's Heaviside would bring in DiracDelta, and its Piecewise, nested three layers deep, take
    minutes over the conditions (3-3-3-3 relu: 95 s; with this function 2 s).
    """

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.Integer(0)


def gradient(
    spec: Spec, theta: Any, x: Any, t: Any, w: Any = None, *, digits: int = 30
) -> tuple[Any, list[Any]]:
    """The loss and its derivative by each weight, as mpmath numbers of `digits` digits."""
    weights, data, targets, expression = expand(spec)
    derivatives = [sp.diff(expression, weight) for weight in weights]
    order = _order([expression, *derivatives])
    shares = [1.0] * len(x) if w is None or not spec["loss"]["sample_weights"] else w
    with mpmath.workdps(digits + 10):
        totals = [mpmath.mpf(0)] * (1 + len(weights))
        numbers = [mpmath.mpf(float(value)) for value in theta]
        for row, target, share in zip(x, t, shares, strict=True):
            given = [*numbers, *(mpmath.mpf(float(value)) for value in (*row, *target))]
            values = _evaluate(order, dict(zip([*weights, *data, *targets], given, strict=True)))
            terms = [mpmath.mpf(float(share)) * values[e] for e in (expression, *derivatives)]
            totals = [total + term for total, term in zip(totals, terms, strict=True)]
        whole = mpmath.fsum(mpmath.mpf(float(share)) for share in shares)
        means = [total / whole for total in totals]
    return means[0], means[1:]


def affordable(spec: Spec) -> bool:
    """Whether SymPy differentiates this network in seconds; one with one loss, and not several."""
    if "terms" in spec["loss"] and spec["loss"] not in terms(spec):
        return False
    small = len(spec["layers"]) <= DEPTH and _weights(spec) <= WEIGHTS
    return small and cost(spec) <= LIMIT


def cost(spec: Spec) -> int:
    """The size of the loss written out as a tree, counted without building it, times weights.

    Whatever a function reads, it multiplies: mish reads its z twice, a softmax reads every z.
    """
    sizes, widths = [1], [inputs(spec)]
    for number, layer in enumerate(spec["layers"], 1):
        reads = max(_reads_of(spec, group) for _, group in groups(layer))
        sources = [below for _, below in taken(spec, number)]
        size = reads * sum(widths[below] * (sizes[below] + 1) for below in sources)
        sizes.append(size + (sizes[sources[0]] if layer["residual"] else 0))
        widths.append(layer["units"])
    size, width = sizes[-1], widths[-1]
    y = [sp.Symbol(f"y_{j}", real=True) for j in range(width)]
    t = [sp.Symbol(f"t_{j}", real=True) for j in range(targets(spec, spec["loss"]))]
    return _of_loss(spec, y, t) * size * _weights(spec)


def _reads_of(spec: Spec, group: Mapping[str, Any]) -> int:
    """How often a unit of a layer, or a head, mentions the z: differentiated, what reads its z
    twice mentions it four times."""
    z = [sp.Symbol(f"z_{j}", real=True) for j in range(group["units"])]
    return _reads(_activate(spec, group["activation"], z)[:1], z) ** 2


def _of_loss(spec: Spec, y: list[sp.Symbol], t: list[sp.Symbol]) -> int:
    """How often a loss mentions the outputs; a derivative grows with each order as a derivative by
    a weight does."""
    formula = spec["loss"].get("formula")
    calls = [node for node in walk(parse(formula)) if isinstance(node, ast.Call)] if formula else []
    found = [each for node in calls if (each := derivative(node, spec)) is not None]
    if not found:
        x = [sp.Symbol(f"x_{i}", real=True) for i in range(inputs(spec))]
        return _reads(_losses(spec, x, y, t), y)
    orders = [len(each.by) if isinstance(each.by, tuple) else 2 for each in found]
    return len(found) * 1000 ** max(orders) * (inputs(spec) if any(
        not isinstance(each.by, tuple) for each in found
    ) else 1)  # fmt: skip


def _weights(spec: Spec) -> int:
    return sum(math.prod(shape) for shape in shapes(spec).values())


def _reads(expressions: list[sp.Expr], symbols: list[sp.Symbol]) -> int:
    """How often the expressions, written out, mention the symbols."""
    mentioned = itertools.chain(*map(sp.preorder_traversal, expressions))
    wanted = set(symbols)
    return sum(node in wanted for node in mentioned)


def expand(spec: Spec) -> tuple[list[sp.Symbol], list[sp.Symbol], list[sp.Symbol], sp.Expr]:
    """The symbols of weights, inputs and targets, and the one sample's loss made of them."""
    named = {
        name: [
            sp.Symbol("_".join([name, *map(str, index)]), real=True)
            for index in itertools.product(*map(range, shape))
        ]
        for name, shape in shapes(spec).items()
    }
    x = [sp.Symbol(f"x_{i}", real=True) for i in range(inputs(spec))]
    before, after = scaling(spec)
    made: list[list[sp.Expr]] = [[
        (value - shift) / scale
        for value, shift, scale in zip(
            _cut(before, x), *(_of_columns(before.get(key, each), len(x)) for key, each in _NONE),
            strict=True,
        )
    ]]  # fmt: skip
    for number, layer in enumerate(spec["layers"], 1):
        activated = []
        for head, group in groups(layer):
            units, sources = group["units"], taken(spec, number, head)
            biases = named[f"b{number}{head}"] if layer["bias"] else [sp.Integer(0)] * units
            pairs = [
                (value, named[name][i * units : (i + 1) * units])
                for name, below in sources
                for i, value in enumerate(made[below])
            ]
            z = [sp.Add(*(value * row[j] for value, row in pairs), biases[j]) for j in range(units)]
            activated += _activate(spec, group["activation"], z)
        residual = made[sources[0][1]] if layer["residual"] else [sp.Integer(0)] * len(activated)
        made.append([value + before for value, before in zip(activated, residual, strict=True)])
    shifts, scales = (_of_columns(after.get(key, each), len(made[-1])) for key, each in _NONE)
    scaled = zip(made[-1], scales, shifts, strict=True)
    a = _cut(after, [value * scale + shift for value, scale, shift in scaled])
    t = [sp.Symbol(f"t_{j}", real=True) for j in range(targets(spec, spec["loss"]))]
    expression = _exact(spec["loss"].get("weight", 1)) * sp.Add(*_losses(spec, x, a, t))
    for name, symbols in named.items():
        if name.startswith("W"):
            l1, l2 = (_exact(penalty(spec, name, which)) for which in ("l1", "l2"))
            expression += l2 / 2 * sp.Add(*(s**2 for s in symbols))
            expression += l1 * sp.Add(*map(_absolute, symbols))
    return list(itertools.chain(*named.values())), x, t, expression


# What is done to columns of which nothing is said.
_NONE = (("shift", 0), ("scale", 1))


def _of_columns(numbers: Any, columns: int) -> list[sp.Expr]:
    """A number for each column, exactly as it is written."""
    return [*map(_exact, numbers if isinstance(numbers, list) else [numbers] * columns)]


def _cut(scaling: Mapping[str, Any], values: list[sp.Expr]) -> list[sp.Expr]:
    """Values between the ends of `clip`."""
    if "clip" not in scaling:
        return values
    ends = scaling["clip"]
    ends = ends if isinstance(ends[0], list) else [ends] * len(values)
    cut = []
    for value, (low, high) in zip(values, ends, strict=True):
        above = _exact(low) + ACTIVATIONS["relu"](value - _exact(low))
        cut.append(_exact(high) - ACTIVATIONS["relu"](_exact(high) - above))
    return cut


def _activate(spec: Spec, name: str, z: Sequence[sp.Expr]) -> list[sp.Expr]:
    if name in spec["activations"]:
        own = spec["activations"][name]
        found = interpret(own["formula"], {"z": list(z)}, own["constants"], len(z))
        return found * len(z) if len(found) == 1 else found
    if name == "softmax":
        return [sp.exp(each) / sp.Add(*map(sp.exp, z)) for each in z]
    return [ACTIVATIONS[name](each) for each in z]


def _losses(spec: Spec, x: list[sp.Expr], y: list[sp.Expr], t: list[sp.Expr]) -> list[sp.Expr]:
    """Of a sample; the sum of them is its loss."""
    return [
        _exact(weight) * each
        for view, weight, some in judged(spec)
        for each in _losses_of(view, x, y[some], t[some])
    ]


def _losses_of(spec: Spec, x: list[sp.Expr], y: list[sp.Expr], t: list[sp.Expr]) -> list[sp.Expr]:
    described = spec["loss"]
    if described.get("formula") is None:
        kind, constants = LOSSES[described["kind"]], described.get("constants", {})
        return [kind(*pair, **constants) for pair in zip(y, t, strict=True)]
    known = {"x": x, "y": y, "t": t}

    def leaf(node: ast.expr) -> list[sp.Expr] | None:
        if isinstance(node, ast.Call):
            call = derivative(node, spec)
            return None if call is None else _derived(call, known)
        what = quantity(node, spec)
        return None if what is None else _read(what, known)

    return interpret(described["formula"], {}, described["constants"], len(y), leaf)


def _read(what: Quantity, known: Mapping[str, list[sp.Expr]]) -> list[sp.Expr]:
    return known[what.array] if what.place is None else [known[what.array][what.place]]


def _derived(what: Derivative, known: Mapping[str, list[sp.Expr]]) -> list[sp.Expr]:
    of, x = _read(what.of, known), known["x"]
    if what.by is None:
        return [sp.diff(of[0], each) for each in x]
    if isinstance(what.by, str):
        return [sp.Add(*(sp.diff(value, each, each) for each in x)) for value in of]
    return [sp.diff(value, *(x[place] for place in what.by)) for value in of]


# --- functions --------------------------------------------------------------------------------


def _exact(value: float) -> sp.Rational:
    """A decimal as it was written: 0.1 is 1/10."""
    fraction = Fraction(repr(float(value)))
    return sp.Rational(fraction.numerator, fraction.denominator)


def _absolute(u: sp.Expr) -> sp.Expr:
    return u * (Step(u) - Step(-u))


def _relu(u: sp.Expr) -> sp.Expr:
    return u * Step(u)


def _below(u: sp.Expr, below: sp.Expr) -> sp.Expr:
    """u above 0, and `below` elsewhere, 0 included."""
    return u * Step(u) + below * (1 - Step(u))


def _sigmoid(u: sp.Expr) -> sp.Expr:
    return 1 / (1 + sp.exp(-u))


def _softplus(u: sp.Expr) -> sp.Expr:
    return sp.log(1 + sp.exp(u))


def _huber(r: sp.Expr, delta: float = 1) -> sp.Expr:
    d = _exact(delta)
    outside = Step(r - d) + Step(-r - d)
    return r**2 / 2 * (1 - outside) + d * (_absolute(r) - d / 2) * outside


def _t_log_t(t: sp.Expr) -> sp.Expr:
    """0 log 0 = 0, without a log of 0 on the way."""
    return t * sp.log(t + 1 - Step(t))


SELU_SCALE = _exact(1.0507009873554805)
SELU_ALPHA = _exact(1.6732632423543772)

ACTIVATIONS: dict[str, Callable[[sp.Expr], sp.Expr]] = {
    "identity": lambda z: z,
    "relu": _relu,
    "leaky_relu": lambda z: _below(z, z / 100),
    "elu": lambda z: z * (1 - Step(-z)) + (sp.exp(z) - 1) * Step(-z),
    "selu": lambda z: SELU_SCALE * _below(z, SELU_ALPHA * (sp.exp(z) - 1)),
    "gelu": lambda z: z * (1 + sp.erf(z / sp.sqrt(2))) / 2,
    "silu": lambda z: z * _sigmoid(z),
    "mish": lambda z: z * sp.tanh(_softplus(z)),
    "softplus": _softplus,
    "softsign": lambda z: z / (1 + _absolute(z)),
    "sigmoid": _sigmoid,
    "tanh": sp.tanh,
    "sin": sp.sin,
    "gaussian": lambda z: sp.exp(-(z**2)),
}

LOSSES: dict[str, Callable[..., sp.Expr]] = {
    "squared": lambda y, t: (y - t) ** 2 / 2,
    "absolute": lambda y, t: _absolute(y - t),
    "huber": lambda y, t, **constants: _huber(y - t, **constants),
    "log_cosh": lambda y, t: sp.log(sp.cosh(y - t)),
    "cross_entropy": lambda y, t: -t * sp.log(y),
    "binary_cross_entropy": lambda y, t: -t * sp.log(y) - (1 - t) * sp.log(1 - y),
    "poisson": lambda y, t: y - t * sp.log(y),
    "kl": lambda y, t: _t_log_t(t) - t * sp.log(y),
}

FUNCTIONS: dict[str, Callable[..., sp.Expr]] = {
    **{name: getattr(sp, name) for name in ("exp", "log", "sqrt", "sin", "cos", "atan", "erf")},
    **{name: getattr(sp, name) for name in ("tanh", "sinh", "cosh")},
    "expm1": lambda u: sp.exp(u) - 1,
    "log1p": lambda u: sp.log(1 + u),
    "abs": _absolute,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "relu": _relu,
    "max": lambda a, b: b + _relu(a - b),
    "min": lambda a, b: b - _relu(b - a),
}

OPERATORS: dict[type[ast.AST], Callable[..., sp.Expr]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
    ast.UAdd: lambda a: a,
    ast.USub: lambda a: -a,
}


def interpret(
    formula: str,
    names: Mapping[str, list[sp.Expr]],
    constants: Mapping[str, float],
    units: int,
    leaf: Callable[[ast.expr], list[sp.Expr] | None] = lambda node: None,
) -> list[sp.Expr]:
    """The formula for every unit, or once where it has no term for each; SymPy is given numbers
    and symbols, never text."""
    known = {**{name: [_exact(value)] for name, value in constants.items()}, **names}
    values: dict[ast.expr, list[sp.Expr]] = {}
    root = parse(formula)
    for node in reversed(list(walk(root))):
        found = leaf(node) if is_leaf(node) else None
        if found is not None:
            values[node] = found
            continue
        arguments = _alike([values[operand] for operand in operands(node)])
        match node:
            case ast.Constant(value=int() | float() as number):
                values[node] = [_exact(number)]
            case ast.Name():
                values[node] = lookup(node, known)
            case ast.Call() if is_sum(node):
                (body,) = arguments
                values[node] = [sp.Add(*(body * units if len(body) == 1 else body))]
            case ast.Call():
                function = lookup(node, FUNCTIONS)
                values[node] = [function(*each) for each in zip(*arguments, strict=True)]
            case ast.BinOp(op=op) | ast.UnaryOp(op=op):
                operator = OPERATORS[type(op)]
                values[node] = [operator(*each) for each in zip(*arguments, strict=True)]
    return values[root]


def _alike(values: list[list[sp.Expr]]) -> list[list[sp.Expr]]:
    """As many of each, where some are once for all."""
    most = max(map(len, values), default=1)
    return [value * most if len(value) == 1 else value for value in values]


# --- evaluation -------------------------------------------------------------------------------


def _power(base: Any, exponent: Any) -> Any:
    return mpmath.nan if base == 0 and exponent < 0 else mpmath.power(base, exponent)


MEANINGS: dict[type[sp.Basic], Callable[..., Any]] = {
    sp.Add: lambda *terms: mpmath.fsum(terms),
    sp.Mul: lambda *factors: mpmath.fprod(factors),
    sp.Pow: _power,
    Step: lambda u: mpmath.mpf(u > 0),
    **{getattr(sp, name): getattr(mpmath, name) for name in ("exp", "log", "sin", "cos", "tan")},
    **{getattr(sp, name): getattr(mpmath, name) for name in ("sinh", "cosh", "tanh", "coth")},
    **{getattr(sp, name): getattr(mpmath, name) for name in ("atan", "erf", "sign")},
    sp.Abs: mpmath.fabs,  # SymPy's own doing: sqrt(y**2) becomes |y|
}


def _order(expressions: Sequence[sp.Expr]) -> list[sp.Expr]:
    """Each distinct subexpression once, after its arguments: as a tree they would be millions."""
    order: dict[sp.Expr, None] = {}
    waiting = [(expression, False) for expression in expressions]
    while waiting:
        expression, ready = waiting.pop()
        if ready:
            order[expression] = None
        elif expression not in order:
            waiting.append((expression, True))
            waiting.extend((argument, False) for argument in expression.args)
    return list(order)


def _evaluate(order: list[sp.Expr], given: Mapping[sp.Symbol, Any]) -> dict[sp.Expr, Any]:
    """Every expression's value at mpmath's present precision."""
    values: dict[sp.Expr, Any] = dict(given)
    for expression in order:
        if expression.is_Rational:
            values[expression] = mpmath.mpf(int(expression.p)) / int(expression.q)
        elif expression.is_NumberSymbol:  # π, from the derivative of erf
            values[expression] = mpmath.mpf(str(expression.evalf(mpmath.mp.dps)))
        elif not expression.is_Symbol:
            arguments = [values[argument] for argument in expression.args]
            values[expression] = MEANINGS[expression.func](*arguments)
    return values


def as_array(values: Sequence[Any]) -> Array:
    """mpmath numbers as longdouble, to the last bit: the nearest double, and what is missing."""
    heads = np.array([float(value) for value in values], np.longdouble)
    tails = np.array([float(v - float(v)) for v in values], np.longdouble)
    return heads + tails
