"""Brute force for what is counted: a network in scalars, differentiated weight by weight.

A graph of scalar operations, hash-consed: equal operations on equal operands are one node. It knows
networks of tanh with linear outputs and the squared error, and nothing of symgrad.
"""

from itertools import pairwise, product


class Graph:
    """Nodes are numbers; a node's key is its operation and the nodes that it is applied to."""

    def __init__(self):
        self.keys = []
        self.number = {}
        self.known = {}

    def node(self, *key):
        if key not in self.number:
            self.number[key] = len(self.keys)
            self.keys.append(key)
        return self.number[key]

    def add(self, terms):
        terms = [term for term in terms if term is not None]
        if len(terms) < 2:
            return terms[0] if terms else None
        return self.node("+", *sorted(terms))

    def times(self, a, b):
        """None is 0, and "one" is 1."""
        if a is None or b is None:
            return None
        if "one" in (a, b):
            return b if a == "one" else a
        return self.node("*", *sorted((a, b)))

    def derivative(self, node, weight):
        """The chain rule, nested as it arises."""
        if node == weight:
            return "one"
        if (node, weight) not in self.known:
            self.known[node, weight] = self._derivative(node, weight)
        return self.known[node, weight]

    def _derivative(self, node, weight):
        match self.keys[node]:
            case ("+", *terms):
                return self.add([self.derivative(term, weight) for term in terms])
            case ("*", a, b):
                return self.add(
                    [
                        self.times(b, self.derivative(a, weight)),
                        self.times(a, self.derivative(b, weight)),
                    ]
                )
            case ("-", a, _):
                return self.derivative(a, weight)
            case ("tanh", a):
                inner = self.derivative(a, weight)
                return None if inner is None else self.times(self.slope(node), inner)
            case ("half square", a):
                return self.times(a, self.derivative(a, weight))
        return None  # given

    def slope(self, tanh):
        return self.node("1 -", self.node("square", tanh))

    def cost(self, node):
        match self.keys[node]:
            case ("given", *_):
                return 0
            case ("+", *terms):
                return len(terms) - 1
        return 1

    def operands(self, node):
        return [] if self.keys[node][0] == "given" else list(self.keys[node][1:])

    def tree(self, node):
        """Operations of the tree below a node."""
        sizes = {}
        for each in self.below([node]):
            sizes[each] = self.cost(each) + sum(sizes[below] for below in self.operands(each))
        return sizes[node]

    def below(self, nodes):
        """All nodes that these are made of, and they themselves, operands first."""
        found, waiting = set(), list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting += self.operands(node)
        return sorted(found)  # a node is made after its operands

    def shared(self, nodes):
        """Operations of all these together, each node computed once."""
        return sum(map(self.cost, self.below(nodes)))


def network(graph, widths, bias=True):
    """The loss of one sample and the weights, as nodes."""
    layer = [graph.node("given", "x", i) for i in range(widths[0])]
    weights = []
    for number, (inputs, units) in enumerate(pairwise(widths), start=1):
        w = {
            place: graph.node("given", "W", number, *place)
            for place in product(range(inputs), range(units))
        }
        b = [graph.node("given", "b", number, j) for j in range(units)] if bias else []
        weights += [*w.values(), *b]
        layer = [
            graph.add([graph.times(layer[i], w[i, j]) for i in range(inputs)] + b[j : j + 1])
            for j in range(units)
        ]
        if number < len(widths) - 1:
            layer = [graph.node("tanh", z) for z in layer]
    errors = [graph.node("-", y, graph.node("given", "t", k)) for k, y in enumerate(layer)]
    return graph.add([graph.node("half square", r) for r in errors]), weights


def counts(widths, bias=True):
    """The loss's operations, those of all derivatives as trees, and those with sharing alone."""
    graph = Graph()
    loss, weights = network(graph, widths, bias)
    derivatives = [graph.derivative(loss, weight) for weight in weights]
    return (
        graph.shared([loss]),
        graph.tree(loss) + sum(map(graph.tree, derivatives)),
        graph.shared([loss, *derivatives]),
    )
