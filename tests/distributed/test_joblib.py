"""Sums by joblib's processes and threads."""

import os
import signal

import numpy as np
import pytest

from symgrad.distributed.joblib import Joblib
from symgrad.distributed.sources import InMemory
from symgrad.lowering.arithmetic import LEAF
from tests.distributed.samples import module_of, penalties_of, same_bits, samples_of

joblib = pytest.importorskip("joblib")


def test_threads_have_the_same_bits():
    for name in ("weighted", "penalised"):
        module, arrays = module_of(name), samples_of(name, 30 * LEAF + 2)
        penalties = penalties_of(name)
        with Joblib(module, InMemory(arrays), 3, "threading", **penalties) as whole:
            theta = module.init(0)
            expected = module.loss_and_gradient(theta, *arrays, *penalties.values())
            assert same_bits(whole(theta), expected) and len(whole.parts) == 3


@pytest.mark.slow
def test_processes_have_the_same_bits_and_are_replaced_when_they_are_killed(tmp_path):
    module, arrays = module_of("weighted"), samples_of("weighted", 30 * LEAF + 2)
    with Joblib(module, InMemory(arrays), 2, "loky", tmp_path) as whole:
        for turn in range(4):
            theta = module.init(turn)
            assert same_bits(whole(theta), module.loss_and_gradient(theta, *arrays))
            others = joblib.Parallel(2, "loky")(joblib.delayed(os.getpid)() for _ in range(8))
            assert os.getpid() not in others
            os.kill(others[0], signal.SIGKILL)
        assert np.load(next(tmp_path.glob("*/x.npy"))).shape == arrays[0].shape
    assert not [*tmp_path.iterdir()]
