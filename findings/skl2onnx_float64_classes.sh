#!/bin/sh
# skl2onnx 1.20.0, scikit-learn 1.9.1, onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6; Python 3.11.
#
# to_onnx takes the type of the inputs from the data it is shown, and an MLPRegressor shown float64 becomes a float64 file that
# runs. One would expect it of an MLPClassifier too. Its probabilities go through a ZipMap by default, which the standard has
# for float32 alone: the conversion succeeds, and onnxruntime refuses the file. With zipmap = False it runs.
#
# Seen, and compared with what is printed now:
#> MLPRegressor: runs
#> MLPClassifier: Type 'tensor(double)' of input parameter (probabilities) of operator (ZipMap) in node (ZipMap) is invalid.
#> MLPClassifier, zipmap = False: runs
set -eu
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet skl2onnx==1.20.0 scikit-learn==1.9.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6

cat > classes.py <<'END'
import warnings

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier, MLPRegressor

warnings.filterwarnings("ignore")  # of so few steps of training
x = np.random.default_rng(0).normal(size=(20, 3))
options = {"hidden_layer_sizes": (4,), "max_iter": 20, "random_state": 0}


def outcome(estimator, **how):
    model = to_onnx(estimator, x[:1], **how)
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception as error:
        return str(error).split("Type Error: ")[1]
    return "runs"


classes = MLPClassifier(**options).fit(x, (x[:, 0] > 0).astype(int))
print("MLPRegressor:", outcome(MLPRegressor(**options).fit(x, x[:, 0])))
print("MLPClassifier:", outcome(classes))
print("MLPClassifier, zipmap = False:", outcome(classes, options={"zipmap": False}))
END
now=$(venv/bin/python classes.py)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
