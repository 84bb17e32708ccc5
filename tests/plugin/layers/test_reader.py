"""Slides as layers, against tifffile and what the files are known to hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from diffuscope.errors import InputError
from diffuscope.plugin.layers import samples
from diffuscope.plugin.layers.facts import SlideFacts, own_metadata, slide_facts
from diffuscope.plugin.layers.inputs.scan_level import ScanLevel
from diffuscope.plugin.layers.reader import get_reader, read_layers
from diffuscope.sample_data import sample_path

napari = pytest.importorskip("napari")
layer_source = pytest.importorskip("napari.layers._source").layer_source
CMU = "CMU-1-Small-Region.svs"


def one(path: Path) -> object:
    ((data, about, kind),) = read_layers(str(path))
    assert kind == "image"
    return napari.layers.Image(data, **about)


def test_an_svs_is_lazy_and_in_micrometres():
    layer = one(sample_path(CMU))
    assert all(isinstance(level, ScanLevel) for level in layer.data)
    assert layer.data[0].shape == (2967, 2220, 3) and layer.rgb
    np.testing.assert_allclose(layer.scale, 0.499)
    assert str(layer.units[0]) == "micrometer" and layer.contrast_limits == [0, 255]
    assert own_metadata(layer)["source"] == str(sample_path(CMU))
    page = tifffile.TiffFile(sample_path(CMU)).pages[0].asarray()
    np.testing.assert_array_equal(np.asarray(layer.data[0][500:600, 700:800]), page[500:600, 700:800])


def test_a_slide_without_resolution_is_shown_in_pixels():
    layer = one(sample_path("TCGA-CR-7395.svs"))
    np.testing.assert_allclose(layer.scale, 1.0)
    assert str(layer.units[0]) == "pixel" and own_metadata(layer)["mpp"] is None


def test_channels_are_layers_with_contrast_from_their_pixels(tmp_path: Path):
    pixels = np.zeros((2, 600, 700), np.uint16)
    pixels[0, 250:350] = 900
    pixels[1, 250:350] = 4000
    path = tmp_path / "two.ome.tif"
    tifffile.imwrite(path, pixels, metadata={"axes": "CYX", "Channel": {"Name": ["CD31", "HH3"]}}, tile=(256, 256))
    layers = read_layers(str(path))
    assert [about["name"] for _, about, _ in layers] == ["two.ome.tif · CD31", "two.ome.tif · HH3"]
    assert [about["contrast_limits"] for _, about, _ in layers] == [(0.0, 900.0), (0.0, 4000.0)]
    first = layers[0][0][0] if isinstance(layers[0][0], list) else layers[0][0]
    np.testing.assert_array_equal(np.asarray(first), pixels[0])


@pytest.mark.parametrize("name", ["a.png", "b.csv", "folder"])
def test_other_files_are_left_to_other_readers(name: str):
    assert get_reader(name) is None


def test_a_text_file_called_svs_is_refused_in_one_sentence(tmp_path: Path):
    path = tmp_path / "notes.svs"
    path.write_text("not a slide")
    with pytest.raises(InputError, match=r"notes\.svs"):
        read_layers(str(path))


@pytest.mark.parametrize("make", [samples.cmu_1, samples.tcga_cr_7395, samples.os_1])
def test_every_sample_opens_as_one_rgb_slide(make):
    ((data, about, _),) = make()
    assert about["rgb"] and len(data) > 1


def test_facts_come_from_our_reader_or_from_the_layer():
    layer = one(sample_path(CMU))
    assert slide_facts(layer) == SlideFacts(name=CMU, path=sample_path(CMU), mpp=pytest.approx(0.499))
    path = sample_path("OS-1-detail.ome.tif")
    with layer_source(path=str(path)):
        foreign = napari.layers.Image(tifffile.imread(path))
        cropped = napari.layers.Image(tifffile.imread(path)[100:])
    # another reader's pixels are the layer's, as large as the file says
    assert slide_facts(foreign).path is None and slide_facts(foreign).mpp == one(path).metadata["diffuscope"]["mpp"]
    assert slide_facts(cropped).path is None and slide_facts(cropped).mpp is None
    memory = napari.layers.Image(np.zeros((9, 9, 3), np.uint8), rgb=True, scale=(500, 500), units=("nm", "nm"))
    assert slide_facts(memory).path is None and slide_facts(memory).mpp == pytest.approx(0.5)
    assert slide_facts(napari.layers.Image(np.zeros((9, 9)))).mpp is None


def test_the_manifest_is_valid_and_everything_it_names_exists():
    from npe2 import PluginManifest

    import diffuscope.errors

    manifest = PluginManifest.from_file(Path(diffuscope.errors.__file__).with_name("napari.yaml"))
    assert manifest.name == "diffuscope"
    manifest.validate_imports()
    assert len(manifest.contributions.sample_data) == 8
