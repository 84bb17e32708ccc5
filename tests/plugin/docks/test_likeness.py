"""What a dock says beside Run of a picture that does not look like what its model is for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tifffile
from patience import MILLISECONDS
from skimage import data as pictures

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from diffuscope.errors import InputError
from diffuscope.jobs.inputs import open_inputs
from diffuscope.jobs.likeness import notices
from diffuscope.plugin.docks.stain import StainDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.layers.reader import read_layers

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(make_napari_viewer: Any, compute: Child) -> Iterator[StainDock]:
    """A viewer with the dock."""
    viewer = make_napari_viewer()
    dock = StainDock(viewer, compute)
    viewer.window.add_dock_widget(dock, name="Virtual staining", area="right")
    yield dock
    viewer.close()


def test_an_immunostain_is_told_before_run_until_another_picture_is_chosen(
    dock: StainDock, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(notices, "SECONDS", 600.0)  # of a busy machine, as in tests/jobs
    stain, section = pictures.immunohistochemistry(), pictures.immunohistochemistry()[..., ::-1]
    for name, picture in (("brown", stain), ("purple", section)):
        tifffile.imwrite(tmp_path / f"{name}.tif", picture, photometric="rgb", resolution=(2e4, 2e4), resolutionunit=3)
    for name in ("brown", "purple"):
        for data, about, _ in read_layers(str(tmp_path / f"{name}.tif")):
            dock.viewer.add_image(data, **about)
    dock.form.out = str(tmp_path / "out.ome.zarr")
    dock.fields.layer_chosen.emit(0, [layer.name for layer in dock.inputs.layers].index("brown.tif"))
    shown = dock.likeness
    assert shown.isHidden()  # not looked at yet
    qtbot.waitUntil(lambda: not shown.isHidden(), timeout=MILLISECONDS)
    assert "H&amp;E (brown.tif) does not look like what this model is for" in shown.text.text()
    assert not dock.form.problem()  # and may be run all the same
    dock.fields.layer_chosen.emit(0, [layer.name for layer in dock.inputs.layers].index("purple.tif"))
    assert shown.isHidden()


def test_what_the_run_would_refuse_is_told_before_it_in_the_same_words(dock: StainDock, tmp_path: Path):
    section = pictures.immunohistochemistry()
    place = {"resolution": (2e4, 2e4), "resolutionunit": 3}
    tifffile.imwrite(tmp_path / "grey.tif", section[..., 0], photometric="minisblack", **place)
    tifffile.imwrite(tmp_path / "deep.tif", section.astype("uint16"), photometric="rgb", **place)
    tifffile.imwrite(tmp_path / "colour.tif", section, photometric="rgb", **place)
    dock.form.out = str(tmp_path / "out.ome.zarr")
    [port] = dock.form.model.inputs
    name = Path(dock.form.model.name).name
    for file in ("grey.tif", "deep.tif", "colour.tif"):
        [(data, about, _)] = read_layers(str(tmp_path / file))
        dock.viewer.add_image(data, **about)
        try:
            open_inputs(tmp_path / file, [port], name, mpp=None)
            refused = ""
        except InputError as error:
            refused = str(error)
        assert dock.form.problem() == refused and bool(refused) == (file != "colour.tif")
        assert refused in dock.jobs.status.text()
    # pixels of no file: as they are written for a run
    dock.viewer.add_image(section[..., 0] > 100, name="drawn", scale=(0.5, 0.5), units="micrometer")
    assert dock.form.problem() == (
        f"drawn is an image of 1 channel of type uint8, but model {name} needs 8-bit RGB: give one."
    )
    dock.viewer.add_image(section / 255, rgb=True, name="fractions", scale=(0.5, 0.5), units="micrometer")
    assert not dock.form.problem()
