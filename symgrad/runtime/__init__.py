"""What Python needs to call compiled code, and what writes the code that no compiler would: without
Numba. Emitted modules have the text of these files, but for their imports, in the file beside them.
"""
