"""Tiles on other processes and machines: the same tiles, sent to the workers of a dask.distributed cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Protocol, Self

import dask

from diffuscope.engine.batch import Unread
from diffuscope.engine.queue import TileQueue
from diffuscope.errors import InputError
from diffuscope.events import Notice
from diffuscope.results.computed import Computed, Halved
from diffuscope.tiling.plan import Tile
from diffuscope.version import __version__

# Batches a worker has: one it computes, one that waits for it.
DEEP = 2
WAIT_FOR_WORKERS = 60
_LOOK, _COUNT = 0.2, 2.0
# Web pages of scheduler and workers, which anyone on the machine could read.
_NO_PAGES: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}


@dataclass(frozen=True, eq=False)
class Answer:
    """What a worker sends back: computed and unreadable tiles, or word that its memory was too small."""

    computed: tuple[Computed, ...] = ()
    unread: tuple[Unread, ...] = ()
    too_large: bool = False


class Work(Protocol):
    """What a worker is sent, pickled: opens what it needs where it runs, and computes a batch of tiles."""

    @property
    def batch(self) -> int:
        """Tiles at once."""
        ...

    def __call__(self, tiles: Sequence[Tile]) -> Answer:
        """Compute one batch."""
        ...

    def halved(self) -> Self:
        """Return the same work with half the batch; refuse where that is less than a tile."""
        ...


@dataclass(frozen=True, kw_only=True)
class ClusterCompute:
    """The `diffuscope.engine.compute.Compute` of a cluster.

    Results come back to this process, which alone writes: the ledger and the canvas need to know nothing of workers.
    What a lost worker had is computed again by another one; a tile is a function of its place, so that nobody can
    tell afterwards.

    Attributes
    ----------
    client : distributed.Client
        Connected.
    work : Work
        Sent to the workers with every batch of tiles.
    cancelled : callable
        Looked at several times a second.
    """

    client: Any
    work: Work
    cancelled: Callable[[], bool] = lambda: False

    def __call__(self, queue: TileQueue) -> Generator[Computed | Unread | Halved | Notice | None, None, None]:
        """Compute until the queue is empty.

        Raises
        ------
        InputError
            The scheduler is gone, a batch ended several workers, or what a worker has differs from what is here.
        """
        from distributed import wait

        work, running = self.work, dict[Any, tuple[int, tuple[Tile, ...]]]()
        workers, counted, missed = 1, 0.0, False
        try:
            while not self.cancelled():
                if time.monotonic() - counted > _COUNT:
                    counted, workers = time.monotonic(), len(ask(self.client.nthreads))
                    if not workers and not missed:
                        yield Notice("No worker is left: waiting for one to join the scheduler.")
                    missed = not workers
                while len(running) < DEEP * max(workers, 1) and (group := queue.take(work.batch)):
                    # Keyed by chance: the same tiles sent again, after a failure, are not the failed task.
                    running[ask(self.client.submit, work, group, pure=False)] = work.batch, group
                if not running:
                    return
                try:
                    with self.client.as_current():
                        finished = ask(wait, list(running), timeout=_LOOK, return_when="FIRST_COMPLETED").done
                except TimeoutError:
                    yield None
                    continue
                for future in finished:
                    answer = ask(future.result)
                    batch, group = running.pop(future)
                    if answer.too_large:
                        queue.put_back(group)
                        # Of several that failed at the same size only the first makes it smaller.
                        if batch == work.batch:
                            work = work.halved()
                            yield Halved(work.batch)
                        continue
                    yield from answer.unread
                    yield from answer.computed
        finally:
            with suppress(InputError):
                ask(self.client.cancel, list(running))


def ask(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call a function of dask; what goes wrong with the cluster becomes one sentence.

    Raises
    ------
    InputError
        The scheduler is gone, or a batch ended several workers.
    TimeoutError
        Of `function` itself.
    """
    from distributed import CancelledError, KilledWorker
    from distributed.client import ClosedClientError
    from distributed.comm.core import CommClosedError

    try:
        return function(*arguments, **options)
    except KilledWorker as error:
        raise InputError(
            "one batch of tiles ended several workers (often: out of memory): give them more memory or a smaller "
            "--batch. Finished tiles are kept; --resume goes on."
        ) from error
    except TimeoutError:
        raise
    except (CancelledError, ClosedClientError, CommClosedError, OSError) as error:
        raise InputError(
            "the connection to the scheduler was lost. Finished tiles are kept; --resume goes on."
        ) from error


@contextmanager
def connect(scheduler: str | None, workers: int | None) -> Iterator[Any]:
    """Connect to a running cluster, or start one on this machine for as long as the context lasts.

    Parameters
    ----------
    scheduler : str or None
        Address, e.g. ``"tcp://10.0.0.1:8786"``.
    workers : int or None
        Without a scheduler: processes on this machine.

    Yields
    ------
    distributed.Client

    Raises
    ------
    InputError
        dask.distributed is not installed, nothing answers at the address, no worker joins in a minute, or the
        scheduler or a worker has not this version of Diffuscope.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError(
            'several processes or machines need dask.distributed: pip install "diffuscope[cluster]".'
        ) from error
    if scheduler is None:
        # Never the default client: every dask array of this process would be computed on the cluster, and wait for ever
        # once it is gone.
        with (
            dask.config.set(_NO_PAGES),
            # No limit of memory: a worker near one would be killed in the middle of a tile, again and again.
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=0,
                dashboard_address=None,
                silence_logs=40,
                security=secret(),
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=10, set_as_default=False)
    # Of whatever else answers there dask takes the first bytes for a length, and asks for so much memory.
    except (OSError, ValueError, MemoryError) as error:
        raise InputError(f"no dask scheduler answers at {scheduler}: start one, or see the address.") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WAIT_FOR_WORKERS)
        except TimeoutError as error:
            raise InputError(
                f"no worker has joined {scheduler} in {WAIT_FOR_WORKERS} s: start one with: dask worker {scheduler}"
            ) from error
        _check_versions(client)
        yield client


def secret() -> Any:
    """Return keys and certificates for one cluster of this machine, in memory only.

    A scheduler runs whatever it is sent, and on 127.0.0.1 every user of the machine can reach it: with these only this
    process and its workers can.

    Raises
    ------
    InputError
        What makes them is not installed.
    """
    from distributed.security import Security

    try:
        return Security.temporary()
    except ImportError as error:
        raise InputError(
            'several processes need cryptography, which keeps others out: pip install "diffuscope[cluster]".'
        ) from error


def _check_versions(client: Any) -> None:
    """See that the whole cluster can load what it will be sent: a worker that cannot just closes, again and again."""
    # Functions of the standard library: they are there also where Diffuscope is not.
    there = client.run(metadata.version, "diffuscope", on_error="return")
    try:
        there["the scheduler"] = client.run_on_scheduler(metadata.version, "diffuscope")
    except metadata.PackageNotFoundError as error:
        there["the scheduler"] = error
    for who, version in there.items():
        if version != __version__:
            has = "no Diffuscope" if isinstance(version, Exception) else f"Diffuscope {version}"
            raise InputError(f"{who} has {has}, this machine {__version__}: install the same on the whole cluster.")
