#!/bin/sh
# nyoka 5.5.0, scikit-learn 1.9.1, numpy 2.4.6, scipy 1.17.1, pandas 2.3.3; Python 3.11.
#
# nyoka writes scikit-learn's networks as PMML. A regression of two targets has two neurons in its last layer, and one
# would expect two outputs, or a refusal. Written is one NeuralOutput, of the first neuron: the second target is in the
# file, and no reader of PMML can find it.
#
# Seen, and compared with what is printed now:
#> scikit-learn predicts:        2 numbers a sample
#> neurons of the last layer:    2
#> NeuralOutputs in the file:    1
set -eu
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet nyoka==5.5.0 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3

cat > outputs.py <<'END'
from xml.etree import ElementTree

import numpy as np
import pandas as pd
from nyoka import skl_to_pmml
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline

x = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=list("abc"))
network = MLPRegressor(hidden_layer_sizes=(4,), max_iter=20, random_state=0)
fitted = Pipeline([("network", network)]).fit(x, np.c_[x.a, x.b])
skl_to_pmml(fitted, list("abc"), "t", "net.pmml")

spaces = {"p": "http://www.dmg.org/PMML-4_4"}
root = ElementTree.parse("net.pmml").getroot()
last = root.findall(".//p:NeuralLayer", spaces)[-1]
print(f"{'scikit-learn predicts:':<29} {fitted.predict(x).shape[1]} numbers a sample")
print(f"{'neurons of the last layer:':<29} {len(last.findall('p:Neuron', spaces))}")
print(f"{'NeuralOutputs in the file:':<29} {len(root.findall('.//p:NeuralOutput', spaces))}")
END
now=$(venv/bin/python -W ignore outputs.py 2> /dev/null)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
