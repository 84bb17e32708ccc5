"""Make the picture of simulation-thorax.md: chests and heads, each in all modalities.

::

    python -m docs_scripts.simulation_thorax
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from diffuscope.simulation.thorax_brain import KEYS, SIDE, Region, Subject, simulate

IMAGE = Path(__file__).parents[1] / "docs/images" / "simulation-thorax.png"
SEED = 0
SHOWN: tuple[tuple[Region, int], ...] = (("chest", 3), ("chest", 4), ("head", 20), ("head", 26))
#: HU that are shown as black and as white.
WINDOW: dict[Region, tuple[float, float]] = {"chest": (-1000, 500), "head": (-40, 140)}
ZOOM, GAP, TITLE = 2, 4, 18


def panel(subject: Subject, key: str) -> NDArray[np.uint8]:
    """Return an image as greys, enlarged."""
    low, high = WINDOW[subject.region] if key == "ct" else (0.0, 1.0)
    grey = np.clip((subject.images[key] - low) / (high - low), 0, 1)
    return np.kron((255 * grey).astype(np.uint8), np.ones((ZOOM, ZOOM), np.uint8))


def main() -> None:
    """Write the picture, and print the reports of what it shows."""
    step = ZOOM * SIDE + GAP
    picture = Image.new("L", (len(KEYS) * step - GAP, TITLE + len(SHOWN) * step - GAP), 255)
    draw = ImageDraw.Draw(picture)
    for column, key in enumerate(KEYS):
        draw.text((column * step + 2, 2), key, fill=0, font=ImageFont.load_default(12))
    for row, (region, number) in enumerate(SHOWN):
        subject = simulate(number, seed=SEED, region=region)
        print(f"{subject.name}: {subject.report}")
        for column, key in enumerate(KEYS):
            picture.paste(Image.fromarray(panel(subject, key)), (column * step, TITLE + row * step))
    picture.save(IMAGE, optimize=True)


if __name__ == "__main__":
    main()
