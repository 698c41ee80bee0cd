"""Pictures of programs, for readers: who reads what, forward, and backward again.

    symgrad.showing.svg(compiled.program)                   an SVG, drawn here
    symgrad.showing.dot(compiled.program)                   text for Graphviz
    symgrad.showing.svg(compiled.stages.differentiate)      the local partials along the edges

A picture is made of a program's language alone; the compiler knows nothing of it, and it nothing
of the compiler.
"""

from symgrad.showing.dot import dot
from symgrad.showing.graph import Derivatives, Graph, graph
from symgrad.showing.svg import svg

__all__ = ["Derivatives", "Graph", "dot", "graph", "svg"]
