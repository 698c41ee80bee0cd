"""What a child process runs: networks as scalar expressions, differentiated by one of the tools.

    python -m symgrad.explain.scalars.run < request.json

The request names a tool and holds specs as plain data, which are read and never evaluated:

    {"tool": "sympy", "specs": [{…}, …], "memory": bytes, "seconds": seconds}

The answer is a line of JSON for each thing done, so that what was done is known if the next takes
too long:

    {"ready": version}                                      imports are done
    {"stage": "diff", "seconds": 0.4, "textbook": 12300}    a stage, and the sizes known by it
    {"done": true} or {"done": true, "failed": why}         the next network begins

Every tool is given the same loss of one sample, an expression in scalar symbols, from
`symgrad.checking.scalars.expand`: the others' copies of it are made node by node.
"""

import contextlib
import gc
import json
import math
import operator
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial, reduce
from importlib import import_module
from importlib.metadata import version
from typing import Any, NamedTuple

import sympy as sp

from symgrad.checking.reference import Spec
from symgrad.checking.scalars import Step, expand
from symgrad.explain.scalars.count import (
    Counter,
    casadi_operations,
    symengine_node,
    sympy_node,
    walk,
    wrenfold_node,
)

Lines = Iterator[dict[str, Any]]
WATCH = 0.5  # seconds between looks at whether the parent is still there


class Unsupported(Exception):
    """The tool has no such function, or cannot differentiate it."""


