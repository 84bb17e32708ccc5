"""A mark in a layer lies in the result's layer where it lay: whatever made the layer, moved it, and told its units."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_card import CARD
from standins import SYSTEMS, row

import diffuscope as verbs
from diffuscope.model.folder import save_model
from diffuscope.plugin.forms.regions import layer_region
from diffuscope.plugin.jobs.run import Given, Request, _source
from diffuscope.plugin.layers.facts import finest, input_placement, slide_facts
from diffuscope.plugin.layers.inputs.orientation import say_orientation
from diffuscope.plugin.layers.placement import layer_placement
from diffuscope.plugin.layers.reader import read_layers
from diffuscope.plugin.layers.results import result_layers
from diffuscope.results.result import open_result
from diffuscope.systems import registry
from diffuscope.tiling.region import Region

napari = pytest.importorskip("napari")
sitk = pytest.importorskip("SimpleITK")

#: World units per µm and per mm.
UNITS = {"nm": 1e3, "um": 1.0, "mm": 1e-3}
LETTERS = ("IAR", "SPL", "LAI", "RPS", "PIR", "ASL")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patched:
        for name in ("echo", "hounsfield"):
            patched.setitem(registry._ROWS, name, row(SYSTEMS[name]))
        yield {name: save_model(folder / name, SYSTEMS[name](), name, {}, CARD) for name in ("echo", "hounsfield")}


def moved(draw: Any, axes: int, most: float) -> dict[str, Any]:
    """Draw what a user does to a layer: turned by at most so many degrees, sheared, moved, dragged by the tool."""
    number = st.floats(-1, 1, allow_nan=False)
    affine = np.eye(axes + 1)

    def numbers(count: int) -> np.ndarray:
        return np.array(draw(st.lists(number, min_size=count, max_size=count)))

    affine[:axes, :axes] += 0.15 * numbers(axes**2).reshape(axes, axes)
    affine[:axes, axes] = 50 * numbers(axes)
    angles = [most * draw(number) for _ in range(1 if axes == 2 else 3)]
    every = {
        "translate": 90 * numbers(axes),
        "rotate": angles[0] if axes == 2 else tuple(angles),
        "shear": 0.3 * numbers(axes * (axes - 1) // 2),
        "affine": affine,
    }
    return {key: every[key] for key in draw(st.sets(st.sampled_from(sorted(every))))}


def as_large_as_told(layer: Any) -> None:
    """Keep of a layer's affine what does not change the size of a px: another is resampled, and no mark is one px."""
    n, place, affine = layer.ndim, layer_placement(layer), np.array(layer.affine)
    whole = place.matrix[:n, :n]
    if n == 2:
        affine[:n, :n] /= np.sqrt(abs(np.linalg.det(whole)) / np.prod(np.abs(place.scale)))
    else:
        kept = np.abs(place.scale) / np.linalg.norm(whole, axis=0)
        affine[:n, :n] = whole @ np.diag(kept) @ np.linalg.inv(place.linear)
    layer.affine = affine


@st.composite
def slides(draw: Any) -> dict[str, Any]:
    return {
        "made_by": draw(st.sampled_from(["our reader", "memory", "a transposed view", "every second px"])),
        "fine": draw(st.booleans()),
        "unit": draw(st.sampled_from(sorted(UNITS))),
        "signs": draw(st.tuples(*[st.sampled_from([-1, 1])] * 2)),
        "moved": moved(draw, 2, 180),
        "mark": draw(st.tuples(st.integers(10, 60), st.integers(10, 80))),
        "drawn": draw(st.booleans()),
    }


@st.composite
def volumes(draw: Any) -> dict[str, Any]:
    return {
        "made_by": draw(st.sampled_from(["our reader", "our reader, edited", *LETTERS])),
        "unit": draw(st.sampled_from(sorted(UNITS))),
        "signs": draw(st.tuples(*[st.sampled_from([-1, 1])] * 3)),
        "moved": moved(draw, 3, 20),
        "mark": draw(st.tuples(st.integers(1, 4), st.integers(2, 9), st.integers(2, 12))),
    }


def result_of(layer: Any, key: str, model: Path, folder: Path, region: Region | None, **settings: Any) -> Any:
    """Run a model on a layer as a dock does, and return the main layer of the result."""
    facts = slide_facts(layer)
    assert facts.problem == ""
    given_ = Given(key=key, facts=facts, pixels=None if facts.path else finest(layer))
    placement = input_placement(layer)
    request = Request(inputs=(given_,), placement=placement, region=region, settings={}, overwrite=False)
    out = folder / "out.ome.zarr"
    settings |= {"slices": f"0:{facts.slices}"} if facts.slices else {}
    scratch: list[Path] = []
    source = _source(request, scratch, threading.Event())
    for _ in verbs.run(model, source, out, region=region, device="cpu", mpp=facts.changed_mpp, **settings):
        pass
    for path in scratch:
        shutil.rmtree(path.parent)
    data, about, _ = result_layers(open_result(out), placement)[0]
    return napari.layers.Image(data, **about)


