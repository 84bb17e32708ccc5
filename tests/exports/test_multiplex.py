"""The multiplex as a file, against the formula on the stored pixels; where there is none, one sentence says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from diffuscope.errors import InputError
from diffuscope.exports import export
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import Result, open_result
from diffuscope.stains import HDAB, combine, dab_density, multiplex
from diffuscope.systems.staindiffuser.config import MultiStainDiffuserConfig
from diffuscope.systems.staindiffuser.multi import MultiStainDiffuser
from diffuscope.tiling.plan import make_plan


@pytest.fixture
def two_stains(tmp_path: Path) -> Result:
    """300 × 270 px of the outputs of a Multi-StainDiffuser of two stains."""
    ports = MultiStainDiffuser(MultiStainDiffuserConfig(stains=("CD3", "CK8/18"), size="tiny", T=2)).outputs
    plan = make_plan(shape=(300, 270), factors=(1.0, 1.0), tile=288, overlap=32)
    canvas = Canvas(
        tmp_path / "two.ome.zarr", plan=replace(plan, spacing=(0.5, 0.5)), ports=ports, record={"inputs": {}}
    )
    rng = np.random.default_rng(0)
    for tile in plan.tiles():
        outputs = {}
        for key in ("cd3", "ck818"):
            densities = np.zeros((288, 288, 3))
            densities[..., :2] = rng.uniform(0, 0.7, (288, 288, 2))
            colour = combine(densities, HDAB)
            outputs |= {
                f"ihc_{key}": np.moveaxis(colour, -1, 0).astype(np.float32),
                f"dab_{key}": dab_density(colour)[None],
                f"uncertainty_{key}": np.full((1, 288, 288), np.nan, np.float32),
            }
        canvas.write_tile(tile, outputs)
    assert canvas.finish()
    return open_result(canvas.path)


def test_the_file_holds_the_formula_of_the_stored_pixels(two_stains: Result, tmp_path: Path):
    out = export(two_stains, tmp_path / "m.ome.tif", layer="multiplex")
    images = {key: np.asarray(levels[0]) for key, levels in two_stains.images.items()}
    expected = multiplex(
        [images["ihc_cd3"], images["ihc_ck818"]], [images["dab_cd3"][..., 0], images["dab_ck818"][..., 0]]
    )
    with tifffile.TiffFile(out) as file:
        np.testing.assert_array_equal(file.series[0].levels[0].asarray(), expected)
        assert len(file.series) == 1 and len(file.series[0].levels) == len(two_stains.images["ihc_cd3"])
        assert "virtual multiplex (CD3 brown, CK8/18 green)" in file.ome_metadata


def test_no_multiplex_and_no_such_format_are_said(
    two_stains: Result, make_result: Callable[..., Result], tmp_path: Path
):
    with pytest.raises(InputError, match="does not hold two to four stains"):
        export(make_result(), tmp_path / "m.ome.tif", layer="multiplex")
    with pytest.raises(InputError, match="a multiplex is exported as OME-TIFF"):
        export(two_stains, tmp_path / "m.ome.zarr", layer="multiplex")
    assert not list(tmp_path.glob("m.*"))
