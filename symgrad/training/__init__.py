"""Plain training over an emitted module: read data, descend, store the weights.

Nothing here knows the compiler or the command line; what it needs of a network is the contract of
an emitted module (`module.py`).
"""
