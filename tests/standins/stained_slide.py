"""A slide and a stain of it as files, as a viewer opens them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from stain_result import RECORD, SHAPE, write_stain

from diffuscope.plugin.layers.reader import read_layers
from diffuscope.results.result import Result

#: Colour of the slide, which no stain has.
PINK = (230, 120, 180)


def write_slide(folder: Path) -> Path:
    """Write a slide of one colour at 0.25 µm/px."""
    path = folder / "patient-7.tif"
    pixels = np.broadcast_to(np.uint8(PINK), (*SHAPE, 3))
    per_cm = 1e4 / 0.25
    tifffile.imwrite(path, pixels, photometric="rgb", resolution=(per_cm, per_cm), resolutionunit="CENTIMETER")
    return path


def write_both(folder: Path, **more: Any) -> tuple[Path, Result]:
    """Write a slide, and a stain whose record says that it was made from it (`more` as of `write_stain`)."""
    path = write_slide(folder)
    stated = {**RECORD["inputs"]["he"], "name": path.name, "mpp_stated": 0.25}
    return path, write_stain(folder, record={**RECORD, "inputs": {"he": stated}}, **more)


def show(viewer: Any, path: Path | str) -> list[Any]:
    """Add what a file or a result holds to a viewer, and return its layers."""
    return [viewer.add_image(data, **about) for data, about, _ in read_layers(str(path))]
