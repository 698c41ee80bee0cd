"""Calls of the drivers of a module's functions, as its functions call them."""

import inspect
from typing import Any


def in_turn(function: Any, *arguments: Any) -> Any:
    """What a function of a module does on one thread; arguments as its own, results
    written into the last."""
    return _called(function.work, function.work.in_turn, arguments)


def on_threads(function: Any, *arguments: Any) -> Any:
    """The same, on threads."""
    return _called(function.work, function.work.on_threads, arguments)


def driver(function: Any, name: str) -> Any:
    """One of the drivers that a function of a module calls, or that these call."""
    waiting, seen = [function.work.in_turn], set()
    while waiting:
        body = waiting.pop(0)
        body = getattr(body, "py_func", body)
        called = inspect.getclosurevars(body).nonlocals if inspect.isfunction(body) else {}
        if name in called:
            return called[name]
        new = [each for each in called.values() if id(each) not in seen]
        seen |= set(map(id, new))
        waiting += new
    raise AssertionError(f"{function} calls no {name}")


def _called(work: Any, driver: Any, arguments: tuple[Any, ...]) -> Any:
    given = dict(zip(work.names, arguments, strict=True))
    parameters = inspect.signature(getattr(driver, "py_func", driver)).parameters
    absent = {"l1": 0.0, "l2": 0.0}
    return driver(*(given.get(name, absent.get(name)) for name in parameters))
