"""What computes the tiles of a job: this process with its devices, a whole case at once, or a cluster."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from diffuscope.engine.case import CaseCompute
from diffuscope.engine.cluster import ClusterCompute, connect
from diffuscope.engine.compute import Compute, LocalCompute
from diffuscope.jobs.compute import computing_devices
from diffuscope.networks.compiled import compile_parts
from diffuscope.systems.base import Whole

if TYPE_CHECKING:
    from diffuscope.jobs.prepare import Job


@contextmanager
def computing(job: Job, cancelled: Callable[[], bool]) -> Iterator[Compute]:
    """Yield what computes the tiles of a job.

    Parameters
    ----------
    job : Job
        Checked and opened.
    cancelled : callable
        Looked at before every denoising step.
    """
    if job.request.elsewhere:
        with connect(job.request.scheduler, job.request.workers) as client:
            yield ClusterCompute(client=client, work=job.work, cancelled=cancelled)
        return
    if isinstance(job.model.system, Whole):
        yield CaseCompute(
            system=job.model.system,
            read=job.read,
            texts=job.given.texts,
            settings=job.settings,
            seed=job.seed,
            spacing=job.plan.spacing,
            device=torch.device(job.compute.device),
            precision=job.compute.precision,
            cancelled=cancelled,
        )
        return
    first, *others = computing_devices(job.request, job.compute)
    copies = [(copy.deepcopy(job.model.tiled).to(device), device) for device in others]
    messages: deque[str] = deque()
    if job.compute.compile == "on":
        for system in (job.model.system, *(system for system, _ in copies)):
            compile_parts(system.compiled_parts(), report=messages.append)
    yield LocalCompute(
        system=job.model.tiled,
        read=job.read,
        plan=job.plan,
        settings=job.settings,
        seed=job.seed,
        batch=job.compute.batch,
        device=first,
        precision=job.compute.precision,
        lanes=job.lanes,
        others=tuple(copies),
        readers=job.io_threads,
        messages=messages,
        cancelled=cancelled,
    )
