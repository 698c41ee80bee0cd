#!/bin/sh
# numba 0.68.1, llvmlite 0.50.0, numpy 2.4.6; Python 3.11.
#
# Numba's cache lies beside a package, in __pycache__, and is compiled anew when it does not fit. One would expect
# that of a package under a new name as well. But an entry knows its function by the old module's name, and is
# found by the file's name, time and size alone. After a rename the first call ends in ModuleNotFoundError, not in
# a compilation. Of a copy that keeps the files' times (cp -p) the first call imports the original, whatever that
# is by now. Without __pycache__ both are well.
#
# Seen, and compared with what is printed now:
#> before: 6
#> copied: 6, and before.kernels is imported
#> renamed: ModuleNotFoundError: No module named 'before'
#> renamed, without __pycache__: 6
set -eu
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH NUMBA_CACHE_DIR NUMBA_DISABLE_JIT
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet numba==0.68.1 llvmlite==0.50.0 numpy==2.4.6

mkdir before
touch before/__init__.py
cat > before/kernels.py <<'END'
from numba import njit


@njit(cache=True)
def twice(x):
    return 2 * x
END
cat > call.py <<'END'
import importlib
import sys

package, title = sys.argv[1:]
twice = importlib.import_module(f"{package}.kernels").twice
try:
    answer = twice(3)
except ModuleNotFoundError as error:
    answer = f"ModuleNotFoundError: {error}"
strange = package != "before" and "before.kernels" in sys.modules
print(f"{title}: {answer}" + ", and before.kernels is imported" * strange)
END
now=$(
    venv/bin/python call.py before before
    cp -pR before copied
    venv/bin/python call.py copied copied
    mv before after
    venv/bin/python call.py after renamed
    rm -r after/__pycache__
    venv/bin/python call.py after "renamed, without __pycache__"
)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
