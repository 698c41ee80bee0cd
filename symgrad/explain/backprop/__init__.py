"""Backpropagation by hand, the chain rule nested as it arises, and what programs have in common."""
