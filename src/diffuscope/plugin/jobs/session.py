"""What the dock does: models, runs and exports in the child process, their events on the main thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.qt.threading import create_worker
from napari.utils import progress
from psygnal import Signal
from qtpy.QtCore import QTimer

from diffuscope.engine.events import Finished, Preview, Started, TileDone
from diffuscope.events import Notice
from diffuscope.plugin.jobs.carry_out import Ended, Opened, Renewed, Request, carry_out
from diffuscope.plugin.jobs.child import Child, drive
from diffuscope.plugin.jobs.patient import open_series
from diffuscope.plugin.jobs.process import Failed, Returned
from diffuscope.plugin.jobs.queue import JobQueue, same_folder
from diffuscope.plugin.jobs.state import JobState
from diffuscope.plugin.layers.facts import ModelFacts, own_metadata
from diffuscope.plugin.layers.live import LiveLayers, add_layers
from diffuscope.plugin.layers.values import value_layers
from diffuscope.results.result import Result

#: What a job does is drawn at most this often; while the camera moves, which draws by itself, no oftener than _MOVING.
_DRAW_SECONDS, _MOVING_SECONDS = 0.1, 4.0
#: The camera moves if it did so this short a while ago.
_STILL_SECONDS = 0.25


class Session:
    """The jobs of one dock. All methods belong to the main thread.

    Parameters
    ----------
    viewer : napari.Viewer
        Where results are shown.
    child : Child
        Where models run.
    title : str
        Of the dock, for napari's own list of what goes on.
    """

    model_found = Signal(ModelFacts)
    result_changed = Signal(object)

    def __init__(self, viewer: Any, child: Child, title: str) -> None:
        self.viewer = viewer
        self.state = JobState()
        self.queue = JobQueue()
        self.result: Result | None = None
        self._child = child
        self._title = title
        self._closed = False
        self._stop = threading.Event()
        self._request: Request | None = None
        self._live: LiveLayers | None = None
        self._bar: Any = None
        self._preview: Preview | None = None
        self._is_stale = False
        self._moved = self._drawn = 0.0
        self._outcome: Finished | Failed | None = None
        self._clock = QTimer()
        self._clock.setInterval(int(_DRAW_SECONDS * 1000))
        self._clock.timeout.connect(self._draw)
        viewer.camera.events.connect(self._on_camera)

    def load_models(self) -> None:
        """Ask the child which models there are; each comes as `model_found`."""
        self.state.begin("busy", "Loading the list of models…")
        self._work(partial(drive, self._child, "models"), self._on_model)

    def load_folder(self, folder: str) -> None:
        """Look into a model folder; it comes as `model_found`."""
        self.state.begin("busy", f"Looking into {Path(folder).name}…")
        self._work(partial(drive, self._child, "describe", model=folder), self._on_model)

    def run(self, request: Request) -> None:
        """Start a job, or let it wait for the one at work."""
        if self.state.is_idle:
            self._start(request)
        else:
            self.queue.add(request)

    def is_promised(self, out: Path) -> bool:
        """Whether the job at work or one that waits writes into a folder."""
        jobs = [*self.queue.waiting, *([self._request] if self._request else [])]
        return any(same_folder(job.settings["out"], out) for job in jobs)

    def _start(self, request: Request) -> None:
        self._request = request
        self._stop = threading.Event()
        self._live = self._preview = self._outcome = None
        self._is_stale, self._drawn = False, 0.0
        self.state.begin("starting", f"Preparing “{request.slide.name}”…")
        self._bar = progress(total=0, desc=self._title)
        self._clock.start()
        self._tell_view()
        self._work(partial(carry_out, self._child, request, self._stop), self._on_run)

    def cancel(self) -> None:
        """Stop the job at work before its next denoising step; finished tiles are kept, and the queue goes on."""
        self._stop.set()
        self._child.cancel()
        self.state.phase = "cancelling"
        self.state.say("Cancelling: the step at hand ends, finished tiles are kept.")

    def export(self, result: Result, path: Path, layer: str) -> None:
        """Write a result to a file in the background."""
        asked: dict[str, Any] = {
            "result": result.path,
            "path": path,
            "layer": layer,
            "series": open_series(self.viewer.layers),
        }
        job = partial(drive, command="export", **asked)
        self.work(f"Exporting to {path.name}…", job, lambda written: f"Exported to {written}.")

    def work(self, doing: str, job: Callable[[Child], Any], done: Callable[[Any], str]) -> None:
        """Do something else in the background while no job is at work.

        Parameters
        ----------
        doing : str
            What is said meanwhile.
        job : callable
            Takes the child process and makes the generator of messages; the last is a `Returned` or a `Failed`.
        done : callable
            Takes what was returned, and returns what is said then.
        """

        def told(message: Any) -> None:
            if isinstance(message, Failed):
                self.state.fail(message.sentence)
            elif isinstance(message, Returned):
                self.state.say(done(message.value))
                self.state.phase = "idle"

        self.state.begin("busy", doing)
        self._work(partial(job, self._child), told)

    def show_result(self, result: Result | None) -> None:
        """Make a result the one that the table shows and Export writes."""
        self.result = result
        self.result_changed.emit(result)

    def close(self) -> None:
        """End the child process, and drop what waits; what they may still say finds no listener: the window is gone."""
        self._closed = True
        self._stop.set()
        self._clock.stop()
        self.viewer.camera.events.disconnect(self._on_camera)
        for signal in (self.state.events, self.model_found, self.result_changed, self.queue.changed):
            signal.disconnect()
        self.queue.clear()
        if self._bar is not None:
            with suppress(RuntimeError):  # napari's own bar went with its window
                self._bar.close()
        self._child.close()

    def _work(self, generator: Callable[[], Any], handle: Callable[[Any], None]) -> None:
        def job() -> Any:  # napari tells a generator worker from a function worker by the kind of function
            yield from generator()

        def told(message: Any) -> None:
            if not self._closed:
                handle(message)

        worker = create_worker(job)
        worker.yielded.connect(told)
        worker.aborted.connect(self._on_abort)
        worker.start()

    def _on_model(self, message: Any) -> None:
        if isinstance(message, ModelFacts):
            self.model_found.emit(message)
        elif isinstance(message, Failed):
            self.state.fail(message.sentence)
        elif isinstance(message, Returned):
            # who heard of a model may have had something to say about it
            if not self.state.failed:
                self.state.say("")
            self.state.phase = "idle"

    def _on_run(self, message: Any) -> None:
        match message:
            case Started():
                self.state.apply(message)
                self._bar.total = message.tiles
            case Opened():
                # a result that was replaced: its layers show what is no longer there
                self._drop_layers_of(message.out)
                self._live = LiveLayers(self.viewer, message.layers)
            case Preview():
                self.state.apply(message)
                self._preview = message
            case TileDone():
                self.state.apply(message)
                self._bar.update(message.done - self._bar.n)
            case Notice():
                self.state.apply(message)
            case Renewed():
                self._is_stale = True
            case Finished() | Failed():
                self._outcome = message
            case Ended():
                self._end(message.result)

    def _draw(self) -> None:
        self._tell_view()
        now = time.monotonic()
        if self._live is None or (now - self._moved < _STILL_SECONDS and now - self._drawn < _MOVING_SECONDS):
            return
        self._drawn = now
        if self._preview is not None:
            self._live.show_preview(self._preview)
            self._preview = None
        if self._is_stale:
            self._is_stale = False
            self._live.refresh()

    def _on_camera(self, _: Any = None) -> None:
        self._moved = time.monotonic()

    def _tell_view(self) -> None:
        if self._request is not None and self.viewer.dims.ndisplay == 2:
            placement, dims = self._request.placement, self.viewer.dims
            place = np.array(dims.point, float)
            place[list(dims.displayed)] = self.viewer.camera.center[-2:]
            self._child.look_at(*placement.to_input(place[-len(placement.scale) :].tolist()))

    def _end(self, result: Result | None) -> None:
        self._clear(result)
        if result is not None and self._request is not None:
            add_layers(self.viewer, value_layers(result, self._request.placement))
            self.show_result(result)
        # late, since whoever waits for an idle dock expects all of the above
        match self._outcome:
            case Finished():
                self.state.apply(self._outcome)
            case Failed():
                if self.queue.waiting and self._request is not None:
                    self.queue.add_failed(self._request, self._outcome.sentence)
                self.state.fail(self._outcome.sentence)
            case None:
                self.state.say("Cancelled before anything was computed.")
                self.state.phase = "idle"
        self._request = None
        if request := self.queue.take():
            self._start(request)

    def _on_abort(self) -> None:
        # napari closing ended the worker: nothing must start in its place
        if self._closed:
            return
        self.queue.clear()
        self._request = None
        self._stop.set()
        self._child.cancel()
        self._clear(None, keep=True)
        self.state.say("Stopped by napari; finished tiles are kept.")
        self.state.phase = "idle"

    def _clear(self, result: Result | None, *, keep: bool = False) -> None:
        self._clock.stop()
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._live is not None:
            self._live.end(result, keep=keep)
            self._live = None

    def _drop_layers_of(self, out: str) -> None:
        for layer in [layer for layer in self.viewer.layers if own_metadata(layer).get("result") == out]:
            self.viewer.layers.remove(layer)
