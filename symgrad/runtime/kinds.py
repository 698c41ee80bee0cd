"""kinds: what is to be known of a network by those who call it: its dtype, and the kind and shape
of each argument."""

from collections import namedtuple

import numpy as np

from symgrad.runtime.given import real_array, unmasked
from symgrad.runtime.named import (
    called_columns,
    columns_of,
    inputs_of,
    outputs_of,
    targets_of,
    terms_of,
)

# An argument: the dtype of its numbers, how many axes it has, none for a number, and whether it is
# written.
Kind = namedtuple("Kind", "number axes written")

# NumPy's own objects for the dtypes of arguments.
NATIVE = {name: np.dtype(name) for name in ("float32", "float64", "uint64", "int64")}

# The dtypes of arguments that have not the network's own.
_OTHERS = {"progress": "uint64", "settings": "float64", "losses": "float64"}
_WHOLE = ("order", "starts")  # those of each term begin so


# What a derivative gives: the extents of its results by name, numbers or "samples", and whether it
# returns the loss too.
Results = namedtuple("Results", "extents value")


class Facts:
    """What is known of a network, and of its arguments by name."""

    numbers: tuple = ("l1", "l2", "rate", "total", "first", "loss")

    def __init__(self, name, spec, size, state, settings, results=None):
        inputs, outputs, dtype = inputs_of(spec), outputs_of(spec), spec["dtype"]
        self.name, self.native, self.dtype = name, NATIVE[dtype], dtype
        self.size, self.inputs, self.outputs = size, inputs, outputs
        self.columns = columns_of(spec)
        self.results = results or {}
        of_inputs, of_outputs = ("samples", inputs), ("samples", outputs)
        of_targets = ("samples", targets_of(spec))
        self.extents = {
            "theta": (size,),
            "x": of_inputs,
            "t": of_targets,
            "y": of_outputs,
            "w": ("samples",),
            "d_y": of_outputs,
            "v": (size,),
            "v_theta": (size,),
            "v_x": of_inputs,
            "gradient": (size,),
            "losses": ("subtrees",),
            "gradients": ("subtrees", size),
            "state": (state,),
            "progress": (2,),
            "order": ("samples to see",),
            "starts": ("batches + 1",),
            "settings": (settings,),
        }
        for term in terms_of(spec):
            samples = (f"samples_{term}",)
            self.extents |= {
                f"x_{term}": samples + (inputs,),
                f"t_{term}": samples + (targets_of(spec, term),),
                f"w_{term}": samples,
                f"order_{term}": self.extents["order"],
                f"starts_{term}": self.extents["starts"],
            }
        for result in self.results.values():
            self.extents.update(result.extents)
        self.shapes = {each: _shape(extents) for each, extents in self.extents.items()}

    def kind(self, name, written=()):
        """The kind of an argument; what is not written may be read-only."""
        if name in self.numbers:
            return Kind("float64", 0, False)
        number = "int64" if name.split("_")[0] in _WHOLE else _OTHERS.get(name, self.dtype)
        return Kind(number, len(self.extents[name]), name in written)

    def called(self, name):
        """What a message adds about an argument whose columns have names."""
        return called_columns(self.columns.get(name))

    def in_words(self, error):
        """Compiled code hands over the parts of a message, not the text."""
        text = " ".join(map(str, error.args))
        name, _, wanted = text.partition(" must be of shape ")
        return ValueError(text + (self.called(name) if wanted else ""))

    def converted(self, name, value):
        """An array-like as the array that compiled code takes; refused where it holds no
        numbers."""
        if name in self.numbers:
            if wrong := _no_number(name, value):
                raise TypeError(wrong)
            return float(value)
        array = real_array(name, value, self.shapes[name])
        if array.ndim != self.kind(name).axes:
            came = f"came {array.shape}{self.called(name)}"
            raise ValueError(f"{name} must be of shape {self.shapes[name]}, {came}")
        return _plain(np.require(array, self.native.type, ["C", "A"]), self.native)

    def in_place(self, name, value, kind):
        """An argument that is used as it is."""
        if kind.axes == 0:
            return float(value)
        return _plain(unmasked(name, value), NATIVE[kind.number])

    def mismatch(self, name, value, kind):
        """What is wrong with an argument that must be used in place; None if nothing is."""
        if kind.axes == 0:
            return _no_number(name, value)
        native = NATIVE[kind.number]
        wanted = f"{name} must be a C-contiguous {native} array of shape {self.shapes[name]}"
        if not isinstance(value, np.ndarray):
            return f"{wanted}, came {type(value).__name__}"
        what = [str(value.dtype)]
        what += [] if value.flags.c_contiguous else ["not C-contiguous"]
        what += [] if value.flags.aligned else ["not aligned"]
        what += [] if value.flags.writeable or not kind.written else ["read-only"]
        if len(what) == 1 and value.dtype == native and value.ndim == kind.axes:
            return None
        return f"{wanted}, came one of shape {value.shape}: {', '.join(what)}{self.called(name)}"


def _shape(extents):
    """As messages have it."""
    return f"({', '.join(map(str, extents))}{',' * (len(extents) == 1)})"


def _plain(array, native):
    """The same memory as an array of no class but NumPy's, with NumPy's own object as its dtype."""
    return np.asarray(array).view(native)


def _no_number(name, value):
    """What is wrong with an argument that must be a number; None if nothing is."""
    if isinstance(value, (int, float, np.integer, np.floating)):
        return None
    return f"{name} must be a number, came {type(value).__name__}"


def left_out(name):
    """What stands for an argument that a network does not have: no penalty, no weights of
    samples."""
    return 0.0 if name in ("l1", "l2") else None
