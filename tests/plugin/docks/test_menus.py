"""What napari does with the manifest: drop a file, open a sample, open the dock, show a record."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from patience import MILLISECONDS

from diffuscope.errors import InputError
from diffuscope.plugin.panels.record import show_record
from diffuscope.sample_data import sample_path

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from diffuscope.plugin.docks.stain import StainDock

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> Any:
    """An empty viewer."""
    return make_napari_viewer()


def test_a_dropped_slide_and_a_dropped_result_open(viewer: Any, result_folder: Path):
    viewer.open(str(sample_path("CMU-1-Small-Region.svs")), plugin="diffuscope")
    assert viewer.layers[0].name == "CMU-1-Small-Region.svs"
    assert viewer.layers[0].multiscale
    viewer.open(str(result_folder), plugin="diffuscope")
    assert [layer.name for layer in viewer.layers[1:]] == ["virtual CD3", "DAB"]


def test_a_broken_file_is_one_sentence(viewer: Any, tmp_path: Path):
    (tmp_path / "notes.svs").write_text("not a slide")
    with pytest.raises(InputError, match=r"notes\.svs"):
        viewer.open(str(tmp_path / "notes.svs"), plugin="diffuscope")
    assert not viewer.layers


def test_samples_open_from_the_menu_their_channels_as_layers(viewer: Any):
    for sample in ("cmu-1", "tcga-cr-7395", "os-1"):
        viewer.open_sample("diffuscope", sample)
        [layer] = viewer.layers
        assert layer.rgb
        viewer.layers.clear()
    viewer.open_sample("diffuscope", "tumour")
    assert [layer.name.rpartition(" · ")[2] for layer in viewer.layers] == ["CD31", "DAPI", "nanoparticles"]


def test_the_scans_of_a_sample_lie_on_each_other(viewer: Any):
    for sample, names in (("head", ["T1", "T2", "FLAIR"]), ("sarcoma", ["MR", "CT"])):
        viewer.open_sample("diffuscope", sample)
        assert [layer.name.removesuffix(".nii.gz").rpartition("-")[2] for layer in viewer.layers] == names
        first, *others = viewer.layers
        for layer in others:
            assert layer.ndim == 3 and layer.data.shape == first.data.shape
            np.testing.assert_allclose(layer.extent.world, first.extent.world)
        viewer.layers.clear()


@pytest.mark.parametrize(
    "title", ["Nanoparticle distribution", "Modality translation", "Lymph-node scoring", "Text and images"]
)
def test_the_other_docks_open_from_the_menu(viewer: Any, title: str, qtbot: Any):
    area, dock = viewer.window.add_plugin_dock_widget("diffuscope", title)
    assert dock.kind.title == title
    child = dock.session.compute.child
    viewer.window.remove_dock_widget(area)
    qtbot.waitUntil(lambda: child.is_closed, timeout=MILLISECONDS)


def is_seen(window: Any, button: Any) -> bool:
    bottom = button.mapTo(window, button.rect().bottomLeft()).y()
    return 0 < bottom <= window.height() <= 800


def test_the_dock_opens_from_the_menu_and_fits_a_small_screen(viewer: Any, qtbot: Any):
    viewer.window._qt_window.resize(1280, 800)
    viewer.window.show()
    area, dock = viewer.window.add_plugin_dock_widget("diffuscope", "Virtual staining")
    assert isinstance(dock, StainDock)
    dock.fields.fold.setChecked(True)
    child = dock.session.compute.child
    qtbot.waitUntil(partial(is_seen, viewer.window._qt_window, dock.run), timeout=MILLISECONDS)
    viewer.window.remove_dock_widget(area)
    qtbot.waitUntil(lambda: child.is_closed, timeout=MILLISECONDS)


def test_the_record_of_a_result_is_shown_and_its_command_copied(viewer: Any, result_folder: Path, qtbot: Any):
    with pytest.raises(InputError, match="no Diffuscope result"):
        show_record(viewer)
    viewer.open(str(result_folder), plugin="diffuscope")
    dialog = show_record(viewer)
    assert "diffuscope run stain a.svs" in dialog.text.toPlainText()
    dialog.close()


def test_a_reopened_result_shows_its_numbers_and_can_be_exported(viewer: Any, result_folder: Path):
    _, dock = viewer.window.add_plugin_dock_widget("diffuscope", "Virtual staining")
    viewer.open(str(result_folder), plugin="diffuscope")
    assert dock.results.isVisibleTo(dock)
    assert dock.results.table.item(0, 1).text() == "12"
    assert dock.results.export.isEnabled()
    # a result is nobody's input
    assert dock.form.slide is None


def test_a_result_that_was_open_before_the_dock_is_shown_until_its_layers_are_gone(viewer: Any, result_folder: Path):
    viewer.open(str(result_folder), plugin="diffuscope")
    _, dock = viewer.window.add_plugin_dock_widget("diffuscope", "Virtual staining")
    assert dock.results.isVisibleTo(dock) and dock.session.result.path == result_folder
    viewer.layers.remove(viewer.layers[-1])
    assert dock.results.isVisibleTo(dock)  # its other layer is there
    viewer.layers.clear()
    assert not dock.results.isVisibleTo(dock) and dock.session.result is None
