"""The printer of Numba source, the module around it, and how that is imported."""
