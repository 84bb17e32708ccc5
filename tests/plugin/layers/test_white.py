"""White that a model painted is no hole: no transparent px in what was computed, while it fills and afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from diffuscope.api.export import export
from diffuscope.plugin.layers.level import Level
from diffuscope.plugin.layers.results import result_layers
from diffuscope.results.result import open_result
from tests.results.test_coverage import OUTLINE, canvas_of, paint, painted, plan_of

pytest.importorskip("napari")


def alphas(path: Path) -> list[np.ndarray]:
    data, about, _ = result_layers(open_result(path))[0]
    return [np.asarray(level)[..., 3] for level in (data if about["multiscale"] else [data])]


@pytest.mark.parametrize("region", [None, OUTLINE], ids=["tissue", "outline"])
def test_a_white_stain_is_opaque_where_it_was_computed_and_nowhere_else(tmp_path: Path, region):
    plan = plan_of(region)
    white, grey = canvas_of(tmp_path / "white.ome.zarr", plan), canvas_of(tmp_path / "grey.ome.zarr", plan)
    for canvas, value in ((white, 255.0), (grey, 90.0)):
        paint(canvas, value)
        assert canvas.finish()
    expected = painted(open_result(grey.path))
    for path in (white.path, grey.path):
        finest, *coarse = alphas(path)
        np.testing.assert_array_equal(finest > 0, expected)
        assert set(np.unique(finest)) <= {0, 255} and coarse
        assert all((level > 0).any() and (level == 0).any() for level in coarse)
    # the export as OME-Zarr opens as the result does
    for _ in export(white.path, tmp_path / "copy.ome.zarr"):
        pass
    np.testing.assert_array_equal(alphas(tmp_path / "copy.ome.zarr")[0], alphas(white.path)[0])


def test_white_fills_in_as_the_job_goes_on(tmp_path: Path):
    canvas = canvas_of(tmp_path / "a.ome.zarr", plan_of())
    data, about, _ = result_layers(open_result(canvas.path))[0]
    finest = data[0] if about["multiscale"] else data
    assert isinstance(finest, Level) and not np.asarray(finest).any()
    paint(canvas, 255.0, 6)
    canvas.refresh()
    finest.renew()
    seen = np.asarray(finest)[..., 3] > 0
    np.testing.assert_array_equal(seen, open_result(canvas.path).coverage.read().mask((range(500), range(700)), (1, 1)))
    assert seen.any() and not seen.all()
    paint(canvas, 255.0, skip=6)
    assert canvas.finish()
    finest.renew()
    assert (np.asarray(finest)[..., 3] > 0).sum() > seen.sum()


def test_of_a_result_that_is_taken_away_nothing_is_left(tmp_path: Path):
    canvas = canvas_of(tmp_path / "a.ome.zarr", plan_of())
    data, about, _ = result_layers(open_result(canvas.path))[0]
    finest = data[0] if about["multiscale"] else data
    paint(canvas, 255.0, 6)
    canvas.refresh()
    assert np.asarray(finest).any()
    shutil.rmtree(canvas.path)
    finest.renew()
    assert not np.asarray(finest)[..., 3].any()
