#!/bin/sh
# numba 0.68.1, llvmlite 0.50.0, numpy 2.4.6; Python 3.11.
#
# float(x) is a float64 in Python, whatever x is; so is it in NumPy's and, one would think, in compiled code, where it is
# the word for going to double precision. Under njit float() of a float32 is the float32 itself: squares that were meant
# in float64 are rounded, and overflow, in float32. np.float64(x) converts.
#
# Seen, and compared with what is printed now (x is 2^96 as float32):
#> Python, float(x) * float(x):              6.277101735386681e+57 float
#> njit, float(x) * float(x):                inf float32
#> njit, np.float64(x) * np.float64(x):      6.277101735386681e+57 float64
set -eu
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH NUMBA_CPU_NAME NUMBA_CPU_FEATURES NUMBA_CACHE_DIR NUMBA_DISABLE_JIT
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet numba==0.68.1 llvmlite==0.50.0 numpy==2.4.6

cat > squares.py <<'END'
import numpy as np
from numba import njit, typeof


def by_float(x):
    return float(x) * float(x)


def by_float64(x):
    return np.float64(x) * np.float64(x)


x = np.float32(2.0**96)
found = by_float(x)
print(f"{'Python, float(x) * float(x):':<41} {found} {type(found).__name__}")
for title, function in (("float(x) * float(x)", by_float), ("np.float64(x) * np.float64(x)", by_float64)):
    compiled = njit(function)
    found = compiled(x)
    kind = compiled.overloads[(typeof(x),)].signature.return_type
    print(f"{f'njit, {title}:':<41} {found} {kind}")
END
now=$(venv/bin/python squares.py)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
