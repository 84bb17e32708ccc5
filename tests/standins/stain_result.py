"""A stain over a drawn region of a slide, at another resolution than the slide's, as a run leaves it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.measurement.measurements import measure, write_csv
from diffuscope.ports.raster import Raster
from diffuscope.ports.stains import each_sample
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import Result, open_result
from diffuscope.results.tissue import crop_tissue, save_tissue
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region

MPP, FACTOR, TILE = 0.52, 2.08, 128
SHAPE = (1500, 1300)
DRAWN = Region.from_polygon([(201.0, 160.5), (1000.0, 120.0), (900.0, 1100.0), (260.0, 1010.0)])
MAP: dict[str, Any] = {"kind": "map", "mpp": MPP, "dtype": "float32", "fill": 0.0, "unit": "OD"}
PORTS = (
    Raster(name="virtual CD3", key="ihc", kind="rgb", channels=("R", "G", "B"), mpp=MPP, range=(0.0, 255.0)),
    Raster(name="DAB", key="dab", channels=("DAB",), range=(0.0, 1.0), **MAP),
    Raster(name="uncertainty", key="uncertainty", channels=("uncertainty",), range=(0.0, 0.3), **MAP),
)
#: What a run of three samples keeps beside them.
SAMPLED = each_sample(replace(PORTS[1], samples="samples"), 3)
DAB = (ndimage.gaussian_filter(np.random.default_rng(5).normal(size=(800, 800)), 4) * 3 + 0.1).clip(0)
RECORD = {
    "note": "Research use only; not for diagnosis.",
    "model": {"name": "stain-cd3-demo"},
    "command": "diffuscope run stain-cd3-demo patient-7.svs -o r.ome.zarr",
    "inputs": {"he": {"name": "patient-7.svs", "fingerprint": "f00d", "mpp": 0.25, "shape": list(SHAPE)}},
    "parameters": {"seed": 7, "dab_threshold": 0.25},
    "notices": ["patient-7.svs is odd."],
}


def write_stain(
    folder: Path, region: Region | None = DRAWN, *, record: dict[str, Any] = RECORD, ports: Any = PORTS
) -> Result:
    """Write known densities; of all tissue where no region is given."""
    plan = make_plan(shape=SHAPE, factors=(FACTOR, FACTOR), tile=TILE, overlap=0, region=region)
    told = {**record, "parameters": {**record["parameters"], "region": str(region) if region else None}}
    canvas = Canvas(folder / "r.ome.zarr", plan=replace(plan, spacing=(MPP, MPP)), ports=ports, record=told)
    tissue = np.ones((75, 65), bool)
    tissue[:40, :20] = False
    save_tissue(canvas.root, crop_tissue(tissue, 20.0, factor=FACTOR, window=plan.window, region=region))
    for tile in plan.tiles():
        canvas.write_tile(tile, {port.key: _tile(tile.y, tile.x, port.key) for port in ports})
    canvas.finish()
    result = open_result(canvas.path)
    rows = measure(result)
    if rows:
        write_csv(rows, canvas.path / "table.csv", replace=False)
    return open_result(canvas.path)


def _tile(y: int, x: int, key: str) -> NDArray[np.float32]:
    """Return densities that are a function of the place, or colours or an uncertainty that are one of them."""
    rows, columns = np.ix_(np.arange(y, y + TILE) % 800, np.arange(x, x + TILE) % 800)
    dab = DAB[rows, columns].astype(np.float32)
    if key.startswith("ihc"):
        return np.stack([255 - 200 * dab.clip(0, 1)] * 3)
    if key == SAMPLED.key:
        return np.stack([0.8 * dab, dab, 1.1 * dab])
    if key == "dab_ck":
        return (0.4 - dab).clip(0)[None]
    return dab[None] / (4 if key.startswith("uncertainty") else 1)
