"""A forecast is what the run then does: held against the run itself, and against areas worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

import diffuscope as verbs
from diffuscope.engine.events import Started
from diffuscope.model.find import model_info
from diffuscope.plugin.forms.forecast.label import forecast_text
from diffuscope.plugin.forms.forecast.numbers import Asked, asked_of, foresee
from diffuscope.plugin.forms.forecast.rates import Watch, seconds_of
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.layers.facts import SlideFacts, model_facts
from diffuscope.sample_data import sample_path
from diffuscope.tiling.region import Region

SAMPLE = sample_path("CMU-1-Small-Region.svs")
SHAPE, MPP = (2967, 2220), 0.499
OUTLINE = Region.from_polygon([(600, 900), (1400, 900), (1000, 1700)])


def asked(model: Path, regions: dict[str, Region], *, path: Path = SAMPLE, shape: tuple[int, int] = SHAPE) -> Asked:
    form = RunForm(
        slide=SlideFacts(name=path.name, path=path, mpp=MPP),
        model=model_facts(model_info(model), str(model)),
        out="out",
    )
    found = asked_of(form, shape, regions, None)
    assert found is not None
    return found


def begun(model: Path, out: Path, region: Region | None) -> int:
    """Tiles with which a run begins."""
    for event in verbs.run(model, SAMPLE, out, region=region, device="cpu", steps=1):
        if isinstance(event, Started):
            return event.tiles
    raise AssertionError


@pytest.mark.parametrize("region", [None, OUTLINE, Region(0, 0, 2220, 900)], ids=["tissue", "outline", "box"])
def test_as_many_tiles_as_the_run_has(tiny_model: Path, tmp_path: Path, region: Region | None):
    found = foresee(asked(tiny_model, {"a": region} if region else {}))
    assert found.tiles == begun(tiny_model, tmp_path / "out.ome.zarr", region) > 1
    assert found.unit == "tile" and not found.is_bound and found.bare == ()


def test_areas_are_those_of_the_outlines_on_the_slide(tiny_model: Path):
    beyond = Region(-500, 0, 1000, 100)  # half of it lies off the slide
    found = foresee(asked(tiny_model, {"outline": OUTLINE, "beyond": beyond}))
    assert found.area == pytest.approx((800 * 800 / 2 + 500 * 100) * (MPP / 1000) ** 2)
    assert foresee(asked(tiny_model, {})).area < SHAPE[0] * SHAPE[1] * (MPP / 1000) ** 2


def test_a_region_without_tissue_is_named(tiny_model: Path, tmp_path: Path):
    pixels = np.full((1200, 1200, 3), 255, np.uint8)
    pixels[100:500, 100:500] = (180, 80, 160)
    tifffile.imwrite(tmp_path / "slide.tif", pixels, photometric="rgb", tile=(256, 256))
    regions = {"on it": Region(200, 200, 100, 100), "glass": Region(900, 900, 200, 200)}
    found = foresee(asked(tiny_model, regions, path=tmp_path / "slide.tif", shape=(1200, 1200)))
    assert found.bare == ("glass",) and "No tissue found in glass" in forecast_text(found, None)


def test_pixels_without_a_file_have_a_bound(tiny_model: Path):
    known = asked(tiny_model, {})
    found = foresee(replace(known, files=()))
    assert found.is_bound and found.tiles > foresee(known).tiles
    assert forecast_text(found, None).startswith(f"up to {found.tiles} tiles")


def test_a_time_is_told_where_a_run_was_before_and_by_the_steps_chosen(tiny_model: Path):
    from diffuscope.engine.events import TileDone

    one = asked(tiny_model, {})
    assert seconds_of(one.model, one.device, evaluations=one.evaluations) is None
    watch = Watch(one.model, one.device, 10)
    watch.take(Started(out="out", tiles=9, done=3))  # gone on with: three were there
    watch.take(TileDone(done=5, tiles=9, box=(0, 0, 1, 1), seconds=30.0))
    watch.keep()
    assert seconds_of(one.model, one.device, evaluations=10) == 15.0
    assert seconds_of(one.model, one.device, evaluations=40) == 60.0
    assert seconds_of(one.model, "cuda", evaluations=10) is None
    found = replace(foresee(one), tiles=65, area=3.98, bytes=41_000_000)
    assert forecast_text(found, 65 * 15.0) == "65 tiles · 3.98 mm² · <b>about 16 min 15 s</b> · at most 41 MB"
    assert "time known after the first tile" in forecast_text(found, None)


def test_a_file_of_times_that_is_none_foretells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from diffuscope.plugin.forms.forecast import rates

    monkeypatch.setattr(rates, "rates_file", lambda: tmp_path / "rates.json")
    for text in ("", "[1]", '{"m · cpu": 3}', '{"m · cpu": {"seconds": "x", "evaluations": 0}}'):
        (tmp_path / "rates.json").write_text(text)
        assert seconds_of("m", "cpu", evaluations=1) is None
