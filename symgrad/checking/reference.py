"""The loss in plain NumPy, written from the definitions: the yardstick of every derivative.

Nothing here comes from the compiler. It runs in float64, longdouble and the complex types. Every
branch asks the *real part* of its argument, and each branch is analytic, so that a complex step
comes through with the right derivative even at a kink: relu and |.| have derivative 0 at 0.
"""

import ast
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from symgrad.checking.names import named
from symgrad.checking.quantities import Derivative, Quantity, derivative, quantity
from symgrad.errors import FormulaError

Array: TypeAlias = npt.NDArray[Any]
Spec: TypeAlias = Mapping[str, Any]


def inputs(spec: Spec) -> int:
    """How many inputs there are: a spec has their number, or their names."""
    given = spec["inputs"]
    if isinstance(given, dict):
        given = given["names"] if "names" in given else given["count"]
    return given if isinstance(given, int) else len(given)


def shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """The arrays of the flat weight vector, in its order."""
    result: dict[str, tuple[int, ...]] = {}
    widths = [inputs(spec), *(layer["units"] for layer in spec["layers"])]
    for number, layer in enumerate(spec["layers"], 1):
        for head, group in groups(layer):
            for name, below in taken(spec, number, head):
                result[name] = (widths[below], group["units"])
            if layer["bias"]:
                result[f"b{number}{head}"] = (group["units"],)
    return result


