"""What the child process can be asked to do; imported there only, since it brings torch in."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import diffuscope.api.check_data
import diffuscope.api.evaluate
import diffuscope.api.export
import diffuscope.api.measure
import diffuscope.api.prediction
import diffuscope.api.register
import diffuscope.api.run
import diffuscope.api.run_many
import diffuscope.api.train
from diffuscope.api.events import RanMany
from diffuscope.engine.events import Event
from diffuscope.events import Notice, Progress
from diffuscope.exports.table import find_format
from diffuscope.jobs.drawn.copied import LayerCopy
from diffuscope.plugin.jobs.given.patient import slide_of, source_of, whose
from diffuscope.plugin.jobs.process import Wishes
from diffuscope.plugin.layers.compare import Compared, Pair
from diffuscope.plugin.layers.compare import compare as compared
from diffuscope.plugin.layers.results import LayerTuple
from diffuscope.plugin.layers.worst import worst_layers
from diffuscope.plugin.panels.reported import Reported, reported
from diffuscope.results.result import open_result
from diffuscope.scans import open_scan
from diffuscope.simulation.restaining.example import write_example
from diffuscope.simulation.restaining.section import write_section
from diffuscope.training.events import TrainingEvent

Cancelled = Callable[[], bool]


def run(*, cancelled: Wishes, **arguments: Any) -> Generator[Event, None, None]:
    """Yield the events of `diffuscope.api.run.run`, from where the user looks outwards."""
    yield from diffuscope.api.run.run(**arguments, cancelled=cancelled, focus=cancelled.focus)


def run_many(
    *, cancelled: Cancelled, **arguments: Any
) -> Generator[Progress | Notice, None, tuple[int, int, int] | None]:
    """Return how many slides are done, failed, and are in all; None where it was cancelled before its end."""
    for event in diffuscope.api.run_many.run_many(**arguments, cancelled=cancelled):
        if isinstance(event, RanMany):
            return (event.done, event.failed, event.slides) if event.complete else None
        yield event
    return None


def check_data(
    *, data: Path, cancelled: Cancelled, **arguments: Any
) -> Generator[Progress | Notice, None, list[str] | None]:
    """Return the lines of the report on a data set, for a model or for keys; None where it was cancelled."""
    done = yield from _until(cancelled, diffuscope.api.check_data.check_data(data, **arguments))
    return list(done.report.lines()) if done is not None else None


def train(*, cancelled: Wishes, **arguments: Any) -> Generator[TrainingEvent, None, None]:
    """Yield the events of `diffuscope.api.train.train`."""
    yield from diffuscope.api.train.train(**arguments, cancelled=cancelled)


def register(*, cancelled: Cancelled, **arguments: Any) -> Generator[Progress | Notice, None, str | None]:
    """Return the result folder; None where it was cancelled. A step of the optimiser is not interrupted."""
    done = yield from _until(cancelled, diffuscope.api.register.register(**arguments))
    return str(done.path) if done is not None else None


def evaluate(
    *, quality: str | None, samples: int, device: str, batch: int | None, cancelled: Cancelled, **arguments: Any
) -> Generator[Progress | Notice, None, Reported | None]:
    """Return the gist of the report; None where it was cancelled, which keeps the results that there are."""
    settings = diffuscope.api.prediction.Settings(quality=quality, samples=samples, device=device, batch=batch)
    done = yield from _until(cancelled, diffuscope.api.evaluate.evaluate(**arguments, settings=settings))
    return reported(done.report, done.path) if done is not None else None


def make_sample(*, which: str, folder: Path, cancelled: Cancelled) -> Generator[None, None, Path]:
    """Simulate a sample: "pairs" to train and evaluate on, or a "section" that was stained twice."""
    {"pairs": write_example, "section": write_section}[which](folder)
    return folder
    yield


def compare(*, pair: Pair, cancelled: Cancelled) -> Generator[Progress | Notice, None, Compared | None]:
    """Return what two layers have in common, None where it was cancelled."""
    return (yield from _until(cancelled, compared(pair)))


def worst_case(*, cancelled: Cancelled, **arguments: Any) -> Generator[None, None, list[LayerTuple]]:
    """Return the layers of `diffuscope.plugin.layers.worst.worst_layers`."""
    return worst_layers(**arguments)
    yield


def measure(
    *, result: Path, vessels: Path | LayerCopy, cancelled: Cancelled, **arguments: Any
) -> Generator[Progress | Notice, None, Sequence[dict[str, Any]] | None]:
    """Return a row a region, None where it was cancelled; a layer's copy is no file that the run record knows."""
    channel = vessels.open(open_scan) if isinstance(vessels, LayerCopy) else str(vessels)
    done = yield from _until(cancelled, diffuscope.api.measure.measure(result, channel, **arguments))
    return done.rows if done is not None else None


def export(
    *,
    result: Path,
    path: Path,
    layer: str,
    series: Sequence[Path] = (),
    slides: Sequence[Path] = (),
    anonymous: bool = False,
    threshold: float | None = None,
    cancelled: Cancelled,
) -> Generator[Progress | Notice, None, str | None]:
    """Write a result to a file that may exist (the file dialog has asked), and say where, of DICOM also whose it is.

    Of texts it is said which are a user's own.

    `series` and `slides` are those that are open: the one that the run took in gives patient and study to a DICOM
    export, but to one that is to be anonymous; or it is shown in a report. Of a `threshold` are the files that hold
    what is counted.
    """
    opened = open_result(result)
    form = find_format(opened, path.name)
    keeps = form.keeps_source
    source = source_of(opened, series) if keeps and not anonymous else None
    if form.shows_source:
        source = slide_of(opened, slides)
    events = diffuscope.api.export.export(
        result,
        path,
        layer=layer,
        overwrite=True,
        source=source,
        anonymous=anonymous,
        threshold=threshold if form.counts else None,
    )
    done = yield from _until(cancelled, events)
    if done is None:
        return None
    about = f" ({'anonymous' if anonymous else whose(opened, source)})" if keeps or anonymous else ""
    return " ".join([f"Exported to {path}{about}.", *done.notices])


def _until(cancelled: Cancelled, events: Generator[Any, None, None]) -> Generator[Progress | Notice, None, Any]:
    """Yield how far a job is, and return its last event; end it, and return None, where it is cancelled."""
    with closing(events):
        for event in events:
            if not isinstance(event, Progress | Notice):
                return event
            if cancelled():
                return None
            yield event
    return None
