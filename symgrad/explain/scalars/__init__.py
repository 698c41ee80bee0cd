"""The proposal on scalars, by SymPy and other tools, in processes of their own."""