def groups(layer: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The heads of a layer, h1 and so on; or the layer itself, under no name."""
    heads = [(f"h{number}", head) for number, head in enumerate(layer.get("heads", ()), 1)]
    return heads or [("", layer)]


def taken(spec: Spec, number: int, head: str = "") -> list[tuple[str, int]]:
    """What a layer, counted from 1, or a head of it takes: its weights for each source, and which
    layer that is, 0 for the inputs."""
    given = spec["layers"][number - 1].get("from")
    if given is None:
        return [(f"W{number}{head}", number - 1)]
    layers = [0 if source == "x" else int(source.removeprefix("a")) for source in given]
    names = [f"W{number}{head}{source if len(given) > 1 else ''}" for source in given]
    return list(zip(names, layers, strict=True))


def trained(spec: Spec) -> Array:
    """Of each weight whether its layer is trainable: by all others derivatives are 0."""
    found = [
        np.full(math.prod(shape), _layer_of(spec, name).get("trainable", True))
        for name, shape in shapes(spec).items()
    ]
    return np.concatenate(found)


def _layer_of(spec: Spec, array: str) -> Mapping[str, Any]:
    """The layer whose array of weights W2, W3a1 or b1 is."""
    number = re.match(r"[Wb](\d+)", array)
    assert number is not None
    layer: Mapping[str, Any] = spec["layers"][int(number[1]) - 1]
    return layer


def unpack(spec: Spec, theta: Array) -> dict[str, Array]:
    """The flat vector as named arrays, which are views of it."""
    arrays, offset = {}, 0
    for name, shape in shapes(spec).items():
        size = math.prod(shape)
        arrays[name] = theta[offset : offset + size].reshape(shape)
        offset += size
    if theta.shape != (offset,):
        raise ValueError(f"theta has shape {theta.shape}, the spec needs ({offset},)")
    return arrays


def predict(spec: Spec, theta: Any, x: Any, dtype: Any = np.float64) -> Array:
    """The outputs, of shape (samples, outputs)."""
    with np.errstate(all="ignore"):
        return _forward(spec, np.asarray(theta, dtype), np.asarray(x, dtype))[1]


def loss(spec: Spec, theta: Any, *data: Any, dtype: Any = np.float64) -> Any:
    """The loss as a scalar of `dtype`; `data` are x, t and, where samples have weights, w of shape
    (samples,); of a loss of several terms what each takes of these, one behind the other."""
    theta = np.asarray(theta, dtype)
    total = dtype(0)
    taken = iter(data)
    for term in terms(spec):
        given = {name: next(taken) for name in takes(spec, term)}
        total = total + _term({**spec, "loss": term}, theta, **given, dtype=dtype)
    with np.errstate(all="ignore"):
        for name, array in unpack(spec, theta).items():
            if name.startswith("W"):
                total = total + penalty(spec, name, "l2") / 2 * (array * array).sum()
                total = total + penalty(spec, name, "l1") * absolute(array).sum()
    return total


def penalty(spec: Spec, matrix: str, name: str) -> Any:
    """The λ of a matrix of weights, W2 or W3a1: its layer's own, or the loss's."""
    return _layer_of(spec, matrix).get(name, spec["loss"][name])


def without(spec: Spec, *names: str) -> Spec:
    """The same spec without these penalties."""
    layers = [{k: v for k, v in layer.items() if k not in names} for layer in spec["layers"]]
    return {**spec, "layers": layers, "loss": {**spec["loss"], **dict.fromkeys(names, 0)}}


def terms(spec: Spec) -> list[dict[str, Any]]:
    """The terms of the loss with samples of their own, each described like a loss; one where it has
    no more, or all have the same samples."""
    found = [term for term in spec["loss"].get("terms", []) if "outputs" not in term]
    return found or [spec["loss"]]


def judged(spec: Spec) -> list[tuple[Spec, float, slice]]:
    """What a loss is the sum of for each sample: specs with those outputs alone that are judged,
    the weight of each, and which columns these are. One of a kind judges each head by itself."""
    described, last = spec["loss"], spec["layers"][-1]
    heads = groups(last)
    by_head = [(term["outputs"], term) for term in described.get("terms", [])]
    if not by_head and described.get("formula") is None:
        by_head = [(head, {**described, "weight": 1}) for head, _ in heads]
    if "heads" not in last or not by_head:
        return [(spec, 1, slice(None))]
    found: list[tuple[Spec, float, slice]] = []
    for head, term in by_head:
        start = sum(group["units"] for before, group in heads if int(before[1:]) < int(head[1:]))
        group = dict(heads)[head]
        alone = {"residual": False, **group}
        view = {**spec, "layers": [*spec["layers"][:-1], alone], "loss": term}
        found.append((view, term["weight"], slice(start, start + group["units"])))
    return found


def targets(spec: Spec, term: Mapping[str, Any]) -> int:
    """How many targets a sample of a term has."""
    given = term.get("targets", spec["layers"][-1]["units"])
    return given if isinstance(given, int) else len(given)


def takes(spec: Spec, term: Mapping[str, Any]) -> list[str]:
    """What a term is given: x, t where it is one of several only if it is of targets, and w where
    samples have weights."""
    targets = "terms" not in spec["loss"] or term.get("formula") is None
    if not targets:
        names = [n for n in walk(parse(term["formula"])) if isinstance(n, ast.Name | ast.Subscript)]
        found = (quantity(node, {**spec, "loss": term}) for node in names)
        targets = any(what is not None and what.array == "t" for what in found)
    return ["x", *["t"] * targets, *["w"] * term["sample_weights"]]


def _term(spec: Spec, theta: Array, x: Any, t: Any = None, w: Any = None, *, dtype: Any) -> Any:
    """A loss without its penalties, or a term of one."""
    described, x = spec["loss"], np.asarray(x, dtype)
    t = np.zeros((len(x), targets(spec, described))) if t is None else t
    t = np.asarray(t, dtype)
    with np.errstate(all="ignore"):
        z, y = _forward(spec, theta, x)
        errors = [
            weight * _errors(view, theta, x, z[:, some], y[:, some], t[:, some])
            for view, weight, some in judged(spec)
        ]
        return _mean(spec, np.concatenate(errors, axis=1), w, dtype)


def _errors(spec: Spec, theta: Array, x: Array, z: Array, y: Array, t: Array) -> Array:
    """Of each sample, in one column or several."""
    if spec["loss"].get("formula") is None:
        return _tabled_loss(spec, z, y, t)
    return _formula(spec, theta, {"x": x, "y": y, "t": t})


def loss_of_outputs(spec: Spec, y: Any, x: Any, t: Any, w: Any, dtype: Any) -> Any:
    """The same without penalties as a function of the outputs, whatever gave them."""
    x, y, t = (np.asarray(array, dtype) for array in (x, y, t))
    plain = {"activation": "identity", "residual": False}
    with np.errstate(all="ignore"):
        errors = []
        for view, weight, some in judged(spec):
            of_outputs = {**view, "layers": [{**view["layers"][-1], **plain}]}
            given = (x, y[:, some], y[:, some], t[:, some])
            errors.append(weight * _errors(of_outputs, np.zeros(0, dtype), *given))
        return _mean(spec, np.concatenate(errors, axis=1), w, dtype)


def _mean(spec: Spec, errors: Array, w: Any, dtype: Any) -> Any:
    """Over the samples, times the loss's weight; one that counts once has one column."""
    each = spec["loss"].get("weight", 1) * errors.sum(axis=1)
    if not spec["loss"]["sample_weights"]:
        return each.sum() / len(each)
    w = np.asarray(w, dtype)
    return (w * each).sum() / w.sum()


def _formula(spec: Spec, theta: Array, arrays: Mapping[str, Array]) -> Array:
    """A loss formula's value for every sample, and for each output or input that it has terms
    for."""

    def read(what: Quantity) -> Array:
        array = arrays[what.array]
        return array if what.place is None else array[:, what.place : what.place + 1]

    def derived(what: Derivative) -> Array:
        def of(x: Array) -> Array:
            y = _forward(spec, theta, x)[1]
            return y if what.of.place is None else y[:, what.of.place : what.of.place + 1]

        every = range(arrays["x"].shape[1])
        if what.by is None:
            return np.concatenate([_slope(of, (i,))(arrays["x"]) for i in every], axis=1)
        if isinstance(what.by, str):
            return sum((_slope(of, (i, i))(arrays["x"]) for i in every), np.zeros(()))
        return _slope(of, what.by)(arrays["x"])

    def leaf(node: ast.expr) -> Array | None:
        if isinstance(node, ast.Call):
            call = derivative(node, spec)
            return None if call is None else derived(call)
        what = quantity(node, spec)
        return None if what is None else read(what)

    described = spec["loss"]
    width = (len(arrays["y"]), arrays["y"].shape[1])
    return _interpret(described["formula"], {}, described["constants"], width, leaf)


# Weights of values at ±1, ±2, … steps for the first derivative, of order 8 (Fornberg 1988).
STENCIL = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
STEP = 2.0**-6


def _slope(of: Callable[[Array], Array], by: tuple[int, ...]) -> Callable[[Array], Array]:
    """The derivative by some columns of x, one after the other, by differences: linear in values,
    so that a complex step in the weights comes through."""

    def slope(x: Array) -> Array:
        weights: dict[tuple[int, ...], float] = {(0,) * x.shape[1]: 1.0}
        for place in by:
            moved: dict[tuple[int, ...], float] = {}
            for offset, weight in weights.items():
                for k, factor in enumerate(STENCIL, start=1):
                    for sign in (1, -1):
                        at = (*offset[:place], offset[place] + sign * k, *offset[place + 1 :])
                        moved[at] = moved.get(at, 0.0) + sign * factor * weight
            weights = moved
        points = x + STEP * np.array([*weights], x.dtype)[:, None, :]
        values = of(points.reshape(-1, x.shape[1])).reshape(len(weights), len(x), -1)
        total = np.tensordot(np.array([*weights.values()], x.dtype), values, 1)
        return np.asarray(total / STEP ** len(by))

    return slope


def _forward(spec: Spec, theta: Array, x: Array) -> tuple[Array, Array]:
    """The last layer's z and the outputs."""
    arrays = unpack(spec, theta)
    before, after = scaling(spec)
    made = [(_cut(before, x) - before.get("shift", 0)) / before.get("scale", 1)]
    z = made[0]
    for number, layer in enumerate(spec["layers"], 1):
        parts, activated = [], []
        for head, group in groups(layer):
            sources = taken(spec, number, head)
            products = (made[below] @ arrays[name] for name, below in sources)
            parts.append(sum(products, np.zeros((), x.dtype)))
            if layer["bias"]:
                parts[-1] = parts[-1] + arrays[f"b{number}{head}"]
            activated.append(_activate(spec, group["activation"], parts[-1]))
        z, a = np.concatenate(parts, axis=1), np.concatenate(activated, axis=1)
        made.append(a + made[sources[0][1]] if layer["residual"] else a)
    y = made[-1] * np.asarray(after.get("scale", 1)) + after.get("shift", 0)
    return z, _cut(after, y)


def scaling(spec: Spec) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What is done to inputs before the network, and to outputs behind it: shift, scale, clip."""
    given = spec["inputs"]
    before = {key: given[key] for key in given if key in ("shift", "scale", "clip")} if isinstance(
        given, dict
    ) else {}  # fmt: skip
    return before, spec.get("outputs", {})


def _cut(scaling: Mapping[str, Any], values: Array) -> Array:
    """Between the ends of `clip`, where the derivative is 1, and on and beyond them 0."""
    if "clip" not in scaling:
        return values
    low, high = np.transpose(np.asarray(scaling["clip"], float).reshape(-1, 2))
    values = low + relu(values - low)
    return high - relu(high - values)


def _activate(spec: Spec, name: str, z: Array) -> Array:
    if name in spec["activations"]:
        own = spec["activations"][name]
        return _interpret(own["formula"], {"z": z}, own["constants"], z.shape)
    return ACTIVATIONS[name](z)


# --- functions, each analytic on either side of its kink ------------------------------------


def absolute(z: Any) -> Any:
    return np.sign(z.real) * z


def relu(z: Any) -> Any:
    return np.where(z.real <= 0, 0, z)  # this way round NaN stays NaN


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def softplus(z: Any) -> Any:
    return np.where(z.real > 0, z + np.log1p(np.exp(-z)), np.log1p(np.exp(z)))


def log_softmax(z: Array) -> Array:
    shifted = z - z.real.max(axis=-1, keepdims=True)  # a constant shift: exact, and no overflow
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def erf(z: Any) -> Any:
    """2/√π e^(-z²) Σ 2ⁿ z^(2n+1) / (2n+1)!!: terms of one sign, so that nothing cancels.

    SciPy's erf has no longdouble. Beyond 6.5, 1 - erf is below longdouble's rounding.
    """
    z = np.where(np.abs(z.real) <= 6.5, z, 6.5 * np.sign(z.real))
    square = z * z
    count = 30 + int(2.5 * np.nanmax(np.append(square.real, 0)))  # the rest is below 1e-22
    ratios = 2 * square[..., None] / (2 * np.arange(1, count) + 1)
    series = z * (1 + np.cumprod(ratios, axis=-1).sum(axis=-1))
    return 2 / math.sqrt(math.pi) * np.exp(-square) * series


SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda z: z,
    "relu": relu,
    "leaky_relu": lambda z: np.where(z.real > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z.real >= 0, z, np.expm1(z)),
    "selu": lambda z: SELU_SCALE * np.where(z.real > 0, z, SELU_ALPHA * np.expm1(z)),
    "gelu": lambda z: z * (1 + erf(z / math.sqrt(2))) / 2,
    "silu": lambda z: z * sigmoid(z),
    "mish": lambda z: z * np.tanh(softplus(z)),
    "softplus": softplus,
    "softsign": lambda z: z / (1 + absolute(z)),
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "sin": np.sin,
    "gaussian": lambda z: np.exp(-z * z),
    "softmax": lambda z: np.exp(log_softmax(z)),
}


# --- losses ---------------------------------------------------------------------------------


def _tabled_loss(spec: Spec, z: Array, y: Array, t: Array) -> Array:
    """One entry per sample and output. Logarithms of a sigmoid or softmax are taken from its z."""
    last = spec["layers"][-1]
    kind, own = spec["loss"]["kind"], not last["residual"] and not spec.get("outputs")
    activation = last["activation"] if own else None
    r = y - t
    if kind == "squared":
        return r * r / 2
    if kind == "absolute":
        return absolute(r)
    if kind == "huber":
        d = delta(spec)
        return np.where(np.abs(r.real) <= d, r * r / 2, d * (absolute(r) - d / 2))
    if kind == "log_cosh":
        return r + softplus(-2 * r) - math.log(2)
    if activation == "softmax":
        log_y = log_softmax(z)
    else:
        log_y = -softplus(-z) if activation == "sigmoid" else np.log(y)
    if kind == "cross_entropy":
        return -t * log_y
    if kind == "poisson":
        return y - t * log_y
    if kind == "kl":
        return np.where(t.real == 0, 0, t * np.log(t)) - t * log_y
    if kind == "binary_cross_entropy":
        log_rest = -softplus(z) if activation == "sigmoid" else np.log1p(-y)
        return -t * log_y - (1 - t) * log_rest
    raise ValueError(f"no loss is called {kind!r}")


def delta(spec: Spec) -> float:
    """Where Huber's loss goes from a square to a line; 1 for losses that have no such place."""
    described = spec["loss"]
    is_huber = described.get("kind") == "huber"
    return float(described.get("constants", {}).get("delta", 1)) if is_huber else 1.0


# --- formulas -------------------------------------------------------------------------------

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in ("exp", "expm1", "log", "log1p", "sqrt")},
    **{name: getattr(np, name) for name in ("sin", "cos", "tanh", "sinh", "cosh")},
    "atan": np.arctan,
    "abs": absolute,
    "erf": erf,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "relu": relu,
    "max": lambda a, b: b + relu(a - b),
    "min": lambda a, b: b - relu(b - a),
}

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
    ast.UAdd: lambda a: a,
    ast.USub: lambda a: -a,
}


