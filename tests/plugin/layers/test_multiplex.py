"""A result of several stains as layers, the virtual multiplex on top: names, what is seen, pixels, a job at work."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffuscope.exports import export
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.live import LiveLayers
from diffuscope.plugin.layers.reader import read_layers
from diffuscope.plugin.layers.results import result_layers
from diffuscope.ports.raster import Raster
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import open_result
from diffuscope.stains import HDAB, combine, dab_density, multiplex
from diffuscope.tiling.plan import make_plan

napari = pytest.importorskip("napari")

SIDE = 600
MULTIPLEX = "virtual multiplex (CD3 brown, CK8/18 green)"


def ports() -> tuple[Raster, ...]:
    made = []
    for name, key in (("CD3", "cd3"), ("CK8/18", "ck818")):
        rgb = Raster(
            name=f"virtual {name}", key=f"ihc_{key}", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0, 255)
        )
        about = {"kind": "map", "channels": ("OD",), "mpp": 0.5, "dtype": "float32", "fill": 0.0}
        dab = Raster(name=f"{name} DAB", key=f"dab_{key}", range=(0.0, 1.0), **about)
        unsure = Raster(
            name=f"{name} uncertainty", key=f"uncertainty_{key}", range=(0.0, 0.3), colormap="magma", **about
        )
        made += [rgb, dab, unsure]
    return tuple(made)


def outputs(seed: int) -> dict[str, np.ndarray]:
    """A tile whose stains differ from pixel to pixel."""
    rng, found = np.random.default_rng(seed), {}
    for key in ("cd3", "ck818"):
        densities = np.zeros((288, 288, 3))
        densities[..., :2] = rng.uniform(0, 0.7, (288, 288, 2))
        colour = combine(densities, HDAB)
        found |= {
            f"ihc_{key}": np.moveaxis(colour, -1, 0).astype(np.float32),
            f"dab_{key}": dab_density(colour)[None],
            f"uncertainty_{key}": np.full((1, 288, 288), np.nan, np.float32),
        }
    return found


@pytest.fixture
def canvas(tmp_path: Path) -> Canvas:
    plan = make_plan(shape=(SIDE, SIDE), factors=(1.0, 1.0), tile=288, overlap=32)
    record = {"command": "", "inputs": {"he": {"mpp_stated": 0.5}}}
    return Canvas(tmp_path / "two.ome.zarr", plan=replace(plan, spacing=(0.5, 0.5)), ports=ports(), record=record)


@pytest.fixture
def folder(canvas: Canvas) -> Path:
    for seed, tile in enumerate(canvas.plan.tiles()):
        canvas.write_tile(tile, outputs(seed))
    assert canvas.finish()
    return canvas.path


def expected(folder: Path, level: int) -> np.ndarray:
    images = {key: np.asarray(levels[level]) for key, levels in open_result(folder).images.items()}
    keys = ("cd3", "ck818")
    return multiplex([images[f"ihc_{key}"] for key in keys], [images[f"dab_{key}"][..., 0] for key in keys])


def shown(data: Any, about: dict[str, Any]) -> list[Any]:
    return list(data) if about["multiscale"] else [data]


def test_each_stain_has_its_layers_and_the_multiplex_lies_on_top(folder: Path):
    viewer = napari.components.ViewerModel()
    for data, about, _ in read_layers(str(folder)):
        viewer.add_image(data, **about)
    assert [layer.name for layer in viewer.layers] == [
        "virtual CD3", "CD3 DAB", "CD3 uncertainty", "virtual CK8/18", "CK8/18 DAB", "CK8/18 uncertainty", MULTIPLEX,
    ]  # fmt: skip
    assert [layer.name for layer in viewer.layers if layer.visible] == ["virtual CD3", MULTIPLEX]
    assert [layer.rgb for layer in viewer.layers] == [True, False, False, True, False, False, True]
    top = viewer.layers[-1]
    assert own_metadata(top)["result"] == str(folder) and own_metadata(top)["port"] == "multiplex"
    np.testing.assert_allclose(top.scale, viewer.layers[0].scale)
    np.testing.assert_allclose(top.translate, viewer.layers[0].translate)


def test_the_multiplex_layer_is_the_formula_at_every_level(folder: Path):
    data, about, _ = result_layers(open_result(folder))[-1]
    levels = shown(data, about)
    assert len(levels) > 1
    for number, level in enumerate(levels):
        whole = np.asarray(level)
        np.testing.assert_array_equal(whole[..., :3], expected(folder, number))
        assert (whole[..., 3] == 255).mean() > 0.99
    np.testing.assert_array_equal(levels[0][250:262, 500, 1], expected(folder, 0)[250:262, 500, 1])


def test_where_a_stain_has_no_dab_at_all_the_others_are_seen(folder: Path):
    """A chunk that holds nothing but 0 is not on disk."""
    (folder / "dab_ck818" / "0" / "0" / "0" / "0").unlink()
    data, about, _ = result_layers(open_result(folder))[-1]
    whole = np.asarray(shown(data, about)[0])
    np.testing.assert_array_equal(whole[..., :3], expected(folder, 0))
    assert (whole[:256, :256, 3] == 255).mean() > 0.99


def test_the_multiplex_fills_as_the_job_goes_on(canvas: Canvas):
    """Nothing at first, transparent; what a tile brought is there once the worker thread has renewed the levels."""
    tiles = list(canvas.plan.tiles())
    layers = result_layers(open_result(canvas.path))
    viewer = napari.components.ViewerModel()
    live = LiveLayers(viewer, layers)
    finest = shown(*layers[-1][:2])[0]
    assert not np.asarray(finest).any()
    for seed, tile in enumerate(tiles[:2]):
        canvas.write_tile(tile, outputs(seed))
    canvas.refresh()
    for data, about, _ in layers:
        for level in shown(data, about):
            level.renew()
    live.refresh()
    np.testing.assert_array_equal(np.asarray(finest[:256, :256, :3]), expected(canvas.path, 0)[:256, :256])
    assert not np.asarray(finest[300:]).any()
    # what napari holds for the screen: the coarsest level of a slide seen as a whole
    assert viewer.layers[-1]._slice.image.raw[..., 3].any()
    live.end(None)
    assert not viewer.layers


def test_one_stain_has_no_multiplex(result_folder: Path):
    assert [about["name"] for _, about, _ in read_layers(str(result_folder))] == ["virtual CD3", "DAB"]


@pytest.mark.gui
def test_the_dock_offers_the_multiplex_for_export_as_tiff(folder: Path, qtbot, monkeypatch, tmp_path: Path):
    from asked_where import answer

    from diffuscope.plugin.panels.results import ResultsWidget

    widget = ResultsWidget()
    qtbot.addWidget(widget)
    widget.show_result(open_result(folder))
    assert widget.layer.itemText(widget.layer.count() - 1) == MULTIPLEX
    widget.layer.setCurrentIndex(widget.layer.count() - 1)
    asked = answer(monkeypatch, tmp_path / "picture")
    with qtbot.waitSignal(widget.export_asked) as signal:
        widget.export.click()
    assert signal.args == [str(tmp_path / "picture.ome.tif"), "multiplex"]
    assert asked.proposed[0].name == "two.multiplex.ome.tif" and "OME-Zarr (*.ome.zarr)" not in asked.types
    # Whatever is offered takes it.
    for number, ending in enumerate(re.findall(r"\(\*(\.[\w.]+)", "".join(asked.types))):
        assert export(open_result(folder), tmp_path / f"{number}{ending}", layer="multiplex").exists(), ending
