"""arguments: LLVM IR that reads arguments where Python has them."""

import ctypes
import functools

from llvmlite import ir

from symgrad.runtime.fma import external
from symgrad.runtime.python_c import READABLE, TYPE_OFFSET, WRITABLE, PyArray

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
