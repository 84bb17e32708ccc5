"""Results on inputs that were turned, sheared, mirrored and moved, against napari's own `data_to_world`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuscope.errors import InputError
from diffuscope.plugin.forms.regions import layer_region, view_region
from diffuscope.plugin.layers.facts import input_placement
from diffuscope.plugin.layers.inputs.orientation import say_orientation
from diffuscope.plugin.layers.placement import canvas_place, in_data, layer_placement, put
from diffuscope.tiling.region import Region

napari = pytest.importorskip("napari")
ViewerModel = napari.components.ViewerModel


def transforms(seed: int, axes: int) -> dict[str, Any]:
    """Everything that a layer can be moved by, at once."""
    rng = np.random.default_rng(seed)
    affine = np.eye(axes + 1)
    affine[:axes, :axes] += rng.normal(0, 0.2, (axes, axes))
    affine[:axes, axes] = rng.normal(0, 50, axes)
    turn = float(rng.uniform(-180, 180)) if axes == 2 else tuple(rng.uniform(-180, 180, 3))
    every = {
        "scale": rng.uniform(0.2, 3, axes) * rng.choice([-1, 1], axes),
        "translate": rng.normal(0, 100, axes),
        "rotate": turn,
        "shear": rng.normal(0, 0.4, axes * (axes - 1) // 2),
        "affine": affine,
    }
    return {key: value for key, value in every.items() if rng.random() < 0.7}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), axes=st.sampled_from([2, 3]))
def test_a_result_lies_where_its_px_lie_on_the_input(seed: int, axes: int):
    rng = np.random.default_rng(seed)
    source = napari.layers.Image(np.zeros((9,) * axes), **transforms(seed, axes))
    factors, corner = rng.uniform(0.3, 4, axes), rng.uniform(0, 300, axes)
    place = canvas_place(layer_placement(source), factors, corner.tolist())
    result = napari.layers.Image(np.zeros((5,) * axes), **place)
    moved = napari.layers.Image(np.zeros((5,) * axes), **transforms(seed + 1, axes))
    put(moved, place)
    for px in rng.uniform(0, 50, (4, axes)):
        # a canvas px covers `factor` px of the input, counted from their corners
        on_input = corner + (px + 0.5) * factors - 0.5
        expected = source.data_to_world(on_input)
        np.testing.assert_allclose(result.data_to_world(px), expected, rtol=0, atol=1e-6)
        np.testing.assert_allclose(moved.data_to_world(px), expected, rtol=0, atol=1e-6)
        np.testing.assert_allclose(layer_placement(source).to_input(expected), on_input + 0.5, rtol=0, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_region_drawn_on_a_moved_slide_is_its_pixels(seed: int):
    moved = transforms(seed, 2)
    slide = napari.layers.Image(np.zeros((400, 600)), **moved)
    outline = np.array([[20.0, 30.0], [50.0, 200.0], [90.0, 60.0]])
    # drawn in the world's own pixels, and in the slide's
    world = napari.layers.Shapes([np.array([slide.data_to_world(one) for one in outline])], shape_type="polygon")
    own = napari.layers.Shapes([outline], shape_type="polygon", **layer_placement(slide).about)
    for shapes in (world, own):
        region = layer_region(shapes, slide)
        np.testing.assert_allclose(region.polygon, outline[:, ::-1] + 0.5, atol=1e-3)


def test_a_shape_in_millimetres_marks_a_slide_in_micrometres():
    slide = napari.layers.Image(np.zeros((400, 600)), scale=(0.5, 0.5), units=("um", "um"))
    box = np.array([[9.5, 19.5], [9.5, 49.5], [19.5, 49.5], [19.5, 19.5]]) * 0.0005
    shapes = napari.layers.Shapes([box], shape_type="rectangle", units=("mm", "mm"))
    assert layer_region(shapes, slide) == Region(20, 10, 30, 10)
    points = napari.layers.Points([[0.005, 0.010]], units=("mm", "mm"))
    np.testing.assert_allclose(in_data(slide, points, points.data[0]), (10, 20))


def test_the_view_is_the_slide_that_is_seen_with_its_axes_exchanged_and_in_other_units():
    viewer = ViewerModel()
    slide = viewer.add_image(np.zeros((1000, 2000), np.uint8), scale=(0.5, 0.5), units=("um", "um"))
    viewer.add_image(np.zeros((2, 2), np.uint8), scale=(100, 100), units=("nm", "nm"))  # now the world is in nm
    viewer.dims.order = (1, 0)
    viewer.canvas.size = (300, 400)
    # the canvas shows x downwards and y to the right: 300 px of x, 400 of y, at half a px a µm
    viewer.camera.center = (0, 500_000.0 - 250, 250_000.0 - 250)
    viewer.camera.zoom = 2.0 / 1000
    assert view_region(viewer, slide) == Region(x=850, y=300, width=300, height=400)


def test_a_slide_that_the_view_cuts_across_is_refused():
    viewer = ViewerModel()
    slide = viewer.add_image(np.zeros((100, 200), np.uint8))
    viewer.add_image(np.zeros((10, 100, 200), np.uint8))
    assert view_region(viewer, slide).width <= 200
    viewer.dims.order = (1, 0, 2)
    with pytest.raises(InputError, match="cuts across"):
        view_region(viewer, slide)


@pytest.mark.parametrize("letters", ["IAR", "SPL", "LAI", "RPS", "PIR", "ASL"])
def test_a_result_of_a_foreign_volume_lies_on_its_voxels(letters: str):
    from diffuscope.plugin.layers.facts import volume_lies

    shape = (4, 5, 6)
    layer = napari.layers.Image(np.zeros(shape), name="T1", scale=(3.0, 0.75, 0.5), units=("mm",) * 3,
                                translate=(5.0, -3.0, 2.0))  # fmt: skip
    say_orientation(layer, letters)
    lies = volume_lies(layer)
    numbers = np.arange(np.prod(shape)).reshape(shape)
    upright = lies.storage.show(numbers)
    place = canvas_place(input_placement(layer), (1.0, 1.0, 1.0), (0, 0, 0))
    result = napari.layers.Image(upright, **place)
    for index in np.ndindex(upright.shape):
        own = np.argwhere(numbers == upright[index])[0]
        np.testing.assert_allclose(result.data_to_world(index), layer.data_to_world(own), atol=1e-9)
