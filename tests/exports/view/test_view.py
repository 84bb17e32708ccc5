"""A picture of a result: every layer on it, the scale bar as long as it says, and what it is not for."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import shapely
from PIL import Image

from diffuscope.exports import export
from diffuscope.exports.request import Request
from diffuscope.exports.summary.thumbnails import thumbnails
from diffuscope.exports.view.panels import gaps_told, panels_of
from diffuscope.exports.view.sheet import PANEL, Panel, colour, draw_sheet
from diffuscope.ports.raster import Raster
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import open_result
from tests.exports.conftest import RECORD
from tests.results.test_coverage import OUTLINE, PORT, painted, plan_of


def test_every_layer_stands_on_it_and_it_says_what_it_is_not_for(make_result, tmp_path) -> None:
    result = make_result()
    with Image.open(export(result, tmp_path / "r.png")) as sheet:
        assert "not for diagnosis" in sheet.text["Description"]
        found = np.asarray(sheet.convert("RGB")).astype(int)
    height = round(PANEL * 601 / 733)
    assert found.shape == (74 + 2 * (height + 54), 20 + 2 * (PANEL + 20), 3)  # ihc, DAB, a, b: two by two
    ihc = Image.fromarray(result.images["ihc"][0].compute()).resize((PANEL, height), Image.Resampling.LANCZOS)
    panel = found[74 + 34 : 74 + 34 + height, 20 : 20 + PANEL]
    assert np.abs(panel[2:-60, 2:-2] - np.asarray(ihc).astype(int)[2:-60, 2:-2]).max() == 0
    dab = colour(result.images["dab"][0].compute()[..., 0], result.ports[1])
    expected = np.asarray(Image.fromarray(dab).resize((PANEL, height), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(found[108 : 108 + height, 680 : 680 + PANEL][2:-2, 2:-2] - expected[2:-2, 2:-2]).max() == 0


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    white = np.full((PANEL, PANEL, 3), 200, np.uint8)
    sheet = np.asarray(draw_sheet([Panel("a", white)], title="t", note="n", um_per_px=0.5))
    panel = sheet[108 : 108 + PANEL, 20 : 20 + PANEL]
    row = (panel[-18] == 20).all(axis=-1)
    assert row.sum() in {100, 101} and PANEL / 4 * 0.5 >= 50  # 50 um of 0.5 um/px: the longest within a quarter


def test_a_pdf_says_the_same(make_result, tmp_path) -> None:
    data = export(make_result(), tmp_path / "r.view.pdf", layer="dab").read_bytes()
    assert data.startswith(b"%PDF") and "not for diagnosis".encode("utf-16-be") in data


def test_what_was_not_computed_of_a_region_is_hatched_and_told(tmp_path) -> None:
    """Tiles without tissue are left out: neither paper, which is beyond the outline, nor a value."""
    dab = Raster(name="DAB", key="dab", kind="map", channels=("DAB",), mpp=0.5, range=(0.0, 1.0), dtype="float32")
    canvas = Canvas(tmp_path / "a.ome.zarr", plan=plan_of(OUTLINE), ports=(PORT, dab), record=RECORD)
    for tile in canvas.plan.tiles():
        pixels = {"ihc": np.full((3, 96, 96), 90.0, np.float32), "dab": np.full((1, 96, 96), 0.5, np.float32)}
        canvas.write_tile(tile, pixels)
    assert canvas.finish()
    result = open_result(canvas.path)
    stain, shown = panels_of(Request(result=result, ports=result.ports))[0]
    y, x, height, width = result.window
    rows, columns = np.mgrid[y : y + height, x : x + width] + 0.5
    inside, known = shapely.contains_xy(shapely.Polygon(OUTLINE.polygon), columns, rows), painted(result)
    left_out = inside & ~known
    assert left_out.any() and known.any() and shown.has_gaps and not stain.has_gaps
    assert set(np.unique(shown.image[left_out])) == {190, 236} and (shown.image[~inside] == 255).all()
    assert 0.15 < np.mean(shown.image[left_out] == 190) < 0.4
    told = "Hatched: not computed, as no tissue was seen there."
    assert gaps_told(result, [stain, shown]) == told and gaps_told(result, [stain]) == ""
    assert gaps_told(replace(result, complete=False), [shown]) == "Hatched: not computed."
    # of a narrow sheet the note has two lines
    with Image.open(export(result, tmp_path / "one.png", layer="dab")) as one:
        assert one.size == (20 + PANEL + 20, 74 + 22 + 34 + round(PANEL * height / width) + 20)


def test_what_is_not_known_is_hatched_and_never_drawn_as_0(tmp_path) -> None:
    """A NaN of an uncertainty in the colour of 0 would say "sure"; of one sample no spread is known at all."""
    unsure = Raster(
        name="unsure", key="load", kind="map", channels=("load",), mpp=0.5, range=(0.0, 1.0), dtype="float32"
    )
    ports = (PORT, replace(unsure, name="IHC, uncertainty", key="ihc_sd"), unsure)
    record = {**RECORD, "parameters": {"samples": 1}}
    canvas = Canvas(tmp_path / "a.ome.zarr", plan=plan_of(OUTLINE), ports=ports, record=record)
    middle = canvas.plan.window[1] + canvas.plan.window[3] // 2
    for tile in canvas.plan.tiles():
        half = np.where(np.arange(tile.x, tile.x + 96) < middle, np.float32(0.25), np.float32(np.nan))
        pixels = {"ihc": np.full((3, 96, 96), 90.0, np.float32), "ihc_sd": np.full((1, 96, 96), np.nan, np.float32)}
        canvas.write_tile(tile, {**pixels, "load": np.broadcast_to(half, (1, 96, 96))})
    assert canvas.finish()
    result = open_result(canvas.path)

    panels, _ = panels_of(Request(result=result, ports=result.ports))
    assert [panel.caption for panel in panels] == [PORT.name, "unsure"]
    [nothing], _ = panels_of(Request(result=result, ports=ports[1:2]))  # asked for by its name
    known, columns = painted(result), np.arange(result.window[3])[None] + result.window[1]
    here = known & (columns < middle)
    assert here.any() and (known & ~here).any()
    assert (panels[1].image[here] == colour(np.full((1, 1), 0.25), unsure)[0, 0]).all()
    for panel, unknown in ((panels[1], known & ~here), (nothing, known)):
        assert panel.has_unknown and set(np.unique(panel.image[unknown])) == {190, 236}
    told = "Hatched: not computed, as no tissue was seen there, or not known."
    assert gaps_told(result, panels) == told
    assert gaps_told(result, [replace(nothing, has_gaps=False)]) == "Hatched: not known."

    _, small = thumbnails(result)
    assert small.caption == "unsure: 0 black, 1 white; hatched: not computed or not known"
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(small.uri.partition(",")[2]))).convert("L"))
    # half of it, but for the block of the JPEG at the border
    assert drawn[:, drawn.shape[1] // 2 + 16 :].min() > 150
