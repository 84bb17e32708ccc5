"""What the demonstration runs, for whoever repeats or measures it."""

from __future__ import annotations

from diffuscope.tiling.region import Region

DEMO_MODEL = "stain-cd3-demo"
DEMO_SLIDE = "CMU-1-Small-Region.svs"
# The infiltrate along the border of dermis and epidermis, where a CD3 stain has something to show.
DEMO_REGION = Region(800, 640, 1024, 1024)
