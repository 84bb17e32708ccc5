"""What the child process can be asked to do; imported there only, since it brings torch in."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event as Flag
from typing import Any

import diffuscope.api.check_data
import diffuscope.api.evaluate
import diffuscope.api.export
import diffuscope.api.models
import diffuscope.api.register
import diffuscope.api.run
import diffuscope.api.train
from diffuscope.api.register import WRITING
from diffuscope.engine.events import Event, TileDone
from diffuscope.exports.dicom import ENDINGS as DICOM_ENDINGS
from diffuscope.measurement.regions import measure_regions as measure
from diffuscope.measurement.regions import open_vessels
from diffuscope.model.find import model_info
from diffuscope.plugin.jobs.patient import source_of, told
from diffuscope.plugin.jobs.process import Wishes
from diffuscope.plugin.layers.facts import ModelFacts, model_facts
from diffuscope.plugin.layers.results import LayerTuple
from diffuscope.plugin.layers.worst import worst_layers
from diffuscope.plugin.panels.reported import Reported, reported
from diffuscope.results.result import open_result
from diffuscope.scans import open_scan
from diffuscope.tiling.plan import Region
from diffuscope.training.events import TrainingEvent

Cancelled = Callable[[], bool]
# One thread: a registration begins after a cancelled one has come to the end of its step.
_registrations = ThreadPoolExecutor(1)


class _StoppedError(Exception):
    """The user has enough."""


def models(*, cancelled: Cancelled) -> Generator[ModelFacts, None, None]:
    """Yield every model of the zoo."""
    for info in diffuscope.api.models.models():
        if cancelled():
            return
        yield from describe(model=info.name, cancelled=cancelled)


def describe(*, model: str, cancelled: Cancelled) -> Generator[ModelFacts, None, None]:
    """Yield one model: a name of the zoo or the path of a model folder."""
    yield model_facts(model_info(model), model)


def run(*, cancelled: Wishes, **arguments: Any) -> Generator[Event, None, None]:
    """Yield the events of `diffuscope.api.run.run`, from where the user looks outwards."""
    yield from diffuscope.api.run.run(**arguments, cancelled=cancelled, focus=cancelled.focus)


def survey(
    *, data: Path, model: str | None = None, keys: tuple[str, ...] = (), mpp: float | None, cancelled: Cancelled
) -> Generator[str, None, None]:
    """Yield the lines of the report on a data set, for a model or for keys."""
    yield from diffuscope.api.check_data.survey(data, model=model, keys=keys, assumed_mpp=mpp).lines()


def train(*, cancelled: Wishes, **arguments: Any) -> Generator[TrainingEvent, None, None]:
    """Yield the events of `diffuscope.api.train.train`."""
    yield from diffuscope.api.train.train(**arguments, cancelled=cancelled)


def register(*, cancelled: Cancelled, **arguments: Any) -> Generator[str, None, str]:
    """Yield what `diffuscope.api.register.register` is doing, and return the result folder; "" where it was cancelled.

    A step of the optimiser cannot be interrupted: a cancelled registration is left alone until its step ends, and
    ends there. One that writes already is waited for, until it has cleaned up or is done.
    """
    said: SimpleQueue[str | None] = SimpleQueue()
    writes = Flag()

    def tell(what: str) -> None:
        if cancelled():
            raise _StoppedError
        if what == WRITING:
            writes.set()
        said.put(what)

    work = _registrations.submit(diffuscope.api.register.register, **arguments, progress=tell)
    work.add_done_callback(lambda _: said.put(None))
    while not cancelled() or writes.is_set():
        try:
            what = said.get(timeout=0.1)
        except Empty:
            continue
        if what is not None:
            yield what
            continue
        try:
            return str(work.result().path)
        except _StoppedError:
            return ""
    return ""


def evaluate(
    *, quality: str | None, samples: int, cancelled: Cancelled, **arguments: Any
) -> Generator[str | TileDone, None, Reported | None]:
    """Yield what `evaluate` is at and its tiles; return the report, None where it was cancelled."""
    told: SimpleQueue[str | TileDone | None] = SimpleQueue()

    def tell(what: str | Event) -> None:
        if cancelled():
            raise _StoppedError
        if isinstance(what, str | TileDone):
            told.put(what)

    # It calls back, and this yields: a thread lies between the two.
    with ThreadPoolExecutor(1) as thread:
        settings = diffuscope.api.evaluate.Settings(quality=quality, samples=samples)
        work = thread.submit(
            diffuscope.api.evaluate.evaluate, **arguments, settings=settings, progress=tell, follow=tell
        )
        work.add_done_callback(lambda _: told.put(None))
        while (what := told.get()) is not None:
            yield what
    try:
        return reported(work.result(), arguments["out"])
    except _StoppedError:
        return None


def worst_case(*, cancelled: Cancelled, **arguments: Any) -> Generator[None, None, list[LayerTuple]]:
    """Return the layers of `diffuscope.plugin.layers.worst.worst_layers`."""
    return worst_layers(**arguments)
    yield


def measure_regions(
    *,
    result: Path,
    vessels: str,
    is_copy: bool,
    regions: dict[str, Region],
    threshold: float | None,
    cancelled: Cancelled,
) -> Generator[None, None, list[dict[str, Any]]]:
    """Return the rows of `diffuscope.measurement.regions.measure_regions`; a layer's copy is no file of the record."""
    opened = open_result(result)
    scan = open_scan(vessels) if is_copy else open_vessels(opened, vessels)
    return measure(opened, scan, regions, threshold=threshold)
    yield


def export(
    *, result: Path, path: Path, layer: str, series: Sequence[Path] = (), cancelled: Cancelled
) -> Generator[None, None, str]:
    """Write a result to a file that may exist (the file dialog has asked), and say where, of DICOM also whose it is.

    `series` are those that are open: the one that the run took in gives patient and study to a DICOM export.
    """
    if not path.name.lower().endswith(DICOM_ENDINGS):
        diffuscope.api.export.export(result, path, layer=layer, overwrite=True)
        return str(path)
    opened = open_result(result)
    source = source_of(opened, series)
    diffuscope.api.export.export(result, path, layer=layer, overwrite=True, source=source)
    return f"{path} ({told(opened, source)})"
    yield
