"""Make the pictures of docs/any-to-any.md: the dock "Text and images" at 1280×800, from a report and from images.

It needs a model of texts and images, by name or folder. Run it with a screen, or under a virtual one::

    xvfb-run -s "-screen 0 1280x800x24" python -m docs_scripts.texts any-to-any-demo
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import napari
import numpy as np

from diffuscope.plugin.docks.texts import TextsDock
from diffuscope.plugin.jobs.child import Child
from docs_scripts.screenshots import shoot, wait

REPORT = "Examination of the thorax. One nodule. There is a large solid nodule in the left upper zone."
WANTED = ("ct", "t1", "t2", "xray")


def run(dock: TextsDock, out: Path, *wanted: str) -> None:
    """Make some outputs, and wait for them."""
    dock.form.ticked = {port.key: port.key in wanted for port in dock.form.model.goals if dock.form.model}
    dock.form.out = str(out)
    dock.run.click()
    wait(lambda: not dock.session.state.is_idle)
    wait(lambda: dock.session.state.is_idle)
    if dock.session.state.failed:
        raise SystemExit(dock.session.state.message)


def main(model: str, child: Child | None = None, report: str = REPORT) -> None:
    """Go from a report to images, from one of these back to a report, and take the pictures."""
    viewer = napari.Viewer(title="Diffuscope")
    viewer.window._qt_window.resize(1280, 800)
    dock = TextsDock(viewer, child)
    viewer.window.add_dock_widget(dock, name=dock.kind.title, area="right")
    wait(lambda: dock.session.state.is_idle)
    dock.fields.folder_asked.emit(model)
    editor = dock.fields.given.texts["report"].edit
    editor.setPlainText(report)
    with tempfile.TemporaryDirectory() as folder:
        run(dock, Path(folder) / "images.ome.zarr", *WANTED)
        dock.form_area.verticalScrollBar().setValue(0)
        shoot(viewer, "texts")
        made = next(layer for layer in viewer.layers if layer.name == "generated CT")
        pixels, place = np.array(made.data), {"scale": made.scale, "units": made.units}
        dock.session.show_result(None)
        viewer.layers.clear()
        editor.clear()
        viewer.add_image(pixels, name="CT", **place)
        viewer.reset_view()
        run(dock, Path(folder) / "report.ome.zarr", "report")
        shoot(viewer, "texts-report")
        viewer.close()


if __name__ == "__main__":
    main(sys.argv[1])
