"""Shapes and views against pixel counts worked out by hand and by scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffuscope.errors import InputError
from diffuscope.plugin.forms.regions import layer_region, layer_regions, shape_region, view_region
from diffuscope.plugin.layers.slides import add_region_layer
from diffuscope.tiling.region import Region

napari = pytest.importorskip("napari")


def box(y0: float, x0: float, y1: float, x1: float) -> list[list[float]]:
    return [[y0, x0], [y0, x1], [y1, x1], [y1, x0]]


def test_a_rectangle_around_whole_pixels_is_exactly_these():
    # the outer edges of pixels 10…19 and 20…49 lie half a pixel beyond their centres
    assert shape_region(box(9.5, 19.5, 19.5, 49.5), "rectangle") == Region(20, 10, 30, 10)


@given(y=st.integers(-50, 500), x=st.integers(-50, 500), height=st.integers(1, 300), width=st.integers(1, 300))
def test_rectangles_survive_any_place_and_size(y: int, x: int, height: int, width: int):
    corners = box(y - 0.5, x - 0.5, y + height - 0.5, x + width - 0.5)
    assert shape_region(corners[2:] + corners[:2], "rectangle") == Region(x, y, width, height)


def test_a_turned_rectangle_keeps_its_outline():
    region = shape_region([[0, 10], [10, 20], [20, 10], [10, 0]], "rectangle")
    assert region.polygon == ((10.5, 0.5), (20.5, 10.5), (10.5, 20.5), (0.5, 10.5))


def test_an_ellipse_has_the_area_of_an_ellipse():
    region = shape_region(box(0, 0, 40, 100), "ellipse")
    assert region.polygon is not None
    x, y = np.array(region.polygon).T
    area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
    assert area == pytest.approx(np.pi * 20 * 50, rel=0.005)


@pytest.mark.parametrize("kind", ["polygon", "rectangle"])
def test_a_rectangle_of_whole_px_is_one_through_whatever_scale(kind: str):
    """QuPath's annotations come as polygons, and 1000 px times 0.499 µm by 0.499 µm is not always 1000 px."""
    image = napari.layers.Image(np.zeros((2000, 2000)), scale=(0.499, 0.499), units=("um", "um"))
    corners = np.array(box(999.5, 1149.5, 1149.5, 1349.5))
    shapes = napari.layers.Shapes([corners + 1e-12 * np.array([[-1, 1], [1, -1]] * 2)], shape_type=kind)
    shapes.scale, shapes.units = image.scale, image.units
    assert layer_region(shapes, image) == Region(1150, 1000, 200, 150)


def test_corners_are_told_to_a_hundredth_of_a_px():
    region = shape_region([[0.1, 0.2], [10.333333, 20.0], [20.0, 0.0000001]], "polygon")
    assert str(region) == "0.7,0.6 20.5,10.83 0.5,20.5"
    # half a px is no whole px: its outline counts
    assert shape_region(box(0.0, 0.0, 9.5, 9.5), "polygon").polygon is not None


@pytest.mark.parametrize("kind", ["line", "path"])
def test_what_encloses_nothing_is_refused(kind: str):
    with pytest.raises(InputError, match="encloses no region"):
        shape_region([[0, 0], [5, 5], [9, 0]], kind)


def test_a_rectangle_thinner_than_a_pixel_is_refused():
    with pytest.raises(InputError, match="thinner than a pixel"):
        shape_region(box(3, 3, 3, 40), "rectangle")


def test_shapes_are_read_in_pixels_of_the_slide_whatever_the_scales():
    image = napari.layers.Image(np.zeros((400, 600)), scale=(0.5, 0.5), translate=(100.0, 10.0))
    # drawn in a layer in world units: 20…60 µm across, from pixel 40 to 120 of the slide
    shapes = napari.layers.Shapes([np.array(box(110.0, 30.0, 130.0, 70.0))], shape_type="rectangle")
    region = layer_region(shapes, image)
    # pixel 20.0 is the middle of pixel 20: 20.5 in px edges, rounded to even
    assert (region.width, region.height) == (80, 40)
    assert abs(region.x - 40.5) <= 0.5 and abs(region.y - 20.5) <= 0.5


