"""A result folder restored as layers: names, contrast, colours, record, and its place on the slide."""

from __future__ import annotations

import shutil
from pathlib import Path

import any_toys
import numpy as np
import pytest
import zarr
from model_card import CARD

import diffuscope
from diffuscope.engine.events import Preview
from diffuscope.model.folder import save_model
from diffuscope.plugin.layers.facts import is_result, own_metadata
from diffuscope.plugin.layers.live import LiveLayers
from diffuscope.plugin.layers.placement import layer_placement
from diffuscope.plugin.layers.reader import get_reader, read_layers
from diffuscope.plugin.layers.results import result_layers
from diffuscope.results.result import open_result
from diffuscope.systems import registry

napari = pytest.importorskip("napari")


def layers_of(folder: Path) -> dict[str, object]:
    viewer = napari.components.ViewerModel()
    for data, about, _ in read_layers(str(folder)):
        viewer.add_image(data, **about)
    return {layer.name: layer for layer in viewer.layers}


def test_every_layer_comes_back_as_it_was(result_folder: Path):
    assert get_reader(str(result_folder)) is not None
    layers = layers_of(result_folder)
    assert list(layers) == ["virtual CD3", "DAB"]
    ihc, dab = layers.values()
    assert ihc.rgb and ihc.visible and ihc.multiscale
    assert not dab.rgb and not dab.visible
    assert dab.contrast_limits == [0.0, 1.5] and dab.colormap.name == "magma"
    assert own_metadata(dab)["record"]["command"] == "diffuscope run stain a.svs"
    assert is_result(ihc) and own_metadata(ihc)["complete"]
    np.testing.assert_array_equal(np.asarray(ihc.data[0][100, 100]), [200, 100, 50, 255])
    assert float(dab.data[0][100, 100]) == 0.5


def test_a_pixel_lies_on_the_slide_where_it_was_computed(result_folder: Path):
    ihc = layers_of(result_folder)["virtual CD3"]
    slide = napari.layers.Image(np.zeros((2000, 3000)), scale=(0.25, 0.25))
    # the region begins at level-0 px x=104, y=208; canvas px (0, 0) covers level-0 px 208…209 and 104…105
    corner = slide.world_to_data(ihc.data_to_world((-0.5, -0.5)))
    np.testing.assert_allclose(corner, (207.5, 103.5))
    assert str(ihc.units[0]) == "micrometer"


def test_a_slide_whose_scale_the_user_gave_is_met_in_pixels(result_folder: Path):
    root = zarr.open_group(result_folder, mode="r+", zarr_format=2)
    about = dict(root.attrs["diffuscope"])
    about["record"]["inputs"]["he"]["mpp_stated"] = None
    root.attrs["diffuscope"] = about
    ihc = layers_of(result_folder)["virtual CD3"]
    # the reader shows such a slide with one world unit a pixel
    np.testing.assert_allclose(ihc.data_to_world((-0.5, -0.5)), (207.5, 103.5))
    assert str(ihc.units[0]) == "pixel"


def forget_coverage(folder: Path) -> None:
    shutil.rmtree(folder / "coverage")


def test_of_a_result_of_before_what_has_the_fill_s_colour_is_transparent(result_folder: Path):
    forget_coverage(result_folder)
    for chunk in (result_folder / "0" / "0" / "0").iterdir():
        chunk.unlink()
    ihc = layers_of(result_folder)["virtual CD3"]
    alpha = np.asarray(ihc.data[0])[..., 3]
    assert (alpha[:256] == 0).all() and (alpha[256:] == 255).all()


def live(folder: Path) -> tuple[object, LiveLayers]:
    viewer = napari.components.ViewerModel()
    slide = viewer.add_image(np.zeros((2000, 3000), np.uint8), scale=(3.0, 3.0), translate=(50.0, 70.0))
    return viewer, LiveLayers(viewer, result_layers(open_result(folder), layer_placement(slide)))


def test_outputs_lie_on_their_slide_wherever_the_user_has_put_it(result_folder: Path):
    viewer, shown = live(result_folder)
    corner = viewer.layers[0].world_to_data(shown.outputs[0].data_to_world((-0.5, -0.5)))
    np.testing.assert_allclose(corner, (207.5, 103.5))
    assert viewer.layers.selection.active is viewer.layers[0]


def test_the_preview_lies_on_the_canvas_and_is_one_layer(result_folder: Path):
    viewer, shown = live(result_folder)
    before = len(viewer.layers)
    for place in ((-3, 5), (128, 64)):
        shown.show_preview(Preview(y=place[0], x=place[1], image=np.zeros((288, 288, 3), np.uint8), step=1, steps=8))
        preview = viewer.layers[-1]
        np.testing.assert_allclose(preview.data_to_world((0, 0)), shown.outputs[0].data_to_world(place))
    assert len(viewer.layers) == before + 1
    shown.end(open_result(result_folder))
    assert len(viewer.layers) == before


def test_refresh_shows_what_came_to_disk_at_every_zoom(result_folder: Path):
    _, shown = live(result_folder)
    levels = [zarr.open_array(result_folder / str(n), mode="r+") for n in range(len(shown.outputs[0].data))]
    for level in levels:
        level[:] = np.broadcast_to(np.uint8([10, 20, 30])[:, None, None], level.shape)
    shown.refresh()
    for level in shown.outputs[0].data:
        np.testing.assert_array_equal(np.asarray(level[5, 5]), [10, 20, 30, 255])
    # what napari holds for the screen (it shows the coarsest level of a slide seen as a whole)
    np.testing.assert_array_equal(shown.outputs[0]._slice.image.raw[5, 5], [10, 20, 30, 255])


def test_without_a_result_nothing_stays(result_folder: Path):
    viewer, shown = live(result_folder)
    shown.end(None)
    assert len(viewer.layers) == 1


def test_a_layer_that_the_user_removed_does_no_harm(result_folder: Path):
    viewer, shown = live(result_folder)
    viewer.layers.remove(shown.outputs[1])
    shown.refresh()
    shown.end(open_result(result_folder))
    assert [layer.name for layer in viewer.layers][1:] == ["virtual CD3"]


def test_what_a_text_alone_became_lies_where_a_slide_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(registry._ROWS, "any", any_toys.ROWS["any"])
    model = save_model(tmp_path / "toy", registry.build_system("any", {}), "any", {}, CARD)
    diffuscope.finish(
        diffuscope.run(model, {"report": "a nodule"}, tmp_path / "out.ome.zarr", device="cpu", want=("ct",))
    )
    ct = layers_of(tmp_path / "out.ome.zarr")["generated CT"]
    np.testing.assert_allclose(ct.data_to_world((1, 2)), (any_toys.MPP, 2 * any_toys.MPP))
    assert str(ct.units[0]) == "micrometer" and own_metadata(ct)["record"]["generated"] == ["ct", "ct_sd"]
