"""The derivative by each weight as the chain rule gives it, counted and never written down.

For one weight w and every array v on the way from it to the loss, d(f∘g) = f′(g)·dg:

    dv/dw = Σ_u ∂v/∂u · du/dw        over all u that v reads, without terms of 0 and factors of 1

nested as it arises. Written out as a tree, every name in it replaced by what it stands for, that
is the textbook derivative; with every part that occurs twice computed once, it is what sharing
alone makes of it. Both are counted here from the local partial derivatives, for any widths.

All units of a layer are alike but for the one that the weight leads to. So every index takes two
values here: 0 stands for that unit, 1 for all the others, and is counted as many times as there
are. What is counted is exact, and takes no longer for wide layers than for narrow ones.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

import numpy as np
from sympy import Expr, Symbol

from symgrad.language.count import of_value, operations, size, trees
from symgrad.language.indices import SAMPLES
from symgrad.language.program import Definition, Program, array, name_of
from symgrad.passes.differentiate import DerivativeGraph, Edge
from symgrad.passes.share import share


@dataclass(frozen=True)
class Cost:
    """Operations of the derivative by every weight, for one sample, those of the loss included."""

    textbook_trees: int  # the loss and each derivative as a tree of its own
    shared_only: int  # the same, all that is equal computed once


def count(graph: DerivativeGraph) -> Cost:
    """What the derivatives of `graph` by all its weights cost as trees, and with sharing alone."""
    written_out = trees(graph.program)
    by_tree = written_out[graph.loss]
    shared = operations(_with_partials(graph))
    into: dict[str, list[Edge]] = defaultdict(list)
    for edge in graph.edges:
        into[edge.target].append(edge)
    for weight in graph.program.weights:
        elements = prod(map(size, graph.program.shape(weight)))
        tree, steps = _derivative(graph, into, name_of(weight), written_out)
        by_tree += elements * tree
        shared += elements * steps
    return Cost(by_tree, shared)


def _with_partials(graph: DerivativeGraph) -> Program:
    """The loss and all local partial derivatives, with what they have in common computed once."""
    partials = tuple(
        Definition(array(f"partial_{k}", *dict.fromkeys((*edge.out, *edge.into))), edge.value)
        for k, edge in enumerate(graph.edges)
    )
    needed = ("E", *(partial.name for partial in partials))
    definitions = (*graph.program.definitions, *partials)
    return share(replace(graph.program, definitions=definitions, outputs=needed))


@dataclass(frozen=True)
class _Derivative:
    """dv/dw for one w and every element of v, by v's indices.

    `trees` holds the operations of each as a tree, `zero` says where it is 0, `one` where it is 1.
    """

    indices: tuple[Symbol, ...]
    trees: np.ndarray
    zero: np.ndarray
    one: np.ndarray


def _derivative(
    graph: DerivativeGraph,
    into: Mapping[str, Sequence[Edge]],
    weight: str,
    written_out: Mapping[str, int],
) -> tuple[int, int]:
    """For one element of `weight`: its derivative's operations as a tree; and as steps, each once.

    The steps are those beyond the loss and the local partial derivatives, which are the edges
    `into` every array.
    """
    own = graph.indices(weight)
    here = np.zeros(_shape(graph, own), dtype=bool)
    here[(0,) * len(own)] = True
    known = {weight: _Derivative(own, np.zeros(here.shape, dtype=object), ~here, here)}
    steps = 0
    for definition in graph.program.definitions:
        edges = [edge for edge in into[definition.name] if edge.source in known]
        if edges:
            out = definition.indices
            terms = [_terms(graph, edge, known[edge.source], written_out) for edge in edges]
            number, ones, tree, products = (
                np.asarray(sum(each), dtype=object) for each in zip(*terms, strict=True)
            )
            zero = np.asarray(number == 0, dtype=bool)
            added = np.where(zero, 0, number - 1)
            one = np.asarray((number == 1) & (ones == 1), dtype=bool)
            steps += int(np.sum((products + added) * _multiplicity(graph, out, out)))
            tree = np.asarray(tree + added, dtype=object)
            known[definition.name] = _Derivative(out, tree, zero, one)
    final = known.get(graph.loss)
    return (int(final.trees[()]), steps) if final else (0, 0)


class _Terms(NamedTuple):
    """Σ_u ∂v/∂u · du/dw over the u of one edge, for every element of v."""

    number: np.ndarray  # how many terms are not 0
    ones: np.ndarray  # how many of them are 1
    trees: np.ndarray  # their operations as trees, without the additions
    products: np.ndarray  # the multiplications that are new in them


def _terms(
    graph: DerivativeGraph, edge: Edge, inner: _Derivative, written_out: Mapping[str, int]
) -> _Terms:
    indices = tuple(dict.fromkeys((*edge.out, *edge.into)))
    weights = _multiplicity(graph, indices, [i for i in indices if i not in edge.out])
    there = np.broadcast_to(~_at(inner.zero, edge.into, indices), _shape(graph, indices))
    one = np.broadcast_to(_at(inner.one, edge.into, indices), there.shape)
    below = np.broadcast_to(_at(inner.trees, edge.into, indices), there.shape)
    if _is_free(edge.value):
        tree, product, ones = below, np.zeros(there.shape, dtype=object), one
    else:
        own = of_value(edge.value, written_out)
        tree = np.where(one, own, own + 1 + below)
        product = np.where(one, 0, 1).astype(object)
        ones = np.zeros(there.shape, dtype=bool)

    def total(values: np.ndarray) -> np.ndarray:
        each = np.asarray(np.where(there, values, 0).astype(object) * weights, dtype=object)
        contracted = tuple(range(len(edge.out), len(indices)))
        return np.asarray(each.sum(axis=contracted) if contracted else each, dtype=object)

    return _Terms(total(there.astype(object)), total(ones), total(tree), total(product))


def _is_free(value: Expr) -> bool:
    """Whether multiplying by `value` is no operation: ±1, and the 1/N of a single sample."""
    return value in (1, -1) or value.free_symbols == {SAMPLES}


def _at(values: np.ndarray, own: Sequence[Symbol], indices: Sequence[Symbol]) -> np.ndarray:
    """`values`, whose axes are `own`, with its axes where `indices` has them."""
    order = sorted(range(len(own)), key=lambda k: indices.index(own[k]))
    shape = [values.shape[own.index(i)] if i in own else 1 for i in indices]
    return values.transpose(order).reshape(shape)


def _shape(graph: DerivativeGraph, indices: Sequence[Symbol]) -> tuple[int, ...]:
    return tuple(min(size(graph.program.extent(i)), 2) for i in indices)


def _multiplicity(
    graph: DerivativeGraph, indices: Sequence[Symbol], counted: Sequence[Symbol]
) -> np.ndarray:
    """For how many elements each stands along the axes of `counted`; 1 along other `indices`."""
    result = np.ones(_shape(graph, indices), dtype=object)
    for place, index in enumerate(indices):
        others = size(graph.program.extent(index)) - 1
        if index in counted and others:
            along = [2 if k == place else 1 for k in range(len(indices))]
            result = result * np.array([1, others], dtype=object).reshape(along)
    return result
