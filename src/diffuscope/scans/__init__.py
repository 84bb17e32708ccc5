"""What is read: slides and pictures as lazy pyramids, volumes, their physical units, windows and tissue."""

from __future__ import annotations

from diffuscope.scans.open import open_scan
from diffuscope.scans.open_volume import open_input, open_volume
from diffuscope.scans.region import read_region, resampling_factor
from diffuscope.scans.scan import Scan, Volume
from diffuscope.scans.tissue import TissueMask, tissue_mask

__all__ = [
    "Scan",
    "TissueMask",
    "Volume",
    "open_input",
    "open_scan",
    "open_volume",
    "read_region",
    "resampling_factor",
    "tissue_mask",
]
