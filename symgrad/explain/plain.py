"""plain: which networks and losses textbooks have: one activation of all outputs, and losses of
outputs and targets, each as a whole."""

from symgrad.spec.formula import Column, Derivative, Tree, arrays_of, nodes
from symgrad.spec.spec import Spec

REASON = "a formula in columns, inputs or derivatives by them"


def why_not_plain(spec: Spec) -> str:
    """Why neither a textbook nor a network of another shape has the like."""
    return "its outputs have heads" if spec.has_heads else f"its loss is {REASON}"


def is_plain(spec: Spec) -> bool:
    """Whether the loss is a kind, or a formula in y and t alone, with a target for each output, and
    these have no heads: it means something for a network of any other shape, too."""
    if spec.has_heads:
        return False
    tree = spec.loss_tree
    if tree is None:
        return True
    columns = any(isinstance(node, Column) for node in nodes(tree))
    return not (columns or spec.loss.targets or _is_of_inputs(tree))


def _is_of_inputs(tree: Tree) -> bool:
    return "x" in arrays_of(tree) or any(isinstance(node, Derivative) for node in nodes(tree))
