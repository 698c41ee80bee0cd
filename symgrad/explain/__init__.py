"""The evidence for the question that the project exists for, computed for the reader's own network.

Nothing in the compiler imports this package; it runs the compiler's passes with other arguments.
"""
