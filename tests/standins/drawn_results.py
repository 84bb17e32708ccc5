"""Results of a slide as hypothesis draws them: of any size and place, resolution and names, with any px."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from diffuscope.ports.raster import Raster
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import Result, open_result
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region

TILE = 64
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)


@dataclass(frozen=True)
class Drawn:
    """What a result is made of: where its px lie, µm/px, the names of its maps, and a seed for its px."""

    seed: int
    region: Region
    mpp: float
    names: tuple[str, str]

    def write(self, folder: Path, colours: Callable[[np.random.Generator], np.ndarray]) -> Result:
        """Write it, with colours (3, 64, 64) that `colours` makes of each tile."""
        rgb = Raster(name="virtual", key="ihc", kind="rgb", channels=("R", "G", "B"), mpp=self.mpp, range=(0.0, 255.0))
        maps = Raster(
            name="maps", key="maps", kind="map", channels=self.names, mpp=self.mpp, range=(-1.0, 1.0),
            dtype="float32", fill=0.0,
        )  # fmt: skip
        plan = make_plan(shape=(6000, 6000), factors=(1.0, 1.0), tile=TILE, overlap=0, region=self.region)
        record = {"note": "not for diagnosis", "inputs": {"he": {"name": "a.svs", "mpp": self.mpp}}}
        plan = replace(plan, spacing=(self.mpp, self.mpp))
        canvas = Canvas(folder / "r.ome.zarr", plan=plan, ports=(rgb, maps), record=record)
        rng = np.random.default_rng(self.seed)
        for tile in plan.tiles():
            values = rng.standard_normal((2, TILE, TILE), np.float32)
            canvas.write_tile(tile, {"ihc": colours(rng).astype(np.float32), "maps": values})
        canvas.finish()
        return open_result(canvas.path)


@st.composite
def drawn_results(draw: st.DrawFn, largest: int = 300) -> Drawn:
    """Draw one of up to `largest` px a side."""
    height, width = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    region = Region(draw(st.integers(0, 5000)), draw(st.integers(0, 5000)), width, height)
    names = draw(st.lists(NAMES, min_size=2, max_size=2, unique=True))
    return Drawn(draw(st.integers(0, 2**32 - 1)), region, draw(st.floats(0.1, 2.0)), (names[0], names[1]))


def noise(rng: np.random.Generator) -> np.ndarray:
    """Return colours of which no px tells anything of the next."""
    return rng.integers(0, 256, (3, TILE, TILE))


def smooth(rng: np.random.Generator) -> np.ndarray:
    """Return colours as a picture has them: what lies beside each other is alike, from black to white."""
    fields = gaussian_filter(rng.standard_normal((3, TILE, TILE)), (0.0, 3.0, 3.0))
    return np.clip(128 + 60 * fields / fields.std(), 0, 255)
