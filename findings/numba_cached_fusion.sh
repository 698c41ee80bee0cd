#!/bin/sh
# numba 0.68.1, llvmlite 0.50.0, numpy 2.4.6; Python 3.11, x86-64 with FMA (AVX-512; AVX2 alone does the same).
#
# A cached function is expected to compute the same bits as when it was compiled, by the same program, on the same
# machine. With fastmath={"contract"}, in a·v + b·(g·g) either product may be fused with the sum, and LLVM chooses.
# Where one cached function calls another, the process that compiles runs one choice, and every later process,
# which loads the very code that the first stored, runs the other: the first run of a program differs from all
# others. (Called directly from Python, the inner function is the same in both.)
#
# Seen, and compared with what is printed now:
#> compiled:   64 of 64 are fma(a, v, b*g*g), 53 of 64 are fma(b, g*g, a*v)
#> from cache: 53 of 64 are fma(a, v, b*g*g), 64 of 64 are fma(b, g*g, a*v)
#> from cache: 53 of 64 are fma(a, v, b*g*g), 64 of 64 are fma(b, g*g, a*v)
set -eu
case $(uname -m) in x86_64 | amd64) ;; *) echo "skipped: seen on x86-64 only" && exit 0 ;; esac
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH NUMBA_CPU_NAME NUMBA_CPU_FEATURES NUMBA_CACHE_DIR NUMBA_DISABLE_JIT
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet numba==0.68.1 llvmlite==0.50.0 numpy==2.4.6
venv/bin/python -c 'import llvmlite.binding as b; raise SystemExit(not b.get_host_cpu_features().get("fma"))' ||
    { echo "skipped: this processor has no FMA" && exit 0; }

cat > averages.py <<'END'
import numpy as np
from numba import njit


@njit(cache=True, fastmath={"contract"})
def average(m, v, g, a, b):
    for k in range(v.shape[0]):
        m[k] = a * m[k] + b * g[k]
        v[k] = a * v[k] + b * (g[k] * g[k])


@njit(cache=True)
def step(m, v, g, a, b):
    average(m, v, g, a, b)


def fma(x, y, z):
    """x·y exactly and the sum in 64 bits of mantissa, then rounded to float32."""
    return (np.longdouble(x) * y + z).astype(np.float32)


random = np.random.default_rng(0)
m, v = random.random((2, 64)).astype(np.float32)
g = random.normal(size=64).astype(np.float32)
a, b = np.float32(0.9), np.float32(0.1)
first = fma(a, v, b * (g * g))
second = fma(b, g * g, a * v)
step(m, v, g, a, b)
origin = "from cache:" if step.stats.cache_hits else "compiled:  "
print(origin, (v == first).sum(), "of 64 are fma(a, v, b*g*g),", (v == second).sum(), "of 64 are fma(b, g*g, a*v)")
END
now=$(venv/bin/python averages.py && venv/bin/python averages.py && venv/bin/python averages.py)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
