"""What the modules beside this file, which symgrad has emitted, have in common: no mathematics.

Views and small arrays for compiled code, matrix products, what is checked before a call, how Python
enters compiled code without a detour, leaves and threads, epochs of training, and files for code that is
compiled already. It is named by its content, and the same for every network; copy it along.
"""

import contextlib
import copy
import ctypes
import functools
import hashlib
import inspect
import math
import os
import pickle
import secrets
import stat
import sys
import threading
from collections import namedtuple
from pathlib import Path

import llvmlite
import numba as nb
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, sigutils
from numba.core.caching import NullCache
from numba.core.ccallback import CFunc
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps
from numba.extending import intrinsic, lower_builtin, overload, type_callable
from numba.misc.appdirs import AppDirs
from numba.np.arrayobj import make_array, populate_array


class Compiler:
    """Compiles the functions of one module with Numba, and keeps their code in files for it.

    `emitted` is a hash of what the module was emitted as.
    """

    def __init__(self, namespace, emitted):
        self.name = namespace["__name__"]
        file = namespace.get("__file__")  # which a text handed to `exec` has not
        self.file = None if file is None else Path(file).absolute()
        # In the names of compiled code: two modules in one process would otherwise share functions of one name.
        self.content, self.of = self._content(emitted), ""

    def _content(self, emitted):
        """A hash of what the files were emitted as, and of what they are now, should somebody have changed them."""
        try:
            own = Path(__file__).read_bytes() if "__file__" in globals() else b""
            found = emitted.encode() + self.file.read_bytes() + own
            return hashlib.sha256(found).hexdigest()[:16]
        except (OSError, AttributeError):  # in a ZIP file, or a text
            return emitted

    def for_part(self, name):
        """The same for a derivative, or a term of the loss, whose drivers have the names of the gradient's."""
        other = copy.copy(self)
        other.content, other.of = hashlib.sha256((self.content + name).encode()).hexdigest()[:16], f"_{name}"
        return other

    def named(self, function, name=None):
        """A function under the name that its compiled code has: of what the module holds, not of where it is.

        Numba imports the module that a function says it is of, to load its code: this one may be
        called something else by then, and Numba may not.
        """
        function.__module__, function.__qualname__ = "numba", f"{name or function.__name__}_{self.content}"
        return function

    def cached(self, compiler, function, *signature, **options):
        """A function compiled by Numba, from a file where there is a good one."""
        compiled = compiler(*signature, error_model="numpy", **options)(self.named(function))
        compiled._cache = _Cache(self, function)
        return compiled

    def inlined(self, function):
        """A function that is inlined where it is called."""
        return self.cached(nb.njit, function, forceinline=True)

    def inner(self, function):
        """A function that is compiled with the first that calls it."""
        return self.cached(nb.njit, function, nogil=True, forceinline=False)  # whatever its caller is

    def threaded(self, function):
        """The same, with its prange on as many threads as Numba has."""
        return self.cached(nb.njit, function, nogil=True, parallel=True)

    def written_out(self, function):
        """A part that is written out where it is called, and so compiled with that alone."""
        return nb.njit(nogil=True, error_model="numpy", inline="always")(function)

    def folders(self, make):
        """Where compiled code is kept: where NUMBA_CACHE_DIR says, beside the module, in the user's folder.

        Each that is there, or can be made.
        """
        apart = f"{self.file.stem}_{self.content}"
        user = Path(AppDirs("numba", False).user_cache_dir, apart)
        places = [Path(nb.config.CACHE_DIR, apart)] if nb.config.CACHE_DIR else []
        places += [self.file.parent / "__pycache__"]
        places += [user] if user.is_absolute() else []  # which it is not where there is no home
        for place in places:
            with contextlib.suppress(OSError):
                if make:
                    place.mkdir(parents=True, exist_ok=True)
                folder = Path(os.path.realpath(place, strict=True))
                if place != user or _safe(folder):
                    yield folder


def _named(function):
    """The same for a function that is compiled with whatever calls it: of what stands here."""
    function.__module__, function.__qualname__ = "numba", f"{function.__name__}_64e670c9ca938d9d"
    return function


def _safe(folder):
    """Whether only this user and the system can put files into a folder: what lies there will run."""
    if not hasattr(os, "getuid"):  # Windows, where the user's folder is the user's
        return True
    trusted = {os.getuid(), 0, os.stat("/").st_uid}
    for path in (folder, *folder.parents):
        about = path.stat()
        private = about.st_gid == about.st_uid  # by convention a group of this user alone
        others = stat.S_IWOTH | (0 if private else stat.S_IWGRP)
        sticky = path != folder and about.st_mode & stat.S_ISVTX  # there nobody can move what is another's
        if about.st_uid not in trusted or (about.st_mode & others and not sticky):
            return False
    return True


class _Cache(NullCache):
    """A function's compiled code, in files.

    Each begins with a hash of what it holds and is for; one that does not is as none. Nor does
    anything fail for want of a file, or of room for one: the function is compiled in this process.
    """

    def __init__(self, compiler, function):
        self.compiler, self.name = compiler, compiler.of + function.__name__

    def files(self, signature, codegen, make):
        """The file for a signature, in each of the folders."""
        if self.compiler.file is not None:
            python = sys.implementation.cache_tag, getattr(sys, "abiflags", "")
            key = hashlib.sha256(repr((str(signature), codegen.magic_tuple(), python)).encode()).hexdigest()
            for folder in self.compiler.folders(make):
                yield folder / f"{self.compiler.file.stem}.{self.name}-{key[:16]}.nbc"

    def seal(self, file, code):
        versions = nb.__version__, llvmlite.__version__, np.__version__
        return hashlib.sha256(repr((file.name, self.compiler.content, versions)).encode() + code).digest()

    def load_overload(self, signature, target_context):
        target_context.refresh()
        for file in self.files(signature, target_context.codegen(), make=False):
            with contextlib.suppress(OSError):
                content = file.read_bytes()
                if content[:32] == self.seal(file, content[32:]):
                    return CompileResult._rebuild(target_context, *pickle.loads(content[32:]))
        return None

    def save_overload(self, signature, result):
        if result.library.has_dynamic_globals:  # addresses, good for this process only
            return
        code = dumps(result._reduce())
        for file in self.files(signature, result.codegen, make=True):
            aside = file.with_name(f".{secrets.token_hex(8)}.part")
            with contextlib.suppress(OSError):
                try:
                    aside.write_bytes(self.seal(file, code) + code)
                    os.replace(aside, file)
                    return
                finally:
                    aside.unlink(missing_ok=True)


def is_masked(value):
    """Whether a mask says that some of it is missing. Code that takes arrays sees what lies under
    it."""
    if isinstance(value, (list, tuple)):
        return any(map(is_masked, value))
    masks = sys.modules.get("numpy.ma")  # which takes long to import, and has to be to make one
    return masks is not None and isinstance(value, masks.MaskedArray) and masks.is_masked(value)


def unmasked(name, value):
    """The value, unless some of it is masked; then there is no number that would be right."""
    if is_masked(value):
        raise ValueError(
            f"{name} has masked values: give numbers for them, as {name}.filled(…),"
            " or leave them out"
        )
    return value


def real_array(name, value, shape):
    """An array-like as an array; refused where it holds no numbers, or some of them are masked."""
    try:
        array = np.asanyarray(value)  # what makes a masked array of itself keeps its mask
    except ValueError as error:
        raise ValueError(f"{name} must be of shape {shape}: {error}") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, came {array.dtype}")
    unmasked(name, value)
    return np.asarray(unmasked(name, array))


# Messages and docstrings show so many names.
NAMES_SHOWN = 12


def given_inputs(spec):
    """How many inputs there are, or their names; a spec may have a table with more of them."""
    given = spec["inputs"]
    return given.get("names", given.get("count")) if isinstance(given, dict) else given


def inputs_of(spec):
    """How many inputs there are: a spec has their number, or their names."""
    given = given_inputs(spec)
    return given if isinstance(given, int) else len(given)


def outputs_of(spec):
    return spec["layers"][-1]["units"]


def targets_of(spec, term=None):
    """How many targets a sample has, of the loss or of one of its terms: as many as outputs, if
    nothing else is said."""
    given = _described(spec, term).get("targets", outputs_of(spec))
    return given if isinstance(given, int) else len(given)


def _described(spec, term):
    loss = spec["loss"]
    return loss if term is None else next(t for t in loss["terms"] if t["name"] == term)


def terms_of(spec):
    """The names of a loss's terms, each of which has data of its own, x_NAME; none where the loss
    is of one kind or formula, or terms are of some outputs and have their samples in common."""
    terms = spec["loss"].get("terms", ())
    return [term["name"] for term in terms if "outputs" not in term]


def columns_of(spec):
    """The names of the columns of x, t and y, as far as they have any; also of each term's."""
    outputs = spec["layers"][-1].get("names")
    named = {"x": given_inputs(spec), "t": spec["loss"].get("targets", outputs), "y": outputs}
    for term in terms_of(spec):
        targets = _described(spec, term).get("targets", outputs)
        named |= {f"x_{term}": given_inputs(spec), f"t_{term}": targets}
    return {array: names for array, names in named.items() if isinstance(names, (list, tuple))}


def called_columns(names):
    """What a message adds about an array whose columns have names."""
    return f"; its columns are {listed_names(names)}" if names else ""


def listed_names(names):
    """Names for people, the first of them where there are many."""
    more = ", …" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


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


# Results of fewer bytes are made without a question.
LARGE = 1 << 28


def memory_available():
    """How many bytes can be had without other programs being put aside; what the machine has where
    the system does not say."""
    try:
        with open("/proc/meminfo") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return float("inf")


