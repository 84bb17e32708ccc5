"""Pictures of what is outlined in a case: a slice with its outline, a scale bar, and where the model looked."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from diffuscope.exports.report.hues import LOOKED
from diffuscope.scans.region import in_memory

if TYPE_CHECKING:
    from diffuscope.results.result import Result
    from diffuscope.results.sections import Section

# Side in px, of which a picture of 4.4 cm has 400 an inch.
_SIDE = 700
_OUTLINE = (255, 255, 255)
# Share of the heat's colour where the model looked most.
_MOST_HEAT = 0.6


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A square picture and what stands below it.

    Attributes
    ----------
    title, size, place : str
        What it shows; how large that is; which slice, from 0 as the window counts them.
    image : Image
        RGB.
    is_heated : bool
        Whether it shows where the model looked.
    """

    title: str
    size: str
    place: str
    image: Image.Image
    is_heated: bool

    @property
    def jpeg(self) -> bytes:
        """As a file."""
        file = io.BytesIO()
        self.image.save(file, "JPEG", quality=92)
        return file.getvalue()

    @property
    def uri(self) -> str:
        """As a page holds it."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode()}"


def draw_sections(result: Result) -> tuple[Picture, ...]:
    """Draw every section that a result keeps."""
    heats = [_heat(result, one) for one in result.sections]
    most = max((float(heat.max()) for heat in heats if heat is not None), default=0.0)
    return tuple(
        _draw(section, heat / most if heat is not None and most > 0 else None)
        for section, heat in zip(result.sections, heats, strict=True)
    )


def _heat(result: Result, section: Section) -> NDArray[np.float64] | None:
    """Return where the model looked in a section, at least 0, of a result that says so on the input's own lattice."""
    maps = [port for port in result.ports if port.kind == "map" and len(port.channels) == 1 and port.axes == "zyx"]
    if not maps or any(abs(factor - 1) > 1e-6 for factor in result.place.factors):
        return None
    z, y, x = (at - from_ for at, from_ in zip((section.z, *section.start), result.place.window[:3], strict=True))
    height, width = section.picture.shape
    finest = result.images[maps[0].key][0]
    if not (0 <= z < len(finest) and y >= 0 and x >= 0):
        return None
    plane = in_memory(finest[z, y : y + height, x : x + width, 0])
    if plane.shape != section.picture.shape:
        return None
    return np.maximum(np.nan_to_num(np.asarray(plane, np.float64)), 0.0)


def _draw(section: Section, heat: NDArray[np.float64] | None) -> Picture:
    low, high = section.limits
    grey = np.nan_to_num(np.clip((section.picture - low) / (high - low), 0.0, 1.0))
    # One scale along both axes, in mm.
    height, width = (count * step for count, step in zip(grey.shape, section.spacing, strict=True))
    per_mm = _SIDE / max(height, width)
    size = max(1, round(width * per_mm)), max(1, round(height * per_mm))
    image = Image.fromarray(np.rint(grey * 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    pixels = np.repeat(np.asarray(image, np.float64)[..., None], 3, axis=2)
    if heat is not None:
        share = np.asarray(Image.fromarray(heat.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
        share = _MOST_HEAT * np.clip(share, 0.0, 1.0)[..., None]
        pixels = (1 - share) * pixels + share * np.array(LOOKED, np.float64)
    shown = Image.new("RGB", (_SIDE, _SIDE))
    corner = (_SIDE - size[0]) // 2, (_SIDE - size[1]) // 2
    shown.paste(Image.fromarray(np.rint(pixels).astype(np.uint8)), corner)
    draw = ImageDraw.Draw(shown)
    _outline(draw, section, size, corner)
    _scale_bar(draw, per_mm)
    return Picture(
        title=section.role[:1].upper() + section.role[1:],
        size=f"{section.millilitres:.3g} ml, {_longest(section):.0f} mm across",
        place=f"slice {section.z} (0 to {section.slices - 1})",
        image=shown,
        is_heated=heat is not None,
    )


def _outline(draw: ImageDraw.ImageDraw, section: Section, size: tuple[int, int], corner: tuple[int, int]) -> None:
    from skimage.measure import find_contours

    scale = size[1] / section.inside.shape[0], size[0] / section.inside.shape[1]
    for contour in find_contours(np.pad(section.inside, 1).astype(float), 0.5):
        # A px of the padded mask has its centre at whole numbers, and the first one lies beyond the picture.
        points = [((x - 0.5) * scale[1] + corner[0], (y - 0.5) * scale[0] + corner[1]) for y, x in contour]
        draw.line(points, fill=_OUTLINE, width=4, joint="curve")


def _scale_bar(draw: ImageDraw.ImageDraw, per_mm: float) -> None:
    """Draw the longest of some round lengths that takes at most a third of the side."""
    length = max((mm for mm in (1, 2, 5, 10, 20, 50, 100) if mm * per_mm <= _SIDE / 3), default=0.5)
    x, y = 28, _SIDE - 36
    font = ImageFont.load_default(34)
    draw.text((x, y - 46), f"{length:g} mm", fill="white", font=font, stroke_width=2, stroke_fill="black")
    draw.rectangle((x - 2, y - 2, x + length * per_mm + 2, y + 10), fill="black")
    draw.rectangle((x, y, x + length * per_mm, y + 8), fill="white")


def _longest(section: Section) -> float:
    """Return the longest diameter of what is inside, in mm, from the outer corners of its px."""
    rows, columns = np.nonzero(section.inside)
    corners = np.concatenate([np.stack([rows + dy, columns + dx], axis=1) for dy in (0, 1) for dx in (0, 1)])
    hull = np.asarray(shapely.MultiPoint(corners * section.spacing).convex_hull.exterior.coords)
    return float(np.linalg.norm(hull[:, None] - hull[None], axis=-1).max())
