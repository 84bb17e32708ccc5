"""File → Save: layers of a result go through our exports, all others to the writers that napari would take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from diffuscope.errors import InputError
from diffuscope.exports.table import FORMATS

napari = pytest.importorskip("napari")
npe2 = pytest.importorskip("npe2")

pytestmark = pytest.mark.usefixtures("plugin")


def opened(*folders: Path) -> Any:
    from diffuscope.plugin.layers.reader import read_layers

    viewer = napari.components.ViewerModel()
    for folder in folders:
        for data, about, _ in read_layers(str(folder)):
            viewer.add_image(data, **about)
    return viewer


def save(viewer: Any, path: Path, *names: str) -> list[str]:
    viewer.layers.selection = {viewer.layers[name] for name in names}
    return viewer.layers.save(str(path), selected=bool(names))


def test_napari_is_told_every_format_of_images():
    manifest = npe2.PluginManager.instance().get_manifest("diffuscope")
    told = {ending for one in manifest.contributions.writers for ending in one.filename_extensions}
    # Whoever saves a plain .png of a layer wants its px.
    assert told == {ending for form in FORMATS if form.of in (None, "slide", "volume") for ending in form.endings} - {
        ".png"
    }


def test_one_layer_or_all(result_folder: Path, tmp_path: Path):
    viewer = opened(result_folder)
    assert save(viewer, tmp_path / "one.ome.tif", "DAB") == [str(tmp_path / "one.ome.tif")]
    with tifffile.TiffFile(tmp_path / "one.ome.tif") as file:
        assert [one.name for one in file.series] == ["DAB"]
        assert file.series[0].asarray()[100, 100] == np.float32(0.5)
        assert "not for diagnosis" in file.ome_metadata
    save(viewer, tmp_path / "all.ome.tif")
    with tifffile.TiffFile(tmp_path / "all.ome.tif") as file:
        assert [one.name for one in file.series] == ["virtual CD3", "DAB"]
    save(viewer, tmp_path / "all.v05.ome.zarr")
    assert (
        json.loads((tmp_path / "all.v05.ome.zarr" / "zarr.json").read_text())["attributes"]["ome"]["version"] == "0.5"
    )
    save(viewer, tmp_path / "all.view.png")
    assert "not for diagnosis" in Image.open(tmp_path / "all.view.png").text["Description"].lower()
    # As a dialog answers in which a format was chosen and no ending was typed.
    writer = next(
        one for one in npe2.PluginManager.instance().get_manifest("diffuscope").contributions.writers
        if ".qupath" in one.filename_extensions
    )  # fmt: skip
    assert viewer.layers.save(str(tmp_path / "named"), _writer=writer) == [str(tmp_path / "named.qupath")]
    objects = tmp_path / "named.qupath" / "objects.geojson"
    objects.write_text("kept")
    with pytest.raises(InputError, match=r"named\.qupath is there already: save it by its whole name to replace it"):
        viewer.layers.save(str(tmp_path / "named"), _writer=writer)  # the dialog has not asked about named.qupath
    assert objects.read_text() == "kept"
    viewer.layers.save(str(tmp_path / "named.qupath"), _writer=writer)
    assert json.loads(objects.read_text())


def test_what_is_no_result_is_left_to_napari(result_folder: Path, tmp_path: Path):
    viewer = opened(result_folder)
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    viewer.add_image(pixels, name="mine")
    save(viewer, tmp_path / "mine.ome.tif", "mine")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "mine.ome.tif"), pixels)
    with pytest.raises(InputError, match=r"^mine\.dicom would hold a result of Diffuscope, and “mine” is none"):
        save(viewer, tmp_path / "mine.dicom", "mine")
    with pytest.raises(InputError, match=r"^“mine” is no layer of a Diffuscope result: select those of one result"):
        save(viewer, tmp_path / "both.ome.tif", "mine", "DAB")
    assert not (tmp_path / "both.ome.tif").exists()


def test_what_cannot_be_saved_is_refused_in_a_sentence(result_folder: Path, tmp_path: Path):
    other = tmp_path / "other.ome.zarr"
    other.symlink_to(result_folder)
    viewer = opened(result_folder, other)
    with pytest.raises(InputError, match=r"^These are layers of 2 results: select those of one"):
        save(viewer, tmp_path / "a.ome.tif")
    with pytest.raises(InputError, match=r"^a\.nii\.gz would be a volume, but the result is of a slide"):
        save(viewer, tmp_path / "a.nii.gz", "DAB")
    viewer.layers["DAB"].data = [np.ones((8, 8), np.float32), np.ones((4, 4), np.float32)]
    with pytest.raises(InputError, match=r"^“DAB” was changed, and is no longer what was computed: save it as \.tif"):
        save(viewer, tmp_path / "a.ome.tif", "DAB")
    assert sorted(tmp_path.iterdir()) == [result_folder, other]