# The activations whose layers are initialised as He et al. do it; the others as Glorot and Bengio.
RELU_LIKE = {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus"}


class Weights:
    """All weights as one vector theta, and as arrays by name."""

    def __init__(self, parameters, size, dtype, layers):
        def init(seed=0):
            """Random weights: He for relu-like layers, Glorot for others, both uniform; biases are
            zero.

            He et al. 2015, arXiv:1502.01852; Glorot and Bengio 2010.
            """
            random = np.random.default_rng(seed)
            weights = {name: np.zeros(shape) for name, (_, shape) in parameters.items()}
            for number, layer in enumerate(layers, start=1):
                several = layer.get("from", ())
                sources = several if len(several) > 1 else [""]
                heads = enumerate(layer.get("heads", ()), start=1)
                groups = {f"{number}h{head}": group for head, group in heads}
                for called, group in (groups or {str(number): layer}).items():
                    names = [f"W{called}{source}" for source in sources]
                    below, units = sum(parameters[name][1][0] for name in names), group["units"]
                    fan = below if group["activation"] in RELU_LIKE else below + units
                    for name in names:
                        drawn = random.uniform(-1.0, 1.0, parameters[name][1])
                        weights[name] = drawn * math.sqrt(6 / fan)
            return pack(weights)

        def pack(weights):
            """The flat vector theta from arrays by name, of the shapes in PARAMETERS."""
            if set(weights) != set(parameters):
                raise ValueError(
                    f"the arrays {', '.join(parameters)} are needed, came {', '.join(weights)}"
                )
            theta = np.empty(size, dtype)
            for name, array in unpack(theta).items():
                given = real_array(name, weights[name], array.shape)
                if given.shape != array.shape:
                    raise ValueError(f"{name} must be of shape {array.shape}, came {given.shape}")
                array[...] = given
            return theta

        def unpack(theta):
            """Views into the flat vector theta, by name."""
            if np.shape(theta) != (size,):
                raise ValueError(f"theta must be of shape {(size,)}, came {np.shape(theta)}")
            views = {}
            for name, (offset, shape) in parameters.items():
                views[name] = theta[offset : offset + int(np.prod(shape))].reshape(shape)
            return views

        self.init, self.pack, self.unpack = init, pack, unpack


class GoingOn:
    """Of `settings` by name, an optimizer's memory of so many numbers, and its dtype."""

    def __init__(self, settings, memory, native):
        def train_settings(**changes):
            """The vector `settings` for `train_epoch`: SETTINGS, with these changes."""
            if unknown := set(changes) - set(settings):
                names = ", ".join(sorted(unknown))
                raise TypeError(f"no setting is called {names}; there are {', '.join(settings)}")
            return np.array([*(settings | changes).values()], np.float64)

        def train_state(seed=0):
            """What `train_epoch` goes on from, at the start: the optimizer's memory `state`, and
            `progress`.

            state holds what STATE names, for each weight. progress holds two whole numbers: the
            state of the random numbers, which begins as the seed, and how many steps have been
            taken. Both can be stored, and training continued from them: it goes on as if it had
            not been interrupted.
            """
            return np.zeros(memory, native), np.array(
                [int(seed) & 0xFFFFFFFFFFFFFFFF, 0], np.uint64
            )

        self.train_settings, self.train_state = train_settings, train_state


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


# Of "float32" or "float64"; a and b are "r" for a matrix that lies row by row, "c" for column by
# column, a "1" for ones; the product is on top of what `start` says: "zero", a "row", or "what_is"
# there.
Form = namedtuple("Form", "number a b start")

# A vector of a tile: from which column of the tile on, how many numbers, and which of them are
# there, None if all.
Vector = namedtuple("Vector", "offset lanes mask")


PREFIX = "symgrad_product_"

# The first row or column.
_FIRST = INT64(0)

# Rows of a block of which what is left of the diagonal is left out.
_UPPER = INT64(64)

_FROM = {"zero": "", "row": "_from_row", "what_is": "_from_what_is"}


def symbol(form):
    """What the function of a form is called."""
    return f"{PREFIX}{form.number}_{form.a}{form.b}{_FROM[form.start]}"


def form_of(name):
    """The form of the function that is called so."""
    number, kinds, *start = name.removeprefix(PREFIX).split("_", 2)
    starts = {text.strip("_"): start for start, text in _FROM.items()}
    return Form(number, *kinds, starts["".join(start)])


def declared(module, form):
    """The function C = row + A·B of a form: of A, B, C, how many rows of A and C, terms of a sum,
    columns of B and C, the row, from which row of C on, and before which, to go, and from which
    column on."""
    number = FLOAT if form.number == "float32" else DOUBLE
    kind = ir.FunctionType(
        ir.VoidType(), [*[number.as_pointer()] * 3, *[INT64] * 3, number.as_pointer(), *[INT64] * 3]
    )
    return external(module, symbol(form), kind)


def written(module, processor, form):
    """The same, written in this module."""
    function = declared(module, form)
    if not function.blocks:
        function.linkage = "linkonce_odr"
        _Product(module, processor, form)
    return function


def multiply(
    builder,
    function_of,
    number,
    a,
    b,
    into,
    m,
    k,
    n,
    a_by_columns,
    b_by_columns,
    row=None,
    piece=None,
    onto=False,
    upper=False,
):
    """into = A·B of numbers "float32" or "float64", A of m × k numbers, B of k × n, on top of a
    row or of 0, or `onto` what is there; or some rows of it, as `piece` says, the number of a piece
    and how many there are; or what is above the diagonal, and on it, and anything else below.
    `function_of` gives the function of a form."""

    def call(form, *arguments, rows, left=_FIRST):
        builder.call(function_of(form), [*arguments, *rows, left])

    kinds = ["c" if by_columns else "r" for by_columns in (a_by_columns, b_by_columns)]
    nothing = into.type(None)
    if row is not None:
        call(Form(number, *kinds, "row"), a, b, into, m, k, n, row, rows=(INT64(0), m))
        return
    start = "what_is" if onto else "zero"
    form = Form(number, *kinds, start)

    def whole():
        call(form, a, b, into, m, k, n, nothing, rows=(INT64(0), m))

    def in_one_row():
        """A column, as one row: vectors run across it."""
        turned = [{"c": "r", "r": "c"}[kind] for kind in reversed(kinds)]
        call(Form(number, *turned, start), b, a, into, n, k, m, nothing, rows=(INT64(0), n))

    def some():
        call(form, a, b, into, m, k, n, nothing, rows=_rows_of(builder, m, *piece))

    def one(count):
        return builder.icmp_signed("==", count, INT64(1))

    def some_of_upper():
        """Blocks of rows in turns, since the first have the most to do."""
        number, pieces = piece
        start, step = (builder.mul(count, _UPPER) for count in (number, pieces))
        with _counted(builder, start, m, step) as top:
            end = builder.add(top, _UPPER)
            bottom = builder.select(builder.icmp_signed("<", end, m), end, m)
            call(form, a, b, into, m, k, n, nothing, rows=(top, bottom), left=top)

    def at_once():
        if isinstance(n, ir.Constant):
            (in_one_row if n.constant == 1 else whole)()
        else:
            _either(builder, one(n), in_one_row, whole)

    if upper:
        some_of_upper()
    elif piece is None:
        at_once()
    else:
        _either(builder, one(piece[1]), at_once, some)


@contextlib.contextmanager
def _counted(builder, start, end, step):
    """for i in range(start, end, step), where what is within it is written to."""
    before = builder.block
    head, inside, after = (builder.function.append_basic_block() for _ in range(3))
    builder.branch(head)
    builder.position_at_end(head)
    i = builder.phi(INT64)
    i.add_incoming(start, before)
    builder.cbranch(builder.icmp_signed("<", i, end), inside, after)
    builder.position_at_end(inside)
    yield i
    i.add_incoming(builder.add(i, step), builder.block)
    builder.branch(head)
    builder.position_at_end(after)


def _either(builder, condition, yes, no):
    with builder.if_else(condition) as (then, otherwise):
        with then:
            yes()
        with otherwise:
            no()


def sum_of_rows(builder, function_of, number, matrix, into, rows, columns):
    """into = the sum of a matrix's rows: a row of ones times the matrix."""
    function = function_of(Form(number, "1", "r", "zero"))
    builder.call(
        function,
        [into, matrix, into, INT64(1), rows, columns, into.type(None), INT64(0), INT64(1), _FIRST],
    )


def _rows_of(builder, m, piece, pieces):
    """Where a piece of the result begins and ends, as `_first_row` says."""
    blocks = builder.sdiv(builder.add(m, INT64(7)), INT64(8))
    for each in (piece, builder.add(piece, INT64(1))):
        first = builder.mul(builder.sdiv(builder.mul(blocks, each), pieces), INT64(8))
        yield builder.select(builder.icmp_signed("<", first, m), first, m)


class _Product:
    """Writes the function C = row + A·B as LLVM IR; A of m × k numbers, B of k × n, row by row or
    column by column, C row by row.

              n, `vectors` vectors of `lanes` numbers
            ┌───────────────┐
            │ B             │ k
            └───────────────┘
      k     ┌───────────────┐
    ┌───┐   │ tile of C     │ rows
    │ A │   └───────────────┘
    └───┘

    A tile of C, rows × vectors, lies in registers. For each k a row of B is loaded, a number of A
    spread for each row of the tile, and all of it multiplied and added: rows × vectors instructions
    for rows + vectors loads. Vectors run across results, never along a sum.

    At the right edge tiles have one vector, which is masked, and half as wide as others where that
    will do and may take half the time; at the lower edge they have two rows. Where B is large, or
    lies column by column, a piece of it, `depth` × tile's width, is copied into a panel in L1 that
    all tiles below it read. What tiles and vectors are depends on the processor;
    the results do not.
    """

    depth = 128

    def __init__(self, module, processor, form):
        self.processor = processor
        self.number, self.bytes = (FLOAT, 4) if form.number == "float32" else (DOUBLE, 8)
        self.lanes, self.rows, self.vectors = _tile(processor, self.bytes)
        self.a_by_columns, self.b_by_columns = form.a == "c", form.b == "c"
        self.start = form.start
        self.of_ones = form.a == "1"
        self.width = self.vectors * self.lanes
        self.function = declared(module, form)
        self.function.attributes.add("noinline")
        self.builder = ir.IRBuilder(self.function.append_basic_block())
        self._write()

    def _write(self):
        """Small matrices as they are; panels of large ones, and of those whose rows are columns."""
        builder = self.builder
        self.a, self.b, self.c, self.m, self.k, self.n, *rest = self.function.args
        self.row, self.top, self.bottom, self.left = rest
        self.panel = builder.alloca(ir.ArrayType(self.number, self.depth * self.width))
        self.panel.align = 64
        self.panel = builder.bitcast(self.panel, self.number.as_pointer())
        if self.b_by_columns:
            self._in_panels()
        else:
            large = builder.icmp_signed(
                ">", builder.mul(self.k, self.n), INT64(_LARGE // self.bytes)
            )
            rows = builder.sub(self.bottom, self.top)
            many = builder.icmp_signed(">=", rows, INT64(4 * self.rows))
            with builder.if_else(builder.and_(large, many)) as (then, otherwise):
                with then:
                    self._in_panels()
                with otherwise:
                    self._columns(
                        lambda n, vectors: self._all_rows(
                            n, vectors, INT64(0), self.k, self._row_of_b(n)
                        )
                    )
        builder.ret_void()

    # Edges

    def _columns(self, body):
        """body(n, vectors) for tiles from left to right; those of the last columns have one vector,
        and a mask."""
        builder, lanes = self.builder, self.lanes
        whole = builder.sub(self.n, INT64(self.width - 1))
        n, _ = self._loop(
            self.left, whole, self.width, [],
            lambda n, _: body(n, [Vector(v * lanes, lanes, None) for v in range(self.vectors)]),
        )  # fmt: skip

        def edge(n, end, lanes):
            def one(n, _):
                return body(n, [Vector(0, lanes, self._first(builder.sub(self.n, n), lanes))])

            return self._loop(n, end, lanes, [], one)[0]

        if lanes * self.bytes == _WIDEST:  # few columns are done in half a vector
            n = edge(n, builder.sub(self.n, INT64(lanes // 2)), lanes)
            lanes //= 2
        edge(n, self.n, lanes)

    def _all_rows(self, n, vectors, first, depth, row_of_b):
        """Tiles from top to bottom, each with `depth` terms of its sums from `first` on."""

        def tiles(m, end, rows):
            m, _ = self._loop(
                m,
                end,
                rows,
                [],
                lambda m, _: self._tile_of(m, n, rows, vectors, first, depth, row_of_b),
            )
            return m

        m = tiles(self.top, self.builder.sub(self.bottom, INT64(self.rows - 1)), self.rows)
        tiles(m, self.bottom, 2)  # the last may be one row twice

    # A tile

    def _tile_of(self, m, n, rows, vectors, first, depth, row_of_b):
        builder = self.builder
        below = [builder.add(m, INT64(row)) for row in range(rows)]
        if rows < self.rows:
            last = builder.sub(self.bottom, INT64(1))
            below = [
                builder.select(builder.icmp_signed("<", row, last), row, last) for row in below
            ]
        places = []
        for row in below:
            begin = builder.add(builder.mul(row, self.n), n)
            places += [(self._at(self.c, begin, each.offset), each) for each in vectors]
        sums = self._started(places, n, rows, vectors, first)
        stride = self.m if self.a_by_columns else self.k
        rows_of_a = [
            self._at(self.a, row if self.a_by_columns else builder.mul(row, stride))
            for row in below
        ]

        def step(k, sums):
            b = [self._load(self._at(row_of_b(k), None, each.offset), each) for each in vectors]
            along = builder.add(first, k)
            along = builder.mul(along, stride) if self.a_by_columns else along
            result = []
            for row in range(rows):
                number = (
                    self.number(1.0)
                    if self.of_ones
                    else builder.load(self._at(rows_of_a[row], along))
                )
                for place, (each, of_b) in enumerate(zip(vectors, b, strict=True)):
                    spread, total = self._spread(number, each.lanes), sums[row * len(b) + place]
                    result.append(fused(builder, self.processor, spread, of_b, total))
            return result

        _, sums = self._loop(INT64(0), depth, 1, sums, step)
        for (place, each), value in zip(places, sums, strict=True):
            self._store(value, place, each.mask)
        return []

    def _started(self, places, n, rows, vectors, first):
        """What the sums of a tile start from: what C holds but at the beginning, and there 0 or
        the row, if not that too."""
        builder = self.builder
        if self.start == "what_is":
            return [self._load(*place) for place in places]
        begins = builder.icmp_signed("==", first, INT64(0))
        fresh, from_c, after = (self.function.append_basic_block() for _ in range(3))
        builder.cbranch(begins, fresh, from_c)
        builder.position_at_end(fresh)
        new = [ir.Constant(self._type(each), [0.0] * each.lanes) for _, each in places]
        if self.start == "row":
            new = [self._load(self._at(self.row, n, each.offset), each) for each in vectors] * rows
        fresh = builder.block
        builder.branch(after)
        builder.position_at_end(from_c)
        old = [self._load(*place) for place in places]
        from_c = builder.block
        builder.branch(after)
        builder.position_at_end(after)
        sums = []
        for one, other in zip(new, old, strict=True):
            value = builder.phi(one.type)
            value.add_incoming(one, fresh)
            value.add_incoming(other, from_c)
            sums.append(value)
        return sums

    # B, as it is and in panels

    def _row_of_b(self, n):
        return lambda k: self._at(self.b, self.builder.add(self.builder.mul(k, self.n), n))

    def _in_panels(self):
        builder = self.builder

        def piece(n, vectors, first):
            left = builder.sub(self.k, first)
            depth = builder.select(
                builder.icmp_signed("<", left, INT64(self.depth)), left, INT64(self.depth)
            )
            copy = self._transpose if self.b_by_columns else self._copy
            copy(n, vectors, first, depth)

            def row(k):
                return self._at(self.panel, builder.mul(k, INT64(self.width)))

            self._all_rows(n, vectors, first, depth, row)
            return []

        none = builder.icmp_signed("==", self.k, INT64(0))
        end = builder.select(none, INT64(1), self.k)  # a sum of no terms is what it starts from

        def column(n, vectors):
            self._loop(INT64(0), end, self.depth, [], lambda first, _: piece(n, vectors, first))
            return []

        self._columns(column)

    def _copy(self, n, vectors, first, depth):
        builder = self.builder

        def row(k, _):
            source = self._row_of_b(n)(builder.add(first, k))
            target = self._at(self.panel, builder.mul(k, INT64(self.width)))
            for each in vectors:
                value = self._load(self._at(source, None, each.offset), each)
                self._store(value, self._at(target, None, each.offset))
            return []

        self._loop(INT64(0), depth, 1, [], row)

    def _transpose(self, n, vectors, first, depth):
        """Squares of numbers, as many as a vector has along each side: rows loaded, interleaved
        until they are columns, and stored."""
        builder = self.builder

        def square(k, _, offset, lanes):
            inside = self._first(builder.sub(depth, k), lanes)
            none = ir.Constant(inside.type, [0] * lanes)
            rows = []
            for lane in range(lanes):
                unit = builder.add(n, INT64(offset + lane))
                place = self._at(
                    self.b, builder.add(builder.mul(unit, self.k), builder.add(first, k))
                )
                there = builder.icmp_signed("<", unit, self.n)
                mask = builder.select(there, inside, none)
                rows.append(self._load(place, Vector(0, lanes, mask)))
            half = lanes // 2
            low = [place // 2 + (lanes if place % 2 else 0) for place in range(lanes)]
            high = [place + half for place in low]
            for _ in range(lanes.bit_length() - 1):
                pairs = zip(rows[:half], rows[half:], strict=True)
                rows = [
                    self._shuffled(one, other, order)
                    for one, other in pairs
                    for order in (low, high)
                ]
            for lane, row in enumerate(rows):  # the panel has room for whole squares
                along = builder.mul(builder.add(k, INT64(lane)), INT64(self.width))
                self._store(row, self._at(self.panel, along, offset))
            return []

        for each in vectors:
            body = functools.partial(square, offset=each.offset, lanes=each.lanes)
            self._loop(INT64(0), depth, each.lanes, [], body)

    # Instructions

    def _loop(self, start, end, step, carried, body):
        """for i in range(start, end, step): carried = body(i, carried). Gives i and carried as
        they end."""
        builder, before = self.builder, self.builder.block
        head, inside, after = (self.function.append_basic_block() for _ in range(3))
        builder.branch(head)
        builder.position_at_end(head)
        i, *values = (builder.phi(each.type) for each in (start, *carried))
        for value, begin in zip((i, *values), (start, *carried), strict=True):
            value.add_incoming(begin, before)
        builder.cbranch(builder.icmp_signed("<", i, end), inside, after)
        builder.position_at_end(inside)
        results = body(i, values) or []
        next_i = builder.add(i, INT64(step))
        for value, result in zip((i, *values), (next_i, *results), strict=True):
            value.add_incoming(result, builder.block)
        builder.branch(head)
        builder.position_at_end(after)
        return i, values

    def _at(self, pointer, index=None, more=0):
        """The address of a number so far behind another."""
        index = (
            INT64(more)
            if index is None
            else self.builder.add(index, INT64(more))
            if more
            else index
        )
        return self.builder.gep(pointer, [index])

    def _type(self, vector):
        return ir.VectorType(self.number, vector.lanes)

    def _load(self, place, vector):
        kind, builder = self._type(vector), self.builder
        place = builder.bitcast(place, kind.as_pointer())
        if vector.mask is None:
            return builder.load(place, align=self.bytes)
        zero = ir.Constant(kind, [0.0] * vector.lanes)
        arguments = [place, ir.IntType(32)(self.bytes), vector.mask, zero]
        return builder.call(self._masked("load", kind, kind, arguments), arguments)

    def _store(self, value, place, mask=None):
        kind, builder = value.type, self.builder
        place = builder.bitcast(place, kind.as_pointer())
        if mask is None:
            builder.store(value, place, align=self.bytes)
            return
        arguments = [value, place, ir.IntType(32)(self.bytes), mask]
        builder.call(self._masked("store", kind, ir.VoidType(), arguments), arguments)

    def _masked(self, name, kind, result, arguments):
        """One of LLVM's functions that read or write the lanes that are there."""
        suffix = f"v{kind.count}f{8 * self.bytes}"
        function = ir.FunctionType(result, [each.type for each in arguments])
        return external(self.builder.module, f"llvm.masked.{name}.{suffix}.p0", function)

    def _spread(self, scalar, lanes):
        """A vector with one number in all its places."""
        empty = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
        one = self.builder.insert_element(empty, scalar, ir.IntType(32)(0))
        return self._shuffled(one, empty, [0] * lanes)

    def _shuffled(self, one, other, order):
        order = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
        return self.builder.shuffle_vector(one, other, order)

    def _first(self, count, lanes):
        """A mask for so many lanes, the first."""
        numbers = ir.Constant(ir.VectorType(INT64, lanes), [*range(lanes)])
        return self.builder.icmp_signed("<", numbers, self._spread(count, lanes))


# The bytes of the widest vectors.
_WIDEST = 64

# B is copied into panels from so many bytes on.
_LARGE = 64 * 1024


def _tile(processor, size):
    """The processor's vectors, in numbers of `size` bytes; and how many rows and vectors a tile
    has, so that its sums, a row of B and a number of A fit into the registers: 32 with AVX-512 and
    on ARM, else 16."""
    triple, features = processor
    if "+avx512f" in features:
        return 64 // size, 8, 2
    if triple.startswith(("aarch64", "arm64")):
        return 16 // size, 8, 2
    if "+avx" in features:
        return 32 // size, 6, 2
    return 16 // size, 4, 2


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


def _threads_of_a_parent():
    """Whether this may be the child of a process that has started Numba's threads before the
    fork."""
    parent = getattr(sys.modules.get("multiprocessing"), "parent_process", lambda: None)()
    threads = sys.modules.get("numba.np.ufunc.parallel")
    return parent is not None and getattr(threads, "_is_initialized", threads is not None)


_forked = _threads_of_a_parent()


def _in_child():
    """A process that was forked cannot go on with the threads of the one before it."""
    global _forked
    _forked = _forked or "numba.np.ufunc.parallel" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def threads_are_a_parents():
    """Whether the threads of Numba belong to the process that this one was forked from."""
    return _forked


def several_threads():
    """Whether Numba has several threads, of a kind that several threads may use at once."""
    import numba

    return numba.get_num_threads() > 1 and numba.threading_layer() in ("omp", "tbb")


def out_of_memory(*arguments):
    raise MemoryError("no memory for what is computed on the way")


class DoesNotFit(Exception):
    """Arguments are other than compiled code takes them."""


def does_not_fit(*arguments, **named):
    raise DoesNotFit


class Compiled(functools.partial):
    """A function for arrays of exactly the types in its signature, compiled at its first call.

    Call it from Python; or from a function of your own under @njit, or hand it to one as an
    argument: there it is compiled in and runs without Python, on one thread.

    Python calls a partial object's function without a detour. That function is replaced when the
    first call has shown what is needed. `work` is what computes: called with all arguments, as they
    fit, it gives the result; `first` is what the first calls do; `from_python` gives a function of
    C, which hands arguments that do not fit over to another; `dispatcher` is what compiled code
    calls; `kinds` are those of the arguments by name. `check` raises what is wrong with arguments.
    """

    def __new__(cls, body, work, check, facts):
        self = super().__new__(cls, body)
        self.body, self.work, self.check, self.facts, self.dispatcher = (
            body,
            work,
            check,
            facts,
            None,
        )
        self.parameters = inspect.signature(body)
        self.kinds = {name: work.kinds[name] for name in self.parameters.parameters}
        functools.update_wrapper(self, body)
        self.__module__, self.__qualname__ = facts.name, body.__name__
        self.redirect(self.first)
        return self

    def redirect(self, function):
        """Calls go to `function` from now on."""
        self.__setstate__((function, (), {}, vars(self)))

    def first(self, /, *arguments, **named):
        return self.work.first(self, arguments, named)

    def fast(self):
        """The function for arguments that fit."""
        return self.work.from_python(self.otherwise)

    def otherwise(self, /, *arguments, **named):
        """A call whatever the arguments are."""
        complete = self.completed(self.fitting(*arguments, **named))
        return self.answer(self.work(*complete), complete)

    def completed(self, arguments):
        """With what is written into, where that is not given."""
        return tuple(arguments)

    def answer(self, result, complete):
        """What a call gives."""
        return result

    def fitting(self, /, *arguments, **named):
        """The arguments as compiled code takes them; an error says which cannot be taken, and
        why."""
        given = self.parameters.bind(*arguments, **named).arguments
        fitting = dict(zip(given, self.converted(given), strict=True))
        names = inspect.signature(as_python(self.check)).parameters
        try:
            as_python(self.check)(**{name: fitting.get(name, left_out(name)) for name in names})
        except ValueError as error:
            raise self.facts.in_words(error) from None
        return fitting.values()

    def converted(self, given):
        """What works in place does not convert: it says what is wrong."""
        wrong = [
            self.facts.mismatch(name, value, self.kinds[name]) for name, value in given.items()
        ]
        if wrong := [*filter(None, wrong)]:
            raise TypeError("; ".join(wrong))
        return [self.facts.in_place(name, value, self.kinds[name]) for name, value in given.items()]

    def compile(self):
        """The compiled function, a Numba dispatcher that takes this signature and no other."""
        if self.dispatcher is None:
            self.dispatcher = self.work.dispatcher(self.body)
        return self.dispatcher

    @property
    def _numba_type_(self):
        from numba import types

        return types.Dispatcher(self.compile())

    def __reduce__(self):
        return self.__name__

    def __repr__(self):
        return f"<{self.__module__}.{self.__name__}{self.parameters}>"

    def __get__(self, instance, owner=None):
        """As an attribute of a class it is what it is everywhere, and no method."""
        return self


class Converting(Compiled):
    """A compiled function that, called from Python, takes any array-like."""

    def converted(self, given):
        return [self.facts.converted(name, value) for name, value in given.items()]


class Predict(Converting):
    def completed(self, arguments):
        theta, x = arguments
        return theta, x, np.empty((len(x), self.facts.outputs), self.facts.native)

    def answer(self, result, complete):
        return complete[-1]

    def fast(self):
        run, empty = self.work.from_python(does_not_fit), np.empty
        outputs, native = self.facts.outputs, self.facts.native

        def predict(theta, x):
            try:
                y = empty((len(x), outputs), native)
                run(theta, x, y)
            except (DoesNotFit, TypeError):
                return self.otherwise(theta, x)
            return y

        predict.__qualname__ = self.__name__
        return predict


class LossAndGradient(Converting):
    def completed(self, arguments):
        return *arguments, np.empty(self.facts.size, self.facts.native)

    def answer(self, result, complete):
        return result, complete[-1]

    def fast(self):
        run, empty = self.work.from_python(does_not_fit), np.empty
        size, native = self.facts.size, self.facts.native

        def loss_and_gradient(theta, x, t):
            gradient = empty(size, native)
            try:
                return run(theta, x, t, gradient), gradient
            except DoesNotFit:
                return self.otherwise(theta, x, t)

        def of_more(*arguments, **named):
            gradient = empty(size, native)
            try:
                return run(*arguments, gradient, **named), gradient
            except DoesNotFit:
                return self.otherwise(*arguments, **named)

        chosen = loss_and_gradient if len(self.parameters.parameters) == 3 else of_more
        chosen.__name__ = chosen.__qualname__ = self.__name__
        return chosen

    def otherwise(self, /, theta, *rest, **named):
        E, gradient = super().otherwise(theta, *rest, **named)
        given = np.asarray(theta).dtype
        if given.kind == "f" and given.itemsize == 8:
            gradient = gradient.astype(np.float64, copy=False)  # as SciPy's minimisers want it
        return E, gradient


class Into(Compiled):
    """A derivative that is written into arrays of the caller's."""

    def answer(self, result, complete):
        return result if self.facts.results[self.__name__.removesuffix("_into")].value else None

    def fast(self):
        run = super().fast()

        def derivative(*arguments, **named):
            return self.answer(run(*arguments, **named), None)

        derivative.__name__ = derivative.__qualname__ = self.__name__
        return derivative


class Derivative(Converting):
    """One that gives arrays of its own, for arguments that are converted."""

    def completed(self, arguments):
        given = tuple(arguments)
        return (*given, *self.results(len(given[1])))

    def results(self, samples):
        """Memory for what is computed of so many samples."""
        extents = self.facts.results[self.__name__].extents.values()
        shapes = [tuple(samples if n == "samples" else n for n in each) for each in extents]
        needed = sum(math.prod(shape) for shape in shapes) * self.facts.native.itemsize
        if needed > LARGE:
            self.refuse_beyond_memory(needed, shapes)
        return [np.empty(shape, self.facts.native) for shape in shapes]

    def refuse_beyond_memory(self, needed, shapes):
        """Before anything is computed, of which an end would be made in the middle."""
        available = memory_available()
        if needed > available:
            shape = " and ".join(map(str, shapes))
            raise MemoryError(
                f"{self.__name__} gives an array of shape {shape}, {needed / 1e9:,.1f} GB, and"
                f" {available / 1e9:,.1f} GB of memory are available; give it fewer samples at a"
                f" time, or use a product with a vector in place of a matrix"
            )

    def answer(self, result, complete):
        facts = self.facts.results[self.__name__]
        arrays = complete[-len(facts.extents) :]
        return (result, *arrays) if facts.value else arrays[0]

    def fast(self):
        run, empty, native = self.work.from_python(does_not_fit), np.empty, self.facts.native
        facts = self.facts.results[self.__name__]
        (extents, *more) = facts.extents.values()

        def derivative(*arguments, **named):
            try:
                complete = *arguments, *self.results(len(arguments[1]))
                return self.answer(run(*complete, **named), complete)
            except (DoesNotFit, TypeError, IndexError):
                return self.otherwise(*arguments, **named)

        def vector(*arguments, **named):
            """A small one, of the same size always."""
            try:
                result = empty(extents, native)
                run(*arguments, result, **named)
            except (DoesNotFit, TypeError):
                return self.otherwise(*arguments, **named)
            return result

        always = "samples" not in extents
        small = always and math.prod(extents) * native.itemsize <= LARGE
        chosen = vector if small and not more and not facts.value else derivative
        chosen.__name__ = chosen.__qualname__ = self.__name__
        return chosen


class Epoch(Compiled):
    """An epoch takes long enough for Python to look at what it is given."""

    def __new__(cls, body, work, check, facts):
        self = super().__new__(cls, body, work, check, facts)
        self.given = tuple(
            NATIVE[kind.number] if kind.axes else float for kind in work.kinds.values()
        )
        return self

    def first(self, /, *arguments, **named):
        try:
            kinds = tuple(
                each.dtype if type(each) is np.ndarray else type(each) for each in arguments
            )
            if not named and kinds == self.given:
                return self.work.checked(*arguments)
        except ValueError as error:
            raise self.facts.in_words(error) from None
        except (DoesNotFit, TypeError, AttributeError, IndexError):
            pass  # other types or shapes than compiled code takes
        return self.otherwise(*arguments, **named)


def renamed(check, arguments, names):
    """A check of a derivative's arguments by the names that these have for callers; what is summed
    is a vector to it."""
    known = {names.get(name, name): name for name in arguments}
    parameters = inspect.signature(as_python(check)).parameters.values()
    changed = [each.replace(name=known.get(each.name, each.name)) for each in parameters]

    def checked(**given):
        given = {names.get(name, name): value for name, value in given.items()}
        if given.get("gradient") is not None:
            given["gradient"] = given["gradient"].reshape(-1)
        as_python(check)(**given)

    checked.__signature__ = inspect.Signature(changed)
    return checked


def as_python(function):
    """A function of Numba's as Python runs it."""
    return getattr(function, "py_func", function)


_DOUBLES = ("l1", "l2", "settings", "losses")

# What stands for all members with an axis less.
_SAME = ("x", "t", "w", "l1", "l2", "settings")


class FactsOfMembers(Facts):
    """What is known of the arguments of an ensemble's functions: of a network's, with the members
    as their first axis."""

    numbers: tuple = ()

    def __init__(self, name, spec, size, state, settings):
        super().__init__(name, spec, size, state, settings)
        members = self.members = spec["members"]
        inputs, targets, outputs = inputs_of(spec), targets_of(spec), outputs_of(spec)
        self.extents = {
            "theta": (members, size),
            "x": (members, "samples", inputs),
            "t": (members, "samples", targets),
            "w": (members, "samples"),
            "l1": (members,),
            "l2": (members,),
            "y": (members, "samples", outputs),
            "gradients": (members, size),
            "state": (members, state),
            "progress": (members, 2),
            "settings": (members, settings),
            "losses": (members, "epochs"),
        }
        self.shapes = {each: _shape(extents) for each, extents in self.extents.items()}

    def kinds(self, names, written):
        """The kinds of arguments; losses have an axis of epochs where these are trained."""
        epochs = "state" in names
        return {name: self.kind(name, written, epochs) for name in names}

    def kind(self, name, written=(), epochs=True):
        number = "float64" if name in _DOUBLES else "uint64" if name == "progress" else self.dtype
        axes = len(self.extents[name]) - (name == "losses" and not epochs)
        return Kind(number, axes, name in written)

    def with_members(self, name, value):
        """An argument that is the same for all members, with an axis for them."""
        array = np.asarray(value)
        if name not in _SAME or array.ndim != len(self.extents[name]) - 1:
            return value
        if name in ("x", "t", "w"):
            return array[np.newaxis]
        return np.broadcast_to(array, (self.members, *array.shape))

    def converted(self, name, value):
        value = self.with_members(name, value)
        if name not in _DOUBLES:
            return super().converted(name, value)
        array = np.require(value, np.float64, ["C", "A"])
        if array.ndim != len(self.extents[name]):
            raise ValueError(f"{name} must be of shape {self.shapes[name]}, came {array.shape}")
        return array

    def made(self, name, samples):
        """Memory for a result."""
        shape = {"losses": (self.members,)}.get(name, self.extents[name])
        shape = tuple(samples if extent == "samples" else extent for extent in shape)
        return np.empty(shape, NATIVE[self.kind(name).number])


class OfMembers(Converting):
    """A function of an ensemble. Its calls take long enough for Python to look at what it is
    given."""

    def first(self, /, *arguments, **named):
        return self.otherwise(*arguments, **named)

    def converted(self, given):
        """What is written in place is not converted."""
        fitting = []
        for name, value in given.items():
            kind = self.kinds[name]
            if not kind.written:
                fitting.append(self.facts.converted(name, value))
            elif wrong := self.facts.mismatch(name, value, kind):
                raise TypeError(wrong)
            else:
                fitting.append(self.facts.in_place(name, value, kind))
        return fitting

    def completed(self, arguments):
        given = tuple(arguments)
        made = [*self.work.kinds][len(given) :]
        return *given, *(self.facts.made(name, given[1].shape[1]) for name in made)

    def answer(self, result, complete):
        made = complete[len(self.kinds) :]
        return made[0] if len(made) == 1 else made or None


def fma(a, b, c):
    """a·b + c, rounded once."""
    return a * b + c


@type_callable(fma)
def _(context):
    return lambda a, b, c: max(a, b, c, key=lambda kind: kind.bitwidth)


@lower_builtin(fma, nb.types.Float, nb.types.Float, nb.types.Float)
def _(context, builder, signature, arguments):
    """The numbers as those of the widest type among them."""
    kind = signature.return_type
    numbers = (context.cast(builder, *each, kind) for each in zip(arguments, signature.args))
    return fused(builder, _processor(context), *numbers)


def _processor(context):
    """What Numba compiles for."""
    triple, _, features = context.codegen().magic_tuple()
    return Processor(triple, frozenset(features.split(",")))


def view(vector, start, shape):
    """The numbers of an array from `start` on as an array of this shape, row by row; no copy.

    None of None, as of a gradient that is not wanted.
    """
    return None if vector is None else vector.reshape(-1)[start : start + int(np.prod(shape))].reshape(shape)


def opaque(number):
    """`number`, unknown to LLVM: a loop that runs so often is vectorised, and not unrolled before."""
    return number


def noinline():
    """Keeps the function it stands in from being merged into its callers: it has the same bits for all."""


def local(size, dtype):
    """A small array on the stack: it costs no allocation, and LLVM knows that nothing else is there."""
    return np.empty(size, dtype)


def _overlap(one, other):
    """Whether two arrays have bytes in common."""
    return np.may_share_memory(one, other)


def _part(array, start, end):
    """Some rows of an array; None of None."""
    return None if array is None else array[start:end]


def _row(array, place):
    """A row of an array; None of None."""
    return None if array is None else array[place]


def fresh(array, size):
    """A new vector of numbers like an array's; None of None."""
    return None if array is None else np.empty(size, array.dtype)


@type_callable(view)
def _(context):
    def typer(vector, start, shape):
        if isinstance(vector, nb.types.Array):
            return nb.types.Array(vector.dtype, len(shape), "C", readonly=not vector.mutable)
        return nb.none

    return typer


@lower_builtin(view, nb.types.NoneType, nb.types.Integer, nb.types.BaseTuple)
@lower_builtin(_part, nb.types.NoneType, nb.types.Integer, nb.types.Integer)
@lower_builtin(_row, nb.types.NoneType, nb.types.Integer)
@lower_builtin(fresh, nb.types.NoneType, nb.types.Integer)
def _(context, builder, signature, arguments):
    return context.get_dummy_value()


@type_callable(_part)
def _(context):
    return lambda array, start, end: array


@lower_builtin(_part, nb.types.Array, nb.types.Integer, nb.types.Integer)
def _(context, builder, signature, arguments):
    @_named
    def rows(array, start, end):
        return array[start:end]

    return context.compile_internal(builder, rows, signature, arguments)


@type_callable(_row)
def _(context):
    def typer(array, place):
        if isinstance(array, nb.types.Array):
            return array.copy(ndim=array.ndim - 1)
        return nb.none

    return typer


@lower_builtin(_row, nb.types.Array, nb.types.Integer)
def _(context, builder, signature, arguments):
    @_named
    def row(array, place):
        return array[place]

    return context.compile_internal(builder, row, signature, arguments)


@type_callable(fresh)
def _(context):
    def typer(array, size):
        return nb.types.Array(array.dtype, 1, "C") if isinstance(array, nb.types.Array) else nb.none

    return typer


@lower_builtin(fresh, nb.types.Array, nb.types.Integer)
def _(context, builder, signature, arguments):
    @_named
    def fresh(array, size):
        return np.empty(size, array.dtype)

    return context.compile_internal(builder, fresh, signature, arguments)


@lower_builtin(view, nb.types.Array, nb.types.Integer, nb.types.BaseTuple)
def _(context, builder, signature, arguments):
    vector = make_array(signature.args[0])(context, builder, arguments[0])
    start = context.cast(builder, arguments[1], signature.args[1], nb.intp)
    extents = cgutils.unpack_tuple(builder, arguments[2])
    return _array(context, builder, signature.return_type, builder.gep(vector.data, [start]), extents)


@type_callable(opaque)
def _(context):
    return lambda number: nb.intp


@lower_builtin(opaque, nb.types.Integer)
def _(context, builder, signature, arguments):
    number = context.cast(builder, arguments[0], signature.args[0], nb.intp)
    return builder.asm(ir.FunctionType(number.type, [number.type]), "", "=r,0", [number], True)


@type_callable(noinline)
def _(context):
    return lambda: nb.void


@lower_builtin(noinline)
def _(context, builder, signature, arguments):
    builder.function.attributes.add("noinline")
    return context.get_dummy_value()


@type_callable(local)
def _(context):
    def typer(size, dtype):
        return nb.types.Array(dtype.dtype, 1, "C") if isinstance(size, nb.types.IntegerLiteral) else None

    return typer


@lower_builtin(local, nb.types.IntegerLiteral, nb.types.NumberClass)
def _(context, builder, signature, arguments):
    size, number = signature.args[0].literal_value, context.get_data_type(signature.return_type.dtype)
    memory = cgutils.alloca_once(builder, ir.ArrayType(number, size))
    memory.align = 64
    data = builder.bitcast(memory, number.as_pointer())
    return _array(context, builder, signature.return_type, data, [context.get_constant(nb.intp, size)])


@type_callable(_overlap)
def _(context):
    return lambda one, other: nb.boolean


@lower_builtin(_overlap, nb.types.Array, nb.types.Array)
def _(context, builder, signature, arguments):
    def ends(place):
        array = make_array(signature.args[place])(context, builder, arguments[place])
        start = builder.ptrtoint(array.data, array.nitems.type)
        return start, builder.add(start, builder.mul(array.nitems, array.itemsize))

    (start, end), (other_start, other_end) = ends(0), ends(1)
    before = builder.icmp_unsigned("<", start, other_end)
    return builder.and_(before, builder.icmp_unsigned("<", other_start, end))


def _array(context, builder, kind, data, extents):
    """An array of this type, data and extents, row by row."""
    array = make_array(kind)(context, builder)
    number = context.get_data_type(kind.dtype)
    size = context.get_constant(nb.intp, context.get_abi_sizeof(number))
    strides = [size]
    for extent in reversed(extents[1:]):
        strides.insert(0, builder.mul(strides[0], extent))
    populate_array(array, data, extents, strides, size, None)
    return array._getvalue()


def _adapted(function, names, written=(), named={}):
    """A function of arguments with these names, in this order: each parameter of `function` is the
    argument that has its name, or what stands for it where there is none. A kernel's `xs` are the
    x of all, and what is `named` otherwise in it goes by the name that it has there. What it does not
    write, results and `written`, is read-only for it: so one compilation serves all who call it."""
    own = inspect.signature(as_python(function)).parameters
    known = {*names, *named}
    own = [name if name in known else name.removesuffix("s") for name in own]
    own = [named.get(name, name) for name in own]
    places = [names.index(name) if name in names else None for name in own]
    changed = {"y", "by_sample", "gradient", "matrix", "scratch", *written}

    def taken(known, absent):
        return [absent(name) if place is None else known[place] for name, place in zip(own, places, strict=True)]

    def call(*known):
        return function(*taken(known, left_out))

    def resolved(context, kinds):
        kinds = taken(kinds, lambda name: nb.typeof(left_out(name)))
        kinds = [kind if name in changed else _read_only(kind) for name, kind in zip(own, kinds, strict=True)]
        return nb.types.Dispatcher(function).get_call_type(context, kinds, {})

    @type_callable(call)
    def _(context):
        def typer(*kinds):
            return resolved(context, kinds).return_type

        order = inspect.Parameter.POSITIONAL_OR_KEYWORD
        typer.__signature__ = inspect.Signature([inspect.Parameter(name, order) for name in names])
        return typer

    @lower_builtin(call, nb.types.VarArg(nb.types.Any))
    def _(context, builder, signature, arguments):
        called = resolved(context.typing_context, signature.args)
        compiled = context.get_function(nb.types.Dispatcher(function), called)
        values = []
        for name, place, kind in zip(own, places, called.args, strict=True):
            if place is None:
                values.append(context.get_constant_generic(builder, kind, left_out(name)))
            else:
                values.append(context.cast(builder, arguments[place], signature.args[place], kind))
        return compiled(builder, values)

    return call


def _read_only(kind):
    return kind.copy(readonly=True) if isinstance(kind, nb.types.Array) else kind


def matmul(left, right, into, row=None):
    """into = left·right, on top of a row for each of its rows, or of 0.

    Each number of the result is one chain of fma along the sum, in order, from its start: the same bits,
    whatever the processor and however the work is cut.
    """
    into[...] = 0 if row is None else row
    for k in range(left.shape[1]):
        into += left[:, k : k + 1] * right[k]


def matmul_piece(left, right, into, piece, pieces):
    """The same on top of 0, of some rows of the result: all pieces have all of them."""
    first, last = (_first_row(len(into), each, pieces) for each in (piece, piece + 1))
    matmul(left[first:last], right, into[first:last])


def matmul_onto(left, right, into):
    """The same on top of what is there."""
    for k in range(left.shape[1]):
        into += left[:, k : k + 1] * right[k]


def matmul_piece_onto(left, right, into, piece, pieces):
    """Some rows of that."""
    first, last = (_first_row(len(into), each, pieces) for each in (piece, piece + 1))
    matmul_onto(left[first:last], right, into[first:last])


def matmul_upper_onto(left, right, into, piece, pieces):
    """The same of a symmetric product: of what is below the diagonal, some or none."""
    matmul_piece_onto(left, right, into, piece, pieces)


def flat(array):
    """An array of more axes as a matrix: all of them but the last are rows."""
    return array.reshape(-1, array.shape[-1])


def sum_rows(matrix, into):
    """into = the sum of the matrix's rows, from the first to the last."""
    into[...] = 0
    for row in matrix:
        into += row


def _first_row(rows, piece, pieces):
    """Where a piece begins: all but the last have a multiple of 8 rows, as tiles like it."""
    return min(-(-rows // 8) * piece // pieces * 8, rows)


def _of_matrices(left, right, into):
    """Whether matrices lie row by row or column by column, the result row by row: no others are known here."""
    arrays = isinstance(left, nb.types.Array) and isinstance(right, nb.types.Array) and isinstance(into, nb.types.Array)
    return arrays and left.layout in "CF" and right.layout in "CF" and into.layout == "C"


@type_callable(matmul)
def _(context):
    return lambda left, right, into, row=None: nb.void if _of_matrices(left, right, into) else None


@type_callable(matmul_onto)
def _(context):
    return lambda left, right, into: nb.void if _of_matrices(left, right, into) else None


@type_callable(matmul_upper_onto)
@type_callable(matmul_piece_onto)
@type_callable(matmul_piece)
def _(context):
    return lambda left, right, into, piece, pieces: nb.void if _of_matrices(left, right, into) else None


@overload(flat, inline="always")
def _(array):
    def matrix(array):
        columns = array.shape[array.ndim - 1]
        return array.reshape(array.size // columns, columns)

    return matrix


@type_callable(sum_rows)
def _(context):
    return lambda matrix, into: nb.void if matrix.layout == "C" and into.layout == "C" else None


@lower_builtin(matmul, nb.types.Array, nb.types.Array, nb.types.Array)
@lower_builtin(matmul, nb.types.Array, nb.types.Array, nb.types.Array, nb.types.Array)
def _(context, builder, signature, arguments):
    return _multiplied(context, builder, signature, arguments, None)


@lower_builtin(matmul_onto, nb.types.Array, nb.types.Array, nb.types.Array)
def _(context, builder, signature, arguments):
    return _multiplied(context, builder, signature, arguments, None, onto=True)


@lower_builtin(matmul_piece, nb.types.Array, nb.types.Array, nb.types.Array, nb.types.Integer, nb.types.Integer)
def _(context, builder, signature, arguments):
    return _multiplied(context, builder, signature, arguments[:3], _pieces(context, builder, signature, arguments))


@lower_builtin(matmul_piece_onto, nb.types.Array, nb.types.Array, nb.types.Array, nb.types.Integer, nb.types.Integer)
def _(context, builder, signature, arguments):
    piece = _pieces(context, builder, signature, arguments)
    return _multiplied(context, builder, signature, arguments[:3], piece, onto=True)


@lower_builtin(matmul_upper_onto, nb.types.Array, nb.types.Array, nb.types.Array, nb.types.Integer, nb.types.Integer)
def _(context, builder, signature, arguments):
    piece = _pieces(context, builder, signature, arguments)
    return _multiplied(context, builder, signature, arguments[:3], piece, onto=True, upper=True)


def _pieces(context, builder, signature, arguments):
    """The number of a piece, and how many there are."""
    pairs = zip(signature.args[3:], arguments[3:], strict=True)
    return [context.cast(builder, value, kind, nb.intp) for kind, value in pairs]


@lower_builtin(sum_rows, nb.types.Array, nb.types.Array)
def _(context, builder, signature, arguments):
    matrix, into = _matrices(context, builder, signature, arguments)
    extents = cgutils.unpack_tuple(builder, matrix.shape)
    number = signature.args[1].dtype.name
    sum_of_rows(builder, _forms(context, builder), number, matrix.data, into.data, *extents)
    return context.get_dummy_value()


def _matrices(context, builder, signature, arguments):
    return [make_array(kind)(context, builder, value) for kind, value in zip(signature.args, arguments, strict=False)]


def _forms(context, builder):
    return functools.partial(written, builder.module, _processor(context))


def _multiplied(context, builder, signature, arguments, piece, onto=False, upper=False):
    """A call of a function that is written once for each form of product."""
    left, right, into, *row = _matrices(context, builder, signature, arguments)
    (m, k), (_, n) = (cgutils.unpack_tuple(builder, each.shape) for each in (left, right))
    by_columns = [kind.layout == "F" for kind in signature.args[:2]]
    multiply(
        builder, _forms(context, builder), signature.args[2].dtype.name,
        left.data, right.data, into.data, m, k, n, *by_columns, row[0].data if row else None, piece, onto, upper,
    )  # fmt: skip
    return context.get_dummy_value()


# Whether compiled code may read arrays where Python has them.
_LAYOUT_KNOWN = sys.implementation.name == "cpython" and not nb.config.DISABLE_JIT and as_expected()

# Python's C interface. Objects are addresses here.
_release = nb.types.ExternalFunction("PyEval_SaveThread", nb.intp())
_resume = nb.types.ExternalFunction("PyEval_RestoreThread", nb.void(nb.intp))
_float = nb.types.ExternalFunction("PyFloat_FromDouble", nb.intp(nb.float64))
_item = nb.types.ExternalFunction("PyTuple_GetItem", nb.intp(nb.intp, nb.intp))
_call = nb.types.ExternalFunction("PyObject_Vectorcall", nb.intp(nb.intp, nb.intp, nb.intp, nb.intp))

# What the functions for a call from Python are given; `predict` writes its y where others have t.
_GIVEN = ("theta", "x", "t", "w", "l1", "l2", "gradient", "rate")


def _arguments(kinds):
    """How compiled code asks whether what Python gives are arrays and floats of these kinds, by name,
    and takes them as such: all of _GIVEN, and what stands for those that are not among them."""
    places = {"t" if name == "y" else name: place for place, name in enumerate(kinds)}
    absent = {name: left_out(name) for name in _GIVEN if name not in places}
    known = dict(zip(places, kinds.values(), strict=True))
    types = [nb.typeof(absent[name]) if name in absent else _numba_type(known[name]) for name in _GIVEN]
    taken = nb.types.Tuple(types)

    def thing(builder, arguments, place):
        return at(builder, arguments, place * ctypes.sizeof(ctypes.c_void_p))

    @intrinsic
    def fit(typing, arguments):
        def generate(context, builder, signature, values):
            result = cgutils.true_bit
            for place, kind in enumerate(kinds.values()):
                each = thing(builder, values[0], place)
                if kind.axes:
                    result = both(builder, result, functools.partial(is_array, builder, each, kind))
                else:
                    result = builder.and_(result, is_object(builder, at(builder, each, TYPE_OFFSET), "float"))
            return result

        return nb.boolean(arguments), generate

    @intrinsic
    def take(typing, arguments):
        def generate(context, builder, signature, values):
            found = []
            for name, kind in zip(_GIVEN, types, strict=True):
                each = None if name in absent else thing(builder, values[0], places[name])
                if each is None:
                    found.append(context.get_constant_generic(builder, kind, absent[name]))
                elif isinstance(kind, nb.types.Array):
                    found.append(_array(context, builder, kind, *address_and_extents(
                        builder, each, context.get_data_type(kind.dtype), kind.ndim
                    )))  # fmt: skip
                else:
                    found.append(at(builder, each, object.__basicsize__, ir.DoubleType()))
            return context.make_tuple(builder, taken, found)

        return taken(arguments), generate

    return fit, take


def _entry(name, kinds, many, fits, driver):
    """The function `name` as C calls it for Python, which compiled code runs without any of Python.

    `python` are two functions of Python's: for arguments that do not fit, and for `many` samples
    or more. `fits` and `driver` take arguments of these types, which are by name.
    """
    expected = len(kinds)
    fit, take = _arguments(kinds)

    def enter(python, arguments, count, names):
        if count != expected or names != 0 or not fit(arguments):
            return _call(_item(python, 0), arguments, count, names)
        theta, x, t, w, l1, l2, gradient, rate = take(arguments)
        if not fits(theta, x, t, w, l1, l2, None, None, None, None, gradient):
            return _call(_item(python, 0), arguments, count, names)
        if x.shape[0] >= many:
            return _call(_item(python, 1), arguments, count, names)
        thread = _release()
        done, E = False, 0.0
        try:
            E = driver(theta, x, t, w, l1, l2, gradient, rate)
            done = True
        except Exception:  # out of memory, which is for Python to say
            pass
        _resume(thread)
        return _float(E) if done else _call(_item(python, 0), arguments, count, names)

    enter.__name__ = f"_enter_{name}"
    return enter


def _compiled(dispatcher, signature):
    """A function that is compiled for arguments of just these types, now."""
    if nb.config.DISABLE_JIT:  # as debuggers like it: Python runs all of it
        return np.errstate(over="ignore")(dispatcher)
    dispatcher.compile(signature)
    dispatcher.disable_compile()
    return dispatcher


def _numba_type(kind):
    """Numba's type of an argument; what is not written may be read-only."""
    number = nb.from_dtype(NATIVE[kind.number])
    return nb.types.Array(number, kind.axes, "C", readonly=not kind.written) if kind.axes else number


def _callback(signature, **options):
    """A compiler of functions that C can call; unlike Numba's decorator it waits to be told to begin."""
    return lambda function: CFunc(function, sigutils.normalize_signature(signature), {}, options)


class Implementation:
    """What a function does for arguments that fit: compiled when first needed, for each way of calling it.

    `entries` has a function of C for fewer samples than each of its keys; the one for few is compiled
    faster than that for more. From `many` samples on it runs on several threads, with the same result to
    the bit: after a few such calls, because code for threads takes seconds to compile.
    """

    calls_until_threads = 20

    def __init__(self, compiler, kinds, many, in_turn, on_threads, entries=(), batches=None):
        self.compiler, self.kinds, self.many = compiler, kinds, many
        self.names, self.signature = [*kinds], tuple(map(_numba_type, kinds.values()))
        self.of_driver = self.signature
        self.in_turn, self.on_threads, self.batches = in_turn, on_threads, batches
        self.entries, self.few = dict(entries), min(entries, default=0)
        self.lock, self.kept = threading.RLock(), []  # several threads may make the first call
        self.methods = {}
        self.small = self.larger = self.whole = self.threaded = None

    def __call__(self, *arguments):
        if len(arguments[1]) >= self.few or not _LAYOUT_KNOWN:
            return self.more(*arguments)
        if self.small is None:
            self.small = self.from_python(out_of_memory)
        return self.small(*arguments)

    def first(self, function, arguments, named):
        """Calls until one has few samples: what is compiled for that one takes those that follow.

        Numba's dispatcher may overlook another order of bytes, so that dtypes are compared before.
        """
        try:
            kinds = [*function.kinds.values()]
            many = len(arguments[1]) >= self.few and len(arguments) == len(kinds)
            given = [array for array, kind in zip(arguments, kinds) if kind.axes] if many else []
            if many and all(type(array) is np.ndarray and array.dtype is function.facts.native for array in given):
                complete = function.completed(arguments)
                if self.larger is not None:  # for the second time: it will not be the last
                    function.redirect(function.fast())
                return function.answer(self.more(*complete), complete)
        except ValueError as error:
            raise function.facts.in_words(error) from None
        except (TypeError, AttributeError, IndexError):  # other types than in the signature
            pass
        result = function.otherwise(*arguments, **named)
        if self.few in self.methods:
            function.redirect(function.fast())
        return result

    def dispatcher(self, body):
        """What compiled code calls."""
        names = inspect.signature(body).parameters
        return _compiled(self.compiler.inner(body), self.signature[: len(names)])

    def from_python(self, otherwise):
        """A function of C for few samples; what does not fit goes to `otherwise`."""
        return self.function_of_c(self.few, otherwise, self.more)

    def function_of_c(self, limit, otherwise, more):
        """One of the entries; so many samples or more go to another function."""
        with self.lock:  # Python keeps the address of the method, so that there must be but one
            if limit not in self.methods:
                kind = nb.intp(nb.intp, nb.intp, nb.intp, nb.intp)
                entry = self.entries[limit]()
                compiled = self.compiler.cached(_callback, entry, kind)
                compiled.compile()
                method = PyMethodDef(entry.__name__.encode(), compiled.address, FASTCALL, None)
                self.methods[limit] = method, compiled
        python = otherwise, more
        self.kept.append(python)  # C code reads it until its call ends
        return new_function(ctypes.addressof(self.methods[limit][0]), python, None)

    def more(self, *arguments):
        """For samples that are not few."""
        if len(self.entries) < 2 or not _LAYOUT_KNOWN:
            return self.large(*arguments)
        if self.larger is None:
            self.larger = self.function_of_c(max(self.entries), self.in_words_of_numba, self.large)
        return self.larger(*arguments)

    def in_words_of_numba(self, *arguments):
        """By way of Numba's dispatcher, which says what is wrong with arguments."""
        return self.compile()(*arguments)

    def large(self, *arguments):
        """On several threads, where there are many samples and several threads."""
        if self.samples(arguments) >= self.many and not threads_are_a_parents() and several_threads():
            with self.lock:
                if self.threaded is None:
                    self.calls_until_threads -= 1
                    if self.calls_until_threads <= 0:
                        self.threaded = self.specialized(self.on_threads)
            if self.threaded is not None:
                return self.threaded(*arguments)
        return self.compile()(*arguments)

    def samples(self, arguments):
        """How many samples there are; of several terms of the loss as many as that with most of them has."""
        given = zip(self.names, arguments)
        return max((len(value) for name, value in given if name == "x" or name.startswith("x_")), default=0)

    def compile(self):
        """On one thread, however many samples."""
        with self.lock:
            if self.whole is None:
                self.whole = self.specialized(self.in_turn)
        return self.whole

    def specialized(self, driver):
        """A driver, compiled for the arguments of this network and no others."""
        parallel = getattr(driver, "targetoptions", {}).get("parallel")  # else what it calls may be
        dispatcher = (self.compiler.threaded if parallel else self.compiler.inner)(as_python(driver))
        parameters = inspect.signature(as_python(dispatcher)).parameters
        if [*parameters] == self.names:
            return _compiled(dispatcher, self.of_driver)
        known = dict(zip(self.names, self.of_driver, strict=True))
        absent = {name: left_out(name) for name in parameters if name not in known}
        _compiled(dispatcher, tuple(known.get(name) or nb.typeof(absent[name]) for name in parameters))
        places = [self.names.index(name) if name in known else None for name in parameters]
        pairs = [(place, absent.get(name)) for name, place in zip(parameters, places, strict=True)]
        return lambda *given: dispatcher(*[value if place is None else given[place] for place, value in pairs])


class DerivativeImplementation(Implementation):
    """The same for a derivative, which Python calls by way of Numba; to drivers, what is summed over samples is
    one vector. `names` are those that they have for arguments with another name."""

    def __init__(self, compiler, kinds, many, in_turn, on_threads, names):
        super().__init__(compiler, kinds, many, in_turn, on_threads)
        self.names = [names.get(name, name) for name in kinds]
        kinds = zip(self.names, kinds.values(), strict=True)
        self.of_driver = tuple(
            _numba_type(kind._replace(axes=1) if name == "gradient" else kind) for name, kind in kinds
        )

    def __call__(self, *arguments):
        pairs = zip(self.names, arguments, strict=True)
        return self.large(*(each.reshape(-1) if name == "gradient" else each for name, each in pairs))

    def first(self, function, arguments, named):
        return function.otherwise(*arguments, **named)


class TermsImplementation(DerivativeImplementation):
    """The same for a loss that is a sum of terms."""

    def __init__(self, compiler, kinds, many, in_turn, on_threads):
        super().__init__(compiler, kinds, many, in_turn, on_threads, {})


class EpochImplementation(Implementation):
    """The same for an epoch, which is many steps in one call: its batches are what runs on threads."""

    def __call__(self, *arguments):
        samples, batches = self.extent(arguments)
        if samples < batches * self.many:
            return self.compile()(*arguments)
        if self.threaded is None:
            self.calls_until_threads -= batches - 1
        return self.large(*arguments)

    checked = __call__

    def extent(self, arguments):
        """How many samples there are to see, and in how many batches; of several terms of the loss that of the
        largest batches."""
        given = dict(zip(self.names, arguments, strict=True))
        suffixes = [name[1:] for name in given if name == "x" or name.startswith("x_")]
        return max((self._extent(given, suffix) for suffix in suffixes), key=lambda extent: extent[0] / extent[1])

    def _extent(self, given, suffix):
        if f"order{suffix}" in given:
            return len(given[f"order{suffix}"]), max(len(given[f"starts{suffix}"]) - 1, 1)
        samples = len(given[f"x{suffix}"])
        return samples, self.batches(samples, given["settings"])


class MembersImplementation(Implementation):
    """The same for all members of an ensemble: on one thread."""

    def __call__(self, *arguments):
        return self.compile()(*arguments)


# What drivers hand to a network's own functions, which take what they need of it.
_HANDED = {
    "_totals": ["x", "t", "w"],
    "_prediction_of_chunk": ["theta", "x", "by_sample", "scratch"],
    "_samples_of_leaf": ["theta", "x", "t", "w", "d_y", "v", "v_x", "l1", "l2", "N", "w_total", "by_sample", "gradient", "scratch", "first", "last"],
    "_sums_of_leaf": ["theta", "x", "t", "w", "d_y", "v", "v_x", "l1", "l2", "N", "w_total", "by_sample", "gradient", "scratch", "piece", "pieces"],
    "_gradient_of_leaf": ["theta", "x", "t", "w", "d_y", "v", "v_x", "l1", "l2", "N", "w_total", "by_sample", "gradient", "scratch"],
    "_gradient_at_the_end": ["theta", "v", "l1", "l2", "N", "w_total", "gradient", "matrix", "E_sum"],
}


# How many samples are summed one after the other; these sums are added in a binary tree.
LEAF = 128


def _drivers(
    compiler, F, own, SIZE, INPUTS, OUTPUTS, TARGETS, PREDICTION_SCRATCH, GRADIENT_SCRATCH,
    RESULT=None, ROW_SHAPE=(), SUMMED="gradient", BY_SAMPLE="y", MIRRORED=0, CHAINED=0, TERM="",
):  # fmt: skip
    """The functions that check what is given, cut samples into leaves, and add up what comes of these.

    F is the network's dtype, `own` has its functions by name. For a derivative these are those that compute it,
    RESULT is how many numbers it sums over samples, ROW_SHAPE the shape of what it writes for each, and SUMMED and
    BY_SAMPLE are what it calls these; MIRRORED is the order of a symmetric matrix, of which half is made at the end of
    what is summed, and CHAINED says whether leaves are added one after the other. TERM is what the names of data end
    in that is a term's of the loss.
    """
    RESULT = SIZE if RESULT is None else RESULT
    WHOLE_RESULT = MIRRORED * MIRRORED if MIRRORED else RESULT
    named = {BY_SAMPLE: "by_sample", SUMMED: "gradient"}
    if MIRRORED:
        named = {"moments": "gradient", SUMMED: "matrix"}
    inner, inlined = compiler.inner, compiler.inlined
    threaded, written_out = compiler.threaded, compiler.written_out
    WEIGHTED, SHARED = "_totals" in own, "_sums_of_leaf" in own
    _totals, _prediction_of_chunk, _samples_of_leaf, _sums_of_leaf, _gradient_of_leaf, _gradient_at_the_end = (
        _adapted(own[name], names, named=named) if name in own else None for name, names in _HANDED.items()
    )

    theta_must = f"theta must be of shape ({SIZE},), came one of length"
    x_TERM = f"x{TERM} must be of shape (samples, {INPUTS}), came one of width"
    x_TERM_must_hold_at_least_one_sample_came = f"x{TERM} must hold at least one sample, came"
    t_TERM = f"t{TERM} must be of shape (samples, {TARGETS}), came one of width"
    t_TERM_must_have_as_many_samples_as_x_TERM_came = f"t{TERM} must have as many samples as x{TERM}, came"
    w_TERM = f"w{TERM} must have as many samples as x{TERM}, came"
    d_y_must = f"d_y must be of shape (samples, {OUTPUTS}), came one of width"
    d_y_must_have_as_many_samples_as_x_TERM_came = f"d_y must have as many samples as x{TERM}, came"
    v_must = f"v must be of shape ({SIZE},), came one of length"
    v_x_must = f"v_x must be of shape (samples, {INPUTS}), came one of width"
    v_x_must_have_as_many_samples_as_x_TERM_came = f"v_x must have as many samples as x{TERM}, came"
    BY_SAMPLE_must = f"{BY_SAMPLE} must have rows of shape {ROW_SHAPE}, came others"
    BY_SAMPLE_must_not_overlap_theta_in_memory = f"{BY_SAMPLE} must not overlap theta in memory"
    BY_SAMPLE_must_not_overlap_x_TERM_in_memory = f"{BY_SAMPLE} must not overlap x{TERM} in memory"
    BY_SAMPLE_must_not_overlap_t_TERM_in_memory = f"{BY_SAMPLE} must not overlap t{TERM} in memory"
    BY_SAMPLE_must_not_overlap_w_TERM_in_memory = f"{BY_SAMPLE} must not overlap w{TERM} in memory"
    BY_SAMPLE_must_not_overlap_d_y_in_memory = f"{BY_SAMPLE} must not overlap d_y in memory"
    BY_SAMPLE_must_not_overlap_v_in_memory = f"{BY_SAMPLE} must not overlap v in memory"
    BY_SAMPLE_must_not_overlap_v_x_in_memory = f"{BY_SAMPLE} must not overlap v_x in memory"
    SUMMED_must = f"{SUMMED} must be of shape ({WHOLE_RESULT},), came one of length"
    SUMMED_must_not_overlap_theta_in_memory = f"{SUMMED} must not overlap theta in memory"
    SUMMED_must_not_overlap_x_TERM_in_memory = f"{SUMMED} must not overlap x{TERM} in memory"
    SUMMED_must_not_overlap_t_TERM_in_memory = f"{SUMMED} must not overlap t{TERM} in memory"
    SUMMED_must_not_overlap_w_TERM_in_memory = f"{SUMMED} must not overlap w{TERM} in memory"
    SUMMED_must_not_overlap_d_y_in_memory = f"{SUMMED} must not overlap d_y in memory"
    SUMMED_must_not_overlap_v_in_memory = f"{SUMMED} must not overlap v in memory"
    SUMMED_must_not_overlap_v_x_in_memory = f"{SUMMED} must not overlap v_x in memory"
    SUMMED_must_not_overlap_BY_SAMPLE_in_memory = f"{SUMMED} must not overlap {BY_SAMPLE} in memory"
    @inner
    def _check(theta, x, t=None, w=None, l1=None, l2=None, d_y=None, v=None, v_x=None, by_sample=None, gradient=None):
        """The shapes of what is given: compiled code would read and write beyond other ones."""
        if theta.shape[0] != SIZE:
            raise ValueError(theta_must, theta.shape[0])
        if x.shape[1] != INPUTS:
            raise ValueError(x_TERM, x.shape[1])
        if x.shape[0] == 0:
            raise ValueError(x_TERM_must_hold_at_least_one_sample_came, x.shape[0])
        if t is not None:
            if t.shape[1] != TARGETS:
                raise ValueError(t_TERM, t.shape[1])
            if t.shape[0] != x.shape[0]:
                raise ValueError(t_TERM_must_have_as_many_samples_as_x_TERM_came, t.shape[0], "and", x.shape[0])
        if w is not None:
            if w.shape[0] != x.shape[0]:
                raise ValueError(w_TERM, w.shape[0], "and", x.shape[0])
        if d_y is not None:
            if d_y.shape[1] != OUTPUTS:
                raise ValueError(d_y_must, d_y.shape[1])
            if d_y.shape[0] != x.shape[0]:
                raise ValueError(d_y_must_have_as_many_samples_as_x_TERM_came, d_y.shape[0], "and", x.shape[0])
        if v is not None:
            if v.shape[0] != SIZE:
                raise ValueError(v_must, v.shape[0])
        if v_x is not None:
            if v_x.shape[1] != INPUTS:
                raise ValueError(v_x_must, v_x.shape[1])
            if v_x.shape[0] != x.shape[0]:
                raise ValueError(v_x_must_have_as_many_samples_as_x_TERM_came, v_x.shape[0], "and", x.shape[0])
        if by_sample is not None:
            if not by_sample.shape[1:] == ROW_SHAPE:
                raise ValueError(BY_SAMPLE_must)
        if l1 is not None:
            if not l1 >= 0.0:
                raise ValueError("l1 must be at least 0, came", l1)
        if l2 is not None:
            if not l2 >= 0.0:
                raise ValueError("l2 must be at least 0, came", l2)
        if by_sample is not None:
            if _overlap(by_sample, theta):
                raise ValueError(BY_SAMPLE_must_not_overlap_theta_in_memory)
            if _overlap(by_sample, x):
                raise ValueError(BY_SAMPLE_must_not_overlap_x_TERM_in_memory)
            if t is not None:
                if _overlap(by_sample, t):
                    raise ValueError(BY_SAMPLE_must_not_overlap_t_TERM_in_memory)
            if w is not None:
                if _overlap(by_sample, w):
                    raise ValueError(BY_SAMPLE_must_not_overlap_w_TERM_in_memory)
            if d_y is not None:
                if _overlap(by_sample, d_y):
                    raise ValueError(BY_SAMPLE_must_not_overlap_d_y_in_memory)
            if v is not None:
                if _overlap(by_sample, v):
                    raise ValueError(BY_SAMPLE_must_not_overlap_v_in_memory)
            if v_x is not None:
                if _overlap(by_sample, v_x):
                    raise ValueError(BY_SAMPLE_must_not_overlap_v_x_in_memory)
        if gradient is not None:
            if gradient.shape[0] != WHOLE_RESULT:
                raise ValueError(SUMMED_must, gradient.shape[0])
            if _overlap(gradient, theta):
                raise ValueError(SUMMED_must_not_overlap_theta_in_memory)
            if _overlap(gradient, x):
                raise ValueError(SUMMED_must_not_overlap_x_TERM_in_memory)
            if t is not None:
                if _overlap(gradient, t):
                    raise ValueError(SUMMED_must_not_overlap_t_TERM_in_memory)
            if w is not None:
                if _overlap(gradient, w):
                    raise ValueError(SUMMED_must_not_overlap_w_TERM_in_memory)
            if d_y is not None:
                if _overlap(gradient, d_y):
                    raise ValueError(SUMMED_must_not_overlap_d_y_in_memory)
            if v is not None:
                if _overlap(gradient, v):
                    raise ValueError(SUMMED_must_not_overlap_v_in_memory)
            if v_x is not None:
                if _overlap(gradient, v_x):
                    raise ValueError(SUMMED_must_not_overlap_v_x_in_memory)
            if by_sample is not None:
                if _overlap(gradient, by_sample):
                    raise ValueError(SUMMED_must_not_overlap_BY_SAMPLE_in_memory)

    @inlined
    def _fits(theta, x, t=None, w=None, l1=None, l2=None, d_y=None, v=None, v_x=None, by_sample=None, gradient=None):
        """Whether they are of these shapes."""
        if theta.shape[0] != SIZE:
            return 0
        if x.shape[1] != INPUTS:
            return 0
        if x.shape[0] == 0:
            return 0
        if t is not None:
            if t.shape[1] != TARGETS:
                return 0
            if t.shape[0] != x.shape[0]:
                return 0
        if w is not None:
            if w.shape[0] != x.shape[0]:
                return 0
        if d_y is not None:
            if d_y.shape[1] != OUTPUTS:
                return 0
            if d_y.shape[0] != x.shape[0]:
                return 0
        if v is not None:
            if v.shape[0] != SIZE:
                return 0
        if v_x is not None:
            if v_x.shape[1] != INPUTS:
                return 0
            if v_x.shape[0] != x.shape[0]:
                return 0
        if by_sample is not None:
            if not by_sample.shape[1:] == ROW_SHAPE:
                return 0
        if l1 is not None:
            if not l1 >= 0.0:
                return 0
        if l2 is not None:
            if not l2 >= 0.0:
                return 0
        if by_sample is not None:
            if _overlap(by_sample, theta):
                return 0
            if _overlap(by_sample, x):
                return 0
            if t is not None:
                if _overlap(by_sample, t):
                    return 0
            if w is not None:
                if _overlap(by_sample, w):
                    return 0
            if d_y is not None:
                if _overlap(by_sample, d_y):
                    return 0
            if v is not None:
                if _overlap(by_sample, v):
                    return 0
            if v_x is not None:
                if _overlap(by_sample, v_x):
                    return 0
        if gradient is not None:
            if gradient.shape[0] != WHOLE_RESULT:
                return 0
            if _overlap(gradient, theta):
                return 0
            if _overlap(gradient, x):
                return 0
            if t is not None:
                if _overlap(gradient, t):
                    return 0
            if w is not None:
                if _overlap(gradient, w):
                    return 0
            if d_y is not None:
                if _overlap(gradient, d_y):
                    return 0
            if v is not None:
                if _overlap(gradient, v):
                    return 0
            if v_x is not None:
                if _overlap(gradient, v_x):
                    return 0
            if by_sample is not None:
                if _overlap(gradient, by_sample):
                    return 0
        return 1

    @written_out
    def _prediction_at_once(theta, x, y):
        """The output y, written on one thread, unchecked."""
        scratch = np.empty(PREDICTION_SCRATCH, F) if PREDICTION_SCRATCH else None
        _prediction_of_chunk(theta, x, y, scratch)
        return 0.0

    @inner
    def _prediction_in_turn(theta, x, y):
        """The same, checked."""
        _check(theta, x)
        scratch = np.empty(PREDICTION_SCRATCH, F) if PREDICTION_SCRATCH else None
        _prediction_of_chunk(theta, x, y, scratch)

    @threaded
    def _prediction_on_threads(theta, x, y):
        """The same, each thread a chunk of the samples."""
        _check(theta, x)
        workers = nb.get_num_threads()
        scratch = np.empty((workers, PREDICTION_SCRATCH), F) if PREDICTION_SCRATCH else None
        for chunk in nb.prange(workers):
            start, end = x.shape[0] * chunk // workers, x.shape[0] * (chunk + 1) // workers
            _prediction_of_chunk(theta, x[start:end], y[start:end], _row(scratch, chunk))

    @inner
    def _sum_of_leaves(theta, x, t, w, d_y, v, v_x, by_sample, l1, l2, N, w_total, gradient, scratch, first, last):
        """The sum of the losses of leaves from `first` on, before `last`, and its gradient: leaves are added two by two, these sums likewise, and so on."""
        if CHAINED:
            E_sum = 0.0
            part = np.empty(RESULT, F)
            for leaf in range(first, last):
                start = leaf * LEAF
                end = min(start + LEAF, x.shape[0])
                if leaf & 7 == 0:
                    for k in range(RESULT):
                        part[k] = F(0.0)
                if SHARED:
                    _samples_of_leaf(theta, x[start:end], _part(t, start, end), _part(w, start, end), _part(d_y, start, end), v, _part(v_x, start, end), l1, l2, N, w_total, _part(by_sample, start, end), part, scratch, 0, end - start)
                    losses = _sums_of_leaf(theta, x[start:end], _part(t, start, end), _part(w, start, end), _part(d_y, start, end), v, _part(v_x, start, end), l1, l2, N, w_total, _part(by_sample, start, end), part, scratch, 0, 1)
                else:
                    losses = _gradient_of_leaf(theta, x[start:end], _part(t, start, end), _part(w, start, end), _part(d_y, start, end), v, _part(v_x, start, end), l1, l2, N, w_total, _part(by_sample, start, end), part, scratch)
                E_sum += losses
                if (leaf + 1) & 7 == 0 or leaf + 1 == last:
                    for k in range(RESULT):
                        gradient[k] += part[k]
            return E_sum
        else:
            levels, depth = 0, 0
            while 1 << levels < last - first:
                levels += 1
            sums = np.empty(levels + 1)
            parts = fresh(gradient, levels * RESULT)
            for leaf in range(first, last):
                start = leaf * LEAF
                end = min(start + LEAF, x.shape[0])
                into = _part(parts, (depth - 1) * RESULT, depth * RESULT) if depth else gradient
                if SHARED:
                    _samples_of_leaf(theta, x[start:end], _part(t, start, end), _part(w, start, end), _part(d_y, start, end), v, _part(v_x, start, end), l1, l2, N, w_total, _part(by_sample, start, end), into, scratch, 0, end - start)
                    sums[depth] = _sums_of_leaf(theta, x[start:end], _part(t, start, end), _part(w, start, end), _part(d_y, start, end), v, _part(v_x, start, end), l1, l2, N, w_total, _part(by_sample, start, end), into, scratch, 0, 1)
                else:
                    sums[depth] = _gradient_of_leaf(theta, x[start:end], _part(t, start, end), _part(w, start, end), _part(d_y, start, end), v, _part(v_x, start, end), l1, l2, N, w_total, _part(by_sample, start, end), into, scratch)
                count = 0 if leaf + 1 == last else (leaf - first) + 1
                depth += 1
                while depth > (1 if count & 1 == 0 else depth):
                    depth -= 1
                    before = depth - 1
                    sums[before] += sums[depth]
                    if gradient is not None:
                        onto = _part(parts, (before - 1) * RESULT, before * RESULT) if before else gradient
                        for k in range(RESULT):
                            onto[k] += parts[before * RESULT + k]
                    count = count >> 1
            return sums[0]

    @inner
    def _is_shared(samples):
        """Whether threads do better by sharing leaves: there are few, or gradients are large."""
        if CHAINED:
            return 1
        workers = nb.get_num_threads()
        leaves = -(-samples // LEAF)
        rounds = -(-leaves // workers)
        return 1 if RESULT > 524288 or 5 * samples < 4 * rounds * LEAF * min(workers, 8) else 0

    @threaded
    def _sum_of_shared_leaves(theta, x, t, w, d_y, v, v_x, by_sample, l1, l2, N, w_total, gradient, scratch):
        """The same, of all leaves, of which each thread computes some samples, and then some of the sums."""
        workers = nb.get_num_threads()
        pieces = min(workers, 8)
        shares = np.empty(pieces)
        leaves = -(-x.shape[0] // LEAF)
        if CHAINED:
            E_sum = 0.0
            part = np.empty(RESULT, F)
            for leaf in range(leaves):
                start = leaf * LEAF
                end = min(start + LEAF, x.shape[0])
                if leaf & 7 == 0:
                    for k in range(RESULT):
                        part[k] = F(0.0)
                rows = end - start
                blocks = -(-rows // 8)
                for piece in nb.prange(pieces):
                    first, last = min((blocks * piece // pieces) * 8, rows), min((blocks * (piece + 1) // pieces) * 8, rows)
                    _samples_of_leaf(theta, x[start:end], _part(t, start, end), _part(w, start, end), _part(d_y, start, end), v, _part(v_x, start, end), l1, l2, N, w_total, _part(by_sample, start, end), part, scratch, first, last)
                for piece in nb.prange(pieces):
                    shares[piece] = _sums_of_leaf(theta, x[start:end], _part(t, start, end), _part(w, start, end), _part(d_y, start, end), v, _part(v_x, start, end), l1, l2, N, w_total, _part(by_sample, start, end), part, scratch, piece, pieces)
                losses = shares[0]
                E_sum += losses
                if (leaf + 1) & 7 == 0 or leaf + 1 == leaves:
                    for k in range(RESULT):
                        gradient[k] += part[k]
            return E_sum
        else:
            levels, depth = 0, 0
            while 1 << levels < leaves:
                levels += 1
            sums = np.empty(levels + 1)
            parts = fresh(gradient, levels * RESULT)
            for leaf in range(leaves):
                start = leaf * LEAF
                end = min(start + LEAF, x.shape[0])
                into = _part(parts, (depth - 1) * RESULT, depth * RESULT) if depth else gradient
                rows = end - start
                blocks = -(-rows // 8)
                for piece in nb.prange(pieces):
                    first, last = min((blocks * piece // pieces) * 8, rows), min((blocks * (piece + 1) // pieces) * 8, rows)
                    _samples_of_leaf(theta, x[start:end], _part(t, start, end), _part(w, start, end), _part(d_y, start, end), v, _part(v_x, start, end), l1, l2, N, w_total, _part(by_sample, start, end), into, scratch, first, last)
                for piece in nb.prange(pieces):
                    shares[piece] = _sums_of_leaf(theta, x[start:end], _part(t, start, end), _part(w, start, end), _part(d_y, start, end), v, _part(v_x, start, end), l1, l2, N, w_total, _part(by_sample, start, end), into, scratch, piece, pieces)
                sums[depth] = shares[0]
                count = 0 if leaf + 1 == leaves else leaf + 1
                depth += 1
                while depth > (1 if count & 1 == 0 else depth):
                    depth -= 1
                    before = depth - 1
                    sums[before] += sums[depth]
                    if gradient is not None:
                        onto = _part(parts, (before - 1) * RESULT, before * RESULT) if before else gradient
                        for k in range(RESULT):
                            onto[k] += parts[before * RESULT + k]
                    count = count >> 1
            return sums[0]

    @inner
    def _tree_of_sums(sums, subtrees):
        """The sum of numbers, added two by two, these sums likewise, and so on."""
        span = 1
        while span < subtrees:
            for pair in range(-(-(subtrees - span) // (2 * span))):
                one = 2 * span * pair
                other = one + span
                sums[one] += sums[other]
            span *= 2
        return sums[0]

    @inner
    def _tree_of_parts(gradient, parts, subtrees, start, end):
        """The same of gradients, of weights from `start` on, before `end`; the first is `gradient`."""
        span = 1
        while span < subtrees:
            for pair in range(-(-(subtrees - span) // (2 * span))):
                one = 2 * span * pair
                other = one + span
                into = parts[(one - 1) * RESULT:one * RESULT] if one else gradient
                for k in range(start, end):
                    into[k] += parts[(other - 1) * RESULT + k]
            span *= 2

    @threaded
    def _sum_of_subtrees(theta, x, t, w, d_y, v, v_x, by_sample, l1, l2, N, w_total, gradient):
        """The same: each thread has some subtrees, and their sums are added by the tree."""
        workers = nb.get_num_threads()
        leaves = -(-x.shape[0] // LEAF)
        most = min(64, max(workers, 8388608 // RESULT))
        span = 1
        while most * span < leaves:
            span *= 2
        subtrees = -(-leaves // span)
        sums = np.empty(subtrees)
        scratch = np.empty((subtrees, GRADIENT_SCRATCH), F) if GRADIENT_SCRATCH else None
        parts = fresh(gradient, (subtrees - 1) * RESULT)
        for subtree in nb.prange(subtrees):
            first = subtree * span
            last = min(first + span, leaves)
            into = _part(parts, (subtree - 1) * RESULT, subtree * RESULT) if subtree else gradient
            sums[subtree] = _sum_of_leaves(theta, x, t, w, d_y, v, v_x, by_sample, l1, l2, N, w_total, into, _row(scratch, subtree), first, last)
        if gradient is not None:
            if RESULT > 4096:
                for piece in nb.prange(16):
                    _tree_of_parts(gradient, parts, subtrees, piece * RESULT // 16, (piece + 1) * RESULT // 16)
            else:
                _tree_of_parts(gradient, parts, subtrees, 0, RESULT)
        return _tree_of_sums(sums, subtrees)

    @inner
    def _mirror(gradient):
        """What is below a matrix's diagonal becomes what is above it."""
        for row in range(MIRRORED):
            for column in range(row):
                gradient[row * MIRRORED + column] = gradient[column * MIRRORED + row]

    @written_out
    def _gradient_of_one_leaf(theta, x, t, w, l1, l2, d_y, v, v_x, by_sample, gradient):
        """The loss E, and its gradient if that is given, of samples of one leaf; unchecked."""
        N = F(x.shape[0])
        w_total = N
        if WEIGHTED:
            w_total = _totals(x, t, w)
        scratch = np.empty(GRADIENT_SCRATCH, F) if GRADIENT_SCRATCH else None
        moments = np.empty(RESULT, F) if MIRRORED else gradient
        if CHAINED:
            for k in range(RESULT):
                moments[k] = F(0.0)
        if SHARED:
            _samples_of_leaf(theta, x, t, w, d_y, v, v_x, F(l1), F(l2), N, w_total, by_sample, moments, scratch, 0, x.shape[0])
            E_sum = _sums_of_leaf(theta, x, t, w, d_y, v, v_x, F(l1), F(l2), N, w_total, by_sample, moments, scratch, 0, 1)
        else:
            E_sum = _gradient_of_leaf(theta, x, t, w, d_y, v, v_x, F(l1), F(l2), N, w_total, by_sample, moments, scratch)
        E = _gradient_at_the_end(theta, v, F(l1), F(l2), N, w_total, moments, gradient, E_sum)
        if MIRRORED:
            _mirror(gradient)
        return E

    @written_out
    def _gradient_at_once(theta, x, t, w, l1, l2, d_y, v, v_x, by_sample, gradient):
        """The same of any number of samples, unchecked."""
        N = F(x.shape[0])
        w_total = N
        if WEIGHTED:
            w_total = _totals(x, t, w)
        scratch = np.empty(GRADIENT_SCRATCH, F) if GRADIENT_SCRATCH else None
        moments = np.empty(RESULT, F) if MIRRORED else gradient
        if CHAINED:
            for k in range(RESULT):
                moments[k] = F(0.0)
        leaves = -(-x.shape[0] // LEAF)
        if leaves == 1:
            if SHARED:
                _samples_of_leaf(theta, x, t, w, d_y, v, v_x, F(l1), F(l2), N, w_total, by_sample, moments, scratch, 0, x.shape[0])
                E_sum = _sums_of_leaf(theta, x, t, w, d_y, v, v_x, F(l1), F(l2), N, w_total, by_sample, moments, scratch, 0, 1)
            else:
                E_sum = _gradient_of_leaf(theta, x, t, w, d_y, v, v_x, F(l1), F(l2), N, w_total, by_sample, moments, scratch)
        else:
            E_sum = _sum_of_leaves(theta, x, t, w, d_y, v, v_x, by_sample, F(l1), F(l2), N, w_total, moments, scratch, 0, leaves)
        E = _gradient_at_the_end(theta, v, F(l1), F(l2), N, w_total, moments, gradient, E_sum)
        if MIRRORED:
            _mirror(gradient)
        return E

    @inner
    def _gradient_in_turn(theta, x, t, w, l1, l2, d_y, v, v_x, by_sample, gradient):
        """The same, checked."""
        _check(theta, x, t, w, l1, l2, d_y, v, v_x, by_sample, gradient)
        E = _gradient_at_once(theta, x, t, w, l1, l2, d_y, v, v_x, by_sample, gradient)
        return E

    @inner
    def _gradient_on_threads(theta, x, t, w, l1, l2, d_y, v, v_x, by_sample, gradient):
        """The same on threads, which share leaves, or have subtrees of them."""
        _check(theta, x, t, w, l1, l2, d_y, v, v_x, by_sample, gradient)
        N = F(x.shape[0])
        w_total = N
        if WEIGHTED:
            w_total = _totals(x, t, w)
        moments = np.empty(RESULT, F) if MIRRORED else gradient
        if CHAINED:
            for k in range(RESULT):
                moments[k] = F(0.0)
        E_sum = 0.0
        shared = 0
        if SHARED:
            shared = _is_shared(x.shape[0])
            if shared:
                scratch = np.empty(GRADIENT_SCRATCH, F) if GRADIENT_SCRATCH else None
                E_sum = _sum_of_shared_leaves(theta, x, t, w, d_y, v, v_x, by_sample, F(l1), F(l2), N, w_total, moments, scratch)
        if shared == 0:
            E_sum = _sum_of_subtrees(theta, x, t, w, d_y, v, v_x, by_sample, F(l1), F(l2), N, w_total, moments)
        E = _gradient_at_the_end(theta, v, F(l1), F(l2), N, w_total, moments, gradient, E_sum)
        if MIRRORED:
            _mirror(gradient)
        return E

    @inner
    def predict(theta, x):
        y = np.empty((x.shape[0], OUTPUTS), F)
        _prediction_in_turn(theta, x, y)
        return y

    @inner
    def loss(theta, x, t, w, l1, l2):
        return _gradient_in_turn(theta, x, t, w, l1, l2, None, None, None, None, None)

    @inner
    def loss_and_gradient_into(theta, x, t, w, l1, l2, gradient):
        return _gradient_in_turn(theta, x, t, w, l1, l2, None, None, None, None, gradient)

    @inner
    def loss_and_gradient(theta, x, t, w, l1, l2):
        gradient = np.empty(SIZE, F)
        return loss_and_gradient_into(theta, x, t, w, l1, l2, gradient), gradient

    gradients_must = f"gradients must be of shape (samples, {SIZE}), came one of width"
    gradients_must_not_overlap_x_TERM_in_memory = f"gradients must not overlap x{TERM} in memory"
    gradients_must_not_overlap_t_TERM_in_memory = f"gradients must not overlap t{TERM} in memory"
    gradients_must_not_overlap_w_TERM_in_memory = f"gradients must not overlap w{TERM} in memory"
    losses_must = f"losses must not overlap x{TERM} in memory"
    losses_must_not_overlap_t_TERM_in_memory = f"losses must not overlap t{TERM} in memory"
    losses_must_not_overlap_w_TERM_in_memory = f"losses must not overlap w{TERM} in memory"
    @inner
    def _check_leaves(theta, x, t, w, l1, l2, total, first, losses, gradients):
        """The shapes of what is given for a range of leaves."""
        _check(theta, x, t, w, l1, l2)
        if not total > 0.0:
            raise ValueError("total must be above 0, came", total)
        if not 0.0 <= first <= 9007199254740992.0:
            raise ValueError("first must be a whole number from 0 on, came", first)
        if not float(int(first)) == first:
            raise ValueError("first must be a whole number from 0 on, came", first)
        if gradients.shape[1] != SIZE:
            raise ValueError(gradients_must, gradients.shape[1])
        if gradients.shape[0] != losses.shape[0]:
            raise ValueError("gradients must have as many rows as losses, came", gradients.shape[0], "and", losses.shape[0])
        if _overlap(gradients, theta):
            raise ValueError("gradients must not overlap theta in memory")
        if _overlap(gradients, x):
            raise ValueError(gradients_must_not_overlap_x_TERM_in_memory)
        if t is not None:
            if _overlap(gradients, t):
                raise ValueError(gradients_must_not_overlap_t_TERM_in_memory)
        if w is not None:
            if _overlap(gradients, w):
                raise ValueError(gradients_must_not_overlap_w_TERM_in_memory)
        if losses is not None:
            if _overlap(gradients, losses):
                raise ValueError("gradients must not overlap losses in memory")
        if _overlap(losses, theta):
            raise ValueError("losses must not overlap theta in memory")
        if _overlap(losses, x):
            raise ValueError(losses_must)
        if t is not None:
            if _overlap(losses, t):
                raise ValueError(losses_must_not_overlap_t_TERM_in_memory)
        if w is not None:
            if _overlap(losses, w):
                raise ValueError(losses_must_not_overlap_w_TERM_in_memory)
        leaves = -(-x.shape[0] // LEAF)
        leaf, begin, place = int(first), 0, 0
        while begin < leaves:
            span = 1
            while not ((leaf + begin) & (2 * span - 1) or begin + 2 * span > leaves):
                span *= 2
            begin += span
            place += 1
        if place > losses.shape[0]:
            raise ValueError("losses must have room for", place, "subtrees, came", losses.shape[0])

    theta_must = f"theta must be of shape ({SIZE},), came one of length"
    SUMMED_must = f"{SUMMED} must be of shape ({SIZE},), came one of length"
    SUMMED_must_not_overlap_theta_in_memory = f"{SUMMED} must not overlap theta in memory"
    @inner
    def _check_sums(theta, l1, l2, total, loss, gradient):
        """The shapes of what is given for the sum of all leaves."""
        if theta.shape[0] != SIZE:
            raise ValueError(theta_must, theta.shape[0])
        if not total > 0.0:
            raise ValueError("total must be above 0, came", total)
        if gradient.shape[0] != SIZE:
            raise ValueError(SUMMED_must, gradient.shape[0])
        if _overlap(gradient, theta):
            raise ValueError(SUMMED_must_not_overlap_theta_in_memory)

    @inner
    def gradient_of_leaves(theta, x, t, w, l1, l2, total, first, losses, gradients):
        _check_leaves(theta, x, t, w, l1, l2, total, first, losses, gradients)
        N = F(total)
        w_total = N
        scratch = np.empty(GRADIENT_SCRATCH, F) if GRADIENT_SCRATCH else None
        leaves = -(-x.shape[0] // LEAF)
        leaf, begin, place = int(first), 0, 0
        while begin < leaves:
            span = 1
            while not ((leaf + begin) & (2 * span - 1) or begin + 2 * span > leaves):
                span *= 2
            losses[place] = _sum_of_leaves(theta, x, t, w, None, None, None, None, F(l1), F(l2), N, w_total, gradients[place], scratch, begin, begin + span)
            begin += span
            place += 1
        return float(place)

    @inner
    def _leaves_on_threads(theta, x, t, w, l1, l2, total, first, losses, gradients):
        """The same, each subtree on several threads."""
        _check_leaves(theta, x, t, w, l1, l2, total, first, losses, gradients)
        N = F(total)
        w_total = N
        scratch = np.empty(GRADIENT_SCRATCH, F) if GRADIENT_SCRATCH else None
        leaves = -(-x.shape[0] // LEAF)
        leaf, begin, place = int(first), 0, 0
        while begin < leaves:
            span = 1
            while not ((leaf + begin) & (2 * span - 1) or begin + 2 * span > leaves):
                span *= 2
            start, end = begin * LEAF, min((begin + span) * LEAF, x.shape[0])
            losses[place] = _sum_of_subtrees(theta, x[start:end], t[start:end], _part(w, start, end), None, None, None, None, F(l1), F(l2), N, w_total, gradients[place])
            begin += span
            place += 1
        return float(place)

    @inner
    def complete_gradient(theta, l1, l2, total, loss, gradient):
        _check_sums(theta, l1, l2, total, loss, gradient)
        N = F(total)
        w_total = N
        E_sum = loss
        E = _gradient_at_the_end(theta, None, F(l1), F(l2), N, w_total, gradient, gradient, E_sum)
        return E

    @inner
    def _descend(theta, rate, gradient):
        """The weights go down the gradient, all at once."""
        for k in range(SIZE):
            theta[k] -= F(rate) * gradient[k]

    @inner
    def step(theta, x, t, w, l1, l2, rate):
        gradient = np.empty(SIZE, F)
        E = loss_and_gradient_into(theta, x, t, w, l1, l2, gradient)
        _descend(theta, rate, gradient)
        return E

    @written_out
    def _step_of_one_leaf(theta, x, t, w, l1, l2, rate):
        """A step down the gradient, of samples of one leaf; unchecked."""
        gradient = np.empty(SIZE, F)
        E = _gradient_of_one_leaf(theta, x, t, w, l1, l2, None, None, None, None, gradient)
        _descend(theta, rate, gradient)
        return E

    @written_out
    def _step_at_once(theta, x, t, w, l1, l2, rate):
        """The same of any number of samples, unchecked."""
        gradient = np.empty(SIZE, F)
        E = _gradient_at_once(theta, x, t, w, l1, l2, None, None, None, None, gradient)
        _descend(theta, rate, gradient)
        return E

    @inner
    def _step_on_threads(theta, x, t, w, l1, l2, rate):
        """The same, many samples on several threads."""
        gradient = np.empty(SIZE, F)
        E = _gradient_on_threads(theta, x, t, w, l1, l2, None, None, None, None, gradient)
        _descend(theta, rate, gradient)
        return E

    @written_out
    def _prediction_fits(theta, x, t, w, l1, l2, d_y, v, v_x, by_sample, gradient):
        return _fits(theta, x, None, w, l1, l2, t, v, v_x, by_sample, gradient)  # y has the shape of d_y

    @written_out
    def _predict_at_once(theta, x, t, w, l1, l2, gradient, rate):
        return _prediction_at_once(theta, x, t)

    @written_out
    def _differentiate_one_leaf(theta, x, t, w, l1, l2, gradient, rate):
        return _gradient_of_one_leaf(theta, x, t, w, l1, l2, None, None, None, None, gradient)

    @written_out
    def _differentiate_at_once(theta, x, t, w, l1, l2, gradient, rate):
        return _gradient_at_once(theta, x, t, w, l1, l2, None, None, None, None, gradient)

    @written_out
    def _descend_one_leaf(theta, x, t, w, l1, l2, gradient, rate):
        return _step_of_one_leaf(theta, x, t, w, l1, l2, rate)

    @written_out
    def _descend_at_once(theta, x, t, w, l1, l2, gradient, rate):
        return _step_at_once(theta, x, t, w, l1, l2, rate)

    return locals()


def _training(compiler, F, known, _update, SIZE, INPUTS, TARGETS, STATE, SETTINGS, BATCH):
    """The functions that train, on top of the drivers `known`; SETTINGS is how many there are, and
    BATCH the place of the one that is the size of a batch."""
    inner, written_out = compiler.inner, compiler.written_out
    data = ["theta", "x", "t", "w", "l1", "l2"]
    more = ["d_y", "v", "v_x", "by_sample"]
    _check, _gradient_in_turn, _gradient_on_threads = (
        _adapted(known[name], names)
        for name, names in {
            "_check": data,
            "_gradient_in_turn": [*data, *more, "gradient"],
            "_gradient_on_threads": [*data, *more, "gradient"],
        }.items()
    )  # fmt: skip

    @inner
    def _random(progress):
        """The next of 2⁶⁴ random numbers: SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195)."""
        progress[0] += np.uint64(0x9E3779B97F4A7C15)
        z = progress[0]
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))

    @inner
    def _shuffled(samples, progress):
        """The numbers of the samples in random order, every order as likely: Fisher and Yates, by Durstenfeld 1964."""
        order = np.arange(samples)
        for last in range(samples - 1, 0, -1):
            high = _random(progress) >> np.uint64(32)  # of 2³²: no place is likelier by more than 1 in 2³²/samples
            place = np.int64((high * np.uint64(last + 1)) >> np.uint64(32))
            order[last], order[place] = order[place], order[last]
        return order

    state_must = f"state must be of shape ({STATE},), came one of length"
    settings_must = f"settings must be of shape ({SETTINGS},), came one of length"
    @inner
    def _check_training(theta, x, t, w, l1, l2, state, progress, settings):
        """The shapes of what `train_epoch` is given, and that what it changes is nothing else's memory."""
        _check(theta, x, t, w, l1, l2)
        if state.shape[0] != STATE:
            raise ValueError(state_must, state.shape[0])
        if progress.shape[0] != 2:
            raise ValueError("progress must be of shape (2,), came one of length", progress.shape[0])
        if settings.shape[0] != SETTINGS:
            raise ValueError(settings_must, settings.shape[0])
        if not settings[BATCH] >= 0.0:
            raise ValueError("batch must be at least 1, or 0 for all samples, came", settings[BATCH])
        if _overlap(theta, x):
            raise ValueError("theta must not overlap x in memory")
        if _overlap(theta, t):
            raise ValueError("theta must not overlap t in memory")
        if w is not None:
            if _overlap(theta, w):
                raise ValueError("theta must not overlap w in memory")
        if _overlap(theta, settings):
            raise ValueError("theta must not overlap settings in memory")
        if _overlap(state, x):
            raise ValueError("state must not overlap x in memory")
        if _overlap(state, t):
            raise ValueError("state must not overlap t in memory")
        if w is not None:
            if _overlap(state, w):
                raise ValueError("state must not overlap w in memory")
        if _overlap(state, theta):
            raise ValueError("state must not overlap theta in memory")
        if _overlap(state, settings):
            raise ValueError("state must not overlap settings in memory")
        if _overlap(progress, x):
            raise ValueError("progress must not overlap x in memory")
        if _overlap(progress, t):
            raise ValueError("progress must not overlap t in memory")
        if w is not None:
            if _overlap(progress, w):
                raise ValueError("progress must not overlap w in memory")
        if _overlap(progress, theta):
            raise ValueError("progress must not overlap theta in memory")
        if _overlap(progress, state):
            raise ValueError("progress must not overlap state in memory")
        if _overlap(progress, settings):
            raise ValueError("progress must not overlap settings in memory")

    @inner
    def _check_steps(theta, x, t, w, l1, l2, order, starts, state, progress, settings):
        """The same for `train_steps`, and that `order` has samples of x, and `starts` places in it."""
        _check_training(theta, x, t, w, l1, l2, state, progress, settings)
        if starts.shape[0] < 2:
            raise ValueError("starts must say where a batch begins and where the last one ends, came", starts.shape[0], "numbers")
        if starts[0] < 0 or starts[-1] > order.shape[0]:
            raise ValueError("starts must lie within order, whose length is", order.shape[0], "and came from", starts[0], "to", starts[-1])
        for batch in range(starts.shape[0] - 1):
            if starts[batch] >= starts[batch + 1]:
                raise ValueError("starts must increase, came", starts[batch], "before", starts[batch + 1])
        for place in range(order.shape[0]):
            if not 0 <= order[place] < x.shape[0]:
                raise ValueError("order must hold numbers of samples; x has", x.shape[0], "and there came", order[place])
        if _overlap(theta, order):
            raise ValueError("theta must not overlap order in memory")
        if _overlap(theta, starts):
            raise ValueError("theta must not overlap starts in memory")
        if _overlap(state, order):
            raise ValueError("state must not overlap order in memory")
        if _overlap(state, starts):
            raise ValueError("state must not overlap starts in memory")
        if _overlap(progress, order):
            raise ValueError("progress must not overlap order in memory")
        if _overlap(progress, starts):
            raise ValueError("progress must not overlap starts in memory")

    @inner
    def _batches(samples, settings):
        """How many steps an epoch has: of equal batches as far as that is possible, none larger than `batch`."""
        batch = settings[BATCH]
        return -(-samples // int(batch)) if 1.0 <= batch < samples else 1

    @inner
    def _gather(order, start, rows, x, t, w, xs, ts, ws):
        """The samples of a batch, one below the other."""
        for row in range(rows):
            n = order[start + row]
            for i in range(INPUTS):
                xs[row, i] = x[n, i]
            for j in range(TARGETS):
                ts[row, j] = t[n, j]
            if w is not None:
                ws[row] = w[n]

    @written_out
    def _learn(theta, x, t, w, l1, l2, gradient, state, progress, settings, batches, threads):
        """A step on one batch, if its loss E is finite; returns E.
        Where `threads` is None, Numba leaves out what stands after `else`, and compiles nothing of it.
        """
        if threads is None:
            E = _gradient_in_turn(theta, x, t, w, l1, l2, None, None, None, None, gradient)
        else:
            E = _gradient_on_threads(theta, x, t, w, l1, l2, None, None, None, None, gradient)
        if np.isfinite(E):
            _update(theta, gradient, state, progress, settings, batches)
        return E

    @inner
    def _steps(theta, x, t, w, l1, l2, order, starts, state, progress, settings, threads):
        """A step for each batch: batch k has the samples order[starts[k]:starts[k + 1]]."""
        batches, longest = starts.shape[0] - 1, 0
        for batch in range(batches):
            longest = max(longest, starts[batch + 1] - starts[batch])
        gradient = np.empty(SIZE, F)
        xs, ts = np.empty((longest, INPUTS), F), np.empty((longest, TARGETS), F)
        ws = fresh(w, longest)
        E_sum, w_sum = 0.0, 0.0
        for batch in range(batches):
            start = starts[batch]
            rows = starts[batch + 1] - start
            _gather(order, start, rows, x, t, w, xs, ts, ws)
            if w is not None:
                weight = np.sum(_part(ws, 0, rows))
                if weight == 0.0:
                    continue  # it has no loss, which would be an average over nothing
            else:
                weight = float(rows)
            E = _learn(theta, xs[:rows], ts[:rows], _part(ws, 0, rows), l1, l2, gradient, state, progress, settings, batches, threads)
            if not np.isfinite(E):
                return E
            E_sum += weight * E
            w_sum += weight
        return E_sum / w_sum

    @inner
    def _epoch(theta, x, t, w, l1, l2, state, progress, settings, threads):
        """A step for each batch of the samples, in a new random order; returns the mean of their losses."""
        _check_training(theta, x, t, w, l1, l2, state, progress, settings)
        samples, batches = x.shape[0], _batches(x.shape[0], settings)
        if batches == 1:
            gradient = np.empty(SIZE, F)
            return _learn(theta, x, t, w, l1, l2, gradient, state, progress, settings, batches, threads)
        starts = np.empty(batches + 1, np.int64)
        for batch in range(batches + 1):
            starts[batch] = samples * batch // batches
        return _steps(theta, x, t, w, l1, l2, _shuffled(samples, progress), starts, state, progress, settings, threads)

    @inner
    def train_epoch(theta, x, t, w, l1, l2, state, progress, settings):
        return _epoch(theta, x, t, w, l1, l2, state, progress, settings, None)

    @inner
    def train_steps(theta, x, t, w, l1, l2, order, starts, state, progress, settings):
        _check_steps(theta, x, t, w, l1, l2, order, starts, state, progress, settings)
        return _steps(theta, x, t, w, l1, l2, order, starts, state, progress, settings, None)

    @inner
    def _epoch_on_threads(theta, x, t, w, l1, l2, state, progress, settings):
        """An epoch, large batches on several threads."""
        return _epoch(theta, x, t, w, l1, l2, state, progress, settings, 1)

    @inner
    def _steps_on_threads(theta, x, t, w, l1, l2, order, starts, state, progress, settings):
        """The same in an order of the caller's."""
        _check_steps(theta, x, t, w, l1, l2, order, starts, state, progress, settings)
        return _steps(theta, x, t, w, l1, l2, order, starts, state, progress, settings, 1)

    return locals()


def _doubles(compiler):
    """What the steps of optimizers need in float64, whatever the network's dtype: no library's, so that it is
    the same everywhere."""
    inlined = compiler.inlined

    @inlined
    def exp_times(y, u, v):
        """y·exp(u + v), v small: y·exp(r)·2^k with |r| < 0.35, and 2^k in two halves: rounded but once
        where the result is below the smallest normal number. Within 2 ulp."""
        shifted = fma(u + v, 1.4426950408889634, 6755399441057790.0)  # its last bits hold k + 2046
        k = shifted - 6755399441057790.0
        r = fma(-k, 5.497923018708371e-14, fma(-k, 0.6931471805598903, u) + v)
        p = 2.500739020369554e-08
        p = fma(p, r, 2.7630190716793994e-07)
        p = fma(p, r, 2.755755788593732e-06)
        p = fma(p, r, 2.4801493180627818e-05)
        p = fma(p, r, 0.00019841269546916706)
        p = fma(p, r, 0.0013888888943693934)
        p = fma(p, r, 0.00833333333346996)
        p = fma(p, r, 0.04166666666652881)
        p = fma(p, r, 0.16666666666666466)
        p = fma(p, r, 0.5000000000000011)
        p = fma(p, r, 1.0)
        p = fma(p, r, 1.0)
        whole = np.float64(shifted).view(np.int64)
        first = whole >> 1
        return y * p * np.int64(first << 52).view(np.float64) * np.int64((whole - first) << 52).view(np.float64)

    @inlined
    def exp(u):
        """Within 1.5 ulp."""
        u = min(max(u, -1400.0), 1400.0)
        return exp_times(1.0, u, -0.0)

    @inlined
    def log(u):
        """k·log 2 + log m for u = m·2^k, √½ < m < √2; log m by t = 2(m - 1)/(m + 1). Within 2.5 ulp."""
        small = u < 2.2250738585072014e-308
        v = u * 4503599627370496.0 if small else u
        above_root = np.float64(v).view(np.int64) - 0x3fe6a09e667f3bcd
        m = np.int64((above_root & 0xfffffffffffff) + 0x3fe6a09e667f3bcd).view(np.float64)
        k = np.int64((above_root >> 52) + 0x4338000000000000).view(np.float64) - (6755399441055796.0 if small else 6755399441055744.0)
        f = m - 1.0
        t = f / fma(0.5, f, 1.0)
        s = t * t
        p = 4.515191406779878e-06
        p = fma(p, s, 1.8693981278638006e-05)
        p = fma(p, s, 8.878692352638996e-05)
        p = fma(p, s, 0.000434027316818148)
        p = fma(p, s, 0.002232142870460683)
        p = fma(p, s, 0.012499999999817824)
        p = fma(p, s, 0.08333333333333418)
        result = fma(k, 0.6931471805598903, t + fma(t * s, p, k * 5.497923018708371e-14))
        result = result if u < np.inf else u
        return result if u > 0.0 else (-np.inf if u == 0.0 else np.nan)

    @inlined
    def quarter_turns(u):
        """(k, r) with u = k·π/2 + r, |r| <= π/4, k in the last two bits; for |u| up to 2^20."""
        shifted = fma(u, 0.6366197723675814, 6755399441055744.0)
        k = shifted - 6755399441055744.0
        r = u
        r = fma(-k, 1.5707963267341256, r)
        r = fma(-k, 6.077100506303966e-11, r)
        r = fma(-k, 2.0222662487111665e-21, r)
        r = fma(-k, 8.4784276603689e-32, r)
        return np.float64(shifted).view(np.int64), r

    @inlined
    def cos(u):
        """By quarter turns and polynomials of r². Within 2 ulp."""
        k, r = quarter_turns(u)
        k = k + 1
        s = r * r
        p = -7.388451991600837e-13
        p = fma(p, s, 1.6054297670582932e-10)
        p = fma(p, s, -2.5052070861090204e-08)
        p = fma(p, s, 2.7557319073894843e-06)
        p = fma(p, s, -0.0001984126984096247)
        p = fma(p, s, 0.008333333333333042)
        p = fma(p, s, -0.16666666666666666)
        q = -1.1358733295463443e-11
        q = fma(q, s, 2.0875705121788823e-09)
        q = fma(q, s, -2.7557314215326843e-07)
        q = fma(q, s, 2.4801587288997515e-05)
        q = fma(q, s, -0.0013888888888873338)
        q = fma(q, s, 0.041666666666666595)
        q = fma(q, s, -0.5)
        p = fma(r * s, p, r)
        q = fma(q, s, 1.0)
        result = q if k & 1 else p
        return -result if k & 2 else result

    @inlined
    def cos64(u):
        return cos(u)

    @inlined
    def power64(base, exponent):
        """A positive number to any power."""
        return exp(exponent * log(base))

    @inlined
    def power64_whole(base, exponent):
        """A number to a whole power from 0 up, by repeated squaring."""
        n, result = int(exponent), 1.0
        while n:
            if n & 1:
                result *= base
            base *= base
            n >>= 1
        return result

    return {"cos64": cos64, "power64": power64, "power64_whole": power64_whole}


def build(namespace, emitted, inlined, compiled, derivatives={}, terms={}):
    """Compiles the functions of an emitted module when they are called, and adds those that it has not.

    `namespace` is the module's, `emitted` a hash of its text, `inlined` and `compiled` name its functions, those
    that are a part of each caller and the others; `derivatives` says of each what computes it, and what it gives,
    `terms` of each term of the loss what computes it.
    """
    spec, size = namespace["SPEC"], namespace["SIZE"]
    inputs, outputs, targets = inputs_of(spec), outputs_of(spec), targets_of(spec)
    compiler = Compiler(namespace, emitted)
    namespace["parameters"] = _views(namespace["PARAMETERS"])
    scratch = namespace["PREDICTION_SCRATCH"], namespace.get("GRADIENT_SCRATCH", 0)
    _compile_own(compiler, namespace, inlined, compiled)
    settings = namespace.get("SETTINGS", ())
    state = len(namespace["STATE"]) * size if settings else 0
    shape = {"inputs": inputs, "outputs": outputs, "weights": size}
    results = {
        name: Results(
            {each: tuple(shape.get(n, n) for n in extents) for each, extents in told["results"].items()}, told["value"]
        )
        for name, told in derivatives.items()
    }
    facts = Facts(compiler.name, spec, size, state, len(settings), results)
    F = facts.native.type
    known = _drivers(compiler, F, namespace, size, inputs, outputs, targets, *scratch)
    _make_public(namespace, compiler, facts, known, terms)
    for name, told in derivatives.items():
        _make_derivative(namespace, compiler, facts, name, told)
    if settings:
        namespace |= _doubles(compiler)
        place = [*settings].index("batch")
        trained = namespace if terms else _training(
            compiler, F, known, namespace["_update"], size, inputs, targets, state, len(settings), place
        )
        _make_trainable(namespace, compiler, facts, trained, terms)
    if "members" in spec:
        facts_of_members = FactsOfMembers(compiler.name, spec, size, state, len(settings))
        _make_members(namespace, compiler, facts_of_members, trained if settings else {})
    weights = Weights(namespace["PARAMETERS"], size, F, spec["layers"])
    _add(namespace, weights.init, weights.pack, weights.unpack)
    namespace["__dir__"] = lambda: sorted(namespace["__all__"])


def _compile_own(compiler, namespace, inlined, compiled):
    """The functions that a module has itself."""
    own = {name: namespace[name] for name in (*inlined, *compiled)}
    for name, function in own.items():
        namespace[name] = compiler.inlined(function) if name in inlined else compiler.inner(function)


def _views(parameters):
    """What gives the arrays that lie in a flat vector, as `parameters` says; None for each of None."""
    arrays = [*parameters.values()]

    def views(vector):
        return tuple(view(vector, start, shape) for start, shape in arrays)

    @type_callable(views)
    def _(context):
        def typer(vector):
            if not isinstance(vector, nb.types.Array):
                return nb.types.Tuple([nb.none] * len(arrays))
            readonly = not vector.mutable
            return nb.types.Tuple([nb.types.Array(vector.dtype, len(shape), "C", readonly) for _, shape in arrays])

        return typer

    @lower_builtin(views, nb.types.NoneType)
    def _(context, builder, signature, arguments):
        return context.get_constant_null(signature.return_type)

    @lower_builtin(views, nb.types.Array)
    def _(context, builder, signature, arguments):
        vector = make_array(signature.args[0])(context, builder, arguments[0])
        made = []
        for kind, (start, shape) in zip(signature.return_type, arrays, strict=True):
            data = builder.gep(vector.data, [context.get_constant(nb.intp, start)])
            extents = [context.get_constant(nb.intp, extent) for extent in shape]
            made.append(_array(context, builder, kind, data, extents))
        return context.make_tuple(builder, signature.return_type, made)

    return views


def _make_public(namespace, compiler, facts, known, terms):
    """`predict`, `loss` and the others, as Python and compiled code call them."""
    data = [*inspect.signature(namespace["loss"]).parameters]
    ways = {
        # its class, arguments, those that are written; drivers: unchecked, for few samples and for more;
        # in turn; and on threads
        "predict": (
            Predict, ["theta", "x", "y"], ["y"],
            ["_predict_at_once"], "_prediction_in_turn", "_prediction_on_threads",
        ),
        "loss": (
            Converting, data, [],
            ["_differentiate_one_leaf", "_differentiate_at_once"], "_gradient_in_turn", "_gradient_on_threads",
        ),
        "loss_and_gradient_into": (
            Compiled, [*data, "gradient"], ["gradient"],
            ["_differentiate_one_leaf", "_differentiate_at_once"], "_gradient_in_turn", "_gradient_on_threads",
        ),
        "step": (
            Compiled, [*data, "rate"], ["theta"],
            ["_descend_one_leaf", "_descend_at_once"], "step", "_step_on_threads",
        ),
    }  # fmt: skip
    _make_terms(namespace, compiler, facts, terms)
    many = _threaded(namespace, terms)
    made = {}
    for name, (_, names, written, unchecked, in_turn, on_threads) in ways.items():
        kinds = {each: facts.kind(each, written) for each in names}
        if terms and name != "predict":
            in_turn = namespace["_step" if name == "step" else in_turn]
            made[name] = TermsImplementation(compiler, kinds, many, in_turn, namespace[on_threads])
            continue
        threaded = namespace["PREDICTION_THREADED"] if name == "predict" else many
        limits = {driver: threaded if driver.endswith("at_once") else LEAF + 1 for driver in unchecked}
        if threaded <= LEAF:
            limits = {unchecked[0]: threaded}
        entries = {
            limit: functools.partial(
                _entry, name if driver == unchecked[0] else f"many_{name}", kinds, limit,
                known["_prediction_fits" if name == "predict" else "_fits"], known[driver],
            )
            for driver, limit in limits.items()
        }
        made[name] = Implementation(compiler, kinds, threaded, known[in_turn], known[on_threads], entries)
    if not terms:
        _make_leaves(namespace, compiler, facts, known, many)
    made["loss_and_gradient"] = made["loss_and_gradient_into"]
    classes = {name: way[0] for name, way in ways.items()} | {"loss_and_gradient": LossAndGradient}
    for name, called in classes.items():
        body = namespace[name]
        written = ["theta"] if name == "step" else []
        of_all = terms and name != "predict"
        if not of_all:
            namespace[f"_{name}"] = _adapted(known[name], [*inspect.signature(body).parameters], written)
        check = namespace["_check_terms"] if of_all else known["_check"]
        namespace[name] = called(body, made[name], check, facts)


def _make_leaves(namespace, compiler, facts, known, many):
    """`gradient_of_leaves` and `complete_gradient`, which Python calls by way of Numba."""
    for name, threaded, limit, check, written in (
        ("gradient_of_leaves", "_leaves_on_threads", many, "_check_leaves", ["losses", "gradients"]),
        ("complete_gradient", "complete_gradient", math.inf, "_check_sums", ["gradient"]),
    ):
        body = namespace[name]
        names = [*inspect.signature(body).parameters]
        kinds = {each: facts.kind(each, written) for each in names}
        work = DerivativeImplementation(compiler, kinds, limit, known[name], known[threaded], {})
        namespace[f"_{name}"] = _adapted(known[name], names, written)
        namespace[name] = Compiled(body, work, known[check], facts)


def _threaded(namespace, terms):
    """From how many samples on threads pay: of the loss, or of any of its terms."""
    parts = [f"{name.upper()}_GRADIENT" for name in terms] or ["GRADIENT"]
    return min(namespace[f"{part}_THREADED"] for part in parts)


def _make_terms(namespace, compiler, facts, terms):
    """The drivers of each term of the loss, which are those of a loss by itself, for its own kernels."""
    for name, told in terms.items():
        own = {known: namespace[function] for known, function in told["kernels"].items()}
        known = _drivers(
            compiler.for_part(name), facts.native.type, own, facts.size, facts.inputs, facts.outputs,
            targets_of(namespace["SPEC"], name), 0, namespace[f"{name.upper()}_GRADIENT_SCRATCH"], TERM=f"_{name}",
        )  # fmt: skip
        for driver in ("_check", "_gradient_at_once", "_gradient_on_threads"):
            namespace[f"_{name}{driver}"] = _adapted(known[driver], [*told["given"], "gradient"])


def _make_derivative(namespace, compiler, facts, name, told):
    """One of the functions that are asked for beside the gradient: its drivers are those of the gradient, for
    other kernels."""
    shape = facts.native.type, facts.size, facts.inputs, facts.outputs, targets_of(namespace["SPEC"])
    names, results = told["names"], told["results"]
    known = _drivers_of(namespace, compiler, shape, name, told)
    into = f"{name}_into" if f"{name}_into" in namespace else name
    arguments = [*inspect.signature(namespace[into]).parameters]
    kinds = {each: facts.kind(each, results) for each in arguments}
    work = DerivativeImplementation(
        compiler.for_part(name), kinds, namespace[f"{name.upper()}_THREADED"], known["_gradient_in_turn"],
        known["_gradient_on_threads"], names,
    )  # fmt: skip
    _use_derivative(namespace, name, told, known, arguments)
    for public, kind in ((name, Derivative), (into, Into)):
        given = [*inspect.signature(namespace[public]).parameters]
        namespace[public] = kind(namespace[public], work, renamed(known["_check"], given, names), facts)


def _drivers_of(namespace, compiler, shape, name, told):
    """The drivers of a derivative; `shape` are the dtype, and how many weights, inputs, outputs and targets there
    are."""
    own = {known: namespace[function] for known, function in told["kernels"].items()}
    F, size, inputs, outputs, targets = shape
    called = {told["names"][each]: each for each in told["results"]}
    return _drivers(
        compiler.for_part(name), F, own, size, inputs, outputs, targets, 0, namespace[f"{name.upper()}_SCRATCH"],
        told["summed"], told["by_sample"], called.get("gradient", ""), called.get("by_sample", ""), told["mirrored"],
        told["chained"],
    )  # fmt: skip


def _use_derivative(namespace, name, told, known, arguments):
    """What a module's own functions call of a derivative: its driver, given arguments with these names."""
    names = [told["names"].get(each, each) for each in arguments]
    namespace[f"_{name}"] = _adapted(known["_gradient_in_turn"], names)


def _make_trainable(namespace, compiler, facts, known, terms):
    """`train_epoch` and `train_steps`, and what they are given."""
    many = _threaded(namespace, terms)
    written = ["theta", "state", "progress"]
    for name, threaded, check in (
        ("train_epoch", "_epoch_on_threads", "_check_training"),
        ("train_steps", "_steps_on_threads", "_check_steps"),
    ):
        body = namespace[name]
        names = [*inspect.signature(body).parameters]
        kinds = {each: facts.kind(each, written) for each in names}
        batches = as_python(known["_batches"])
        in_turn = known[f"_{name}" if terms else name]
        work = EpochImplementation(compiler, kinds, many, in_turn, known[threaded], batches=batches)
        if not terms:
            namespace[f"_{name}"] = _adapted(in_turn, names, written)
        namespace[name] = Epoch(body, work, known[check], facts)
    going_on = GoingOn(namespace["SETTINGS"], len(namespace["STATE"]) * facts.size, facts.native)
    _add(namespace, going_on.train_settings, going_on.train_state)


def _make_members(namespace, compiler, facts, trained):
    """The functions of an ensemble; those that its training shares with that of one network are in `trained`."""
    namespace |= {name: trained[name] for name in ("_batches", "_shuffled") if name in trained}
    results = {"predict_members": ["y"], "losses_and_gradients": ["losses", "gradients"], "train_members": []}
    for name in [name for name in results if name in namespace]:
        body, made = namespace[name], results[name]
        names = [*inspect.signature(body).parameters, *made]
        kinds = facts.kinds(names, made or ["theta", "state", "progress", "losses"])
        work = MembersImplementation(compiler, kinds, 0, namespace[f"_{name}_in_turn"], None)
        namespace[name] = OfMembers(body, work, namespace[f"_check_{name}"], facts)


def _add(namespace, *functions):
    """Makes functions the module's own; pickle finds them by their names."""
    for function in functions:
        function.__module__, function.__qualname__ = namespace["__name__"], function.__name__
        namespace[function.__name__] = function


def build_frozen(namespace, emitted, inlined, compiled, parameters, entries, derivatives={}, trainable=()):
    """Compiles the functions of a frozen module when they are called. `parameters` are
    the arrays in its weights, `entries` those of its functions that take raw inputs, each with what
    compiled code calls in its place; `trainable` are such functions of weights that are given."""
    compiler, theta = Compiler(namespace, emitted), namespace["_THETA"]
    namespace["parameters"] = _views(parameters)
    _compile_own(compiler, namespace, inlined, compiled)
    spec = namespace["SPEC"]
    inputs, outputs, targets = inputs_of(spec), outputs_of(spec), targets_of(spec)
    for array in (each for each in namespace.values() if isinstance(each, np.ndarray)):
        array.flags.writeable = False  # compiled code has it as it is now
    known = _drivers(
        compiler, theta.dtype.type, namespace, theta.size, inputs, outputs, targets,
        namespace["PREDICTION_SCRATCH"], namespace.get("GRADIENT_SCRATCH", 0),
    )  # fmt: skip
    namespace["_prediction_in_turn"] = known["_prediction_in_turn"]
    for name, told in derivatives.items():
        shape = theta.dtype.type, theta.size, inputs, outputs, outputs
        its, arguments = _drivers_of(namespace, compiler, shape, name, told), ["theta", "x", *told["results"]]
        _use_derivative(namespace, name, told, its, arguments)
    namespace["_given"] = functools.partial(_raw, inputs, called_columns(columns_of(spec).get("x")))
    for name, inner in entries:
        _overload(compiler, namespace[name], namespace[inner], theta, inputs)
    if trainable:
        data = ["theta", "x", "t", *(["w"] if "_totals" in namespace else []), "gradient"]
        namespace["_gradient_in_turn"] = _adapted(known["_gradient_in_turn"], data)
        namespace["_given_to_train"] = functools.partial(_raw_to_train, namespace["_given"], theta, targets)
    for name, inner in trainable:
        _typed(namespace[name], namespace[inner], theta)
    namespace["__dir__"] = lambda: sorted(namespace["__all__"])


def _raw(inputs, called, x):
    """Inputs as compiled code takes them, a float64 matrix, and whether they are one sample's."""
    array = real_array("x", x, f"(samples, {inputs})")
    one = array.shape == (inputs,)
    if one:
        array = array.reshape(1, inputs)
    if array.ndim != 2 or array.shape[1] != inputs:
        raise ValueError(f"x must be of shape (samples, {inputs}) or ({inputs},), came {array.shape}{called}")
    if len(array) == 0:
        raise ValueError("x must hold at least one sample, came 0")
    if array.dtype != np.float64 or not array.flags.carray:
        array = np.array(array, np.float64, order="C")
    return array, one


def _raw_to_train(raw, theta, targets, weights, x, t=None, w=None, gradient=None):
    """What the loss is given as compiled code takes it, without what is None."""
    weights = real_array("theta", weights, f"({theta.size},)")
    if weights.shape != theta.shape:
        raise ValueError(f"theta must be of shape ({theta.size},), came {weights.shape}")
    weights = np.ascontiguousarray(weights, theta.dtype).view()
    weights.flags.writeable = False  # of one type for compiled code, THETA or not
    x, one = raw(x)
    given = [weights, x]
    if t is not None:
        t = real_array("t", t, f"(samples, {targets})")
        if one and t.shape == (targets,):
            t = t.reshape(1, targets)
        if t.ndim != 2 or t.shape[1] != targets:
            raise ValueError(f"t must be of shape (samples, {targets}), came {t.shape}")
        given.append(np.array(t, np.float64, order="C"))
    if w is not None:
        w = real_array("w", w, "(samples,)")
        if w.ndim != 1:
            raise ValueError(f"w must be of shape (samples,), came {w.shape}")
        given.append(np.array(w, np.float64, order="C"))
    if gradient is not None:
        fits = isinstance(gradient, np.ndarray) and gradient.dtype == theta.dtype and gradient.shape == theta.shape
        if not (fits and gradient.flags.carray):
            raise TypeError(f"gradient must be a writable C-contiguous {theta.dtype} array of shape ({theta.size},)")
        given.append(gradient)
    return given


def _typed(function, inner, theta):
    """What compiled code calls for `function`: `inner`, where arguments have the types that it takes. Weights and
    their gradient are of the network's own, all else of any real type."""
    names = [*inspect.signature(function).parameters]
    native, axes = nb.from_dtype(theta.dtype), {"theta": 1, "gradient": 1, "w": 1}

    def refused(name, kind):
        count, own = axes.get(name, 2), name in ("theta", "gradient")
        if not (isinstance(kind, nb.types.Array) and kind.ndim == count):
            return True
        if own:
            return kind.dtype != native or kind.layout != "C" or (name == "gradient" and not kind.mutable)
        return not isinstance(kind.dtype, (nb.types.Float, nb.types.Integer, nb.types.Boolean))

    def resolved(context, kinds):
        return nb.types.Dispatcher(inner).get_call_type(context, kinds, {})

    @type_callable(function)
    def _(context):
        def typer(*kinds):
            for name, kind in zip(names, kinds, strict=True):
                if refused(name, kind):
                    own = f"a C-contiguous {theta.dtype} array" if name in ("theta", "gradient") else "an array of real numbers"
                    raise nb.errors.TypingError(f"{name} must be {own} with {axes.get(name, 2)} axes, came {kind}")
            return resolved(context, kinds).return_type

        order = inspect.Parameter.POSITIONAL_OR_KEYWORD
        typer.__signature__ = inspect.Signature([inspect.Parameter(name, order) for name in names])
        return typer

    @lower_builtin(function, nb.types.VarArg(nb.types.Any))
    def _(context, builder, signature, arguments):
        called = resolved(context.typing_context, signature.args)
        compiled = context.get_function(nb.types.Dispatcher(inner), called)
        kinds = zip(arguments, signature.args, called.args, strict=True)
        return compiled(builder, [context.cast(builder, *each) for each in kinds])


def _overload(compiler, function, inner, theta, inputs):
    """What compiled code calls for `function`: `inner`, with the weights as a part of that code."""
    kind = nb.types.Array(nb.from_dtype(theta.dtype), 1, "C", readonly=True)

    @intrinsic
    def weights(typing):
        def generate(context, builder, signature, arguments):
            content = ir.ArrayType(ir.IntType(8), theta.nbytes)
            data = ir.GlobalVariable(builder.module, content, builder.module.get_unique_name("symgrad_theta"))
            data.linkage, data.global_constant, data.align = "internal", True, 64
            data.initializer = ir.Constant(content, bytearray(theta.tobytes()))
            pointer = builder.bitcast(data, context.get_data_type(kind.dtype).as_pointer())
            return _array(context, builder, kind, pointer, [context.get_constant(nb.intp, theta.size)])

        return kind(), generate

    @overload(function)
    def _(x):
        fits = isinstance(x, nb.types.Array) and x.ndim == 2
        if not (fits and isinstance(x.dtype, (nb.types.Float, nb.types.Integer, nb.types.Boolean))):
            raise nb.errors.TypingError(f"x must be an array of real numbers of shape (samples, {inputs}), came {x}")
        return compiler.named(lambda x: inner(weights(), x), function.__name__)
