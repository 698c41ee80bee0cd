"""The lowered program: what computes, as data, whatever it will be printed in.

`program` is its grammar, `values` makes scalar expressions of SymPy's, `outline` gives loops that
are alike one function, `verify` has the rules, `listing` prints it plainly. What lowers schedules,
updates and epochs is in `compiler/lower*.py`, and `compiler/print_numba.py` prints Numba source.
"""
