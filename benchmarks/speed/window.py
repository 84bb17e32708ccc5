"""Whether the window stays alive: a real viewer, its camera panned all the time, while the dock stains a slide.

The stain is seen behind the curtain, with the maps of DAB and uncertainty over it and a colour bar of each. A stall is
by how much a beat of a 5 ms timer on the main thread came too late. Before the run the slide is panned alone
(`idle`), after it all that was seen in it (`still`): where no graphics card draws, that alone is most of it, and what
the run adds is the difference. What that costs the run is `pace_left`: steps a second while the view moves, of those
while it does not. Start it on a screen, or with ``xvfb-run -a -s "-screen 0 1280x800x24"``.

Where other programs keep the machine busy a beat comes late because of them, too. Hence `stall_cpu`, processor time of
the main thread from beat to beat, and on Linux `stall_alone`: how late a beat came less what the main thread waited for
a processor, and less what the threads that draw in software did while it slept.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from math import cos, pi, sin
from pathlib import Path
from typing import Any, NamedTuple

import napari
import numpy as np
from qtpy.QtCore import QEventLoop, Qt, QTimer

from benchmarks.shared.figures import Goal
from diffuscope import DEMO_MODEL
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.live import PREVIEW
from diffuscope.plugin.panels.views.stage import CURTAIN, stage_of

PAN_HZ = 30
BEAT_SECONDS = 0.005
IDLE_SECONDS, RUN_SECONDS = 10.0, 30.0
#: A way around on the slide, in parts of its size.
ORBIT = 0.15
#: Outputs that are seen in the run.
SEEN = ("ihc", "dab", "uncertainty")
GOALS = {
    "window_to_pixels_s": Goal(high=5.0),
    "first_pixels_s": Goal(high=2.0),
    "cancel_s": Goal(high=1.0),
    "stall_p99_ms": Goal(high=50.0),
    "stall_max_ms": Goal(high=100.0),
}


def measure() -> dict[str, float]:
    """Run once so that the model is loaded, then measure pans before, in and after a run, and the cancel of it.

    Of the second run the slide's tissue and stains are known, as of every further run on a slide.
    """
    begun = time.perf_counter()
    viewer = napari.Viewer()
    viewer.window._qt_window.resize(1280, 800)
    viewer.open_sample("diffuscope", "cmu-1")
    _, dock = viewer.window.add_plugin_dock_widget("diffuscope", "Virtual staining")
    state = dock.session.state
    with tempfile.TemporaryDirectory() as folder:
        until(lambda: state.is_idle and dock.run.isEnabled())
        viewer.screenshot(flash=False)
        window = time.perf_counter() - begun
        dock.form.model = next(model for model in dock.fields.models if model.name == DEMO_MODEL)
        dock.form.out = str(Path(folder) / "first.ome.zarr")
        until_pixels(viewer, dock)
        cancel(dock)
        for layer in viewer.layers[1:]:
            layer.visible = False

        pan = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=round(1000 / PAN_HZ))
        pan.timeout.connect(panner(viewer))
        pan.start()
        idle = stalls(IDLE_SECONDS)
        pan.stop()
        # What is in view is done before its stalls are measured.
        dock.form.region = "tissue"
        dock.form.out = str(Path(folder) / "second.ome.zarr")
        first_pixels = until_pixels(viewer, dock)
        show_all(viewer, dock.form.out)
        undisturbed = pace(state)
        begun, start = state.done, time.perf_counter()
        pan.start()
        busy = stalls(RUN_SECONDS)
        moving = (state.done - begun) / (time.perf_counter() - start)
        assert state.phase == "running", "the run ended before its stalls were measured"
        pan.stop()
        seconds = cancel(dock)
        pan.start()
        still = stalls(IDLE_SECONDS)
        pan.stop()
        viewer.close()
    return {
        "window_s": window,
        "first_pixels_s": first_pixels,
        "window_to_pixels_s": window + first_pixels,
        "cancel_s": seconds,
        "pace_left": moving / undisturbed,
        **stall_figures(busy, ""),
        **stall_figures(idle, "idle_"),
        **stall_figures(still, "still_"),
    }


def until(condition: Callable[[], bool]) -> None:
    """Let the window live until something is so."""
    loop = QEventLoop()
    clock = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=5)
    clock.timeout.connect(lambda: condition() and loop.quit())
    clock.start()
    loop.exec()


def until_pixels(viewer: Any, dock: Any) -> float:
    """Press Run and return the seconds until a preview has been drawn on the screen."""
    start = time.perf_counter()
    dock.run.click()
    until(lambda: PREVIEW in viewer.layers or dock.session.state.is_idle)
    assert PREVIEW in viewer.layers, dock.session.state.message
    viewer.screenshot(flash=False)
    return time.perf_counter() - start


def show_all(viewer: Any, folder: str) -> None:
    """See the stain of a result and its maps of DAB and uncertainty, with their colour bars, behind the curtain."""
    made = [layer for layer in viewer.layers if own_metadata(layer).get("result") == folder]
    for layer in made:
        layer.visible = own_metadata(layer).get("port") in SEEN
    stage_of(viewer).show(CURTAIN)
    bars = [layer for layer in made if layer.visible and layer.colorbar.visible]
    assert len(bars) == 2 and stage_of(viewer).mode == CURTAIN, "there is nothing to draw"


def pace(state: Any) -> float:
    """Return the steps a second of a run at which nobody but looks."""
    begun, start = state.done, time.perf_counter()
    until(lambda: time.perf_counter() > start + IDLE_SECONDS)
    return (state.done - begun) / (time.perf_counter() - start)


def cancel(dock: Any) -> float:
    """Press Cancel and return the seconds until the dock is idle."""
    start = time.perf_counter()
    dock.cancel.click()
    until(lambda: dock.session.state.is_idle)
    return time.perf_counter() - start


def panner(viewer: Any) -> Callable[[], None]:
    """Return what moves the camera one step on a round trip of six seconds, at one screen px a slide px."""
    slide = viewer.layers[0]
    height, width = slide.extent.world[1]
    viewer.camera.zoom = 1 / slide.scale[-1]
    start = time.perf_counter()

    def step() -> None:
        angle = (time.perf_counter() - start) / 6 * 2 * pi
        viewer.camera.center = (height * (0.5 + ORBIT * sin(angle)), width * (0.5 + ORBIT * cos(angle)))

    return step


class Stalls(NamedTuple):
    """Of each beat of the heart, s: how late it came, and processor time of the main thread since the one before it.

    `alone` is how late it would have come if nobody had waited for a processor; None where the system does not tell.
    """

    late: list[float]
    cpu: list[float]
    alone: list[float] | None


def stalls(seconds: float) -> Stalls:
    """Let the heart beat for some seconds."""
    beats: list[tuple[float, ...]] = []
    threads = _watched()
    heart = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=round(BEAT_SECONDS * 1000))
    heart.timeout.connect(
        lambda: beats.append((time.perf_counter(), time.thread_time(), *(_waited(one) for one in threads)))
    )
    heart.start()
    end = time.perf_counter() + seconds
    until(lambda: time.perf_counter() > end)
    heart.stop()
    gaps, cpu, *waits = np.diff(beats, axis=0).T
    late = np.maximum(0.0, gaps - BEAT_SECONDS)
    alone = None
    if waits:
        main, drawing = waits[0], np.max([np.zeros_like(gaps), *waits[1:]], axis=0)
        asleep = np.maximum(0.0, gaps - cpu - main)
        alone = np.maximum(0.0, late - main - np.minimum(asleep, drawing)).tolist()
    return Stalls(late.tolist(), cpu.tolist(), alone)


def _watched() -> list[Path]:
    """Return where Linux tells of the main thread, and of those that draw in software; nothing elsewhere."""
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        return []
    drawing = [one for one in tasks.iterdir() if (one / "comm").read_text().startswith("llvmpipe")]
    return [one / "schedstat" for one in (tasks / str(threading.get_native_id()), *drawing)]


def _waited(thread: Path) -> float:
    """Return for how many seconds a thread has waited for a processor."""
    return int(thread.read_text().split()[1]) / 1e9


def stall_figures(stalls: Stalls, when: str) -> dict[str, float]:
    """Return the figures of stalls in ms."""
    figures = {}
    for what, seconds in (("", stalls.late), ("cpu_", stalls.cpu), ("alone_", stalls.alone)):
        if seconds is not None:
            figures[f"stall_{what}p99_{when}ms"] = 1000 * float(np.percentile(seconds, 99))
            figures[f"stall_{what}max_{when}ms"] = 1000 * max(seconds)
    return figures
