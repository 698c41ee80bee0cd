#!/bin/sh
# opencv-python-headless 4.11.0.86, numpy 2.2.6; Python 3.11.
#
# OpenCV's ANN_MLP scales targets into the range of its activation, and back after it. RELU, LEAKYRELU and IDENTITY have
# no such range, and its ends are taken to be 0 and 0: all targets are scaled to 0, and what leads back is infinite. Trained as
# in the examples, with no flag, such a network predicts NaN for every input, and nothing is said; with
# ANN_MLP_NO_OUTPUT_SCALE it learns. (The manual: SIGMOID_SYM is "the only fully supported activation function".)
#
# And the sigmoid of default parameters is not the function that the manual states, 1.7159*tanh(2/3 * x), but
# 1.7159*tanh(x/3): α = 2/3 enters its general form β*(1-exp(-αx))/(1+exp(-αx)), which halves it.
#
# Seen, and compared with what is printed now:
#> RELU, no flag:            prediction is NaN, output_scale .Inf
#> RELU, NO_OUTPUT_SCALE:    prediction is a number, output_scale 1.
#> SIGMOID_SYM by default:   1.7159*tanh(x/3)
set -eu
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet opencv-python-headless==4.11.0.86 numpy==2.2.6

cat > bounds.py <<'END'
import re

import cv2
import numpy as np

ml = cv2.ml
x = np.linspace(-1, 1, 21, dtype=np.float32)[:, None]
data = ml.TrainData_create(x, ml.ROW_SAMPLE, 3 * x + 1)


def trained(sizes, activation, flags):
    network = ml.ANN_MLP_create()
    network.setLayerSizes(np.array(sizes))
    network.setActivationFunction(activation)
    network.setTrainMethod(ml.ANN_MLP_RPROP)
    network.setTermCriteria((cv2.TERM_CRITERIA_COUNT, 50, 0))
    network.train(data, flags)
    network.save("net.xml")
    return network, open("net.xml").read()


for title, flags in (("no flag", 0), ("NO_OUTPUT_SCALE", ml.ANN_MLP_NO_OUTPUT_SCALE)):
    network, text = trained([1, 4, 1], ml.ANN_MLP_RELU, flags)
    scale = re.search(r"<output_scale>\s*(\S+)", text)[1]
    found = "NaN" if np.isnan(network.predict(x)[1]).all() else "a number"
    print(f"{f'RELU, {title}:':<25} prediction is {found}, output_scale {scale}")

# One layer of one unit, nothing scaled: the activation itself.
flags = ml.ANN_MLP_NO_OUTPUT_SCALE | ml.ANN_MLP_NO_INPUT_SCALE
network, text = trained([1, 1], ml.ANN_MLP_SIGMOID_SYM, flags)
weight, bias = map(float, re.search(r"<weights>\s*<_>(.*?)</_>", text, re.S)[1].split())
z = x.astype(float) * weight + bias
forms = {"1.7159*tanh(x/3)": 1.7159 * np.tanh(z / 3), "1.7159*tanh(2/3 * x)": 1.7159 * np.tanh(2 / 3 * z)}
found = [form for form, y in forms.items() if np.allclose(y, network.predict(x)[1], rtol=1e-5, atol=1e-5)]
print(f"{'SIGMOID_SYM by default:':<25} {found[0] if found else 'neither'}")
END
now=$(venv/bin/python -W ignore bounds.py)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
