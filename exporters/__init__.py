"""Networks written by real tools, read here, and compared with what the tools' own runtimes say.

    python -m exporters [TOOL …] [--folder FOLDER]     or: make interop

A tool has a virtual environment of its own, in a temporary folder if no other is named. No part of
the tests: it installs gigabytes.

    __main__.py     environments, and the table of what came out
    with_torch.py   with_keras.py, with_tensorflow.py, with_sklearn.py: networks made by a tool
    trial.py        one network: read, and compared
    textbook.py     a network's value by NumPy, in float64
"""
