"""CasADi: generated C, compiled with gcc, called through a pointer.

Two variants: one sample unrolled into scalars, mapped over the batch with sums; and matrix
expressions for the whole batch.
"""

import tempfile
from pathlib import Path

import casadi as ca

from benchmarks.peers import NotPractical, shared_library
from benchmarks.peers.casadi_control import control as control
from benchmarks.peers.shared_library import REAL

UNROLLED = 20_000  # weights; beyond, gcc takes minutes


def expression(net, theta, x, t):
    """Σ e_n for samples in the columns of x and t: CasADi keeps matrices by columns."""
    samples = x.shape[1]
    a = x
    for number, (m, k, w, b) in enumerate(net.layers, start=1):
        # W in C order is its transpose by columns
        W, bias = ca.reshape(theta[w:b], k, m), theta[b : b + k]
        a = ca.mtimes(W, a) + ca.repmat(bias, 1, samples)
        if number < len(net.layers):
            a = ca.fmax(a, 0) if net.classifies else ca.tanh(a)
    if not net.classifies:
        return 0.5 * ca.sumsqr(a - t)
    if samples == 1:
        peak = ca.mmax(a)
        centered = a - peak
        return ca.sum1(t) * ca.log(ca.sum1(ca.exp(centered))) - ca.dot(t, centered)
    # the largest of a column has no matrix expression of its own: taken row by row
    peak = a[0, :]
    for j in range(1, a.shape[0]):
        peak = ca.fmax(peak, a[j, :])
    centered = a - ca.repmat(peak, a.shape[0], 1)
    log_sum = ca.log(ca.sum1(ca.exp(centered)))
    return ca.dot(ca.sum1(t), log_sum) - ca.dot(t, centered)


def by_samples(net, N):
    theta = ca.SX.sym("theta", net.size)
    x, t = ca.SX.sym("x", net.widths[0]), ca.SX.sym("t", net.widths[-1])
    e = expression(net, theta, x, t) / N
    one = ca.Function("one", [theta, x, t], [e, ca.gradient(e, theta)])
    if N == 1:
        return one
    return one.map(N, [True, False, False], [True, True])


def by_matrices(net, N):
    theta = ca.MX.sym("theta", net.size)
    x, t = ca.MX.sym("x", net.widths[0], N), ca.MX.sym("t", net.widths[-1], N)
    E = expression(net, theta, x, t) / N
    return ca.Function("whole", [theta, x, t], [E, ca.gradient(E, theta)])


WRAPPER = """
{real} loss_and_gradient(const {real}* theta, const {real}* x, const {real}* t, {real}* gradient) {{
  static casadi_int iw[{iw} + 1];
  static {real} w[{w} + 1];
  const {real}* arg[{arg}];
  {real}* res[{res}];
  {real} E;
  arg[0] = theta; arg[1] = x; arg[2] = t;
  res[0] = &E; res[1] = gradient;
  called(arg, res, iw, w, 0);
  return E;
}}
"""


def compiled(function, dtype):
    real = REAL[dtype][0]
    # reduced maps live inside another function; a wrapper gives what is called one name
    inputs = [ca.MX.sym(f"i{k}", function.sparsity_in(k)) for k in range(3)]
    called = ca.Function("called", inputs, function.call(inputs))
    generator = ca.CodeGenerator("code.c", {"casadi_real": real, "with_header": False})
    generator.add(called)
    folder = tempfile.mkdtemp(prefix="symgrad-benchmark-") + "/"
    text = Path(generator.generate(folder)).read_text()
    sizes = {name: getattr(called, f"sz_{name}")() for name in ("arg", "res", "iw", "w")}
    return shared_library.build(text + WRAPPER.format(real=real, **sizes), dtype)


def prepare(net, theta, x, t):
    N, dtype = len(x), theta.dtype.name
    ways, reasons = {"unrolled, mapped": by_samples, "matrices": by_matrices}, []
    if net.size > UNROLLED:
        del ways["unrolled, mapped"]
    for name, way in ways.items():
        try:
            function = compiled(way(net, N), dtype)
        except NotPractical as reason:
            reasons.append(f"{name}: {reason}")
        else:
            yield shared_library.variant(name, function, theta, x, t)
    if len(reasons) == len(ways):
        raise NotPractical("; ".join(reasons))


def inside(net, theta, x, t):
    function = compiled(by_samples(net, len(x)), theta.dtype.name)
    yield from shared_library.inside("unrolled", function, theta, x, t)