def test_the_selected_shape_is_meant_not_the_last_one():
    image = napari.layers.Image(np.zeros((400, 600)))
    shapes = napari.layers.Shapes(
        [np.array(box(9.5, 9.5, 19.5, 19.5)), np.array(box(99.5, 99.5, 149.5, 149.5))], shape_type="rectangle"
    )
    assert layer_region(shapes, image) == Region(100, 100, 50, 50)
    shapes.selected_data = {0}
    assert layer_region(shapes, image) == Region(10, 10, 10, 10)
    shapes.selected_data = {0, 1}
    with pytest.raises(InputError, match="2 shapes are selected"):
        layer_region(shapes, image)


def test_a_region_has_the_name_and_class_of_its_shape():
    image = napari.layers.Image(np.zeros((400, 600)))
    boxes = [np.array(box(9.5, 9.5, 19.5, 19.5)), np.array(box(99.5, 99.5, 149.5, 149.5))]
    told = {"name": ["hot spot", ""], "class": ["Tumor", ""]}
    named = layer_regions(napari.layers.Shapes(boxes, shape_type="rectangle", features=told), image)
    assert [(one.name, one.category) for one in named.values()] == [("hot spot", "Tumor"), ("region 2", "")]
    [alone] = layer_regions(napari.layers.Shapes(boxes[:1], shape_type="rectangle"), image).values()
    assert (alone.name, alone.category) == ("", "") and alone == named["hot spot"]


def test_of_several_shapes_the_one_that_cannot_be_computed_is_named():
    image = napari.layers.Image(np.zeros((400, 600)))
    shapes = napari.layers.Shapes([np.array(box(9.5, 9.5, 19.5, 19.5))], shape_type="rectangle")
    shapes.add_polygons(np.array([[10, 10], [50, 50], [10, 50], [50, 10]]))
    with pytest.raises(InputError, match=r"^“region 2”: The drawn region crosses itself.* Or select the shapes"):
        layer_regions(shapes, image)


def test_an_empty_shapes_layer_is_refused():
    with pytest.raises(InputError, match="Nothing is drawn"):
        layer_region(napari.layers.Shapes(name="regions"), napari.layers.Image(np.zeros((4, 4))))


def viewer_on(image_scale: float, *, centre: tuple[float, float], zoom: float):
    viewer = napari.components.ViewerModel()
    image = viewer.add_image(np.zeros((1000, 2000), np.uint8), scale=(image_scale,) * 2, contrast_limits=(0, 255))
    viewer.canvas.size = (300, 400)
    viewer.camera.center = (0, *centre)
    viewer.camera.zoom = zoom
    return viewer, image


def test_the_view_is_the_canvas_in_slide_pixels():
    # 400 canvas px at 2 px/µm are 200 µm, that is 400 px of 0.5 µm
    viewer, image = viewer_on(0.5, centre=(250.0 - 0.25, 500.0 - 0.25), zoom=2.0)
    assert view_region(viewer, image) == Region(x=800, y=350, width=400, height=300)


def test_the_view_ends_where_the_slide_ends():
    viewer, image = viewer_on(1.0, centre=(0.0, 0.0), zoom=1.0)
    region = view_region(viewer, image)
    assert (region.x, region.y) == (0, 0)
    assert region.width in (200, 201) and region.height in (150, 151)


def test_a_slide_out_of_sight_is_refused():
    viewer, image = viewer_on(1.0, centre=(-5000.0, 0.0), zoom=1.0)
    with pytest.raises(InputError, match="out of sight"):
        view_region(viewer, image)


@pytest.mark.parametrize(
    ("zoom", "width"), [(0.5, 5.0), (0.1, 5.0), (1.0, 5.0), (4.0, 1.25), (20.0, 1.0)], ids="zoom {}".format
)
def test_a_region_is_drawn_with_an_edge_that_is_seen_where_the_view_is(zoom: float, width: float):
    # 2.5 px of the screen, of which each is 2 / zoom px of the slide, at most a 400th of the slide
    viewer, image = viewer_on(0.5, centre=(250.0, 500.0), zoom=zoom)
    shapes = add_region_layer(viewer, image)
    assert shapes.current_edge_width == pytest.approx(width)
    shapes.add_rectangles(np.array([[10, 10], [20, 20]]))
    assert shapes.edge_width == [pytest.approx(width)]
    viewer.camera.zoom = 8.0  # what is drawn keeps its edge, what is drawn next has another
    assert add_region_layer(viewer, image) is shapes
    shapes.add_rectangles(np.array([[30, 10], [40, 20]]))
    assert shapes.edge_width == [pytest.approx(width), pytest.approx(1.0)]
