"""Pictures of a result on one sheet, with captions, bars of colours, a scale bar and what it is not for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from diffuscope.ports.raster import Raster

#: Width of a panel, and the most height of its picture: that of a narrow region is narrower than its panel.
PANEL, TALLEST = 640, 1280
_MARGIN, _CAPTION, _TITLE, _NOTE = 20, 34, 74, 22
# Lines aslant that a hatched panel has across.
_HATCHES = 60
_INK, _PAPER = (20, 20, 20), (255, 255, 255)
# Evenly spaced colours of the maps that outputs name (magma and viridis by S. van der Walt and N. Smith, CC0).
_COLOURS = {
    "gray": "000000 ffffff",
    "gray_r": "ffffff 000000",
    "magma": "000004 180f3d 440f76 721f81 9e2f7f cd4071 f1605d fd9668 feca8d fcfdbf",
    "viridis": "440154 482878 3e4a89 31688e 26828e 1f9e89 35b779 6dcd59 b4de2c fde725",
}
#: Of a scale bar, px: its number needs the room.
SHORTEST = 40
#: Lengths of scale bars, µm: 0.1, 0.2, 0.5, 1 … 50,000.
BARS_UM = tuple(first * 10**power for power in range(-1, 5) for first in (1, 2, 5))


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture of several.

    Attributes
    ----------
    caption : str
        Above it.
    image : ndarray of uint8 (h, w, 3)
        Of the same shape as all others.
    port : Raster or None
        Of a map, whose colours a bar explains.
    has_gaps : bool
        Whether a part of it is hatched, as it was not computed.
    has_unknown : bool
        Whether a part of it is hatched, as what was computed there is not known.
    """

    caption: str
    image: NDArray[np.uint8]
    port: Raster | None = None
    has_gaps: bool = False
    has_unknown: bool = False


def draw_sheet(
    panels: Sequence[Panel], *, title: str = "", note: str = "", um_per_px: float, across: int = 2
) -> Image.Image:
    """Put pictures side by side, two by two or as said, with captions, bars of colours and a scale bar.

    Parameters
    ----------
    panels : sequence of Panel
        One at least.
    title, note : str
        Above the panels, the title on one line; there is no room for them where neither is given.
    um_per_px : float
        Of the panels' images.
    across : int
        Panels in a row, at most.

    Returns
    -------
    Image
        RGB, about 1300 px wide where there are two in a row.
    """
    height, width = panels[0].image.shape[:2]
    across = min(len(panels), across)
    notes = _lines(note, across * (PANEL + _MARGIN) - _MARGIN)
    head = _TITLE + _NOTE * (len(notes) - 1) if title or note else 0
    factor = min(PANEL / width, TALLEST / height)
    size = (max(1, round(factor * width)), max(1, round(factor * height)))
    step = (PANEL + _MARGIN, size[1] + _CAPTION + _MARGIN)
    sheet = Image.new("RGB", (_MARGIN + across * step[0], head + -(-len(panels) // across) * step[1]), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 14), _plain(title), _INK, _font(24))
    for number, line in enumerate(notes):
        draw.text((_MARGIN, 46 + _NOTE * number), line, (150, 30, 30), _font(17))
    for number, panel in enumerate(panels):
        left, top = _MARGIN + (number % across) * step[0], head + (number // across) * step[1]
        draw.text((left, top + 8), _plain(panel.caption), _INK, _font(19))
        if panel.port is not None:
            _legend(sheet, draw, panel.port, right=left + PANEL, top=top + 8)
        sheet.paste(Image.fromarray(panel.image).resize(size, Image.Resampling.LANCZOS), (left, top + _CAPTION))
        draw.rectangle(
            (left, top + _CAPTION, left + size[0] - 1, top + _CAPTION + size[1] - 1), outline=(190, 190, 190)
        )
    _scale_bar(draw, (_MARGIN, head + _CAPTION), size, um_per_px=um_per_px * width / size[0])
    return sheet


def colour(values: NDArray[np.floating], port: Raster) -> NDArray[np.uint8]:
    """Return a map (h, w) in the port's colours over the port's range, as (h, w, 3).

    NaN has no colour: what is drawn there is for the caller to cover.
    """
    low, high = port.range
    stops = np.array(
        [list(bytes.fromhex(stop)) for stop in _COLOURS.get(port.colormap, _COLOURS["gray"]).split()], np.float64
    )
    place = np.clip((np.nan_to_num(values) - low) / (high - low), 0.0, 1.0) * (len(stops) - 1)
    channels = [np.interp(place, np.arange(len(stops)), stops[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def hatch(there: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the grey of px (n, 3) that stand for no value: lines aslant, as many as a panel of any size shows."""
    rows, columns = np.nonzero(there)
    step = max(4, round(there.shape[1] / _HATCHES))
    grey = np.where((rows + columns) % step < step / 4, np.uint8(190), np.uint8(236))
    return np.repeat(grey[:, None], 3, axis=1)


def _legend(sheet: Image.Image, draw: ImageDraw.ImageDraw, port: Raster, *, right: int, top: int) -> None:
    """Draw low, colours, high, ending at `right`."""
    low, high = (f"{value:g}" for value in port.range)
    ramp = colour(np.broadcast_to(np.linspace(*port.range, 140), (14, 140)), port)
    end = right - draw.textlength(high, _font(17)) - 6
    box = (round(end) - 140, top + 4)
    sheet.paste(Image.fromarray(ramp), box)
    draw.rectangle((box[0], box[1], box[0] + 139, box[1] + 13), outline=(190, 190, 190))
    draw.text((end + 6, top + 1), high, _INK, _font(17))
    draw.text((box[0] - 6, top + 1), low, _INK, _font(17), anchor="ra")


def _scale_bar(draw: ImageDraw.ImageDraw, corner: tuple[int, int], size: tuple[int, int], *, um_per_px: float) -> None:
    """Draw the longest round length within a quarter of the picture at its lower right; none where it is narrow."""
    lengths = [length for length in BARS_UM if SHORTEST <= length / um_per_px <= size[0] / 4]
    length = max(lengths, default=None)
    if length is None:
        return
    right, bottom = corner[0] + size[0] - 16, corner[1] + size[1] - 16
    left = right - length / um_per_px
    draw.rectangle((left - 8, bottom - 36, right + 8, bottom + 8), fill=_PAPER)
    draw.rectangle((left, bottom - 5, right, bottom), fill=_INK)
    # In mm: the font that comes with Pillow has no µ.
    draw.text(((left + right) / 2, bottom - 8), f"{length / 1000:g} mm", _INK, _font(17), anchor="ms")


def _lines(text: str, width: float) -> list[str]:
    """Return a note as lines of a width, px."""
    font, lines = _font(17), [""]
    for word in _plain(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _plain(text: str) -> str:
    return text.replace("µ", "u")  # which Pillow's own font does not have
