"""products: products of matrices as LLVM IR, one function for each form of them."""

import contextlib
import functools
from collections import namedtuple

from llvmlite import ir

from symgrad.runtime.fma import DOUBLE, FLOAT, INT64, external, fused

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
