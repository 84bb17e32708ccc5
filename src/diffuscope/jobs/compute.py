"""Where and how exactly a run computes: as the user says, as the result was begun, or as the machine is made for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from diffuscope.devices import pick_device, pick_devices, pick_precision
from diffuscope.engine.batch_size import find_batch
from diffuscope.engine.cluster import ask, connect
from diffuscope.errors import InputError
from diffuscope.files.memory import free_memory
from diffuscope.jobs.settings import check_number, pick
from diffuscope.model.find import find_model
from diffuscope.model.folder import Model, load_model
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Tiled, Whole
from diffuscope.tiling.plan import Plan

if TYPE_CHECKING:
    import torch

PRECISIONS = ("fp32", "bf16")
COMPILE = ("auto", "on", "off")
# Px times network evaluations from which compiling the network pays on a GPU: it takes about 17 s, and saves about
# 0.6 ms of each evaluation of a tile of 272² px (H200).
COMPILED_FROM = 2e9
# Threads that read, and as many that write, beside a GPU: decoding, coding and the disk must keep up with it.
_IO_THREADS = 16
# Tiles that this process computes side by side on a CPU: on two cores, two by one thread each take 5–9 % less time than
# one after the other by two. More would only cost memory.
LANES = 2
# More tiles at once gain nothing on the largest GPU, more processes or threads on no machine.
_MOST = {"batch": 1024, "threads": 1024, "workers": max(8, 4 * (os.cpu_count() or 1))}
# Images of a network's full size, as wide as its first layer, that are there at once; fewer would not do.
_ALIVE = 8
# Side of a tile that keeps a CPU busy by itself, px; and most tiles at once where they are smaller.
_FULL_SIDE = 128
_MOST_ON_A_CPU = 4


@dataclass(frozen=True, kw_only=True)
class ComputeRequest:
    """What the user said of it; None, and the device ``"auto"``, leave the choice.

    Attributes
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
        Where.
    precision : {"fp32", "bf16"} or None
        How exact.
    batch, threads : int or None
        Tiles at once; CPU threads that compute a batch.
    workers : int or None
        Processes on this machine; None computes in this one.
    scheduler : str or None
        Address of a dask scheduler, whose workers compute.
    devices : int, "all" or None
        GPUs of this machine that compute side by side; None takes one.
    compile : {"auto", "on", "off"}
        Whether the network is compiled; auto: on a GPU, where the run is long enough to pay for it.
    """

    device: str = "auto"
    precision: str | None = None
    batch: int | None = None
    threads: int | None = None
    workers: int | None = None
    scheduler: str | None = None
    devices: int | str | None = None
    compile: str = "auto"

    @property
    def elsewhere(self) -> bool:
        """Whether other processes compute."""
        return self.workers is not None or self.scheduler is not None


@dataclass(frozen=True, kw_only=True)
class ComputeSettings:
    """On what the last bits of a result depend; all of it stands in the run record, under ``compute``."""

    device: str
    precision: str
    batch: int
    threads: int
    compile: str


def io_threads(request: ComputeRequest, compute: ComputeSettings) -> int:
    """Return how many threads read tiles, and how many write them: one where the same cores compute."""
    if compute.device == "cpu" and not request.elsewhere:
        return 1
    return min(_IO_THREADS, os.cpu_count() or 1)


def computing_devices(request: ComputeRequest, compute: ComputeSettings) -> list[torch.device]:
    """Return the devices on which this process computes."""
    import torch

    return [torch.device(compute.device)] if request.devices is None else pick_devices(request.devices)


def lanes(request: ComputeRequest, compute: ComputeSettings) -> int:
    """Return how many batches this process computes side by side: one where the user gave a number of threads."""
    import torch

    if request.threads is not None or torch.device(compute.device).type != "cpu":
        return 1
    return max(1, min(LANES, torch.get_num_threads() // compute.threads))


def check_compute(request: ComputeRequest, model: Model) -> None:
    """Refuse what is wrong whatever is computed, before anything is looked at.

    Raises
    ------
    InputError
        What was asked for makes no sense.
    """
    for name, most in _MOST.items():
        check_number(name, getattr(request, name), most=most)
    if request.workers is not None and request.scheduler is not None:
        raise InputError("--workers starts processes here and --scheduler asks those of a cluster: choose one.")
    if request.devices is not None and request.elsewhere:
        raise InputError(
            "--devices computes on the GPUs of this process, --workers and --scheduler elsewhere: choose one."
        )
    if request.precision is not None:
        pick(request.precision, PRECISIONS, "precision")
    pick(request.compile, COMPILE, "compile")
    if isinstance(model.system, Whole) and (request.elsewhere or request.devices is not None):
        raise InputError(f"{model.name} takes a case at once: leave out --workers, --scheduler and --devices.")


def resolve_compute(
    request: ComputeRequest, begun: Mapping[str, Any] | None, model: Model, settings: SampleSettings, plan: Plan
) -> ComputeSettings:
    """Decide where a run computes.

    Parameters
    ----------
    request : ComputeRequest
        By the user.
    begun : mapping or None
        The record of the result to be gone on with: it is gone on with as it was begun, unless told otherwise.
    model : Model
        Loaded on this machine.
    settings : SampleSettings
        How it samples.
    plan : Plan
        What is computed.

    Returns
    -------
    ComputeSettings

    Raises
    ------
    InputError
        What was asked for is not there, or makes no sense; the cluster does not answer.
    """
    check_compute(request, model)
    compute = {"compile": "off"} | dict(begun["compute"]) if begun else {}
    device = compute.get("device", "auto") if request.device == "auto" else request.device
    if request.devices is not None and device in ("auto", "cuda"):
        pick_devices(request.devices)
        device = "cuda"
    elif request.devices is not None:
        raise InputError(f"--devices asks for GPUs, and {device} is none: leave one of the two out.")
    wanted: dict[str, Any] = {
        name: compute.get(name) if getattr(request, name) is None else getattr(request, name)
        for name in ("precision", "batch", "threads")
    }
    wanted["compile"] = compute.get("compile", "auto") if request.compile == "auto" else request.compile
    wanted["work"] = plan.count * prod(plan.shape) * settings.samples * settings.steps
    if request.scheduler is None:
        return _choose_here(model, settings, device=device, workers=request.workers, **wanted)
    with connect(request.scheduler, None) as client:
        future = ask(client.submit, _choose_there, address(model), settings, device=device, **wanted, pure=False)
        found: dict[str, Any] = ask(future.result)
    return ComputeSettings(**found)


def address(model: Model) -> str:
    """Return what finds a model on another machine: its name on a shelf or hub, or the absolute path of its folder."""
    try:
        _, folder = find_model(model.name)
    except InputError:
        return str(model.path.resolve())
    return model.name if folder == model.path else str(model.path.resolve())


def _choose_here(
    model: Model,
    settings: SampleSettings,
    *,
    device: str,
    precision: str | None,
    batch: int | None,
    threads: int | None,
    compile: str,  # noqa: A002  the word of the option
    work: float,
    workers: int | None = None,
) -> ComputeSettings:
    place = pick_device(device)
    precision = precision or pick_precision(place)
    if compile == "auto":
        # What is recorded is faster as it is: 2.7 ms an evaluation of 16 tiles against 3.5 (3.1, recorded too).
        pays = place.type == "cuda" and work >= COMPILED_FROM and not model.system.recordable
        compile = "on" if pays else "off"  # noqa: A001
    batch = batch or _batch(model, settings, place, precision)
    if place.type == "cpu" and isinstance(model.system, Tiled):
        _check_memory(model.name, model.tiled, batch, precision)
    return ComputeSettings(
        device=str(place),
        precision=precision,
        batch=batch,
        threads=threads or _threads(place, workers),
        compile=compile,
    )


def _check_memory(name: str, system: Tiled, batch: int, precision: str) -> None:
    """Refuse a batch that cannot fit into the memory: the system ends a process that finds out by itself."""
    free = free_memory()
    channels = next((int(weight.shape[0]) for weight in system.parameters() if weight.ndim >= 4), 1)
    pixels = (system.depth + 2 * system.context) * system.tile**2
    need = batch * pixels * channels * _ALIVE * (2 if precision == "bf16" else 4)
    if free is not None and need > free:
        what = "one tile" if batch == 1 else f"a batch of {batch} tiles"
        way = "take a machine with more" if batch == 1 else "say a smaller --batch"
        raise InputError(
            f"{what} of {name} needs {need / 1e9:.2g} GB of memory or more, and {free / 1e9:.2g} GB are free: {way}."
        )


def _threads(device: torch.device, workers: int | None) -> int:
    """Return the CPU threads of a batch: the cores shared out evenly among workers, or among lanes."""
    import torch

    if workers is None:
        return max(torch.get_num_threads() // (LANES if device.type == "cpu" else 1), 1)
    return max((os.cpu_count() or 1) // workers, 1)


def _choose_there(model: str, settings: SampleSettings, *, threads: int | None, **wanted: Any) -> dict[str, Any]:
    """Choose on a worker, which has as many threads as dask was told."""
    from distributed import get_worker

    threads = threads or int(get_worker().state.nthreads)
    return asdict(_choose_here(load_model(model), settings, threads=threads, **wanted))


def _batch(model: Model, settings: SampleSettings, device: torch.device, precision: str) -> int:
    if isinstance(model.system, Whole):
        return 1
    # On a CPU a larger batch is no faster (benchmarks efficiency), and the first pixels come later; but for tiles so
    # small that what is not arithmetic takes the time (benchmarks nanoparticles seconds).
    if device.type == "cpu":
        return max(1, min(_MOST_ON_A_CPU, (_FULL_SIDE // model.tiled.tile) ** 2))
    return find_batch(model.tiled.to(device), settings, device=device, precision=precision)
