#!/bin/sh
# skl2onnx 1.20.0, scikit-learn 1.9.1, onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6; Python 3.11.
#
# One would expect a converted network to give what predict and predict_proba give. Of an MLPRegressor of two outputs the
# file ends in a Reshape to (-1, 1): five rows come out as ten, y1 and y2 of a sample below each other. Of an MLPClassifier
# of two labels, which are not exclusive, it gives the two complements beside the two probabilities, as if they were one
# pair of classes: four columns where predict_proba has two. Nothing warns; the shapes in the files say one and two columns.
#
# Seen, and compared with what is printed now (shapes for five samples):
#> two outputs: predict (5, 2), file (10, 1)
#> two labels: predict_proba (5, 2), file (5, 4)
set -eu
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet skl2onnx==1.20.0 scikit-learn==1.9.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6

cat > several.py <<'END'
import warnings

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier, MLPRegressor

warnings.filterwarnings("ignore")  # of so few steps of training
onnxruntime.set_default_logger_severity(4)
x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
options = {"hidden_layer_sizes": (4,), "max_iter": 20, "random_state": 0}


def ran(model):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"X": x[:5]})


numbers = MLPRegressor(**options).fit(x, np.c_[x.sum(axis=1), x[:, 0]])
(y,) = ran(to_onnx(numbers, x[:1]))
print(f"two outputs: predict {numbers.predict(x[:5]).shape}, file {y.shape}")
labels = MLPClassifier(**options).fit(x, (x[:, :2] > 0).astype(int))
_, p = ran(to_onnx(labels, x[:1], options={"zipmap": False}))
print(f"two labels: predict_proba {labels.predict_proba(x[:5]).shape}, file {p.shape}")
END
now=$(venv/bin/python several.py)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
