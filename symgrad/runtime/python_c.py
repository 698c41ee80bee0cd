"""python_c: arrays and functions as Python's C code has them."""

import ctypes

import numpy as np
from llvmlite import binding

from symgrad.runtime.kinds import NATIVE


class PyArray(ctypes.Structure):
    """An array in memory, as NumPy's public C headers have it: PyArrayObject_fields."""

    _fields_ = [
        ("head", ctypes.c_byte * object.__basicsize__),
        ("data", ctypes.c_void_p),
        ("axes", ctypes.c_int),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("base", ctypes.c_void_p),
        ("dtype", ctypes.c_void_p),
        ("flags", ctypes.c_int),
    ]


TYPE_OFFSET = object.__basicsize__ - ctypes.sizeof(ctypes.c_void_p)  # where an object has its type
READABLE, WRITABLE = 0x0101, 0x0501  # flags: in C order and aligned; and writable
FASTCALL = 0x0080 | 0x0002  # of functions that take arguments as a C array, and names of some


def as_expected():
    """Whether this NumPy lays arrays out as `PyArray` says. Else Numba's dispatcher does the
    calls."""
    array = np.empty((2, 3))
    seen = PyArray.from_address(id(array))
    kind = ctypes.c_void_p.from_address(id(array) + TYPE_OFFSET).value
    found = kind, seen.data, seen.axes, seen.dtype, seen.flags & WRITABLE
    return found == (id(np.ndarray), array.ctypes.data, 2, id(array.dtype), WRITABLE)


class PyMethodDef(ctypes.Structure):
    """How Python describes a function of C: PyMethodDef."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


new_function = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p
)(("PyCFunction_NewEx", ctypes.pythonapi))


# Objects that compiled code knows by their addresses.
for _name, _object in {"ndarray": np.ndarray, "float": float, "None": None, **NATIVE}.items():
    binding.add_symbol(f"symgrad_{_name}", id(_object))
