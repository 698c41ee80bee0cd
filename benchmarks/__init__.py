"""Measures emitted modules against other ways to the same loss and gradient: see README.md."""
