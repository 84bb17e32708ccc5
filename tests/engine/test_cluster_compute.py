"""What may go wrong between this process and a cluster, with workers that live in this process and compute nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from diffuscope.engine import cluster as module
from diffuscope.engine.cluster import Answer, ClusterCompute, connect
from diffuscope.engine.events import Notice
from diffuscope.engine.queue import TileQueue
from diffuscope.errors import InputError
from diffuscope.results.computed import Computed, Halved
from diffuscope.tiling.plan import make_plan

distributed = pytest.importorskip("distributed")
PLAN = make_plan(shape=(100, 130), factors=(1.0, 1.0), tile=32, overlap=8)


@dataclass(frozen=True)
class Small:
    """Work that says so when it is given more tiles than its memory holds."""

    batch: int
    holds: int

    def __call__(self, tiles):
        if self.batch > self.holds:
            return Answer(too_large=True)
        return Answer(tuple(Computed(tile, {}) for tile in tiles))

    def halved(self):
        if self.batch == 1:
            raise InputError("not even one tile fits")
        return replace(self, batch=self.batch // 2)


@pytest.fixture
def cluster() -> Iterator[object]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster


@pytest.fixture
def queue() -> TileQueue:
    return TileQueue(PLAN, np.zeros_like(PLAN.selected))


def test_a_batch_too_large_is_halved_once_however_many_failed_with_it(cluster, queue):
    with distributed.Client(cluster, set_as_default=False) as client:
        # Two batches for each of two workers are under way when the first comes back.
        items = list(ClusterCompute(client=client, work=Small(batch=8, holds=2))(queue))
    assert [item.batch for item in items if isinstance(item, Halved)] == [4, 2]
    done = [item.tile.index for item in items if isinstance(item, Computed)]
    assert sorted(done) == sorted(tile.index for tile in PLAN.tiles())


def test_not_even_one_tile_fits_into_a_worker(cluster, queue):
    with (
        distributed.Client(cluster, set_as_default=False) as client,
        pytest.raises(InputError, match="not even one tile fits"),
    ):
        list(ClusterCompute(client=client, work=Small(batch=4, holds=0))(queue))


def test_without_a_worker_a_run_waits_for_one(cluster, queue, monkeypatch):
    monkeypatch.setattr(module, "_COUNT", 0.0)
    with distributed.Client(cluster, set_as_default=False) as client:
        cluster.scale(0)
        while client.nthreads():
            client.sync(client.scheduler.identity)
        items = ClusterCompute(client=client, work=Small(batch=4, holds=4))(queue)
        assert "No worker is left" in next(item for item in items if isinstance(item, Notice)).sentence
        cluster.scale(1)
        rest = list(items)
    assert sum(isinstance(item, Computed) for item in rest) == PLAN.count
    assert not any(isinstance(item, Notice) for item in rest)


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_one_sentence(queue):
    line = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    scheduler = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    try:
        address = next(word for text in scheduler.stderr for word in text.split() if word.startswith("tcp://"))
        client = distributed.Client(address, set_as_default=False)
        items = ClusterCompute(client=client, work=Small(batch=1, holds=1))(queue)
        while next(items) is not None:  # till it waits for a worker
            pass
        scheduler.kill()
        with pytest.raises(InputError, match=r"the connection to the scheduler was lost.*--resume"):
            list(items)
        client.close()
    finally:
        scheduler.kill()
        scheduler.communicate()


@pytest.mark.parametrize(("version", "words"), [("0.0.1", "Diffuscope 0.0.1"), (None, "no Diffuscope")])
def test_a_cluster_with_another_diffuscope_is_refused(cluster, monkeypatch, version, words):
    class Elsewhere:
        """Stands for a client of machines on which `metadata.version` finds something else."""

        def __init__(self, *_, **__):
            self.missing = module.metadata.PackageNotFoundError("diffuscope")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def wait_for_workers(self, *_, **__):
            return None

        def run(self, *_, **__):
            return {"tcp://10.0.0.2:40000": version or self.missing}

        def run_on_scheduler(self, *_):
            return module.__version__

    monkeypatch.setattr(distributed, "Client", Elsewhere)
    with pytest.raises(InputError, match=rf"tcp://10.0.0.2:40000 has {words}.*install the same"), connect("x", None):
        pass
