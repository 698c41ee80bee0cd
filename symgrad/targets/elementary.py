"""The elementary functions of emitted modules: what each calls, how exact it is, its numbers.

The functions themselves are in `templates/functions.py.jinja`. They are free of branches, so that
LLVM turns a loop that calls them into vector instructions, and right over the whole range of their
dtype: results below the smallest normal number lose digits one by one, and NaN, infinities and
zeros give what IEEE 754 has one expect. Their coefficients are derived by `coefficients/derive.py`.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from symgrad.targets.coefficients import APPROXIMATIONS, CONSTANTS

# Which functions the emitted ones call themselves.
CALLS: dict[str, tuple[str, ...]] = {
    "exp": ("exp_times",),
    "log1p": ("log",),
    "sinh": ("exp_times",),
    "cosh": ("exp_times",),
    "sech": ("exp_times",),
    "log_cosh": ("exp", "log1p_unit"),
    "half_sech": ("sech",),
    "sin": ("quarter_turns",),
    "cos": ("quarter_turns",),
    "cos64": ("cos",),
    "power64": ("exp", "log"),
    "elu": ("expm1",),
    "selu": ("expm1",),
    "sigmoid": ("exp",),
    "softplus": ("exp", "log1p_unit"),
    "silu": ("exp_times",),
    "normal_tail": ("exp_times",),
    "normal_cdf": ("normal_tail",),
    "normal_pdf": ("exp_times",),
    "gelu": ("normal_tail",),
    "tanh_softplus": ("exp",),
    "mish": ("exp_times",),
    "gaussian": ("exp_times",),
    "erf": ("normal_tail",),
    "xlogy": ("log",),
}

# The largest errors, in units in the last place: of float32, and of float64. Measured, and rounded
# up; they hold with fused multiply-add and without.
ULP: dict[str, tuple[float, float]] = {
    "exp_times": (2, 2),
    "exp": (1.5, 1.5),
    "expm1": (2.5, 3),
    "log": (2, 2.5),
    "log1p": (2.5, 2.5),
    "log1p_unit": (2, 2),
    "tanh": (3.5, 3),
    "sinh": (2, 2),
    "cosh": (2, 2),
    "sech": (2.5, 2.5),
    "log_cosh": (4, 4),
    "atan": (4, 4),
    "sin": (2, 2),
    "cos": (2, 2),
    "elu": (2, 2),
    "selu": (3, 3),
    "sigmoid": (2.5, 2.5),
    "softplus": (3, 3),
    "silu": (3.5, 3),
    "normal_tail": (3, 4),
    "normal_cdf": (2.5, 4),
    "normal_pdf": (2.5, 2.5),
    "gelu": (3.5, 4),
    "erf": (2.5, 2),
    "tanh_softplus": (4, 4),
    "mish": (4, 4),
    "gaussian": (1.5, 1.5),
    "xlogy": (3, 3),
}


# What those that come for any number of terms call: inverse_sum_exp_3 is of three.
CALLS_OF_MANY: dict[str, tuple[str, ...]] = {
    "inverse_sum_exp": ("exp",),
    "log_sum_exp": ("exp", "log"),
    "log1p_sum_exp": ("exp", "log", "log1p"),
}


# What the steps of optimizers need in float64, whatever the network's dtype; angles are bounded
# there.
OF_DOUBLES = (
    "exp_times", "exp", "log", "quarter_turns", "cos", "cos64", "power64", "power64_whole",
)  # fmt: skip


def calls(name: str) -> tuple[str, ...]:
    """The functions that one calls itself."""
    stem, _, terms = name.rpartition("_")
    return CALLS_OF_MANY.get(stem, ()) if terms.isdecimal() else CALLS.get(name, ())


def with_callees(names: Iterable[str]) -> list[str]:
    """These functions and all that they call, each once and after those that it calls."""
    result: dict[str, None] = {}

    def add(name: str) -> None:
        for callee in calls(name):
            add(callee)
        result[name] = None

    for name in sorted(names):
        add(name)
    return list(result)


def numbers(single: bool) -> dict[str, Any]:
    """What the template writes into the functions: numbers of the dtype, as source or as they are.

    A number v plus 1.5·2^(bits of the mantissa), `magic`, is rounded to a whole k, and the last
    bits of the sum hold k; with an exponent's bias added to `magic` they hold that of 2^k.
    """
    dtype = "float32" if single else "float64"
    limits = np.finfo(dtype)
    shift = int(limits.nmant)
    bias = int(limits.maxexp) - 1
    magic = 1.5 * 2.0**shift
    integer = np.int32 if single else np.int64
    root_half = np.dtype(dtype).type(np.sqrt(0.5))
    return {
        **APPROXIMATIONS[dtype],
        **CONSTANTS[dtype],
        "ulp": {name: each[0 if single else 1] for name, each in ULP.items()},
        "float": f"np.{dtype}",
        "integer": f"np.{integer.__name__}",
        # the layout of a number: mantissa, exponent
        "shift": shift,
        "mantissa": hex(2**shift - 1),
        "implicit": hex(2**shift),
        "high_half": -(2 ** (12 if single else 27)),
        "root_half_bits": hex(int(root_half.view(integer))),
        "tiny": str(limits.smallest_normal),
        "lift": 2.0**shift,
        "magic": magic,
        "magic_bits": hex(int(np.dtype(dtype).type(magic).view(integer))),
        "magic_lift": magic + shift,
        "magic_once": magic + bias - 1,
        "magic_twice": magic + 2 * bias,
        "magic_bias": magic + bias,
        "bias": bias,
        "once": bias - 1,
        "twice": 2 * bias,
        # where a float32 is reduced to a quarter turn in float64
        "magic_64": 1.5 * 2.0**52,
        "from": [2.0**51, 2.0**77, 2.0**103],
        "scales": [1.0, 2.0**-28, 2.0**-54, 2.0**-80],
        # beyond these a function is constant, 0 or infinite
        "largest": str(limits.max),
        "exp_limit": 170.0 if single else 1400.0,
        "expm1_low": -18.0 if single else -38.0,
        "expm1_high": 89.0 if single else 710.0,
        "tanh_limit": 9.02 if single else 19.1,
        "normal_limit": 15.0 if single else 39.0,
        "gaussian_limit": 12.5 if single else 28.0,
    }
