"""What is read: slides and pictures as lazy pyramids, volumes, their physical units, windows and tissue."""

from __future__ import annotations

from diffuscope.scans.image import Image
from diffuscope.scans.mask import Foreground
from diffuscope.scans.open import open_scan
from diffuscope.scans.open_volume import open_input, open_volume
from diffuscope.scans.region import UnknownMppError, read_region, resampling_factor
from diffuscope.scans.scan import Scan
from diffuscope.scans.tissue import tissue_mask
from diffuscope.scans.volume import Volume

__all__ = [
    "Foreground",
    "Image",
    "Scan",
    "UnknownMppError",
    "Volume",
    "open_input",
    "open_scan",
    "open_volume",
    "read_region",
    "resampling_factor",
    "tissue_mask",
]
