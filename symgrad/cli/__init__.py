"""The command line: one file a command, gathered in `main.py`.

Everything heavy (SymPy, Numba, NumPy, pydantic) is imported inside the commands, so that
`symgrad --help` answers at once.
"""
