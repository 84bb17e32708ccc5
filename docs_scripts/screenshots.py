"""Make the pictures of the README: napari at 1280×800 before, during and after a run.

Run it with a screen, or under a virtual one::

    xvfb-run -s "-screen 0 1280x800x24" python -m docs_scripts.screenshots
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from diffuscope.plugin.docks.stain import StainDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.layers.facts import is_result
from diffuscope.plugin.layers.samples import cmu_1
from diffuscope.plugin.layers.slides import add_region_layer

IMAGES = Path(__file__).parents[1] / "docs/images"
#: Upper left and lower right corner (y, x) of the drawn region, level-0 px of the sample slide.
CORNERS = ((999.5, 599.5), (2023.5, 1623.5))


def wait(condition: Callable[[], bool], seconds: float = 600.0) -> None:
    """Keep the window alive until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain")
        QApplication.processEvents()
        time.sleep(0.01)


def shoot(viewer: napari.Viewer, name: str) -> None:
    """Save the whole window."""
    end = time.monotonic() + 1.0
    wait(lambda: time.monotonic() > end)
    IMAGES.mkdir(exist_ok=True)
    viewer.window.screenshot(str(IMAGES / f"{name}.png"), canvas_only=False, flash=False)


def look_at(viewer: napari.Viewer, shapes: napari.layers.Shapes) -> None:
    """Bring the drawn region into view."""
    low, high = shapes.extent.world
    viewer.camera.center = (0.0, *(low + high) / 2)
    viewer.camera.zoom = min(np.array(viewer.canvas.size) / (high - low)) * 0.85


def main(child: Child | None = None) -> None:
    """Go through a run and take the pictures."""
    viewer = napari.Viewer(title="Diffuscope")
    viewer.window._qt_window.resize(1280, 800)
    for data, about, _ in cmu_1():
        viewer.add_image(data, **about)
    dock = StainDock(viewer, child)
    viewer.window.add_dock_widget(dock, name="Virtual staining", area="right")
    wait(lambda: dock.session.state.is_idle)
    with tempfile.TemporaryDirectory() as folder:
        shapes = add_region_layer(viewer, viewer.layers[0])
        shapes.add_rectangles(np.array(CORNERS))
        shapes.mode = "pan_zoom"
        dock.form.region = "shape"
        dock.form.out = str(Path(folder) / "CMU-1-Small-Region.cd3.ome.zarr")
        look_at(viewer, shapes)
        shoot(viewer, "before")
        dock.run.click()
        wait(lambda: dock.session.state.done * 2 >= dock.session.state.total > 0 or dock.session.state.is_idle)
        shoot(viewer, "during")
        wait(lambda: dock.session.state.is_idle)
        if dock.session.state.failed:
            raise SystemExit(dock.session.state.message)
        shoot(viewer, "after")
        for layer in viewer.layers:
            layer.visible = layer.name.startswith("uncertainty") if is_result(layer) else layer.visible
        dock.form_area.verticalScrollBar().setValue(dock.form_area.verticalScrollBar().maximum())
        shoot(viewer, "uncertainty")
        viewer.close()


if __name__ == "__main__":
    main()
