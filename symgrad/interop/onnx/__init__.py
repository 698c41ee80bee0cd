"""ONNX files: networks read from them, and written as such.

    onnx.read("net.onnx")           Network
    onnx.write(network, "net.onnx")     onnx.model_of(network), without a file

Below each file stand those that it imports from.

    reading.py      the graph, node by node; load.py: from a file, checked; own.py: symgrad's own
    over_units.py   softmax, and sums over the units; classes.py: what outputs are called
    elementwise.py  operations as formulas; branches.py: a Where, and what it goes by
    columns.py      Concat, and features chosen; shapes.py: numbers laid out in another way
    arithmetic.py   sums and products, of constants and of layers
    linear.py       layers, and what is folded into their weights
    pieces.py       branches, and what no spec has, put as formulas
    constant_folding.py  what is worked out at once; constants.py: arrays of the file
    nodes.py        nodes as the reading takes them
    values.py       what a tensor is, as the reading goes along

    writing.py      the network, layer by layer; scaling.py: raw units around a trained one
    activations.py  the built-in activations; formulas.py: declared ones
    functions.py    the elementary functions, in float32 and float64
    graph.py        nodes and constants so far; names.py: of tensors and of notes
"""

from symgrad.interop.onnx.reading import read
from symgrad.interop.onnx.writing import is_own, model_of, write

__all__ = ["is_own", "model_of", "read", "write"]