def timed(stage: str, function: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """What the function returns, and the line that says how long it took."""
    begun = time.perf_counter()
    result = function()
    return result, {"stage": stage, "seconds": time.perf_counter() - begun}


# --- tools ------------------------------------------------------------------------------------
#
# Each yields its stages' lines, and sizes as they are known: "textbook" of the loss and all
# derivatives as trees, "plain" of a graph that shares only what reverse mode shares by itself,
# "shared" after the elimination of common subexpressions. Counting is not part of any stage.


def with_sympy(spec: Spec) -> Lines:
    (weights, _, _, loss), line = timed("build", lambda: expand(spec))
    yield line
    derivatives, line = timed("diff", lambda: [sp.diff(loss, weight) for weight in weights])
    yield line
    yield {"textbook": Counter(sympy_node).trees([loss, *derivatives])}
    # by its documentation order="none" is for large expressions: much faster, and the sizes here
    # are the same as with the default order
    (statements, results), line = timed("cse", lambda: sp.cse([loss, *derivatives], order="none"))
    yield line | {"shared": Counter(sympy_node).shared(statements, results)}


def with_symengine(spec: Spec) -> Lines:
    import symengine as se

    weights, loss, line = copied(spec, symengine())
    yield line
    derivatives, line = timed("diff", lambda: [loss.diff(weight) for weight in weights])
    yield line
    yield {"textbook": Counter(symengine_node).trees([loss, *derivatives])}
    (statements, results), line = timed("cse", lambda: se.cse([loss, *derivatives]))
    yield line | {"shared": Counter(symengine_node).shared(statements, results)}


def with_casadi(spec: Spec) -> Lines:
    import casadi as ca

    weights, loss, line = copied(spec, casadi())
    yield line
    theta = ca.vertcat(*weights)
    gradient, line = timed("diff", lambda: ca.gradient(loss, theta))
    yield line | {"plain": casadi_operations(_casadi_function(ca, [loss, gradient]))}
    results, line = timed("cse", lambda: ca.cse([loss, gradient]))
    yield line | {"shared": casadi_operations(_casadi_function(ca, results))}


def _casadi_function(ca: Any, results: list[Any]) -> Any:
    return ca.Function("f", [ca.vertcat(*ca.symvar(ca.vertcat(*results)))], results)


def with_wrenfold(spec: Spec) -> Lines:
    """Counted in what `cse_function_description` returns: its code generator's own statements."""
    from wrenfold import code_generation, sym

    weights, loss, line = copied(spec, wrenfold())
    yield line
    gradient, line = timed("diff", lambda: sym.jacobian([loss], weights))
    yield line
    description = code_generation.FunctionDescription("f")
    description.set_return_value(loss)
    description.add_output_argument("gradient", False, gradient)
    shared = partial(code_generation.cse_function_description, description)
    (outputs, statements), line = timed("cse", shared)
    # the gradient's elements are names of statements; the loss repeats the value of one
    (e,) = (output for output in outputs.values() if isinstance(output, sym.Expr))
    results = [] if any(e == value for _, value in statements) else [e]
    yield line | {"shared": Counter(wrenfold_node).shared(statements, results)}


TOOLS: dict[str, Callable[[Spec], Lines]] = {
    "sympy": with_sympy,
    "symengine": with_symengine,
    "casadi": with_casadi,
    "wrenfold": with_wrenfold,
}


# --- copies of SymPy's expression -------------------------------------------------------------


class Vocabulary(NamedTuple):
    """How a tool writes symbols, numbers and functions; sums and products are Python's + and *."""

    symbol: Callable[[str], Any]
    rational: Callable[[int, int], Any]
    functions: Mapping[type[sp.Basic], Callable[..., Any]]


def named(module: Any, *names: str) -> dict[type[sp.Basic], Callable[..., Any]]:
    """SymPy's functions and the module's of the same names."""
    return {getattr(sp, name): getattr(module, name) for name in names}


ELEMENTARY = ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh")


def symengine() -> Vocabulary:
    """Without steps and |.|: SymEngine leaves their derivatives unevaluated."""
    import symengine as se

    functions = named(se, *ELEMENTARY, "coth", "atan", "erf")
    return Vocabulary(se.Symbol, se.Rational, functions)


def casadi() -> Vocabulary:
    import casadi as ca

    functions = {
        **named(ca, *ELEMENTARY, "atan", "erf"),
        sp.Abs: ca.fabs,
        sp.coth: lambda u: 1 / ca.tanh(u),
        Step: lambda u: u > 0,
    }
    return Vocabulary(ca.SX.sym, lambda p, q: ca.SX(p / q), functions)


def wrenfold() -> Vocabulary:
    from wrenfold import sym

    functions = {
        **named(sym, *ELEMENTARY, "atan"),
        sp.Abs: sym.abs,
        sp.coth: lambda u: 1 / sym.tanh(u),
        Step: lambda u: sym.iverson(u > 0),
    }
    return Vocabulary(sym.symbol, sym.rational, functions)


def copied(spec: Spec, tool: Vocabulary) -> tuple[list[Any], Any, dict[str, Any]]:
    """The weights and the loss in the tool's own symbols, and the line of the stage "build".

    The time is that of copying; SymPy's expression, which is copied, is made before.
    """
    weights, _, _, loss = expand(spec)
    values, line = timed("build", lambda: copies([*weights, loss], tool))
    return [values[weight] for weight in weights], values[loss], line


def copies(expressions: list[sp.Expr], tool: Vocabulary) -> dict[sp.Expr, Any]:
    """What the tool makes of each subexpression; what is shared stays so."""
    values: dict[sp.Expr, Any] = {}
    for expression in walk(expressions, lambda each: each.args):
        values[expression] = _copy(expression, values, tool)
    return values


def _copy(expression: sp.Expr, values: Mapping[sp.Expr, Any], tool: Vocabulary) -> Any:
    if expression.is_Symbol:
        return tool.symbol(expression.name)
    if expression.is_Rational:
        return tool.rational(int(expression.p), int(expression.q))
    if not expression.args:  # e: what it is exactly does not matter, numbers are not counted
        return tool.rational(*Fraction(float(expression)).as_integer_ratio())
    operands = [values[operand] for operand in expression.args]
    if expression.is_Add:
        return reduce(operator.add, operands)
    if expression.is_Mul:
        return _product(expression, values)
    if expression.is_Pow:
        return _power(operands[0], expression.exp, operands[1])
    if expression.func not in tool.functions:
        raise Unsupported(f"no derivative of {expression.func.__name__}")
    return tool.functions[expression.func](*operands)


def _product(expression: sp.Expr, values: Mapping[sp.Expr, Any]) -> Any:
    """a·b⁻¹ is written as a division, as anyone would."""
    above, below = [], []
    for factor in expression.args:
        inverse = factor.is_Pow and factor.exp.is_Integer and factor.exp < 0
        if inverse:
            below.append(_power(values[factor.base], -factor.exp, None))
        else:
            above.append(values[factor])
    return reduce(operator.truediv, below, reduce(operator.mul, above) if above else 1)


def _power(base: Any, exponent: sp.Expr, copy: Any) -> Any:
    if not exponent.is_Integer:
        return base**copy
    power = reduce(operator.mul, [base] * abs(int(exponent))) if exponent != 2 else base**2
    return 1 / power if exponent < 0 else power


# --- the process ------------------------------------------------------------------------------


def confine(memory: int, seconds: float) -> None:
    """Bounds what this process may take; `seconds` are a backstop, for a parent that has died."""
    try:
        import resource
    except ImportError:  # Windows, where nor is it seen that a parent has died
        timer = threading.Timer(seconds, os._exit, [1])
        timer.daemon = True
        timer.start()
    else:
        with contextlib.suppress(ValueError, OSError):  # there is less already
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
            cpu = math.ceil(seconds)
            resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this process


def end_with_parent() -> None:
    """A parent that was ended by force leaves no child behind: whoever adopts it has another id."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever a tool prints is no answer

    def say(**line: Any) -> None:
        print(json.dumps(line), file=answers, flush=True)

    end_with_parent()
    request = json.load(sys.stdin)
    confine(request["memory"], request["seconds"])
    import_module(request["tool"])
    say(ready=version(request["tool"]))
    for spec in request["specs"]:
        failed = {}
        try:
            for line in TOOLS[request["tool"]](spec):
                say(**line)
        except MemoryError:
            failed = {"failed": "out of memory"}
        except RecursionError:
            failed = {"failed": "nested too deep for it"}
        except Unsupported as reason:
            failed = {"failed": str(reason)}
        gc.collect()
        say(done=True, **failed)


if __name__ == "__main__":
    main()
