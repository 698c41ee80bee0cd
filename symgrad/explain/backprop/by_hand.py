"""Backpropagation written by hand: the textbook's equations, statement by statement.

It is Algorithms 6.3 and 6.4 of Goodfellow, Bengio and Courville, "Deep Learning" (2016), with
their names but for the δ of Rumelhart, Hinton and Williams (1986): h is a layer's output, g = ∂E/∂h
the gradient that comes from above, δ = g ⊙ f′(z), and

    ∂E/∂W = hᵀδ      ∂E/∂b = Σ δ      g of the layer below = δ Wᵀ

Nothing here is derived: f′ and the derivatives of the losses are those of the textbooks, typed in.
(But for formulas of the user's own, which no textbook has: SymPy differentiates them on scalars.)
It takes from symgrad the notation, to be counted, printed and compared, and no pass of the
compiler. So it can be held against what the compiler finds.
"""

from collections.abc import Callable, Mapping
from typing import Any

import sympy
from sympy import Abs, Expr, Integer, Sum, Symbol, cos, exp, log, sign, sin, tanh

from symgrad.checking import scalars
from symgrad.explain.plain import REASON, is_plain
from symgrad.language.functions import (
    Peak,
    clip,
    elu,
    elu_slope,
    gaussian,
    heaviside,
    huber,
    leaky_relu,
    leaky_step,
    log_cosh,
    normal_cdf,
    normal_pdf,
    relu,
    selu,
    selu_slope,
    sigmoid,
    softplus,
    softsign,
    tanh_softplus,
    xlogy,
)
from symgrad.language.indices import SAMPLE, SAMPLES, fresh, unit
from symgrad.language.notation import as_it_stands, undistributed
from symgrad.language.program import Definition, Program, array, indices_of, name_of
from symgrad.runtime.named import inputs_of
from symgrad.spec.spec import Spec

# f(z), and f′(z) from z and h = f(z)
ELEMENTWISE: dict[str, tuple[Callable[[Expr], Expr], Callable[[Expr, Expr], Expr]]] = {
    "tanh": (tanh, lambda z, h: 1 - h**2),
    "sigmoid": (sigmoid, lambda z, h: h * (1 - h)),
    "relu": (relu, lambda z, h: heaviside(h)),
    "leaky_relu": (leaky_relu, lambda z, h: leaky_step(h)),
    "elu": (elu, lambda z, h: elu_slope(h)),
    "selu": (selu, lambda z, h: selu_slope(h)),
    "softplus": (softplus, lambda z, h: sigmoid(z)),
    "softsign": (softsign, lambda z, h: (1 - as_it_stands(Abs)(h)) ** 2),
    "sin": (sin, lambda z, h: as_it_stands(cos)(z)),
    "gaussian": (gaussian, lambda z, h: -2 * z * h),
}

# z·gate(z), the gate, and f′(z) from z, the gate and h
GATED: dict[str, tuple[Callable[[Expr], Expr], Callable[[Expr, Expr, Expr], Expr]]] = {
    "silu": (sigmoid, lambda z, gate, h: gate + h * (1 - gate)),
    "gelu": (normal_cdf, lambda z, gate, h: gate + z * normal_pdf(z)),
    "mish": (tanh_softplus, lambda z, gate, h: gate + z * sigmoid(z) * (1 - gate**2)),
}

# of the error r = y - t: a term of the loss without its constant factor, that factor, and the slope
OF_ERROR: dict[str, tuple[Callable[[Expr], Expr], Expr, Callable[[Expr], Expr]]] = {
    "squared": (lambda r: r**2, Integer(1) / 2, lambda r: r),
    "absolute": (as_it_stands(Abs), Integer(1), as_it_stands(sign)),
    "huber": (huber, Integer(1), clip),
    "log_cosh": (log_cosh, Integer(1), as_it_stands(tanh)),
}

# of the output y and the target t: a term of the loss, and its slope
OF_OUTPUT: dict[str, tuple[Callable[[Expr, Expr], Expr], Callable[[Expr, Expr], Expr]]] = {
    "cross_entropy": (lambda y, t: -xlogy(t, y), lambda y, t: -t / y),
    "binary_cross_entropy": (
        lambda y, t: -xlogy(t, y) - xlogy(1 - t, 1 - y),
        lambda y, t: (1 - t) / (1 - y) - t / y,
    ),
    "poisson": (lambda y, t: y - xlogy(t, y), lambda y, t: 1 - t / y),
    "kl": (lambda y, t: xlogy(t, t) - xlogy(t, y), lambda y, t: -t / y),
}

