"""wrenfold: generated C++ for one sample, unrolled, and a loop over the samples around it."""

from importlib.metadata import files
from typing import Annotated

from wrenfold import code_generation, sym
from wrenfold.type_annotations import Shape

from benchmarks.peers import NotPractical, shared_library
from benchmarks.peers.shared_library import REAL

LARGEST = 2_000  # weights; 2,176 take minutes

LOOP = """
template <int N>
static auto column(const {real}* data) {{
  return wf::make_span(data, wf::make_constant_value_pack<N, 1>(),
                       wf::make_constant_value_pack<1, N>());
}}

extern "C" {real} loss_and_gradient(const {real}* __restrict theta, const {real}* __restrict x,
                                    const {real}* __restrict t, {real}* __restrict gradient) {{
  {real} E = 0;
  {real} part[{size}];
  for (int k = 0; k < {size}; ++k) gradient[k] = 0;
  for (int n = 0; n < {samples}; ++n) {{
    auto row = wf::make_span(part, wf::make_constant_value_pack<1, {size}>(),
                             wf::make_constant_value_pack<{size}, 1>());
    E += gen::one_sample<{real}>(column<{size}>(theta), column<{inputs}>(x + n * {inputs}),
                                 column<{outputs}>(t + n * {outputs}), row);
    for (int k = 0; k < {size}; ++k) gradient[k] += part[k];
  }}
  for (int k = 0; k < {size}; ++k) gradient[k] *= {real}(1) / {samples};
  return E / {samples};
}}
"""


def generated(net):
    """C++ for e and its gradient."""

    def vector(size):
        return Annotated[sym.MatrixExpr, Shape(rows=size, cols=1)]

    def one_sample(theta, x, t):
        a = [x[i] for i in range(net.widths[0])]
        for number, (m, k, w, b) in enumerate(net.layers, start=1):
            a = [
                sum((a[i] * theta[w + i * k + j] for i in range(m)), theta[b + j]) for j in range(k)
            ]
            if number < len(net.layers):
                a = [sym.max(z, 0) if net.classifies else sym.tanh(z) for z in a]
        if net.classifies:
            log_sum = sym.log(sum(sym.exp(y) for y in a))
            e = sum(t[j] * (log_sum - y) for j, y in enumerate(a))
        else:
            e = sum((y - t[j]) ** 2 for j, y in enumerate(a)) / 2
        gradient = sym.jacobian(sym.vector(e), theta)
        return [code_generation.ReturnValue(e), code_generation.OutputArg(gradient, "gradient")]

    sizes = {"theta": net.size, "x": net.widths[0], "t": net.widths[-1]}
    one_sample.__annotations__ = {name: vector(size) for name, size in sizes.items()}
    generator = code_generation.CppGenerator()
    code = code_generation.generate_function(one_sample, generator)
    return generator.apply_preamble(code, "gen")


def compiled(net, samples, dtype):
    if net.size > LARGEST:
        raise NotPractical(f"unrolls everything, and more than {LARGEST:,} weights")
    header = next(file for file in files("wrenfold") if file.name == "span.h")
    include = header.locate().resolve().parent.parent
    loop = LOOP.format(
        real=REAL[dtype][0],
        size=net.size,
        inputs=net.widths[0],
        outputs=net.widths[-1],
        samples=samples,
    )
    flags = ["-std=c++17", f"-I{include}"]
    return shared_library.build(generated(net) + loop, dtype, "g++", flags)


def prepare(net, theta, x, t):
    function = compiled(net, len(x), theta.dtype.name)
    yield shared_library.variant("unrolled", function, theta, x, t)


def inside(net, theta, x, t):
    function = compiled(net, len(x), theta.dtype.name)
    yield from shared_library.inside("unrolled", function, theta, x, t)
