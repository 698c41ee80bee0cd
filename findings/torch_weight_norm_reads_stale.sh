#!/bin/sh
# torch 2.13.0, numpy 2.4.6; Python 3.11. (Large: some systems' packages of torch bring a GPU's libraries along.)
#
# torch.nn.utils.weight_norm splits a layer's weight into weight_g and weight_v, and layer.weight stays there to be
# read. One would expect it to be their product, as with torch.nn.utils.parametrizations.weight_norm. It is what it was
# at the last forward call: after a step of an optimizer or load_state_dict, whoever reads or exports layer.weight gets
# the weights of before. A forward call, or remove_weight_norm, brings it up to date. (The FutureWarning that the
# hook is deprecated says nothing of it.)
#
# Seen, and compared with what is printed now: how far layer.weight is from g·v/|v|, at the largest
#> hook:            after a step 0.3000, then a forward call 0.0000
#> hook:            after load_state_dict 0.8000, then remove_weight_norm 0.0000
#> parametrization: after a step 0.0000, then a forward call 0.0000
#> parametrization: after load_state_dict 0.0000
set -eu
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6

cat > stale.py <<'END'
import warnings

import torch
from torch import nn

warnings.simplefilter("ignore", FutureWarning)


def layer(normed):
    linear = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        linear.weight[...] = torch.tensor([[0.6, 0.8]])
    return normed(linear)


def error(linear, g, v):
    return (linear.weight - g * v / v.norm()).abs().max().item()


def run(title, normed, names, remove):
    linear = layer(normed)
    g, v = (linear.get_parameter(name) for name in names)
    step = torch.optim.SGD([g], lr=0.375)
    linear(torch.tensor([[0.6, 0.8]])).sum().backward()
    step.step()
    stale = error(linear, g, v)
    linear(torch.ones(1, 2))
    print(f"{title:<16} after a step {stale:.4f}, then a forward call {error(linear, g, v):.4f}")

    linear = layer(normed)
    other = {names[0]: torch.tensor([[0.5]]), names[1]: torch.tensor([[0.5, 0.0]])}
    linear.load_state_dict(other)
    stale = error(linear, *other.values())
    print(f"{title:<16} after load_state_dict {stale:.4f}", end="\n" if remove is None else ", ")
    if remove is not None:
        remove(linear)
        print(f"then remove_weight_norm {error(linear, *other.values()):.4f}")


run("hook:", nn.utils.weight_norm, ["weight_g", "weight_v"], nn.utils.remove_weight_norm)
names = ["parametrizations.weight.original0", "parametrizations.weight.original1"]
run("parametrization:", nn.utils.parametrizations.weight_norm, names, None)
END
now=$(venv/bin/python stale.py)
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
