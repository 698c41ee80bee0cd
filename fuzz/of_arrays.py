"""Arrays of any type, layout, shape and class, given to the functions of a compiled module.

What a function takes, it computes with as if a plain array had been given; what it does not take,
it refuses with a TypeError or a ValueError. Nothing that it is given is changed.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any

import numpy as np

import symgrad
from fuzz.crash import at_most, last_line, signature
from fuzz.hunt import Finding, Kind

SECONDS = 60
SAMPLES, INPUTS, OUTPUTS = 5, 3, 2


class Own(np.ndarray):
    """An array class of a user's."""


class Like:
    """What NumPy can make an array of."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.array if dtype is None else self.array.astype(dtype)


def _strided(array: np.ndarray) -> np.ndarray:
    wide = np.zeros([2 * size for size in array.shape], array.dtype)
    every_other = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    every_other[...] = array
    return every_other


def _unaligned(array: np.ndarray) -> np.ndarray:
    raw = bytearray(array.nbytes + 1)
    moved = np.frombuffer(raw, np.uint8, array.nbytes, 1).view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def _frozen(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


def _masked(array: np.ndarray) -> np.ndarray:
    mask = np.zeros(array.shape, bool)
    mask.flat[:1] = True
    return np.ma.MaskedArray(array, mask)


TYPES = (
    "float32", "float64", "float16", "longdouble", "int8", "uint8", "int32", "int64", "uint64",
    "bool", ">f4", ">f8", ">i4", "complex64", "complex128", "U8", "S8", "object", "datetime64[s]",
    "timedelta64[s]", "V4",
)  # fmt: skip
LAYOUTS: dict[str, Callable[[np.ndarray], Any]] = {
    "C": lambda a: a,
    "Fortran": np.asfortranarray,
    "strided": _strided,
    "reversed": lambda a: a[::-1].copy()[::-1],
    "unaligned": _unaligned,
    "frozen": _frozen,
    "list": lambda a: a.tolist(),
    "tuple": lambda a: tuple(map(tuple, a.tolist())) if a.ndim > 1 else tuple(a.tolist()),
    "own class": lambda a: a.view(Own),
    "like": Like,
    "matrix": np.matrix,
    "masked": _masked,
    "masked nowhere": lambda a: np.ma.MaskedArray(a),
    "none": lambda a: None,
    "text": lambda a: "x",
}
SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "right": lambda a: a,
    "flat": lambda a: a.ravel(),
    "a column less": lambda a: a[..., :-1],
    "a column more": lambda a: np.concatenate([a, a[..., :1]], axis=-1),
    "a row less": lambda a: a[:-1],
    "no rows": lambda a: a[:0],
    "one more axis": lambda a: a[None],
    "transposed": lambda a: a.T,
    "a number": lambda a: a.ravel()[0],
    "no columns": lambda a: a[..., :0],
}
FUNCTIONS = {
    "predict": ("theta", "x"),
    "loss": ("theta", "x", "t"),
    "loss_and_gradient": ("theta", "x", "t"),
    "loss_and_gradient_into": ("theta", "x", "t", "gradient"),
    "step": ("theta", "x", "t", "rate"),
}

Odd = tuple[str, str, str, str]  # argument, type, layout, shape


@dataclass(frozen=True)
class Case:
    """A call with some odd arguments."""

    function: str
    dtype: str
    odd: tuple[Odd, ...]

    def data(self) -> dict[str, Any]:
        return {"function": self.function, "dtype": self.dtype, "odd": self.odd}

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "Case":
        return cls(data["function"], data["dtype"], tuple(tuple(odd) for odd in data["odd"]))

    def size(self) -> tuple[float, ...]:
        strange = sum(
            (kind != self.dtype) + (layout != "C") + (shape != "right")
            for _, kind, layout, shape in self.odd
        )
        return (len(self.odd), strange, self.dtype == "float32")

    def __str__(self) -> str:
        odd = "; ".join(f"{name} {' '.join(how)}" for name, *how in self.odd)
        return f"{self.function} of a {self.dtype} module: {odd}"


def kind() -> Kind:
    return Kind("array", 1, draw, judge, smaller, Case.read)


def draw(rng: Random) -> Case:
    function = rng.choice(list(FUNCTIONS))
    dtype = rng.choice(("float32", "float64"))
    names = [name for name in FUNCTIONS[function] if name != "rate"]
    odd = []
    for name in rng.sample(names, rng.choice((1, 1, 2))):
        type_ = rng.choice(TYPES) if rng.random() < 0.6 else dtype
        layout = rng.choice(list(LAYOUTS)) if rng.random() < 0.6 else "C"
        shape = rng.choice(list(SHAPES)) if rng.random() < 0.3 else "right"
        odd.append((name, type_, layout, shape))
    return Case(function, dtype, tuple(odd))


@cache
def module(dtype: str) -> Any:
    return symgrad.compile(
        {
            "name": f"arrays_{dtype}",
            "dtype": dtype,
            "inputs": INPUTS,
            "layers": [
                {"units": 4, "activation": "tanh"},
                {"units": OUTPUTS, "activation": "identity"},
            ],
        }
    ).module


def plain(dtype: str) -> dict[str, Any]:
    """What is given where nothing is odd: small whole numbers, which every type can hold."""
    dice = np.random.default_rng(1)
    size = module(dtype).SIZE

    def whole(*shape: int) -> np.ndarray:
        return dice.integers(0, 2, shape).astype(dtype)

    return {
        "theta": whole(size),
        "x": whole(SAMPLES, INPUTS),
        "t": whole(SAMPLES, OUTPUTS),
        "gradient": np.zeros(size, dtype),
        "rate": 0.125,
    }


def made(array: np.ndarray, odd: Odd) -> Any:
    """The array as a case has it; raises TypeError where there is none such."""
    _, type_, layout, shape = odd
    return LAYOUTS[layout](np.asarray(SHAPES[shape](array).astype(type_)))


def judge(case: Case) -> list[Finding]:
    given = plain(case.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            strange = {odd[0]: made(given[odd[0]], odd) for odd in case.odd}
        except (TypeError, ValueError, IndexError):
            return []  # NumPy makes none such
        function = getattr(module(case.dtype), case.function)
        arguments = [strange.get(name, given[name]) for name in FUNCTIONS[case.function]]
        try:
            with at_most(SECONDS):
                came = function(*arguments)
        except (TypeError, ValueError) as error:
            return [] if str(error) else [Finding("refused without a word", case, repr(error))]
        except Exception as error:  # that any other comes out is what is looked for
            return [Finding(f"crash: {signature(error)}", case, last_line(error))]
    return list(_taken(case, strange, came))


def _taken(case: Case, strange: Mapping[str, Any], came: Any) -> Iterator[Finding]:
    """What was taken has to have been what it seemed to be."""
    given = plain(case.dtype)
    for name, type_, layout, _ in case.odd:
        if layout in ("none", "text", "masked"):
            yield Finding(f"{layout} is taken for {name}", case, "it should be refused")
            return
        if np.dtype(type_).kind in "cUSMmV":
            yield Finding(f"{type_} is taken for {name}", case, "it should be refused")
            return
        if name == "gradient":
            continue
        shape, right = np.shape(np.asarray(strange[name])), given[name].shape
        fewer_rows = case.function == "predict" and name == "x" and len(shape) == len(right) == 2
        if shape != right and not (fewer_rows and shape[0] > 0 and shape[1] == right[1]):
            yield Finding(f"{name} of another shape is taken", case, "it should be refused")
            return
    if case.function in ("loss_and_gradient_into", "step"):
        return
    usual = dict(given)
    for name, array in strange.items():
        usual[name] = np.array(np.asarray(array), case.dtype, order="C")
    expected = getattr(module(case.dtype), case.function)(
        *(usual[name] for name in FUNCTIONS[case.function])
    )
    for one, other in zip(_arrays(came), _arrays(expected), strict=True):
        if one.shape != other.shape or not np.allclose(one, other, 1e-5, 1e-6):
            yield Finding("computed with something else", case, f"{one} for {other}")
            return
    for odd in case.odd:
        again = made(given[odd[0]], odd)
        if not np.array_equal(np.asarray(strange[odd[0]]), np.asarray(again)):
            yield Finding("an argument was changed", case, str(strange[odd[0]]))


def _arrays(came: Any) -> list[np.ndarray]:
    return [np.asarray(each, float) for each in (came if isinstance(came, tuple) else (came,))]


def smaller(case: Case) -> Iterator[Case]:
    for number, (name, type_, layout, shape) in enumerate(case.odd):
        before, after = case.odd[:number], case.odd[number + 1 :]
        if len(case.odd) > 1:
            yield replace(case, odd=before + after)
        for plainer in (
            (name, case.dtype, layout, shape),
            (name, type_, "C", shape),
            (name, type_, layout, "right"),
        ):
            yield replace(case, odd=(*before, plainer, *after))
    yield replace(case, dtype="float64")
