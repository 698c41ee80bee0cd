"""fma: multiply and add in one operation that rounds once, as LLVM IR."""

import functools
from collections import namedtuple

from llvmlite import ir

# What code is made for: LLVM's name of the machine, and what its processor has, as "+fma".
Processor = namedtuple("Processor", "triple features")

FLOAT, DOUBLE, INT64, INT128 = ir.FloatType(), ir.DoubleType(), ir.IntType(64), ir.IntType(128)


def external(module, name, kind):
    """A function that is not written here, declared once in a module."""
    return module.globals.get(name) or ir.Function(module, kind, name)


def fused(builder, processor, a, b, c):
    """a·b + c of numbers or vectors of LLVM: the processor's instruction. Where it has none, LLVM
    would call the C library's function; there it is written out."""
    single = getattr(a.type, "element", a.type) == FLOAT
    if "+fma" not in processor.features and processor.triple.startswith(("x86", "i386", "i686")):
        return _fma_by_doubles(builder, a, b, c) if single else _fma_by_integers(builder, a, b, c)
    lanes = f"v{a.type.count}" if isinstance(a.type, ir.VectorType) else ""
    name = f"llvm.fma.{lanes}{'f32' if single else 'f64'}"
    return builder.call(
        external(builder.module, name, ir.FunctionType(a.type, [a.type] * 3)), [a, b, c]
    )


def _fma_by_doubles(builder, a, b, c):
    """Of float32, or vectors of them. The product is exact in float64. A sum that is not becomes
    the one of the two numbers next to it whose last bit is 1: no tie, so that rounding it again,
    to float32, is rounding once.

    Boldo and Melquiond, Emulation of FMA and correctly rounded sums, 2008.
    """
    narrow = a.type
    lanes = narrow.count if isinstance(narrow, ir.VectorType) else 0
    wide, integer = ((ir.VectorType(kind, lanes) if lanes else kind) for kind in (DOUBLE, INT64))

    def constant(kind, value):
        return ir.Constant(kind, [value] * lanes if lanes else value)

    a, b, c = (builder.fpext(each, wide) for each in (a, b, c))
    product = builder.fmul(a, b)
    total = builder.fadd(product, c)
    part = builder.fsub(total, product)
    error = builder.fadd(
        builder.fsub(product, builder.fsub(total, part)), builder.fsub(c, part)
    )  # Knuth's, exact
    zero, one = constant(wide, 0.0), constant(integer, 1)
    bits = builder.bitcast(total, integer)
    last = builder.and_(bits, one)
    inexact = builder.fcmp_ordered("!=", error, zero)  # for infinity and NaN the error is NaN
    even = builder.icmp_unsigned("!=", last, one)
    inwards = builder.xor(
        builder.fcmp_ordered("<", error, zero), builder.fcmp_ordered("<", total, zero)
    )
    next_bits = builder.add(bits, builder.select(inwards, constant(integer, -1), one))
    bits = builder.select(builder.and_(inexact, even), next_bits, bits)
    return builder.fptrunc(builder.bitcast(bits, wide), narrow)


def _fma_by_integers(builder, a, b, c):
    """Of float64: by a function, lane by lane where they are vectors."""
    function = builder.module.globals.get("symgrad_fma") or _write_fma(builder.module)
    if not isinstance(a.type, ir.VectorType):
        return builder.call(function, [a, b, c])
    result = ir.Constant(a.type, ir.Undefined)
    for lane in map(ir.IntType(32), range(a.type.count)):
        numbers = [builder.extract_element(each, lane) for each in (a, b, c)]
        result = builder.insert_element(result, builder.call(function, numbers), lane)
    return result


