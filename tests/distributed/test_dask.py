"""Sums by workers of Dask's, which are real processes here; killed, they are replaced."""

import os
import signal
import threading

import numpy as np
import pytest

from symgrad.distributed.sources import InMemory
from symgrad.lowering.arithmetic import LEAF
from tests.distributed.samples import module_of, same_bits, samples_of
from tests.distributed.test_sources import npy

distributed = pytest.importorskip("distributed")

from symgrad.distributed.dask import Dask  # noqa: E402


@pytest.fixture(scope="module")
def client():
    here = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(**here, silence_logs="CRITICAL") as cluster,
        distributed.Client(cluster, direct_to_workers=True) as client,
    ):
        yield client


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_workers_have_the_same_bits(client, dtype):
    module, arrays = module_of("weighted", dtype), samples_of("weighted", 50 * LEAF + 2, dtype)
    with Dask(module, InMemory(arrays), client) as whole:
        assert len({holder._address for holder in whole.holders}) == 2
        for seed in range(3):
            theta = module.init(seed)
            assert same_bits(whole(theta), module.loss_and_gradient(theta, *arrays))


@pytest.mark.slow
def test_workers_read_files_themselves(client, tmp_path):
    module, arrays = module_of("plain"), samples_of("plain", 50 * LEAF + 2)
    with Dask(module, npy(tmp_path, arrays), client) as whole:
        theta = module.init(0)
        assert same_bits(whole(theta), module.loss_and_gradient(theta, *arrays))


@pytest.mark.slow
def test_workers_that_are_killed_at_any_moment_change_no_bit(client):
    module, arrays = module_of("plain"), samples_of("plain", 5_000 * LEAF + 2)
    random, ended, killed = np.random.default_rng(0), threading.Event(), []
    with Dask(module, InMemory(arrays), client) as whole:
        expected = [module.loss_and_gradient(module.init(seed), *arrays) for seed in range(3)]

        def kill():
            while len(killed) < 30 and not ended.wait(random.uniform(0.0, 0.6)):
                pids = [each.pid for each in client.cluster.workers.values() if each.pid]
                if pids and (pid := int(random.choice(pids))) not in killed:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            calls = 0
            while killer.is_alive() or calls < 3:
                seed = calls % 3
                assert same_bits(whole(module.init(seed)), expected[seed])
                calls += 1
        finally:
            ended.set()
            killer.join()
    assert len(killed) == len({*killed}) == 30


def test_without_a_scheduler_it_says_so():
    from symgrad.distributed import dask
    from symgrad.errors import SymgradError

    dask_connect, dask._CONNECT = dask._CONNECT, 0.2
    try:
        with (
            pytest.raises(SymgradError, match="no scheduler of Dask's there"),
            dask.Engine("tcp://127.0.0.1:9")(module_of("plain"), samples_of("plain", 5)),
        ):
            pass
    finally:
        dask._CONNECT = dask_connect
