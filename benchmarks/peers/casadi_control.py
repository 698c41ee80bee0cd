"""CasADi, in a controller: the plan as one expression of scalars, as C for a compiler; all of it in
float64, whatever the network's dtype."""

import tempfile
from functools import partial
from pathlib import Path

import casadi as ca
import numpy as np

from benchmarks import planning
from benchmarks.peers import Variant, shared_library

_WRAPPER = """
double loss_and_gradient(const double* unused, const double* x, const double* t, double* plans) {{
  static casadi_int iw[{iw} + 1];
  static double w[{w} + 1];
  const double* arg[{arg}];
  double* res[{res}];
  for (int n = 0; n < {samples}; n++) {{
    arg[0] = x + {width}*n; arg[1] = t + n; res[0] = plans + {horizon}*n;
    plan(arg, res, iw, w, 0);
  }}
  return 0.0;
}}
"""


def network(net, theta):
    """From a point to the temperature a minute later, and its slopes."""
    (before, units, w, b), (_, _, w_out, b_out) = net.layers
    point = ca.SX.sym("point", 3)
    a = ca.tanh(
        ca.mtimes(theta[w:b].reshape(before, units).T, (point - planning.MEAN) / planning.SCALE)
        + theta[b : b + units]
    )
    y = ca.mtimes(theta[w_out:b_out][None], a) + theta[b_out]
    celsius = y * planning.TARGET_SCALE + planning.TARGET_MEAN
    return ca.Function("network", [point], [celsius, ca.jacobian(celsius, point)])


def plan(net, theta):
    step, count = network(net, theta), planning.HORIZON
    given, wanted = ca.SX.sym("given", 2 + count), ca.SX.sym("wanted")
    powers = given[2:]
    for _ in range(planning.ITERATIONS):
        celsius, ahead, moves = given[0], [], ca.SX.zeros(count, count)
        for k in range(count):
            celsius, slopes = step(ca.vertcat(celsius, given[1], powers[k]))
            ahead.append(celsius)
            for j in range(k):
                moves[k, j] = moves[k - 1, j] * slopes[0]
            moves[k, k] = slopes[2]
        curvature = ca.mtimes(moves.T, moves) + planning.DAMPING * ca.SX.eye(count)
        pull = ca.mtimes(moves.T, ca.vertcat(*ahead) - wanted)
        powers = ca.fmin(ca.fmax(powers - ca.solve(curvature, pull), 0), planning.MOST)
    return ca.Function("plan", [given, wanted], [powers])


def control(net, theta, x, t):
    function = plan(net, theta.astype(np.float64))
    generator = ca.CodeGenerator("code.c", {"with_header": False})
    generator.add(function)
    folder = tempfile.mkdtemp(prefix="symgrad-benchmark-") + "/"
    text = Path(generator.generate(folder)).read_text()
    sizes = {name: getattr(function, f"sz_{name}")() for name in ("arg", "res", "iw", "w")}
    sizes |= {"samples": len(x), "width": x.shape[1], "horizon": planning.HORIZON}
    compiled = shared_library.build(text + _WRAPPER.format(**sizes), "float64")
    into = np.empty((len(x), planning.HORIZON))
    call = partial(compiled, *(array.ctypes.data for array in (theta, x, t, into)))

    def value():
        call()
        return planning.value(into)

    value.arrays = theta, x, t, into  # kept alive with the addresses of them
    yield Variant("unrolled", call, value)
