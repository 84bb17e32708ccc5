"""A run on several processes: the same bits as on one, also when a worker is killed on the way."""

from __future__ import annotations

import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from diffuscope import open_result, run
from diffuscope.engine.events import TileDone
from diffuscope.errors import InputError

distributed = pytest.importorskip("distributed")
STEPS = 2


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, memory_limit=0, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, small_slide: Path) -> Path:
    """Return what one process comes to with one thread."""
    out = tmp_path_factory.mktemp("alone") / "out.ome.zarr"
    for _ in run(tiny_model, small_slide, out, steps=STEPS, threads=1):
        pass
    return out


@pytest.mark.slow
def test_two_workers_give_the_bits_of_one_process_and_take_nothing_else_from_it(
    tmp_path, tiny_model, small_slide, alone, assert_same
):
    out = tmp_path / "out.ome.zarr"
    events = []
    for event in run(tiny_model, small_slide, out, steps=STEPS, threads=1, workers=2):
        events.append(event)
        # What else this process computes stays here.
        with pytest.raises(ValueError, match="No clients found"):
            distributed.default_client()
    assert_same(out, alone)
    assert sum(isinstance(event, TileDone) for event in events) == open_result(out).tiles
    # What the bits depend on is alike in both records: each can be gone on with as the other.
    assert open_result(out).record["compute"] == open_result(alone).record["compute"]


@pytest.mark.slow
def test_a_scheduler_is_asked_what_its_workers_have(tmp_path, tiny_model, small_slide, alone, cluster, assert_same):
    out = tmp_path / "out.ome.zarr"
    list(run(tiny_model, small_slide, out, steps=STEPS, scheduler=cluster.scheduler_address))
    assert open_result(out).record["compute"]["threads"] == 1
    assert_same(out, alone)


@pytest.mark.slow
def test_a_run_begun_here_goes_on_elsewhere(tmp_path, tiny_model, small_slide, alone, cluster, assert_same):
    out = tmp_path / "out.ome.zarr"
    done: list[TileDone] = []
    events = run(tiny_model, small_slide, out, steps=STEPS, threads=1, cancelled=lambda: len(done) >= 2)
    done.extend(event for event in events if isinstance(event, TileDone))
    assert not open_result(out).complete
    list(run(tiny_model, small_slide, out, steps=STEPS, resume=True, scheduler=cluster.scheduler_address))
    assert_same(out, alone)


@pytest.mark.slow
def test_cancelling_a_cluster_keeps_what_came(tmp_path, tiny_model, small_slide, cluster):
    out = tmp_path / "out.ome.zarr"
    done: list[TileDone] = []
    events = run(
        tiny_model,
        small_slide,
        out,
        steps=STEPS,
        scheduler=cluster.scheduler_address,
        cancelled=lambda: len(done) >= 1,
    )
    done.extend(event for event in events if isinstance(event, TileDone))
    result = open_result(out)
    assert not result.complete
    assert 1 <= result.done < result.tiles


@pytest.mark.slow
def test_another_file_under_the_same_path_is_refused(tiny_model, small_slide, cluster):
    from dataclasses import replace

    from diffuscope.jobs.compute import ComputeRequest
    from diffuscope.jobs.prepare import prepare

    job = prepare(
        tiny_model,
        small_slide,
        Path("nowhere.ome.zarr"),
        request=ComputeRequest(scheduler=cluster.scheduler_address),
        **dict.fromkeys(("region", "mpp", "quality", "sampler", "samples")),
        steps=STEPS,
        seed=0,
        overwrite=False,
        resume=False,
    )
    [(key, given)] = job.work.inputs
    tile = next(iter(job.plan.tiles()))
    other_slide = replace(job.work, inputs=((key, replace(given, fingerprint="other")),))
    other_model = replace(job.work, model_hash="other")
    other_version = replace(job.work, version="0.0.0")
    with distributed.Client(cluster, set_as_default=False) as client:
        for work, words in ((other_slide, "another file"), (other_model, "another model"), (other_version, "0.0.0")):
            with pytest.raises(InputError, match=words):
                client.submit(work, (tile,), pure=False).result()


# After all others of the cluster: what takes a killed worker's place would import everything for them.
@pytest.mark.slow
def test_the_tiles_of_a_killed_worker_are_computed_by_another(
    tmp_path, tiny_model, small_slide, alone, cluster, assert_same
):
    out = tmp_path / "out.ome.zarr"
    killed = False
    for event in run(tiny_model, small_slide, out, steps=STEPS, scheduler=cluster.scheduler_address):
        if isinstance(event, TileDone) and not killed:
            killed = True
            with distributed.Client(cluster, set_as_default=False) as client:
                victim = client.run(os.getpid)
            os.kill(next(iter(victim.values())), signal.SIGKILL)
    assert killed
    assert_same(out, alone)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"scheduler": "tcp://127.0.0.1:9"}, "no dask scheduler answers at tcp://127.0.0.1:9"),
        ({"scheduler": "nonsense://x"}, "no dask scheduler answers at nonsense://x"),
        ({"workers": 0}, "workers must be at least 1"),
        ({"workers": 2, "scheduler": "tcp://127.0.0.1:9"}, "choose one"),
    ],
)
@pytest.mark.slow
def test_what_cannot_be_asked_is_one_sentence(tmp_path, tiny_model, small_slide, asked, words, monkeypatch):
    # A scheduler that is not there is waited for.
    client = distributed.Client
    monkeypatch.setattr(distributed, "Client", lambda *to, timeout, **how: client(*to, timeout=timeout / 10, **how))
    with pytest.raises(InputError, match=words):
        run(tiny_model, small_slide, tmp_path / "out.ome.zarr", steps=STEPS, **asked)
    assert not (tmp_path / "out.ome.zarr").exists()
    with pytest.raises(ValueError, match="No clients found"):
        distributed.default_client()


@pytest.mark.slow
def test_what_answers_at_the_address_may_be_no_scheduler():
    from diffuscope.engine.cluster import connect

    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            taken, _ = server.accept()
            with taken:
                taken.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                taken.recv(4096)

        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InputError, match=f"no dask scheduler answers at {address}"), connect(address, None):
            pass


@pytest.mark.slow
def test_nobody_without_the_secret_reaches_the_processes_of_this_machine(tmp_path: Path):
    from distributed.client import Client

    from diffuscope.engine.cluster import connect, secret

    mark = tmp_path / "mark"
    with connect(None, 1) as client:
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:") and client.submit(os.getpid).result() != os.getpid()
        for security in (None, secret()):
            place = address if security else address.replace("tls", "tcp")
            with pytest.raises((OSError, RuntimeError)):
                Client(place, security=security, timeout=3, set_as_default=False).submit(mark.touch).result(5)
        for worker in client.scheduler_info()["workers"]:
            assert worker.startswith("tls://127.0.0.1:")
    assert not mark.exists()
