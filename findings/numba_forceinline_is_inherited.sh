#!/bin/sh
# numba 0.68.1, llvmlite 0.50.0, numpy 2.4.6; Python 3.11.
#
# njit(forceinline=True) is an option of one function: LLVM shall inline that one into its callers. One would expect the
# functions that it calls to keep their own options, as njit's were given for them. But a function that is compiled for
# the first time while a forceinline one is being compiled takes that option over, unless it states the opposite
# itself (forceinline=False). So the same function of the same types is alwaysinline or not, depending on who was
# called first in the process; and one whose IR forbids inlining cannot be compiled at all.
#
# Seen, and compared with what is printed now (whether LLVM's attributes of the callee have alwaysinline):
#> callee compiled by itself first:      alwaysinline: False
#> callee compiled within the caller:    alwaysinline: True
#> the same, with forceinline=False:     alwaysinline: False
set -eu
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet numba==0.68.1 llvmlite==0.50.0 numpy==2.4.6

cat > inherited.py <<'END'
import re

import numba


def pair(**options):
    @numba.njit(**options)
    def callee(x):
        return x * x + 1.0

    @numba.njit(forceinline=True)
    def caller(x):
        return callee(x) - 1.0

    return callee, caller


def show(title, callee):
    (text,) = callee.inspect_llvm().values()
    (definition,) = re.findall(r"^define [^\n]*callee[^\n]*", text, re.MULTILINE)[:1]
    group = re.search(r"#\d+", definition)
    attributes = re.search(rf"attributes {group[0]} = {{(.*?)}}", text)[1] if group else definition
    print(f"{title:<37} alwaysinline: {'alwaysinline' in attributes}")


callee, caller = pair()
callee(2.0), caller(2.0)
show("callee compiled by itself first:", callee)
callee, caller = pair()
caller(2.0)
show("callee compiled within the caller:", callee)
callee, caller = pair(forceinline=False)
caller(2.0)
show("the same, with forceinline=False:", callee)
END

found=$(venv/bin/python inherited.py)
echo "$found"
[ "$found" = "$seen" ] || { echo "this has changed: the header says"; echo "$seen"; exit 1; }