EVERY_SAMPLE = (SAMPLE, 0, SAMPLES - 1)

GRADIENT = "grad_"  # the derivative by W1 is grad_W1


class NoTextbook(ValueError):
    """The textbooks' equations don't reach this network; the message says why."""


@undistributed
def backprop(spec: Mapping[str, Any]) -> Program:
    """The loss of a network and its gradient, by hand; `spec` is a normalised spec.

    Outputs: E, and grad_W1, grad_b1, … Raises NoTextbook where a formula sums over units, or the
    loss is of more than the outputs.
    """
    if any("from" in layer for layer in spec["layers"]):
        raise NoTextbook("layers skip others, and the equations by hand are for layers in a row")
    if "heads" in spec["layers"][-1]:
        raise NoTextbook("outputs have heads, and the equations by hand are for one activation")
    if isinstance(spec["inputs"], Mapping) or "outputs" in spec:
        raise NoTextbook("columns are scaled, and the equations by hand are for layers alone")
    if not is_plain(Spec.recorded(spec)):
        raise NoTextbook(
            f"the loss is {REASON}, and the equations by hand are for losses of outputs"
        )
    return _Writing(spec).run()


class _Writing:
    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.layers, self.loss = spec["layers"], spec["loss"]
        self.widths = [inputs_of(spec), *(layer["units"] for layer in self.layers)]
        self.definitions: list[Definition] = []
        self.slopes: dict[int, Expr | None] = {}  # f′(z) of each layer that has one
        self.z: dict[int, Expr] = {}
        self.h: dict[int, Expr] = {0: array("x", SAMPLE, unit(0))}
        self.direct = False  # whether the loss gives δ of the last layer at once, and not g

    def run(self) -> Program:
        for number, layer in enumerate(self.layers, start=1):
            self._forward(number, layer)
        y, t = self.h[len(self.layers)], array("t", SAMPLE, unit(len(self.layers)))
        slope = self._loss(y, t)
        share = self._total()
        self._backward(slope, share)
        weights = self._weights()
        gradients = [f"{GRADIENT}{name_of(w)}" for w in weights]
        inputs = [self.h[0], t] + ([array("w", SAMPLE)] if self.loss["sample_weights"] else [])
        extents = {"n": SAMPLES, **{str(k): Integer(w) for k, w in enumerate(self.widths)}}
        return Program(
            name=self.spec["name"],
            inputs=tuple(inputs),
            weights=tuple(weights),
            extents=extents,
            definitions=tuple(self.definitions),
            outputs=("E", *gradients),
        )

    def _weights(self) -> list[Expr]:
        found = []
        for number, layer in enumerate(self.layers, start=1):
            found.append(array(f"W{number}", unit(number - 1), unit(number)))
            if layer["bias"]:
                found.append(array(f"b{number}", unit(number)))
        return found

    def _define(self, name: str, indices: tuple[Symbol, ...], value: Expr) -> Expr:
        target = array(name, *indices)
        self.definitions.append(Definition(target, value))
        return target

    def _sum(self, body: Expr, layer: int, index: Symbol | None = None) -> Expr:
        return Sum(body, (index or unit(layer), 0, self.widths[layer] - 1))

    # forward: z = h·W + b, h = f(z)

    def _forward(self, number: int, layer: Mapping[str, Any]) -> None:
        here = (SAMPLE, unit(number))
        below = self.h[number - 1]
        z = self._sum(below * array(f"W{number}", unit(number - 1), unit(number)), number - 1)
        if layer["bias"]:
            z = z + array(f"b{number}", unit(number))
        if layer["activation"] == "identity":
            value, slope = z, None
        else:
            self.z[number] = self._define(f"z{number}", here, z)
            value, slope = self._activation(number, layer["activation"], self.z[number])
        if layer["residual"]:
            f = self._define(f"f{number}", here, value) if slope else value
            before = array(name_of(below), *here)
            self.h[number] = self._define(f"h{number}", here, f + before)
        else:
            f = self.h[number] = self._define(f"h{number}", here, value)
        if slope:
            self.slopes[number] = slope(f)

    def _activation(
        self, number: int, name: str, z: Expr
    ) -> tuple[Expr, Callable[[Expr], Expr | None]]:
        """f(z), and f′(z) told from the name that f(z) gets; None for what is not elementwise."""
        if name in ELEMENTWISE:
            function, elementwise = ELEMENTWISE[name]
            return function(z), lambda f: elementwise(z, f)
        if name in GATED:
            function, gated = GATED[name]
            gate = self._define(f"gate{number}", (SAMPLE, unit(number)), function(z))
            return z * gate, lambda f: gated(z, gate, f)
        if name == "softmax":
            return self._softmax(number, z), lambda f: None
        own = self.spec["activations"][name]
        value, slope = self._formula(f"f{number}", own, {"z": z}, "z")
        return value, lambda f: slope

    def _softmax(self, number: int, z: Expr) -> Expr:
        """exp(z - max z)/Σ exp(z - max z), which is how it is computed everywhere."""
        here, other = unit(number), _j(number)
        peak = Peak(z.base[SAMPLE, other], (other, 0, self.widths[number] - 1))
        c = self._define(f"c{number}", (SAMPLE, here), z - peak)
        u = self._define(f"u{number}", (SAMPLE, here), exp(c))
        s = self._define(f"s{number}", (SAMPLE,), self._sum(u.base[SAMPLE, other], number, other))
        return u / s

    def _formula(
        self, name: str, described: Mapping[str, Any], at: Mapping[str, Expr], by: str
    ) -> tuple[Expr, Expr]:
        """A formula of the user's own and its slope by one variable, both from SymPy on scalars."""
        formula, constants = described["formula"], described["constants"]
        symbols = {key: Symbol(key, real=True) for key in at}
        one = scalars.interpret(formula, {k: [s] for k, s in symbols.items()}, constants, 1)[0]
        two = [[symbols[k], Symbol(f"{k}_other", real=True)] for k in at]
        both = scalars.interpret(formula, dict(zip(at, two, strict=True)), constants, 2)[0]
        if both != one:
            raise NoTextbook(
                f"the formula {formula!r} sums over units, and the equations by hand are for "
                "functions of one unit"
            )
        pair = [one, sympy.diff(one, symbols[by])]
        names = sympy.numbered_symbols(f"{name}_part", real=True)
        parts, (value, slope) = sympy.cse(pair, symbols=names)
        indices = next(iter(at.values())).indices
        known: dict[Expr, Expr] = {symbols[key]: at[key] for key in at}
        for symbol, part in parts:
            known[symbol] = self._define(symbol.name, indices, _in_notation(part, known))
        return _in_notation(value, known), _in_notation(slope, known)

    # the loss, and its slope by each output

    def _loss(self, y: Expr, t: Expr) -> Expr:
        last = len(self.layers)
        kind = self.loss.get("kind")
        activation = self.layers[-1]["activation"]
        plain = not self.layers[-1]["residual"]
        if kind in OF_ERROR:
            term, factor, slope = OF_ERROR[kind]
            here = (SAMPLE, unit(last))
            r, delta = self._define("r", here, y - t), self._delta_of_huber()
            if delta != 1:  # δ²·huber(r/δ)
                r = self._define("r_by_delta", here, r / delta)
            self._define("e", (SAMPLE,), delta**2 * factor * self._sum(term(r), last))
            return delta * slope(r)
        if kind == "binary_cross_entropy" and activation == "sigmoid" and plain:
            z = self.z[last]
            self.direct = True
            each = (1 - t) * softplus(z) + t * softplus(-z)
            self._define("e", (SAMPLE,), self._sum(each, last))
            return y - t
        if kind in ("cross_entropy", "kl") and activation == "softmax" and plain:
            return self._softmax_loss(kind, y, t)
        if kind in OF_OUTPUT:
            of, by = OF_OUTPUT[kind]
            sign, term = of(y, t).as_coeff_Mul()
            self._define("e", (SAMPLE,), sign * self._sum(term, last))
            return by(y, t)
        value, slope = self._formula("loss", self.loss, {"y": y, "t": t}, "y")
        self._define("e", (SAMPLE,), self._sum(value, last))
        return slope

    def _delta_of_huber(self) -> Expr:
        return sympy.Rational(repr(float(self.loss.get("constants", {}).get("delta", 1))))

    def _softmax_loss(self, kind: str, y: Expr, t: Expr) -> Expr:
        """-Σ t·log y, log y being c - log s; its slope by z is y·Σt - t."""
        last = len(self.layers)
        self.direct = True
        log_y = self._define(
            "log_y",
            (SAMPLE, unit(last)),
            array(f"c{last}", SAMPLE, unit(last)) - log(array(f"s{last}", SAMPLE)),
        )
        each = t * log_y
        if kind == "kl":
            self._define("e", (SAMPLE,), self._sum(xlogy(t, t) - each, last))
        else:
            self._define("e", (SAMPLE,), -self._sum(each, last))
        other = _j(last)
        total = self._define("t_total", (SAMPLE,), self._sum(t.base[SAMPLE, other], last, other))
        return y * total - t

    def _total(self) -> Expr:
        """E, the average over samples, with the penalties; returns a sample's share in it."""
        e = array("e", SAMPLE)
        weight = sympy.Rational(repr(float(self.loss.get("weight", 1))))
        share: Expr = weight / SAMPLES
        total = weight * (Sum(e, EVERY_SAMPLE) / SAMPLES)
        if self.loss["sample_weights"]:
            w = array("w", SAMPLE)
            whole = self._define("w_all", (), Sum(w, EVERY_SAMPLE))
            total = weight * (Sum(w * e, EVERY_SAMPLE) / whole)
            share = self._define("share", (SAMPLE,), weight * (w / whole))
        for number in range(1, len(self.layers) + 1):
            W = array(f"W{number}", unit(number - 1), unit(number))
            value: Expr = Integer(0)
            l1, l2 = (self._rate(number, name) for name in ("l1", "l2"))
            for rate, each in ((l2 / 2, W**2), (l1, Abs(W))):
                if rate != 0:
                    over = [(unit(k), 0, self.widths[k] - 1) for k in (number, number - 1)]
                    value = value + rate * Sum(each, *over)
            if value != 0:
                total = total + self._define(f"R{number}", (), value)
        self._define("E", (), total)
        return share

    def _rate(self, number: int, name: str) -> Expr:
        return sympy.Rational(repr(float(self.layers[number - 1].get(name, self.loss[name]))))

    # backward: δ = g ⊙ f′(z), the gradients, and g for the layer below

    def _backward(self, slope: Expr, share: Expr) -> None:
        last = len(self.layers)
        here = (SAMPLE, unit(last))
        if self.direct:  # the loss gives δ itself, and only without a residual, which would need g
            g = delta = self._define(f"δ{last}", here, slope * share)
        else:
            g = self._define(f"g{last}", here, slope * share)
            delta = self._delta(last, g)
        for number in range(last, 0, -1):
            layer = self.layers[number - 1]
            self._gradients(number, delta)
            if number > 1:
                W = array(f"W{number}", unit(number - 1), unit(number))
                value = self._sum(delta * W, number)
                if layer["residual"]:
                    value = value + array(name_of(g), SAMPLE, unit(number - 1))
                g = self._define(f"g{number - 1}", (SAMPLE, unit(number - 1)), value)
                delta = self._delta(number - 1, g)

    def _delta(self, number: int, g: Expr) -> Expr:
        here, name = (SAMPLE, unit(number)), self.layers[number - 1]["activation"]
        if name == "identity":
            return g
        if name == "softmax":
            # δ_i = y_i·(g_i - Σ_j g_j·y_j); with a residual, y is the softmax alone
            y, other = self._softmax_output(number), _j(number)
            inner = self._sum(g.base[SAMPLE, other] * y.base[SAMPLE, other], number, other)
            dot = self._define("g_dot_y", (SAMPLE,), inner)
            return self._define(f"δ{number}", here, y * (g - dot))
        return self._define(f"δ{number}", here, g * self.slopes[number])

    def _softmax_output(self, number: int) -> Expr:
        name = f"f{number}" if self.layers[number - 1]["residual"] else f"h{number}"
        return array(name, SAMPLE, unit(number))

    def _gradients(self, number: int, delta: Expr) -> None:
        W = array(f"W{number}", unit(number - 1), unit(number))
        value = Sum(self.h[number - 1] * delta, EVERY_SAMPLE)
        if (rate := self._rate(number, "l2")) != 0:
            value = value + rate * W
        if (rate := self._rate(number, "l1")) != 0:
            value = value + rate * as_it_stands(sign)(W)
        self._define(f"{GRADIENT}W{number}", indices_of(W), value)
        if self.layers[number - 1]["bias"]:
            self._define(f"{GRADIENT}b{number}", (unit(number),), Sum(delta, EVERY_SAMPLE))


def _j(layer: int) -> Symbol:
    """A second index over the units of a layer."""
    return fresh(unit(layer), [unit(layer)])


def _in_notation(value: Expr, known: Mapping[Expr, Expr]) -> Expr:
    return value.replace(scalars.Step, heaviside).xreplace(dict(known))
