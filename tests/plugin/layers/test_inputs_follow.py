"""Which layer goes into which input after a change of model, and when another layer is opened."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from diffuscope.plugin.docks.kinds import STAINING, TRANSLATION
from diffuscope.plugin.layers.slides import InputList
from diffuscope.ports.raster import Raster

napari = pytest.importorskip("napari")

MR = Raster(name="MR", key="mr", kind="map", channels=("MR",), mpp=1000.0, spacing=(None, 1.0, 1.0), range=(0.0, 1.0),
            dtype="float32", scale="percentile")  # fmt: skip
CT = replace(MR, name="CT", key="ct", channels=("CT",))
T1, T2 = (replace(MR, name=name, key=name.lower(), channels=(name,)) for name in ("T1", "T2"))
HE = Raster(name="H&E", key="he", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0))


def opened(*names: str):
    viewer = napari.components.ViewerModel()
    layers = {name: viewer.add_image(np.zeros((2, 3, 4)), name=name) for name in names}
    return viewer, layers, InputList(viewer, TRANSLATION)


def test_a_scan_does_not_stay_in_the_field_of_another_kind():
    _, layers, inputs = opened("p1 MR", "p1 CT")
    inputs.set_ports([CT])
    assert inputs.chosen == layers["p1 CT"]
    inputs.set_ports([MR])
    assert inputs.chosen == layers["p1 MR"]
    inputs.set_ports([T1])  # no layer is called so: the user chooses
    assert inputs.chosen is None
    inputs.choose(0, 1)
    inputs.set_ports([replace(T1, spacing=(None, 0.5, 0.5))])  # another model of the same input
    assert inputs.chosen == layers["p1 CT"]
    inputs.set_ports([replace(T1, spacing=None)])
    assert inputs.chosen is None


def test_back_at_a_model_what_went_into_it_is_there_again():
    viewer, layers, inputs = opened("image")
    inputs.set_ports([CT])
    assert inputs.chosen == layers["image"]
    inputs.set_ports([MR])
    assert inputs.chosen is None
    inputs.set_ports([CT])
    assert inputs.chosen == layers["image"]
    inputs.choose(0, -1)
    for ports in ([MR], [CT]):
        inputs.set_ports(ports)
        assert inputs.chosen is None
    inputs.choose(0, 0)
    inputs.set_ports([MR])
    viewer.layers.clear()
    inputs.set_ports([CT])
    assert inputs.chosen is None


def test_of_several_inputs_those_are_kept_that_the_next_model_has():
    _, layers, inputs = opened("a", "b", "c T2")
    inputs.set_ports([T1, T2])
    assert inputs.choices == (None, layers["c T2"])
    inputs.choose(0, 0)
    inputs.set_ports([T2, MR, T1])
    assert inputs.choices == (layers["c T2"], None, layers["a"])
    inputs.set_ports([])  # one that takes no image
    inputs.set_ports([T1])
    assert inputs.choices == (layers["a"],)


def test_a_layer_that_is_called_otherwise_does_not_push_out_one_that_is_called_as_the_input():
    viewer, layers, inputs = opened("p1 MR")
    inputs.set_ports([MR])
    viewer.add_image(np.zeros((2, 3, 4)), name="p1 CT")
    assert inputs.chosen == layers["p1 MR"]
    newer = viewer.add_image(np.zeros((2, 3, 4)), name="p2 MR")
    assert inputs.chosen == newer
    viewer.layers.remove(newer)
    assert inputs.chosen == viewer.layers[-1]


def test_slides_follow_the_newest_as_before():
    viewer = napari.components.ViewerModel()
    inputs = InputList(viewer, STAINING)
    inputs.set_ports([HE])
    for name in ("a", "b"):
        layer = viewer.add_image(np.zeros((3, 4, 3), np.uint8), name=name, rgb=True)
        assert inputs.chosen == layer
    inputs.set_ports([replace(HE, mpp=0.25)])
    assert inputs.chosen == layer


def test_a_change_of_a_layer_is_told():
    _, layers, inputs = opened("a")
    told = []
    inputs.changed.connect(lambda: told.append(inputs.chosen))
    layers["a"].scale = (3, 1, 1)
    layers["a"].units = ("mm",) * 3
    layers["a"].data = np.ones((2, 3, 4))
    layers["a"].name = "b"
    assert len(told) >= 4


def test_an_affine_that_makes_a_layer_larger_is_told():
    _, layers, inputs = opened("image")
    told = []
    inputs.changed.connect(lambda: told.append(None))
    layers["image"].affine = np.diag([5.0, 0.5, 0.5, 1.0])
    assert told
