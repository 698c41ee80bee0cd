"""python_c: arrays and functions as Python's C code has them, and LLVM IR that reads them there."""

import ctypes
import functools

import numpy as np
from llvmlite import binding, ir

from symgrad.runtime.fma import external
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

ADDRESS = ir.IntType(8 * ctypes.sizeof(ctypes.c_void_p))


def at(builder, address, offset, kind=ADDRESS):
    """What lies at an address."""
    return builder.load(
        builder.inttoptr(builder.add(address, address.type(offset)), kind.as_pointer())
    )


def is_object(builder, address, name):
    """Whether an address is that of the object called `name`."""
    symbol = external(builder.module, f"symgrad_{name}", ir.FunctionType(ir.VoidType(), []))
    return builder.icmp_unsigned("==", address, builder.ptrtoint(symbol, address.type))


def both(builder, one, other):
    """Whether two conditions hold, the second asked only if the first does."""
    asked_last = builder.block
    with builder.if_then(one):
        second = other()
        asked = builder.block
    result = builder.phi(second.type)
    result.add_incoming(second.type(0), asked_last)
    result.add_incoming(second, asked)
    return result


def is_array(builder, thing, kind):
    """Whether an object is an array of this type, in C order, aligned, and writable if that is."""
    short = ir.IntType(32)

    def fits():
        wanted = short(WRITABLE if kind.written else READABLE)
        found = builder.and_(at(builder, thing, PyArray.flags.offset, short), wanted)
        right = [
            is_object(builder, at(builder, thing, PyArray.dtype.offset), kind.number),
            builder.icmp_unsigned(
                "==", at(builder, thing, PyArray.axes.offset, short), short(kind.axes)
            ),
            builder.icmp_unsigned("==", found, wanted),
        ]
        return functools.reduce(builder.and_, right)

    return both(builder, is_object(builder, at(builder, thing, TYPE_OFFSET), "ndarray"), fits)


def address_and_extents(builder, thing, number, axes):
    """Where the numbers of an array lie, of a type of LLVM, and how many there are along each
    axis."""
    data = at(builder, thing, PyArray.data.offset, number.as_pointer())
    shape = at(builder, thing, PyArray.shape.offset)
    return data, [
        at(builder, shape, axis * ctypes.sizeof(ctypes.c_ssize_t)) for axis in range(axes)
    ]
