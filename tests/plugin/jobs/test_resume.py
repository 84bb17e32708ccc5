"""Which layer an unfinished result goes on with: that of its file and channel, or that whose pixels it had."""

from __future__ import annotations

import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.plugin.jobs.resume import find_layer
from diffuscope.plugin.layers.inputs.orientation import say_orientation
from diffuscope.plugin.layers.reader import read_layers
from diffuscope.sample_data import sample_path

napari = pytest.importorskip("napari")


def test_a_layer_is_found_by_its_file_and_channel_or_by_the_name_of_its_pixels():
    path = sample_path("tumour-simulated.ome.tif")
    channels = [napari.layers.Image(data, **about) for data, about, _ in read_layers(str(path))]
    cut = napari.layers.Image(np.zeros((64, 64, 3), np.uint8), rgb=True, name="crop")
    head = napari.layers.Image(np.zeros((4, 5, 6)), name="T1", scale=(3, 1, 1), units=("mm",) * 3)
    say_orientation(head, "IAR")
    layers = [cut, *channels, head]
    assert find_layer({"name": path.name, "channel_number": 1}, layers, "")[0] is channels[1]
    found, facts = find_layer({"name": "crop.ome.tif"}, layers, "")
    assert found is cut and facts.path is None
    assert find_layer({"name": "T1.nii"}, layers, "")[0] is head
    # an edited layer is no longer its file
    channels[1].data = np.asarray(channels[1].data)[::-1]
    with pytest.raises(InputError, match=r"Open tumour-simulated\.ome\.tif to go on"):
        find_layer({"name": path.name, "channel_number": 1}, layers, "to go on")
