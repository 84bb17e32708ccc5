"""Make the pictures of docs/mmfusion.md: the dock "Lymph-node scoring" at 1280×800, before and after a run.

It needs the model that is scored by, by name or folder. Run it with a screen, or under a virtual one::

    xvfb-run -s "-screen 0 1280x800x24" python -m docs_scripts.scoring lnm-demo
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import napari

from diffuscope.plugin.docks.scoring import ScoringDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.layers.samples import oesophagus
from diffuscope.sample_data import sample_path
from docs_scripts.screenshots import shoot, wait


def main(model: str, child: Child | None = None) -> None:
    """Score the simulated patient and take the pictures."""
    viewer = napari.Viewer(title="Diffuscope")
    viewer.window._qt_window.resize(1280, 800)
    for data, about, kind in oesophagus():
        getattr(viewer, f"add_{kind}")(data, **about)
    dock = ScoringDock(viewer, child)
    viewer.window.add_dock_widget(dock, name=dock.kind.title, area="right")
    wait(lambda: dock.session.state.is_idle)
    dock.fields.folder_asked.emit(model)
    rows = dock.fields.given.patient
    assert rows is not None
    rows.read([sample_path("oesophagus-simulated/cohort.csv")])
    rows.patient.setCurrentText("P0000")
    rows.patient.activated.emit(rows.patient.currentIndex())
    # to the slice with most of what is outlined
    outlines = viewer.layers[1]
    viewer.dims.set_point(0, outlines.data_to_world((int(outlines.data.any(axis=2).sum(axis=1).argmax()), 0, 0))[0])
    with tempfile.TemporaryDirectory() as folder:
        dock.form.out = str(Path(folder) / "P0000.ome.zarr")
        shoot(viewer, "scoring-before")
        dock.run.click()
        wait(lambda: dock.session.result is not None or dock.session.state.failed)
        wait(lambda: dock.session.state.is_idle)
        if dock.session.state.failed:
            raise SystemExit(dock.session.state.message)
        shoot(viewer, "scoring")
        viewer.close()


if __name__ == "__main__":
    main(sys.argv[1])
