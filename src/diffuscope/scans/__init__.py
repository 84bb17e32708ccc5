"""What is read: slides and pictures as lazy pyramids with physical units, their windows and their tissue."""

from __future__ import annotations

from diffuscope.scans.open import open_scan
from diffuscope.scans.region import read_region, resampling_factor
from diffuscope.scans.scan import Scan
from diffuscope.scans.tissue import TissueMask, tissue_mask

__all__ = ["Scan", "TissueMask", "open_scan", "read_region", "resampling_factor", "tissue_mask"]
