"""Whether tiles show: a region of 1024 px of the held-out slide, each shipped model, default quality.

The borders are where a tile's influence begins or ends in the plan. `ratio_independent` is the same run with noise that
belongs to the tile instead of the slide: what the coordinate-keyed noise is for.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.borders import border_ratio, texture_ratio
from benchmarks.shared.figures import Goal
from benchmarks.shared.slide import as_taken, sample, teacher_sample
from diffuscope import DEMO_SLIDE, load_model, open_result, run
from diffuscope.diffusion.noise import TileNoise
from diffuscope.engine import batch
from diffuscope.sample_data import sample_path
from diffuscope.tiling.region import Region

# Grid lines of the plan lie inside, and all of it is tissue.
REGION = Region(704, 1920, 1024, 1024)
UNTILED, _EDGE = 512, 32
GOALS = {
    "ratio": Goal(high=1.02),
    "texture_ratio": Goal(low=0.95, high=1.05),
    "texture_ratio_to_untiled": Goal(low=0.95, high=1.05),
}


class NoiseOfTheTile(TileNoise):
    """Every tile draws from a place of its own, far from all others."""

    def __init__(self, seed: int, places: list[tuple[int, int]], *shape: object, **options: object) -> None:
        super().__init__(seed, [(7 * y, 7 * x) for y, x in places], *shape, **options)


def tiled(model: str, noise: type[TileNoise]) -> NDArray[np.float64]:
    """Return the virtual IHC of the region, (h, w, 3)."""
    with tempfile.TemporaryDirectory() as folder, patch.object(batch, "TileNoise", noise):
        for _ in run(model, sample_path(DEMO_SLIDE), Path(folder) / "out.ome.zarr", region=REGION):
            pass
        result = open_result(Path(folder) / "out.ome.zarr")
        return np.asarray(result.images["ihc"][0]).astype(np.float64)


def measure(*, model: Literal["stain-cd3-demo", "stain-ck818-demo"] = "stain-cd3-demo") -> dict[str, float]:
    """Run the region with both kinds of noise, and its first 512 px as one tile.

    Parameters
    ----------
    model : str
        Whose tiles.
    """
    loaded = load_model(model)
    tile, overlap = loaded.system.tile, loaded.system.overlap
    ours, independent = tiled(model, TileNoise), tiled(model, NoiseOfTheTile)
    he = as_taken(loaded, teacher_sample("CD3"))[REGION.y : REGION.y + UNTILED, REGION.x : REGION.x + UNTILED][None]
    settings = next(iter(loaded.system.presets.values()))
    whole = sample(loaded, he, [(REGION.y, REGION.x)], settings)["ihc"][0]
    part = ours[:UNTILED, :UNTILED]
    # At the edge of the un-tiled pass the network sees nothing beyond, which is no fault of the tiles.
    inner = np.s_[_EDGE:-_EDGE, _EDGE:-_EDGE]
    within = Region(REGION.x + _EDGE, REGION.y + _EDGE, UNTILED - 2 * _EDGE, UNTILED - 2 * _EDGE)
    slide = teacher_sample("CD3").he[REGION.y : REGION.y + REGION.height, REGION.x : REGION.x + REGION.width]
    slide = slide.astype(np.float64)
    return {
        "ratio": border_ratio(ours, tile, overlap, REGION),
        "ratio_independent": border_ratio(independent, tile, overlap, REGION),
        "ratio_of_the_slide": border_ratio(slide, tile, overlap, REGION),
        "texture_ratio": texture_ratio(ours, tile, overlap, REGION),
        "texture_ratio_independent": texture_ratio(independent, tile, overlap, REGION),
        "texture_ratio_of_the_slide": texture_ratio(slide, tile, overlap, REGION),
        # By itself it is of what lies there as well: the same places of the pass without tiles take that out.
        "texture_ratio_to_untiled": texture_ratio(part[inner], tile, overlap, within)
        / texture_ratio(whole[inner].astype(np.float64), tile, overlap, within),
        "difference_untiled": float(np.abs(part - whole)[inner].mean()),
    }
