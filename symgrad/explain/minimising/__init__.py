"""Minimising a loss, with its gradient and without."""
