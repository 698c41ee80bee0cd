"""Networks written by real tools, read here, and compared with what the tools' runtimes make of
the same inputs: to 1e-6 in float32, to 1e-12 in float64.

    python -m exporters [TOOL …] [--folder FOLDER]      or: make interop

A tool has a virtual environment of its own, in a temporary folder if no other is named. No part of
the tests: it installs gigabytes.

    __main__.py     environments, and what is run in them; table.py: what came of it
    with_torch.py, with_keras.py, with_sklearn.py: networks made by a tool
    with_optimisers.py  what other tools make of the files of these
    trial.py        one network: read, and compared
    textbook.py     a network's value by NumPy, in float64
"""
