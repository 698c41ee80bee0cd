"""PyTorch: each module by torch.read, and by both of its exporters to ONNX."""

import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from exporters.trial import tried, tried_file
from symgrad.interop.torch import read

ACTIVATIONS: dict[str, nn.Module] = {
    repr(module): module
    for module in (
        nn.ReLU(), nn.LeakyReLU(), nn.LeakyReLU(0.3), nn.ELU(), nn.ELU(0.5), nn.CELU(),
        nn.CELU(2.0), nn.SELU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.Softplus(),
        nn.Softplus(2.0), nn.Softsign(), nn.Sigmoid(), nn.LogSigmoid(), nn.Tanh(), nn.Tanhshrink(),
        nn.Hardtanh(), nn.Hardtanh(-2.0, 0.5), nn.ReLU6(), nn.Hardsigmoid(), nn.Hardswish(),
        nn.Softshrink(), nn.Hardshrink(), nn.Threshold(0.1, 0.0), nn.PReLU(), nn.PReLU(8),
    )
}  # fmt: skip

FUNCTIONS: dict[str, Any] = {
    "abs": torch.abs,
    "sin": torch.sin,
    "exp": lambda z: torch.exp(-z),
    "gaussian": lambda z: torch.exp(-z * z),
    "square": torch.square,
    "cube": lambda z: z**3,
    "rsqrt": lambda z: torch.rsqrt(1 + z * z),
    "log1p": lambda z: torch.log1p(z.abs()),
    "expm1": torch.expm1,
    "atan": torch.atan,
    "asinh": torch.asinh,
    "maximum": lambda z: torch.maximum(z, torch.zeros_like(z)),
    "minimum": lambda z: torch.minimum(z, torch.full_like(z, 0.5)),
    "clamp": lambda z: z.clamp(-1, 2),
    "where": lambda z: torch.where(z > 0, z, 0.1 * z),
    "sign": lambda z: torch.sign(z) * torch.log1p(z.abs()),
    "logaddexp": lambda z: torch.logaddexp(z, torch.zeros_like(z)),
    "snake": lambda z: z + torch.sin(z) ** 2,
    "swish": lambda z: z * torch.sigmoid(1.5 * z),
    "squared relu": lambda z: F.relu(z) ** 2,
    "softmax by hand": lambda z: (
        (z - z.amax(1, keepdim=True)).exp()
        / (z - z.amax(1, keepdim=True)).exp().sum(1, keepdim=True)
    ),
}


class Own(nn.Module):
    """A forward of one's own over two linear layers."""

    def __init__(self, forward: Any, inputs: int = 4, hidden: int = 8, outputs: int = 3) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)
        self.c, self.own = nn.Linear(inputs, inputs), forward

    def forward(self, x: Any) -> Any:
        return self.own(self, x)


SHAPES: dict[str, Any] = {
    "a residual of two layers": lambda m, x: m.b(F.relu(m.a(x + m.c(F.relu(m.c(x)))))),
    "a residual, then relu": lambda m, x: m.b(F.relu(m.a(F.relu(x + m.c(x))))),
    "a skip by cat": lambda m, x: torch.cat([x, m.b(F.relu(m.a(x)))], 1),
    "two heads": lambda m, x: torch.cat([m.b(torch.tanh(m.a(x))), m.c(x)], 1),
    "squeezed": lambda m, x: m.b(F.relu(m.a(x))).sum(1),
    "a scaled input": lambda m, x: m.b(F.relu(m.a((x - 0.5) / 2))),
    "a scaled output": lambda m, x: 3 * torch.tanh(m.b(F.relu(m.a(x)))) + 1,
    "a clipped input": lambda m, x: m.b(F.relu(m.a(x.clamp(-1, 1)))),
    "einsum": lambda m, x: torch.einsum("bi,oi->bo", x, m.a.weight),
    "matmul": lambda m, x: torch.tanh(x @ m.a.weight.T) @ m.b.weight.T,
    "addmm": lambda m, x: torch.addmm(m.a.bias, x, m.a.weight.T),
    "view": lambda m, x: m.b(F.relu(m.a(x)).view(-1, 2, 4).flatten(1)),
    "view of the size": lambda m, x: m.b(F.relu(m.a(x)).view(x.size(0), -1)),
    "a gate": lambda m, x: m.c(x) * torch.sigmoid(m.c(x)),
    "a chosen column": lambda m, x: m.b(F.relu(m.a(x)))[:, :2],
    "normalised": lambda m, x: F.normalize(m.a(x), dim=1),
}


