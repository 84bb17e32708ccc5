"""What a dock that runs models has done: runs, exports, and the result that it shows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from psygnal import Signal

from diffuscope.engine.events import Preview
from diffuscope.errors import InputError
from diffuscope.exports.table import find_format
from diffuscope.measurement.threshold import told_threshold, with_threshold
from diffuscope.model.find import list_models, model_info
from diffuscope.plugin.forms.forecast.rates import Watch
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.given.patient import open_series, open_slides
from diffuscope.plugin.jobs.glimpse.job import compute_glimpse, show_glimpse
from diffuscope.plugin.jobs.job import Job, verb
from diffuscope.plugin.jobs.run import Opened, Renewed, Request, carry_out
from diffuscope.plugin.jobs.run_view import RunView
from diffuscope.plugin.jobs.session import Session
from diffuscope.plugin.layers.facts import ModelFacts, model_facts
from diffuscope.plugin.layers.live import add_layers
from diffuscope.plugin.layers.objects.threshold import threshold_set
from diffuscope.plugin.layers.results import LayerTuple
from diffuscope.plugin.layers.values import value_layers
from diffuscope.plugin.settings.recent import note
from diffuscope.ports.stains import find_stains
from diffuscope.results.result import Result


def known_models() -> list[ModelFacts]:
    """Return every model that goes by a name; nothing of it is loaded."""
    return [model_facts(info, info.name) for info in list_models()]


def folder_model(folder: str) -> ModelFacts:
    """Return the model of a folder; nothing of it is loaded.

    Raises
    ------
    InputError
        It is none.
    """
    return model_facts(model_info(folder), folder)


class RunSession(Session):
    """The jobs of a dock that runs models. All methods belong to the main thread.

    Attributes
    ----------
    result : Result or None
        The one that the dock shows.
    made_of : dict of Path to Request
        Of each result that the dock made, what it was made of, without px: what is closed is to be let go.
    """

    model_found = Signal(ModelFacts)
    result_changed = Signal(object)

    result: Result | None = None

    def __init__(self, viewer: Any, title: str, child: Child | None = None) -> None:
        super().__init__(viewer, title, child)
        self.made_of: dict[Path, Request] = {}

    def load_models(self) -> None:
        """Look which models there are; each comes as `model_found`."""
        for model in known_models():
            self.model_found.emit(model)

    def load_folder(self, folder: str) -> None:
        """Look into a model folder; it comes as `model_found`."""
        try:
            found = folder_model(folder)
        except InputError as error:
            self.state.complain(str(error))
            return
        self.model_found.emit(found)

    def run(self, request: Request) -> None:
        """Run a model, after the jobs that wait."""
        child = self.compute.child
        view = RunView(self.viewer, request.placement, child.look_at)
        watch = Watch(request.settings["model"], request.settings.get("device", "auto"), request.evaluations)
        self.submit(
            Job(
                text=request.text,
                doing=f"Preparing “{request.name}”…",
                work=partial(carry_out, request=request),
                steps=request.evaluations,
                out=Path(request.settings["out"]),
                stopped="Cancelled before anything was computed.",
                on_start=view.start,
                on_event=partial(_show, view, watch),
                on_end=partial(self._ran, view, watch, request),
                on_leave=partial(view.end, None),
            )
        )

    def glimpse(self, request: Request) -> None:
        """Compute one tile to look at, after the jobs that wait."""
        watch = Watch(request.settings["model"], request.settings.get("device", "auto"), request.evaluations)
        self.submit(
            Job(
                text=request.text,
                doing=f"Preparing a preview of “{request.name}”…",
                work=partial(compute_glimpse, request=request),
                steps=request.evaluations,
                stopped="Cancelled: no preview was made.",
                on_event=watch.take,
                on_end=partial(self._glimpsed, watch),
            )
        )

    def _glimpsed(self, watch: Watch, layer: LayerTuple | None) -> str | None:
        watch.keep()
        return show_glimpse(self.viewer, layer)

    def export(self, result: Result, path: Path, layer: str, *, anonymous: bool = False) -> None:
        """Write a result to a file, counted from the threshold that is set; `anonymous` tells nothing of the input."""
        threshold = threshold_set(self.viewer, str(result.path))
        self.submit(
            Job(
                text=f"export {result.path.name} to {path.name}",
                doing=f"Exporting to {path.name}…",
                work=verb(
                    "export",
                    result=result.path,
                    path=path,
                    layer=layer,
                    series=open_series(self.viewer.layers),
                    slides=open_slides(self.viewer.layers),
                    anonymous=anonymous,
                    threshold=threshold,
                ),
                out=path,
                on_end=lambda written: f"{written}{_counted(result, path, threshold)}" if written else None,
            )
        )

    def show_result(self, result: Result | None) -> None:
        """Make a result the one that the table shows and Export writes."""
        self.result = result
        self.result_changed.emit(result)

    def close(self) -> None:
        """Let the dock go, as `Session.close`."""
        for signal in (self.model_found, self.result_changed):
            signal.disconnect()
        super().close()

    def _ran(self, view: RunView, watch: Watch, request: Request, result: Result | None) -> None:
        watch.keep()
        is_shown = result is not None and result.done > 0
        view.end(result if is_shown else None)
        if result is not None:
            inputs = tuple(replace(one, pixels=None) for one in request.inputs)
            self.made_of[result.path] = replace(request, inputs=inputs, outlines=())
            if request.placement is not None and is_shown:
                add_layers(self.viewer, value_layers(result, request.placement))
            self.show_result(result)
            note(result.path)


def _counted(result: Result, path: Path, threshold: float | None) -> str:
    """Say from which threshold what went out was counted; nothing where nothing is."""
    if not find_stains(result.ports) or not find_format(result, path.name).counts:
        return ""
    return f" {told_threshold(with_threshold(result.record, threshold))}"


def _show(view: RunView, watch: Watch, message: Any) -> None:
    watch.take(message)
    match message:
        case Opened():
            view.open(message.out, message.layers)
        case Preview():
            view.preview(message)
        case Renewed():
            view.renew()
