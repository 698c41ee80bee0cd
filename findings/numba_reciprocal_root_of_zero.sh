#!/bin/sh
# numba 0.68.1, llvmlite 0.50.0, numpy 2.4.6; Python 3.11, x86-64 (AVX-512; AVX2 alone does the same).
#
# fastmath={"arcp"} lets a/b become a·(1/b), and says nothing of infinities or NaN ("nnan" and "ninf" do that). One
# would expect 1/sqrt(x) to differ in its last bits. In float32 LLVM takes more from it: the processor's estimate of
# 1/sqrt(x) and a Newton step, which multiplies infinity by 0: 1/sqrt(0) and 1/sqrt(inf) are NaN. 1/x is left as it
# is, and so is float64.
#
# Seen, and compared with what is printed now (x is 0, infinity, 4):
#> float32 1/sqrt(x), no fastmath:   inf 0.0 0.5
#> float32 1/sqrt(x), arcp alone:    nan nan 0.5
#> float64 1/sqrt(x), arcp alone:    inf 0.0 0.5
#> float32 1/x, arcp alone:          inf 0.0 0.25
set -eu
case $(uname -m) in x86_64 | amd64) ;; *) echo "skipped: the estimate in question is x86-64's" && exit 0 ;; esac
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH NUMBA_CPU_NAME NUMBA_CPU_FEATURES NUMBA_CACHE_DIR NUMBA_DISABLE_JIT
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet numba==0.68.1 llvmlite==0.50.0 numpy==2.4.6

cat > roots.py <<'END'
import numpy as np
from numba import njit


def run(title, kind, fastmath, root):
    one = kind(1)

    @njit(fastmath=fastmath, error_model="numpy")
    def reciprocal(x, out):
        for i in range(x.shape[0]):
            out[i] = one / (np.sqrt(x[i]) if root else x[i])

    x = np.array([0, np.inf, 4] * 16, kind)
    out = np.empty_like(x)
    reciprocal(x, out)
    print(f"{title:<33} {' '.join(map(str, out[:3]))}")


run("float32 1/sqrt(x), no fastmath:", np.float32, False, True)
run("float32 1/sqrt(x), arcp alone:", np.float32, {"arcp"}, True)
run("float64 1/sqrt(x), arcp alone:", np.float64, {"arcp"}, True)
run("float32 1/x, arcp alone:", np.float32, {"arcp"}, False)
END
now=$(venv/bin/python roots.py)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
