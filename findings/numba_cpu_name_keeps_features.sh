#!/bin/sh
# numba 0.68.1, llvmlite 0.50.0, numpy 2.4.6; Python 3.11, x86-64 with AVX2 or more.
#
# NUMBA_CPU_NAME names the processor that Numba compiles for, and one would expect code for that processor: "nehalem" has
# neither AVX nor fused multiply-adds. The code still has whatever the machine has: LLVM is given the name and, beside
# it, the features of the host. Only with NUMBA_CPU_FEATURES as well is another processor stood in for; who tests for
# older machines by the name alone tests the one at hand.
#
# Seen, and compared with what is printed now (whether the assembly of a sum of products has AVX's registers):
#> nehalem by name alone:        AVX in the assembly: True
#> nehalem, and features stated: AVX in the assembly: False
set -eu
grep -q avx2 /proc/cpuinfo 2> /dev/null || { echo "skipped: needs an x86-64 processor with AVX2" && exit 0; }
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH NUMBA_CPU_NAME NUMBA_CPU_FEATURES
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet numba==0.68.1 llvmlite==0.50.0 numpy==2.4.6

cat > assembly.py <<'END'
import re
import sys

import numba
import numpy as np


@numba.njit
def multiplied(a, b):
    for n in range(a.shape[0]):
        a[n] = a[n] * b[n] + b[n]


multiplied(np.ones(64), np.ones(64))
(text,) = multiplied.inspect_asm().values()
print(f"{sys.argv[1]:<29} AVX in the assembly: {bool(re.search(r'%[yz]mm', text))}")
END

found=$(
    NUMBA_CPU_NAME=nehalem venv/bin/python assembly.py "nehalem by name alone:"
    NUMBA_CPU_NAME=nehalem NUMBA_CPU_FEATURES=+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16 \
        venv/bin/python assembly.py "nehalem, and features stated:"
)
echo "$found"
[ "$found" = "$seen" ] || { echo "this has changed: the header says"; echo "$seen"; exit 1; }
