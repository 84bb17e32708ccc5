"""Makes sample_data/he-orion-*.jpg: the ORION tiles of one slide side by side, with glass between them.

    python tools/orion_sheets.py FOLDER_OF_TILES

Tiles of a slide share their stain, so that they are one source of training and one set of stain statistics.
"""

from __future__ import annotations

import sys
from math import ceil, sqrt
from pathlib import Path

import numpy as np
from PIL import Image

SLIDES = ("C01", "C03", "C05")
# Half a nucleus of glass at 0.325 µm/px on each side keeps cells of two tiles from being one.
GLASS = 22
OUT = Path(__file__).parents[1] / "src/diffuscope/sample_data"


def sheet(tiles: list[np.ndarray]) -> np.ndarray:
    """Lay tiles of one size out on a square of white, uint8 (h, w, 3)."""
    side = tiles[0].shape[0] + GLASS
    across = ceil(sqrt(len(tiles)))
    down = ceil(len(tiles) / across)
    laid = np.full((down * side, across * side, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        y, x = (place * side + GLASS // 2 for place in divmod(number, across))
        laid[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return laid


def main(folder: Path) -> None:
    """Write one JPEG a slide."""
    for slide in SLIDES:
        tiles = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob(f"*_{slide}_*.png"))]
        Image.fromarray(sheet(tiles)).save(OUT / f"he-orion-{slide}.jpg", quality=90, subsampling=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
