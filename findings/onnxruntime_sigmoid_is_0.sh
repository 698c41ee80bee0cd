#!/bin/sh
# onnxruntime 1.32.0 (CPU provider), onnx 1.23.2, numpy 2.4.6; Python 3.11, x86-64.
#
# Sigmoid in float32, as every graph of two classes ends. One would expect what float32 holds, 1.5e-8 at -18 and 9.4e-14 at
# -30, to a few units in the last place. The kernel is exact to some 6e-8 of 1 and not of the value: at -10 it is off by 2e-4
# of that, at -14 by 7 %, and at -18 it is 0, the logarithm of which is minus infinity.
#
# Seen, and compared with what is printed now (z, Sigmoid(z), 1/(1 + exp(-z)) in float64):
#> -4.0   1.799e-02   1.799e-02
#> -10.0   4.539e-05   4.540e-05
#> -14.0   7.749e-07   8.315e-07
#> -16.0   5.960e-08   1.125e-07
#> -18.0   0.000e+00   1.523e-08
#> -30.0   0.000e+00   9.358e-14
set -eu
case $(uname -m) in x86_64 | amd64) ;; *) echo "skipped: other processors have other kernels" && exit 0 ;; esac
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6

cat > sigmoid.py <<'END'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"])
graph = helper.make_graph([helper.make_node("Sigmoid", ["z"], ["y"])], "g", [value("z")], [value("y")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
z = np.float32([-4, -10, -14, -16, -18, -30])
for each, found in zip(z, session.run(None, {"z": z})[0]):
    print(f"{each}   {found:.3e}   {1 / (1 + np.exp(-float(each))):.3e}")
END
now=$(venv/bin/python sigmoid.py)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
