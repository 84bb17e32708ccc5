"""Make the pictures of docs/qupath.md: an annotation from QuPath in napari, and what goes back to QuPath on the slide.

No QuPath runs here: the annotation is a file of the form that QuPath exports, and what is drawn over the slide in the
second picture is what QuPath is given, `objects.geojson`, read as any file of annotations. Run it under a screen::

    xvfb-run -s "-screen 0 1280x800x24" python -m docs_scripts.qupath
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import napari
from napari._qt.dialogs.qt_notification import NapariQtNotification
from PIL import Image

from diffuscope import export, finish, run
from diffuscope.plugin.docks.stain import StainDock
from diffuscope.plugin.layers.reader import read_layers
from diffuscope.plugin.layers.samples import cmu_1
from diffuscope.sample_data import sample_path
from docs_scripts.screenshots import IMAGES, look_at, wait

#: Corners (x, y) of the annotation, px of the slide.
RING = [[820, 640], [1240, 600], [1330, 800], [1260, 1080], [900, 1120], [760, 900], [820, 640]]


def shoot(viewer: napari.Viewer, name: str) -> None:
    """Save the whole window as JPEG, which holds tissue in a tenth of a PNG's bytes, once finer px were read."""
    viewer.window._qt_window.resize(1280, 800)
    end = time.monotonic() + 3.0
    wait(lambda: time.monotonic() > end)
    for told in viewer.window._qt_window.findChildren(NapariQtNotification):
        told.hide()  # it would lie over the scale bar
    with tempfile.TemporaryDirectory() as folder:
        viewer.window.screenshot(str(Path(folder) / "window.png"), canvas_only=False, flash=False)
        with Image.open(Path(folder) / "window.png") as window:
            window.convert("RGB").save(IMAGES / f"{name}.jpg", quality=85)


def opened(annotations: Path) -> napari.Viewer:
    """Open the slide, and on it what is drawn in a file."""
    viewer = napari.Viewer(title="Diffuscope")
    viewer.window._qt_window.resize(1280, 800)
    for data, about, _ in cmu_1():
        viewer.add_image(data, **about)
    for data, about, _ in read_layers(str(annotations)):
        viewer.add_shapes(data, **about)
    viewer.window._qt_viewer.dockLayerControls.hide()
    return viewer


def main() -> None:
    """Run in the annotation, and take both pictures."""
    about = {"objectType": "annotation", "name": "Core", "classification": {"name": "Tumour", "color": [200, 0, 0]}}
    drawn = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [RING]}, "properties": about}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        annotations = place / "annotations.geojson"
        annotations.write_text(json.dumps({"type": "FeatureCollection", "features": [drawn]}), encoding="utf-8")
        viewer = opened(annotations)
        dock = StainDock(viewer)
        viewer.window.add_dock_widget(dock, name="Virtual staining", area="right")
        wait(lambda: dock.session.state.is_idle)
        dock.form.region = "shape"
        wait(lambda: bool(dock.run.isEnabled()))
        look_at(viewer, viewer.layers[-1])
        viewer.camera.zoom *= 0.8
        shoot(viewer, "qupath-annotation")
        viewer.close()
        slide = sample_path("CMU-1-Small-Region.svs")
        finish(run("stain-cd3-demo", slide, place / "out.ome.zarr", region=f"{annotations}#Core"))
        finish(export(place / "out.ome.zarr", place / "for-qupath", qupath=True))
        viewer = opened(place / "for-qupath" / "objects.geojson")
        look_at(viewer, viewer.layers[-1])
        shoot(viewer, "qupath-objects")
        viewer.close()


if __name__ == "__main__":
    main()
