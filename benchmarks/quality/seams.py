"""Whether tiles show: a region of 1024 px of the held-out slide, each shipped model, default quality.

The borders are where a tile's influence begins or ends in the plan. `ratio_independent` is the same run with noise that
belongs to the tile instead of the slide: what the coordinate-keyed noise is for.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from benchmarks.shared.report import Goal, main
from benchmarks.shared.slide import lesson, sample
from diffuscope import DEMO_SLIDE, load_model, open_result, run
from diffuscope.diffusion.noise import TileNoise
from diffuscope.engine import batch
from diffuscope.sample_data import sample_path
from diffuscope.tiling.plan import Region

# Grid lines of the plan lie inside, and all of it is tissue.
REGION = Region(704, 1920, 1024, 1024)
UNTILED = 512


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


def zones(start: int, size: int, tile: int, overlap: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return, along one axis of the region, which steps cross a border, and which px lie in an overlap."""
    stride = tile - overlap
    place = np.arange(start, start + size)
    overlapped = (place % stride < overlap) & (place >= stride)
    step = place[1:]
    border = (step % stride == 0) | ((step % stride == overlap) & (step > stride))
    return border, overlapped


def border_ratio(image: NDArray[np.float64], tile: int, overlap: int, region: Region = REGION) -> float:
    """Return the mean step across borders over the mean step inside, rows and columns.

    Inside are the steps 8, 16 and 24 px to either side of each border. Nearby, because a region has few borders, and
    what happens to lie there (a gland's edge, a gap) must not count. By eights, because borders fall on the edges of
    the slide's JPEG blocks, where the H&E itself steps a sixth more than elsewhere.
    """
    across, inside = [], []
    for axis, start in ((0, region.y), (1, region.x)):
        border, _ = zones(start, image.shape[axis], tile, overlap)
        steps = np.abs(np.diff(image, axis=axis)).mean(axis=(1 - axis, 2))
        for at in np.flatnonzero(border):
            near = at + 8 * np.array([-3, -2, -1, 1, 2, 3])
            across.append(steps[at])
            inside.append(steps[near[(near >= 0) & (near < len(steps))]].mean())
    return float(np.mean(across) / np.mean(inside))


def texture_ratio(image: NDArray[np.float64], tile: int, overlap: int, region: Region = REGION) -> float:
    """Return the mean local variance (5 x 5 px) where tiles overlap over that where they do not."""
    grey = image.mean(axis=-1)
    variance = uniform_filter(grey**2, 5) - uniform_filter(grey, 5) ** 2
    rows, columns = (
        zones(start, n, tile, overlap)[1] for start, n in zip((region.y, region.x), grey.shape, strict=True)
    )
    overlapped = rows[:, None] | columns[None, :]
    return float(variance[overlapped].mean() / variance[~overlapped].mean())


def measure(name: str) -> dict[str, float]:
    """Run the region with both kinds of noise, and its first 512 px as one tile."""
    model = load_model(name)
    tile, overlap = model.system.tile, model.system.overlap
    ours, independent = tiled(name, TileNoise), tiled(name, NoiseOfTheTile)
    he = lesson("CD3").he[REGION.y : REGION.y + UNTILED, REGION.x : REGION.x + UNTILED][None]
    settings = next(iter(model.system.presets.values()))
    whole = sample(model, he, [(REGION.y, REGION.x)], settings)["ihc"][0]
    part = ours[:UNTILED, :UNTILED]
    # At the edge of the un-tiled pass the network sees nothing beyond, which is no fault of the tiles.
    inner = np.s_[32:-32, 32:-32]
    slide = lesson("CD3").he[REGION.y : REGION.y + REGION.height, REGION.x : REGION.x + REGION.width]
    slide = slide.astype(np.float64)
    return {
        "ratio": border_ratio(ours, tile, overlap),
        "ratio_independent": border_ratio(independent, tile, overlap),
        "ratio_of_the_slide": border_ratio(slide, tile, overlap),
        "texture_ratio": texture_ratio(ours, tile, overlap),
        "texture_ratio_independent": texture_ratio(independent, tile, overlap),
        "texture_ratio_of_the_slide": texture_ratio(slide, tile, overlap),
        "difference_untiled": float(np.abs(part - whole)[inner].mean()),
    }


if __name__ == "__main__":
    goals = {"ratio": Goal(high=1.02), "texture_ratio": Goal(low=0.95, high=1.05)}
    main(measure, goals, models=("stain-cd3-demo", "stain-ck818-demo"))
