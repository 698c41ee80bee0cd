#!/bin/sh
# onnxruntime 1.32.0 (CPU provider), onnx 1.23.2, numpy 2.4.6, ml_dtypes 0.6.0, protobuf 7.36.2; Python 3.11, x86-64.
#
# A graph in float16 rounds what each node puts out to float16, and onnx's reference evaluator does. onnxruntime has
# no float16 kernels of most operators for a CPU: it computes in float32 between two casts. One would expect the casts
# after each node; those between two such nodes are taken out again, so (x + 2048) - 2048 comes out as in float32, and
# 300·x / 300 does not overflow. Graph optimisations are disabled in all of this. An intermediate value that
# is made an output as well is rounded where it is put out, and not where it goes on: the outputs contradict each other.
#
# Seen, and compared with what is printed now (t = x + 2048, y = t - 2048; z = 300·x / 300; all float16):
#> x                          1.0 0.5 3.0 1000.0
#> t, reference               2048.0 2048.0 2052.0 3048.0
#> t, onnxruntime             2048.0 2048.0 2052.0 3048.0
#> y, reference               0.0 0.0 4.0 1000.0
#> y, onnxruntime             1.0 0.5 3.0 1000.0
#> z, reference               1.0 0.5 3.0 inf
#> z, onnxruntime             1.0 0.5 3.0 1000.0
set -eu
case $(uname -m) in x86_64 | amd64) ;; *) echo "skipped: other processors have other float16 kernels" && exit 0 ;; esac
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6 ml_dtypes==0.6.0 protobuf==7.36.2

cat > halves.py <<'END'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

nodes = [
    helper.make_node("Add", ["x", "far"], ["t"]),
    helper.make_node("Sub", ["t", "far"], ["y"]),
    helper.make_node("Mul", ["x", "times"], ["large"]),
    helper.make_node("Div", ["large", "times"], ["z"]),
]
names = ["t", "y", "z"]
constants = {"far": np.float16([2048]), "times": np.float16([300])}
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT16, [4])
graph = helper.make_graph(
    nodes, "halves", [value("x")], [value(name) for name in names],
    [numpy_helper.from_array(array, name) for name, array in constants.items()],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.checker.check_model(model, full_check=True)

options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
x = np.float16([1, 0.5, 3, 1000])
with np.errstate(over="ignore"):
    reference = ReferenceEvaluator(model).run(None, {"x": x})
found = session.run(None, {"x": x})

show = lambda title, array: print(f"{title:<26} {' '.join(str(float(number)) for number in array)}")
show("x", x)
for name, expected, got in zip(names, reference, found):
    assert expected.dtype == got.dtype == np.float16
    show(f"{name}, reference", expected)
    show(f"{name}, onnxruntime", got)
END
now=$(venv/bin/python halves.py)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
