"""What x86-64 code calls that is not its own."""

import re

# Python's interface, Numba's runtime, memory, and what emitted modules are handed at run time.
_NO_NUMBERS = re.compile(r"_?Py|NRT_|_ZN|numba|symgrad_|mem(?:cpy|set|move)$")
_NAMED = re.compile(r"\b(?:call|jmp|mov|lea)\w*\s+[*$]*([A-Za-z_]\w*)(?:@\w+)?\s*(?:[,(]|$)", re.M)


def library_functions(code: str) -> set[str]:
    """The functions of C's libraries that assembly names and does not define: sin, fmaf, pow, …"""
    defined = set(re.findall(r"^(\w+):", code, re.M))
    return {n for n in _NAMED.findall(code) if n not in defined and not _NO_NUMBERS.match(n)}
