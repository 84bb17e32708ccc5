"""Draw the pictures of window.md: what each script does, a picture a step, side by side.

Run it with a screen, or under a virtual one::

    xvfb-run -s "-screen 0 1280x800x24" python -m docs_scripts.first_results [DOCK ...]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import napari
from PIL import Image
from qtpy.QtGui import QImage

from diffuscope.plugin.forms import out
from docs_scripts.first_results.hand import Hand, keep_alive, rest
from docs_scripts.first_results.scripts import SCRIPTS

IMAGES = Path(__file__).parents[2] / "docs/images/first-results"
#: Of one step, px; two stand in a row.
_WIDTH, _HEIGHT, _GAP = 640, 400, 8
_PATIENCE = 1800.0
# Until what has just come into the window lies where it stays, ms.
_REST = 1000


def draw(title: str) -> None:
    """Go through a script, and draw its steps."""
    taken: list[Image.Image] = []
    with tempfile.TemporaryDirectory() as folder:
        out.results_folder = lambda: Path(folder) / "Documents"
        viewer = napari.Viewer(title="Diffuscope")
        viewer.window._qt_window.resize(1280, 800)
        viewer.window.show()
        hand = Hand(viewer, keep_alive(_PATIENCE), lambda _: taken.append(_picture(viewer)))
        clicks = SCRIPTS[title](hand, Path(folder))
        viewer.close()
    rows = -(-len(taken) // 2)
    sheet = Image.new("RGB", (2 * _WIDTH + _GAP, rows * (_HEIGHT + _GAP) - _GAP), "white")
    for number, picture in enumerate(taken):
        sheet.paste(picture, (number % 2 * (_WIDTH + _GAP), number // 2 * (_HEIGHT + _GAP)))
    IMAGES.mkdir(parents=True, exist_ok=True)
    sheet.save(IMAGES / f"{title.lower().replace(' ', '-')}.jpg", quality=80, optimize=True)
    print(f"{title}: {clicks} clicks to a first result; {', '.join(hand.steps)}", flush=True)


def _picture(viewer: Any) -> Image.Image:
    rest(_REST)
    grabbed = viewer.window._qt_window.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    pixels = bytes(grabbed.constBits())
    whole = Image.frombytes("RGB", (grabbed.width(), grabbed.height()), pixels, "raw", "RGB", grabbed.bytesPerLine())
    return whole.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    for name in sys.argv[1:] or SCRIPTS:
        draw(name)