def check_slide(drawn: dict[str, Any], model: Path) -> None:
    factor = 2 if drawn["fine"] else 1
    pixels = np.full((70 * factor, 90 * factor, 3), 255, np.uint8)
    y, x = (at * factor for at in drawn["mark"])
    pixels[y : y + factor, x : x + factor] = 0
    scale = np.array(drawn["signs"]) * 0.5 / factor * UNITS[drawn["unit"]]
    about = {"scale": scale, "units": (drawn["unit"],) * 2, **drawn["moved"]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if drawn["made_by"] == "our reader":
            tifffile.imwrite(folder / "he.ome.tif", pixels, photometric="rgb", tile=(32, 32))
            [(data, own, _)] = read_layers(str(folder / "he.ome.tif"))
            layer = napari.layers.Image(data, **own | about)
        else:
            shown = pixels if drawn["made_by"] == "memory" else pixels.swapaxes(0, 1)
            if drawn["made_by"] == "every second px":
                shown = np.repeat(np.repeat(pixels, 2, 0), 2, 1)[::2, ::2]
            layer = napari.layers.Image(shown, rgb=True, name="he", **about)
            as_large_as_told(layer)
        marks = np.argwhere(np.asarray(finest(layer))[..., 0] == 0)
        region = None
        if drawn["drawn"]:  # in another layer, in the world's own µm
            low, high = marks.min(axis=0) - 9 * factor, marks.max(axis=0) + 9 * factor
            corners = [layer.data_to_world(one) for one in (low, (low[0], high[1]), high, (high[0], low[1]))]
            box = np.array(corners) / UNITS[drawn["unit"]]
            region = layer_region(napari.layers.Shapes([box], shape_type="polygon", units=("um", "um")), layer)
        size = finest(layer).shape
        whole = Region(0, 0, size[1], size[0])
        result = result_of(layer, "he", model, folder, region or whole, normalise=False)
        found = np.argwhere(np.asarray(finest(result))[..., :3].max(axis=-1) < 128)
        assert len(found) == 1
        step = np.abs(np.asarray(result.data_to_world(found[0] + 0.5)) - np.asarray(result.data_to_world(found[0])))
        apart = np.asarray(result.data_to_world(found[0])) - np.asarray(layer.data_to_world(marks.mean(axis=0)))
        assert np.all(np.abs(apart) <= 0.01 * step.max()), (apart, step)
        assert result.units == layer.units


def check_volume(drawn: dict[str, Any], model: Path) -> None:
    voxels = np.full((6, 12, 15), -150, np.int16)
    voxels[drawn["mark"]] = 290
    spacing = np.array([3.0, 1.0, 1.0])
    made_by = drawn["made_by"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if made_by in LETTERS:
            if made_by[0] in "AP":
                voxels, spacing = voxels.transpose(1, 0, 2), spacing[[1, 0, 2]]
            elif made_by[0] in "LR":
                voxels, spacing = voxels.transpose(2, 1, 0), spacing[[2, 1, 0]]
            scale = np.array(drawn["signs"]) * spacing * UNITS[drawn["unit"]] * 1e3
            layer = napari.layers.Image(voxels, name="ct", scale=scale, units=(drawn["unit"],) * 3, **drawn["moved"])
            as_large_as_told(layer)
            say_orientation(layer, made_by)
        else:
            image = sitk.GetImageFromArray(voxels)
            image.SetSpacing(spacing[::-1].tolist())
            image.SetOrigin((20.0, -30.0, 70.0))
            sitk.WriteImage(image, str(folder / "ct.nii"))
            [(data, own, _)] = read_layers(str(folder / "ct.nii"))
            layer = napari.layers.Image(data, **own | drawn["moved"])
            layer.scale = np.array(drawn["signs"]) * layer.scale * UNITS[drawn["unit"]] * 1e3
            layer.units = (drawn["unit"],) * 3
            if "edited" in made_by:
                layer.data = np.ascontiguousarray(layer.data[:, ::-1])
        [mark] = np.argwhere(np.asarray(layer.data) == 290)
        result = result_of(layer, "ct", model, folder, None)
        shown = np.asarray(finest(result))
        # NaN is where nothing was computed.
        found = np.array(np.unravel_index(np.nanargmax(shown), shown.shape))
        assert shown[tuple(found)] > 200
        apart = np.asarray(result.data_to_world(found)) - np.asarray(layer.data_to_world(mark))
        assert np.abs(apart).max() <= 1e-4 * UNITS[drawn["unit"]] * 1e3, apart


FEW = settings(max_examples=3, suppress_health_check=list(HealthCheck), derandomize=True)
MANY = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@FEW
@given(drawn=slides())
def test_a_mark_in_a_slide_stays_where_it_is(drawn: dict[str, Any], models: dict[str, Path]):
    check_slide(drawn, models["echo"])


@FEW
@given(drawn=volumes())
def test_a_mark_in_a_volume_stays_where_it_is(drawn: dict[str, Any], models: dict[str, Path]):
    check_volume(drawn, models["hounsfield"])


@pytest.mark.slow
@MANY
@given(drawn=slides())
def test_a_mark_in_many_slides_stays_where_it_is(drawn: dict[str, Any], models: dict[str, Path]):
    check_slide(drawn, models["echo"])


@pytest.mark.slow
@MANY
@given(drawn=volumes())
def test_a_mark_in_many_volumes_stays_where_it_is(drawn: dict[str, Any], models: dict[str, Path]):
    check_volume(drawn, models["hounsfield"])
