"""A slide of any size for timing: the shipped one's pixels, mirrored side by side, as a pyramidal JPEG TIFF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from diffuscope import DEMO_SLIDE, open_scan
from diffuscope.sample_data import sample_path
from diffuscope.scans import read_region

# µm/px of the shipped slide; a plain TIFF does not say it.
MPP = 0.499
# A square of the shipped slide that is nearly all tissue.
_Y, _X, _PART = 1536, 512, 1280


def write_large_slide(path: Path, side: int) -> None:
    """Write a square slide of `side` px that is nearly all tissue.

    Parameters
    ----------
    path : Path
        The TIFF: tiles of 256 px, JPEG of quality 90, levels halved down to 1024 px.
    side : int
        A multiple of 256.
    """
    scan = open_scan(sample_path(DEMO_SLIDE))
    part = read_region(scan, y=_Y, x=_X, height=_PART, width=_PART, factor=1.0)
    mirrored = np.concatenate([part, part[::-1]])
    mirrored = np.concatenate([mirrored, mirrored[:, ::-1]], axis=1)
    times = -(-side // len(mirrored))
    level = np.tile(mirrored, (times, times, 1))[:side, :side]
    with tifffile.TiffWriter(path) as file:
        for number in range(64):
            file.write(
                level,
                photometric="rgb",
                tile=(256, 256),
                compression="jpeg",
                compressionargs={"level": 90},
                subfiletype=1 if number else 0,
                metadata=None,
            )
            if len(level) <= 1024:
                return
            quarters = level.reshape(len(level) // 2, 2, len(level) // 2, 2, 3)
            level = quarters.mean(axis=(1, 3), dtype=np.float32).round().astype(np.uint8)