def modules() -> Iterator[tuple[str, nn.Module, tuple[int, ...]]]:
    """Names, modules, and the shape of a sample."""
    for name, activation in ACTIVATIONS.items():
        yield name, nn.Sequential(nn.Linear(4, 8), activation, nn.Linear(8, 3)), (4,)
    for name, function in FUNCTIONS.items():
        last = lambda m, x, f=function: f(m.a(x))  # noqa: E731
        within = lambda m, x, f=function: m.b(f(m.a(x)))  # noqa: E731
        yield name, Own(last if "softmax" in name else within), (4,)
    for name, forward in SHAPES.items():
        yield name, Own(forward), (4,)
    relu = lambda *more: nn.Sequential(*more[:1], *more[1:], nn.ReLU(), nn.Linear(8, 3))  # noqa: E731
    yield (
        "BatchNorm before",
        nn.Sequential(norm(4), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)),
        (4,),
    )
    yield "BatchNorm within", relu(nn.Linear(4, 8), norm(8)), (4,)
    yield "BatchNorm without affine", relu(nn.Linear(4, 8), norm(8, affine=False)), (4,)
    yield (
        "BatchNorm after",
        nn.Sequential(nn.Linear(4, 8), nn.ReLU(), norm(8), nn.Linear(8, 3)),
        (4,),
    )
    yield (
        "BatchNorm at the end",
        nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3), norm(3)),
        (4,),
    )
    yield "LayerNorm", relu(nn.Linear(4, 8), nn.LayerNorm(8)), (4,)
    yield "Dropout", relu(nn.Linear(4, 8), nn.Dropout(0.5)), (4,)
    yield (
        "Flatten",
        nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3)),
        (3, 4),
    )
    yield "no bias", nn.Sequential(nn.Linear(4, 8, bias=False), nn.Tanh(), nn.Linear(8, 1)), (4,)
    yield "Conv1d", nn.Sequential(nn.Conv1d(3, 2, 2), nn.Flatten(), nn.Linear(6, 2)), (3, 4)
    for last in (nn.Softmax(1), nn.LogSoftmax(1), nn.Sigmoid()):
        yield (
            f"ends in {last}",
            nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3), last),
            (4,),
        )
    yield "Linear alone", nn.Linear(4, 2), (4,)
    weighted = nn.utils.parametrizations.weight_norm(nn.Linear(4, 8))
    yield "weight_norm", relu(weighted), (4,)
    yield "spectral_norm", relu(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 8))), (4,)


def norm(width: int, **options: Any) -> nn.Module:
    """A BatchNorm1d that has seen something."""
    module = nn.BatchNorm1d(width, **options)
    module.train()(torch.randn(64, width) * 2 + 1)
    return module


def main(folder: Path) -> None:
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.manual_seed(0)
    for dtype in (torch.float32, torch.float64):
        for name, module, shape in modules():
            module = module.to(dtype).eval()
            x = torch.randn(7, *shape, dtype=dtype) * 2
            called = f"{name}, {str(dtype).removeprefix('torch.')}"

            def ran(module: Any = module, x: Any = x) -> np.ndarray:
                with torch.no_grad():
                    return module.double()(x.double()).numpy()

            for way in ("exported, dynamo", "exported, legacy"):
                tried_file(
                    "PyTorch", torch.__version__, way, called,
                    lambda path, w=way, m=module, x=x: export(m, x, path, "dynamo" in w),
                    x.numpy(), folder,
                )  # fmt: skip
            module.to(dtype)
            tried("PyTorch", torch.__version__, "torch.read", called,
                  lambda m=module, d=dtype: read(m.to(d)), x.numpy(), ran)  # fmt: skip


def export(module: Any, x: Any, path: Path, dynamo: bool) -> None:
    if dynamo:
        shapes = ({0: torch.export.Dim("batch")},)
        program = torch.onnx.export(module, (x,), dynamo=True, dynamic_shapes=shapes, verbose=False)
        program.save(str(path))
    else:
        torch.onnx.export(
            module, (x,), str(path), dynamo=False, input_names=["x"], output_names=["y"],
            dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