def _write_fma(module):
    """a·b + c of float64 in integers of 128 bits. The product has 106, from a fixed place on, c is
    brought to its unit, or both to one 64 bits below c's; what falls off leaves a 1 in the last
    place behind. So has what is rounded at the end, to 53 bits or as many as a number has below
    the smallest normal one."""
    function = ir.Function(module, ir.FunctionType(DOUBLE, [DOUBLE] * 3), "symgrad_fma")
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    add, sub, select, size = builder.add, builder.sub, builder.select, INT64
    bits = [builder.bitcast(each, size) for each in function.args]
    exponents = [builder.and_(builder.lshr(each, size(52)), size(2047)) for each in bits]
    wild = [builder.icmp_unsigned("==", each, size(2047)) for each in exponents]  # infinite or NaN

    def clamped(number, low, high):
        number = select(builder.icmp_signed("<", number, size(low)), size(low), number)
        return select(builder.icmp_signed(">", number, size(high)), size(high), number)

    def left(number, places):
        return builder.shl(number, builder.zext(places, INT128))

    def right(number, places):
        """Shifted; the last bit is 1 if one that fell off is."""
        places = builder.zext(places, INT128)
        rest = builder.lshr(number, places)
        lost = builder.icmp_unsigned("!=", builder.shl(rest, places), number)
        return builder.or_(rest, builder.zext(lost, INT128))

    def zeros(number):
        """Before the first 1."""
        count = builder.trunc(builder.ctlz(number, ir.IntType(1)(0)), size)
        return builder.and_(count, size(127))

    def mantissa(each, exponent):
        first = select(builder.icmp_unsigned("==", exponent, size(0)), size(0), size(2**52))
        return builder.zext(builder.or_(builder.and_(each, size(2**52 - 1)), first), INT128)

    # Numbers are integers · 2^(exponent - 1075).
    m_a, m_b, m_c = map(mantissa, bits, exponents)
    e_a, e_b, e_c = (clamped(each, 1, 2047) for each in exponents)
    product = builder.mul(m_a, m_b)
    nothing = builder.icmp_unsigned("==", product, INT128(0))
    up = clamped(sub(zeros(product), size(22)), 0, 127)
    product = left(product, up)
    exponent = sub(sub(add(e_a, e_b), size(1075)), up)
    apart = sub(e_c, exponent)
    m_c = right(left(m_c, clamped(apart, 0, 64)), clamped(sub(size(0), apart), 0, 127))
    down = clamped(sub(apart, size(64)), 0, 2**13)
    product, exponent = right(product, clamped(down, 0, 127)), add(exponent, down)

    sign = builder.xor(bits[0], bits[1])
    opposite = builder.icmp_signed("<", builder.xor(sign, bits[2]), size(0))
    total = select(opposite, sub(product, m_c), add(product, m_c))
    turned = builder.icmp_signed("<", total, INT128(0))
    magnitude = select(turned, sub(INT128(0), total), total)
    up = zeros(magnitude)
    magnitude = left(magnitude, up)
    exponent = add(sub(exponent, up), size(75))
    below = clamped(sub(size(1), exponent), 0, 54)
    rounded = builder.trunc(right(magnitude, add(below, size(73))), size)  # and two bits more
    odd = builder.and_(builder.lshr(rounded, size(2)), size(1))
    rounded = builder.lshr(add(rounded, add(size(1), odd)), size(2))  # to nearest, ties to even
    exponent = sub(clamped(exponent, 1, 2047), size(1))
    number, infinity = add(builder.shl(exponent, size(52)), rounded), size(2047 << 52)
    number = select(builder.icmp_unsigned(">", number, infinity), infinity, number)
    sign = builder.xor(sign, select(turned, size(-1), size(0)))
    number = builder.or_(number, builder.and_(sign, size(-(2**63))))

    # Zeros, infinities and NaN follow the rules of · and +; but a finite product is not infinite,
    # whatever its size.
    a, b, c = function.args
    swallowed = builder.and_(wild[2], builder.not_(builder.or_(wild[0], wild[1])))
    plain = builder.fadd(select(swallowed, c, builder.fmul(a, b)), c)
    cancelled = builder.icmp_signed("==", total, INT128(0))
    special = functools.reduce(builder.or_, [*wild, nothing, cancelled])
    builder.ret(select(special, plain, builder.bitcast(number, DOUBLE)))
    return function
