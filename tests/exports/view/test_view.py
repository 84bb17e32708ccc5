"""A picture of a result: every layer on it, the scale bar as long as it says, and what it is not for."""

from __future__ import annotations

import numpy as np
from PIL import Image

from diffuscope.exports import export
from diffuscope.exports.view.sheet import PANEL, Panel, colour, draw_sheet


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
