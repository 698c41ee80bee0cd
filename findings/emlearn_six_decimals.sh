#!/bin/sh
# emlearn 0.23.2, scikit-learn 1.9.1, numpy 2.4.6, scipy 1.17.1; Python 3.11, gcc 12 (emlearn compiles what it writes).
#
# emlearn turns a scikit-learn network into C, its weights float32. One would expect the 24 bits of each, in whatever
# notation: it writes six decimals after the point ("{:.6f}f"). Weights of about 1 keep most of their digits; below
# 5e-7 a weight is 0, and nothing is said. A network for inputs in hertz, which is the same network as for gigahertz
# with the unit multiplied into the first layer, answers one number to every input.
#
# Seen, and compared with what is printed now (the network's answers at 0, 0.25, 0.5, 0.75 and 1 GHz):
#> scikit-learn, in GHz and in Hz: 0.00 0.25 0.50 0.75 1.00
#> emlearn, in GHz:                0.00 0.25 0.50 0.75 1.00
#> emlearn, in Hz:                 0.00 0.00 0.00 0.00 0.00
#> first layer in C, in GHz:       { 1.000000f }
#> first layer in C, in Hz:        { 0.000000f }
set -eu
command -v cc > /dev/null || { echo "skipped: emlearn needs a C compiler" && exit 0; }
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet emlearn==0.23.2 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1

cat > decimals.py <<'END'
import re

import emlearn
import numpy as np
from sklearn.neural_network import MLPRegressor

gigahertz = np.array([[0.0], [0.25], [0.5], [0.75], [1.0]])
network = MLPRegressor(hidden_layer_sizes=(1,), max_iter=1, solver="sgd", learning_rate_init=1e-12)
network.fit(gigahertz, gigahertz[:, 0])
network.intercepts_ = [np.zeros(1), np.zeros(1)]


def show(title, answers):
    print(f"{title:<31} {' '.join(f'{float(answer):.2f}' for answer in answers)}")


def converted(unit):
    """relu(x·unit)·1, in C."""
    network.coefs_ = [np.array([[unit]]), np.array([[1.0]])]
    return emlearn.convert(network, method="loadable", return_type="regressor")


def first_layer(code):
    return re.search(r"layer_0_weights\[1\] = (\{.*?\})", code)[1]


found = {}
for unit, inputs in (("GHz", gigahertz), ("Hz", gigahertz * 1e9)):
    written = converted(1.0 if unit == "GHz" else 1e-9)
    found[unit] = network.predict(inputs), written.predict(inputs), first_layer(written.save(name="net"))
assert np.allclose(found["GHz"][0], found["Hz"][0])
show("scikit-learn, in GHz and in Hz:", found["Hz"][0])
for unit in found:
    show(f"emlearn, in {unit}:", found[unit][1])
for unit in found:
    print(f"{f'first layer in C, in {unit}:':<31} {found[unit][2]}")
END
now=$(venv/bin/python -W ignore decimals.py)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