def parse(formula: str) -> ast.expr:
    """The formula's tree as Python's grammar has it; it is walked, never executed."""
    # Python's grammar is almost theirs: but lambda may be a constant, 007 a number, and a line
    # may end anywhere. So names get an underscore in front, and the whole gets parentheses.
    text = re.sub(r"(?<![\w.])0+(?=[0-9])", "", re.sub(r"(?<![\w.])(?=[A-Za-z_])", "_", formula))
    try:
        return ast.parse(f"({text})", mode="eval").body
    except SyntaxError as error:
        raise FormulaError(f"cannot read the formula {formula!r}: {error.msg}") from error


def operands(node: ast.expr) -> list[ast.expr]:
    """What a node is computed from; a node that formulas don't have is refused."""
    match node:
        case ast.BinOp(left=left, right=right, op=op) if type(op) in OPERATORS:
            return [left, right]
        case ast.UnaryOp(operand=operand, op=op) if type(op) in OPERATORS:
            return [operand]
        case ast.Call(func=ast.Name(), args=arguments, keywords=[]):
            return [] if named(node) in DERIVED else arguments
        case ast.Name() | ast.Subscript() | ast.Constant(value=int() | float()):
            return []
    raise FormulaError(f"formulas don't have {ast.unparse(node)!r}", getattr(node, "col_offset", 0))


