"""optimizers: how a gradient becomes a step, as equations; and how the rate changes with the steps.

    theta[k]   weight k of all, as they lie in theta     g[k]       the loss's derivative by it
    m[k], v[k] what an optimizer remembers               m_next[k]  the same after the step
    s          the number of the step, from 1 on         b          the steps of an epoch

Everything else is a number that training is given: `OPTIMIZERS` in `spec_training.py` has them by
name. A definition reads what stands above it; what has no index is computed once a step.
"""

from collections.abc import Mapping
from functools import cache

from sympy import Expr, Integer, Rational, Sum, cos, floor, pi, sign, sqrt

from symgrad.language.functions import minimum
from symgrad.language.indices import WEIGHT
from symgrad.language.notation import as_it_stands, undistributed
from symgrad.language.program import Definition, Program, array, name_of
from symgrad.spec.training import Training

Table = Mapping[str, tuple[tuple[Expr, Expr], ...]]

# What is changed by a step: its name before, by its name after.
NEXT = "_next"

_k = WEIGHT
theta, g, m, v = (array(name, _k) for name in ("theta", "gradient", "m", "v"))
theta_next, m_next, v_next = (array(name + NEXT, _k) for name in ("theta", "m", "v"))
u, clipped = array("u", _k), array("clipped", _k)

s, b, rate, epochs, warmup, clip = (
    array(name) for name in ("s", "b", "rate", "epochs", "warmup", "clip")
)
momentum, rho, beta1, beta2, epsilon, weight_decay, decay, every = (
    array(name)
    for name in ("momentum", "rho", "beta1", "beta2", "epsilon", "weight_decay", "decay", "every")
)
rate_s, rest, rest1, rest2, pace, unbias, shrink, norm, shorter = (
    array(name)
    for name in ("rate_s", "rest", "rest1", "rest2", "pace", "unbias", "shrink", "norm", "shorter")
)


@cache
@undistributed
def updates() -> Table:
    """The steps of the optimizers by name."""
    # fmt: off
    adam = (
        (rest1,      1 - beta1),
        (rest2,      1 - beta2),
        (pace,       rate_s / (1 - beta1**s)),
        (unbias,     1 / sqrt(1 - beta2**s)),
        (m_next,     beta1 * m + rest1 * g),
        (v_next,     beta2 * v + rest2 * g**2),
    )
    return {
        # Robbins and Monro 1951
        "sgd": (
            (theta_next, theta - rate_s * g),
        ),
        # Polyak 1964; in the form without a rate in the memory
        "momentum": (
            (m_next,     momentum * m + g),
            (theta_next, theta - rate_s * m_next),
        ),
        # Nesterov 1983; as Sutskever et al. 2013 have it, looked at from the point ahead
        "nesterov": (
            (m_next,     momentum * m + g),
            (theta_next, theta - rate_s * (momentum * m_next + g)),
        ),
        # Hinton 2012, "Neural networks for machine learning", lecture 6e
        "rmsprop": (
            (rest,       1 - rho),
            (v_next,     rho * v + rest * g**2),
            (theta_next, theta - rate_s * g / (sqrt(v_next) + epsilon)),
        ),
        # Kingma and Ba 2015, arXiv:1412.6980
        "adam": (
            *adam,
            (theta_next, theta - pace * m_next / (unbias * sqrt(v_next) + epsilon)),
        ),
        # The same paper's "more efficient" order, at the end of its section 2: ε̂ beside √v itself.
        # TensorFlow and scikit-learn have it
        "adam_hat": (
            *adam,
            (theta_next, theta - pace * m_next / (unbias * (sqrt(v_next) + epsilon))),
        ),
        # Loshchilov and Hutter 2019, arXiv:1711.05101; all weights decay, biases too
        "adamw": (
            *adam,
            (shrink,     rate_s * weight_decay),
            (u,          pace * m_next / (unbias * sqrt(v_next) + epsilon)),
            (theta_next, theta - shrink * theta - u),
        ),
        # Duchi et al. 2011, Journal of Machine Learning Research 12
        "adagrad": (
            (v_next,     v + g**2),
            (theta_next, theta - rate_s * g / (sqrt(v_next) + epsilon)),
        ),
        # Chen et al. 2023, arXiv:2302.06675
        "lion": (
            (rest1,      1 - beta1),
            (rest2,      1 - beta2),
            (u,          as_it_stands(sign)(beta1 * m + rest1 * g)),
            (theta_next, theta - rate_s * (u + weight_decay * theta)),
            (m_next,     beta2 * m + rest2 * g),
        ),
    }
    # fmt: on


@cache
@undistributed
def rates() -> Mapping[str, Expr]:
    """The rate by the name of its schedule, as it changes with the steps."""
    done = as_it_stands(minimum)(1, (s - 1) / (epochs * b))  # the share of all steps before this
    return {
        "constant": rate,
        "linear": rate * (1 - done),
        "cosine": rate * Rational(1, 2) * (1 + as_it_stands(cos)(pi * done)),
        "exponential": rate * decay ** ((s - 1) / b),
        "step": rate * decay ** as_it_stands(floor)((s - 1) / (every * b)),
    }


@undistributed
def update(training: Training, weights: int) -> Program:
    """One step of the optimizer for so many weights: from theta, the gradient, and m and v where
    they are needed, to theta_next, m_next and v_next."""
    rate_now = rates()[training.schedule]
    if training.warmup:
        rate_now = rate_now * as_it_stands(minimum)(1, s / (warmup * b))
    pairs = [(rate_s, rate_now)]
    rules = updates()[training.optimizer]
    if training.clip is not None:
        pairs += [
            (norm, sqrt(Sum(g**2, (_k, 0, weights - 1)))),
            (shorter, as_it_stands(minimum)(1, clip / norm)),
            (clipped, shorter * g),
        ]
        rules = tuple((target, value.xreplace({g: clipped})) for target, value in rules)
    pairs += rules
    names = {name_of(target) for target, _ in pairs}
    remembered = [read for read in (m, v) if name_of(read) + NEXT in names]
    scalars = (*training.settings(), "s", "b")
    return Program(
        name=training.optimizer,
        inputs=(g, *remembered, *(array(name) for name in scalars if name != "batch")),
        weights=(theta,),
        extents={"k": Integer(weights)},
        definitions=tuple(Definition(target, value) for target, value in pairs),
        outputs=tuple(name for name in ("m_next", "v_next", "theta_next") if name in names),
    )
