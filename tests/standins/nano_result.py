"""A slide of two channels and a result on it, with known load and divergences, made with the canvas alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile

from diffuscope.ports.numbers import Value
from diffuscope.ports.raster import Raster
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import Result, open_result
from diffuscope.results.tissue import crop_tissue, save_tissue
from diffuscope.scans import open_scan
from diffuscope.tiling.plan import make_plan

SIDE, TILE, OVERLAP, STEPS, SAMPLES, GAMMA = 256, 64, 16, 3, 2, 0.45
LOAD = Raster(
    name="predicted nanoparticles", key="nanoparticles", kind="map", channels=("load",), mpp=1.0, range=(0.0, 255.0),
    dtype="float32", fill=0.0, colormap="green",
)  # fmt: skip
VALUES = (
    Value(name="divergence d", key="divergence", range=(0.0, 1.0)),
    Value(name="multi-modal branch taken", key="multimodal", range=(0.0, 1.0)),
)


def vessels() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    image = np.full((SIDE, SIDE), 4, np.uint16)
    for cy, cx in ((40, 50), (90, 200), (150, 100), (220, 220)):
        image[(y - cy) ** 2 + (x - cx) ** 2 < 64] = 180
    return image


def write_nano(folder: Path) -> tuple[Path, Result]:
    """Return the slide and the result: load 7, d = 0.40 + 0.01·(tile's number modulo 10) + 0.001·evaluation."""
    slide = folder / "slide.ome.tif"
    about = {"axes": "CYX", "Channel": {"Name": ["DAPI", "CD31"]}, "PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0}
    pixels = np.stack([np.full((SIDE, SIDE), 9, np.uint16), vessels()])
    tifffile.imwrite(slide, pixels, photometric="minisblack", tile=(64, 64), metadata=about)
    scan = open_scan(slide)
    stated = {"name": slide.name, "fingerprint": scan.fingerprint, "shape": list(scan.shape), "mpp": 1.0}
    record = {
        "model": {"name": "nano"},
        "inputs": {
            "vessels": {**stated, "mpp_stated": 1.0, "channel": "CD31", "channel_number": 1},
            "nuclei": {**stated, "mpp_stated": 1.0, "channel": "DAPI", "channel_number": 0},
        },
        "parameters": {"samples": SAMPLES, "options": {"gamma": GAMMA}, "region": None},
    }
    plan = make_plan(shape=(SIDE, SIDE), factors=(1.0, 1.0), tile=TILE, overlap=OVERLAP)
    canvas = Canvas(
        folder / "nano.ome.zarr", plan=replace(plan, spacing=(1.0, 1.0)), ports=(LOAD,), record=record, values=VALUES
    )
    mask = np.ones((SIDE // 8, SIDE // 8), np.bool_)
    save_tissue(canvas.root, crop_tissue(mask, 8.0, factor=1.0, window=plan.window, region=None))
    for number, tile in enumerate(plan.tiles()):
        d = np.float32(0.40 + 0.01 * (number % 10) + 0.001 * np.arange(STEPS * SAMPLES))
        told = {"divergence": d, "multimodal": (d <= np.float32(GAMMA)).astype(np.float32)}
        canvas.write_tile(tile, {"nanoparticles": np.full((1, TILE, TILE), 7, np.float32)}, told)
    assert canvas.finish()
    return slide, open_result(folder / "nano.ome.zarr")