def walk(root: ast.expr, inside_sums: bool = True) -> Iterator[ast.expr]:
    """Every node before its operands, with a stack of its own: formulas may be long."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        if inside_sums or not is_sum(node):
            waiting.extend(operands(node))


# Calls whose arguments are names of quantities, not values.
DERIVED = ("D", "laplacian")


def is_leaf(node: ast.expr) -> bool:
    """Whether it may be a quantity of the network's, or a derivative of one."""
    return isinstance(node, ast.Name | ast.Subscript) or (
        isinstance(node, ast.Call) and named(node) in DERIVED
    )


def is_sum(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and named(node) == "sum"


def lookup(node: ast.expr, table: Mapping[str, Any]) -> Any:
    """What a name or a called function means."""
    name = named(node)
    if name is None or name not in table:
        raise FormulaError(f"the formula uses {name!r}, which is not known here")
    return table[name]


def _interpret(
    formula: str,
    names: Mapping[str, Array],
    constants: Mapping[str, float],
    shape: tuple[int, ...],
    leaf: Callable[[ast.expr], Array | None] | None = None,
) -> Array:
    """The formula's value for every sample and unit, an array of `shape`; with a function that
    knows what `leaf`s mean, of as many columns as comes out."""
    # NumPy's numbers, not Python's: 1/0 is then infinity, as it is inside the arrays
    known = {**{name: np.float64(value) for name, value in constants.items()}, **names}
    values: dict[ast.expr, Any] = {}
    root = parse(formula)
    for node in reversed(list(walk(root))):
        found = leaf(node) if leaf is not None and is_leaf(node) else None
        if found is not None:
            values[node] = found
            continue
        arguments = [values[operand] for operand in operands(node)]
        match node:
            case ast.Constant(value=number):
                values[node] = np.float64(number)  # type: ignore[arg-type]
            case ast.Name():
                values[node] = lookup(node, known)
            case ast.Call() if is_sum(node):
                wide = np.ndim(arguments[0]) == len(shape) and arguments[0].shape[-1] > 1
                whole = arguments[0] if wide else np.broadcast_to(arguments[0], shape)
                values[node] = whole.sum(axis=-1, keepdims=True)
            case ast.Call():
                values[node] = lookup(node, FUNCTIONS)(*arguments)
            case ast.BinOp(op=op) | ast.UnaryOp(op=op):
                values[node] = OPERATORS[type(op)](*arguments)
    return np.broadcast_to(values[root], shape) if leaf is None else values[root]
