#!/bin/sh
# onnx 1.23.2 (the standard, opset 20, and its reference evaluator), onnxruntime 1.32.0, numpy 2.4.6; Python 3.11.
#
# Gelu with approximate = tanh is x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))). In float64 one would expect 16 digits. What the
# standard puts the operator together from has 2/π and 0.044715 as constants of float32, which are cast to what x is:
# nine digits come out, by the reference evaluator and by onnxruntime, and PyTorch's float64 network is not the one in its file.
#
# Seen, and compared with what is printed now (x, and the relative error to one digit):
#> -2.0   reference 9e-08   onnxruntime 9e-08
#> 0.5   reference 5e-09   onnxruntime 5e-09
#> 1.0   reference 6e-09   onnxruntime 6e-09
set -eu
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6

cat > gelu.py <<'END'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

value = lambda name: helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n"])
node = helper.make_node("Gelu", ["x"], ["y"], approximate="tanh")
graph = helper.make_graph([node], "g", [value("x")], [value("y")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
x = np.array([-2, 0.5, 1])
exact = x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
reference = ReferenceEvaluator(model).run(None, {"x": x})[0] / exact - 1
runtime = session.run(None, {"x": x})[0] / exact - 1
for each, one, other in zip(x, abs(reference), abs(runtime)):
    print(f"{each}   reference {one:.0e}   onnxruntime {other:.0e}")
END
now=$(venv/bin/python gelu.py)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
