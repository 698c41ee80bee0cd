"""names: names in the tree of a formula, as Python's grammar has it."""

import ast


def named(node: ast.expr) -> str | None:
    """The name in a name or the function in a call, without the underscore that `parse` put."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.id[1:] if isinstance(node, ast.Name) else None
