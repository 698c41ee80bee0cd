"""Pictures of programs, for readers: who reads what, forward, and backward again.

    symgrad.showing.svg(compiled.program)                   an SVG, drawn here
    symgrad.showing.dot(compiled.program)                   text for Graphviz
    symgrad.showing.svg(compiled.stages.differentiate)      the local partials along the edges

A picture is made of a program's language alone; the compiler knows nothing of it, and it nothing
of the compiler. On the way from one to the other:

    graph.py        a program as nodes and edges
    placement.py    the row and the column of each node
    layout.py       both to the pixel; routing.py: edges around the boxes
    svg.py          the drawing; paths.py: routes as the data of SVG paths
    dot.py          the same rows for Graphviz
    notebook.py     what a notebook shows; mathml.py: its equations

What has nothing to do with programs is in `pages/`: reports, of an explanation or a training, as
pages for a browser.
"""

from symgrad.showing.dot import dot
from symgrad.showing.graph import Derivatives, Graph, graph
from symgrad.showing.svg import svg

__all__ = ["Derivatives", "Graph", "dot", "graph", "svg"]
