"""Modules with derivatives, what their functions are given and what they give, and how far that may
be off."""

import numpy as np

import symgrad
from symgrad.spec.derivatives import DERIVATIVES
from symgrad.spec.spec import Spec
from tests.series import mp

ULP = 2.0**-53


class Compiled:
    """A module with some derivatives, and what its functions are given."""

    def __init__(self, spec, derivatives=(), samples=3):
        self.spec = {"name": "net", "dtype": "float64", **spec, "derivatives": [*derivatives]}
        self.module = symgrad.compile(self.spec).module
        known, random = Spec.parse(self.spec), np.random.default_rng(1)

        def normal(*shape):
            return random.normal(size=shape).astype(known.dtype)

        self.theta = self.module.init(1) + normal(self.module.SIZE) / 8
        self.x = normal(samples, known.inputs)
        self.t = random.dirichlet(np.ones(known.outputs), samples).astype(known.dtype)
        self.w = random.random(samples) if known.loss.sample_weights else None
        v, v_x, d_y = (normal(*like.shape) for like in (self.theta, self.x, self.t))
        self.given = {"v": v, "v_theta": v, "v_x": v_x, "d_y": d_y}
        self.data = (self.x, self.t, *(() if self.w is None else (self.w,)))

    def more(self, name):
        return [self.given[each] for each in DERIVATIVES[name].more]

    def results(self, name):
        """All that a function gives."""
        data = self.data if DERIVATIVES[name].loss else (self.x,)
        given = (self.theta, *data, *self.more(name))
        if not DERIVATIVES[name].in_place:
            found = getattr(self.module, name)(*given)
            return found if isinstance(found, tuple) else (found,)
        results = np.empty_like(self.theta), np.empty_like(self.x)
        getattr(self.module, name)(*given, *results)
        return results


def assert_to_the_last_places(found, wanted, places):
    wanted = np.asarray(wanted, object)
    exactly = np.frompyfunc(lambda v: mp.mpf(float(v)), 1, 1)(found)
    assert np.shape(found) == wanted.shape
    worst = np.max(np.abs(exactly - wanted)) / np.max(np.abs(wanted))
    assert worst <= places * ULP, float(worst / ULP)
