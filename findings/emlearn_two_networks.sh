#!/bin/sh
# emlearn 0.23.2, scikit-learn 1.9.1, numpy 2.4.6, scipy 1.17.1; Python 3.11, gcc 12 (emlearn compiles what it writes).
#
# emlearn.convert(network) returns an object whose predict runs the network's C code; one would expect each object to
# stay with its network. All of them run one program, tmp/mynet of the current folder, and each conversion compiles it
# anew: after a second network of as many inputs is converted, the first object gives the second one's answers. What
# the first object's save writes is still its own network.
#
# Seen, and compared with what is printed now (the networks are x and 3·x, at 0, 1 and 2):
#> first:                          0.0 1.0 2.0
#> second:                         0.0 3.0 6.0
#> first, after the second:        0.0 3.0 6.0
#> weights that the first saves:   { 1.000000f }
set -eu
command -v cc > /dev/null || { echo "skipped: emlearn needs a C compiler" && exit 0; }
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet emlearn==0.23.2 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1

cat > two.py <<'END'
import re

import emlearn
import numpy as np
from sklearn.neural_network import MLPRegressor

x = np.array([[0.0], [1.0], [2.0]])


def network(slope):
    """relu(x·slope)·1"""
    fitted = MLPRegressor(hidden_layer_sizes=(1,), max_iter=1).fit(x, x[:, 0])
    fitted.coefs_ = [np.array([[slope]]), np.array([[1.0]])]
    fitted.intercepts_ = [np.zeros(1), np.zeros(1)]
    return emlearn.convert(fitted, method="loadable", return_type="regressor")


def show(title, answers):
    print(f"{title:<31} {' '.join(f'{float(answer):.1f}' for answer in answers)}")


first = network(1.0)
show("first:", first.predict(x))
second = network(3.0)
show("second:", second.predict(x))
show("first, after the second:", first.predict(x))
print("weights that the first saves:  ", re.search(r"layer_0_weights\[1\] = (\{.*?\})", first.save(name="net"))[1])
END
now=$(venv/bin/python -W ignore two.py)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
