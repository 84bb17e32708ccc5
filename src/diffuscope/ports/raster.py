"""Raster: an image that goes in or comes out, a colour picture or one measured quantity per channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Beside a slide is glass, beside fluorescence or a patient nothing: one number for both would be a bright rim in one.
_BY_KIND = float("-inf")


@dataclass(frozen=True, kw_only=True)
class Raster:
    """One named input or output of a system.

    Attributes
    ----------
    name : str
        What the user sees, e.g. ``"H&E"`` or ``"virtual CD3"``.
    key : str
        What files and the noise generator use, e.g. ``"ihc"``: ``[a-z0-9_]+``, unique in a system.
    kind : {"rgb", "map"}
        A colour image (3 channels) or one measured quantity (1 channel).
    channels : tuple of str
        Channel names; their number is the number of channels.
    mpp : float
        µm per pixel at which the system works, in the plane of a slice where it works on volumes.
    spacing : tuple of (float or None, float or None, float or None), optional
        (z, y, x) mm per voxel at which the system works on volumes; None along an axis takes it as it comes. None: the
        system works on slides.
    scale : {"stored", "percentile", "stain"}
        How the values of an input file become those of the port. ``"stored"``: as they are (colours, HU), clipped to
        `range` where the port is float32. ``"percentile"``: files have a scale of their own (fluorescence, MR), of
        which two percentiles of the whole slide's or volume's foreground become the ends of `range` (see
        `diffuscope.scans.intensity`). ``"stain"``: an H&E (8-bit RGB), whose stain vectors and strengths, measured on
        the whole slide, are replaced by those of one reference (see `diffuscope.stains.normalisation`). Of an output:
        how the truths were brought to `range` that it was trained on.
    synonyms : tuple of str
        Other names that a channel may have which fits an input, lower case, e.g. ``("cd31",)``, the likeliest first.
    range : tuple of float
        Lowest and highest physical value; ``(0, 255)`` for rgb, optical density for a DAB map.
        Also the contrast limits that a viewer starts with.
    dtype : {"uint8", "float32"}
        Stored type.
    fill : float
        Value where nothing was computed (no tissue, outside a drawn shape); of an input, what a network sees beside it.
        Not given: the highest of a colour picture, which is white, and the lowest of a map, which is dark.
    unit : str
        Physical unit of a map, e.g. ``"OD"``; empty for colour.
    colormap : str
        napari colormap name of a map.
    required : bool
        Of an input: whether a system cannot do without.
    largest : int
        Of an input: px along a side that a system sees at most of the whole of it; 0: any number, tile by tile.
    of : str
        Of an output that tells of another one, as its spread: the other's key, with which it is made; else empty.
    samples : str
        Of an output that is the mean over several samples: the key under which the system gives each of them besides,
        which results keep for intervals (see `diffuscope.ports.stains.each_sample`); else empty.
    """

    name: str
    key: str
    kind: Literal["rgb", "map"]
    channels: tuple[str, ...]
    mpp: float
    range: tuple[float, float]
    dtype: Literal["uint8", "float32"] = "uint8"
    fill: float = _BY_KIND
    unit: str = ""
    colormap: str = "gray"
    spacing: tuple[float | None, float | None, float | None] | None = None
    scale: Literal["stored", "percentile", "stain"] = "stored"
    synonyms: tuple[str, ...] = ()
    required: bool = True
    largest: int = 0
    of: str = ""
    samples: str = ""

    def __post_init__(self) -> None:
        if self.fill == _BY_KIND:
            object.__setattr__(self, "fill", float(self.range[1 if self.kind == "rgb" else 0]))

    def too_large(self, height: int, width: int) -> str:
        """Say in a sentence that an input of so many px at `mpp` is larger than what a system sees; else nothing."""
        if not self.largest or max(height, width) <= self.largest:
            return ""
        cm = self.mpp / 10_000
        edge = f"{self.largest * cm:.1f}"
        size = f"{width * cm:.1f} × {height * cm:.1f}"
        return f"{self.name} is {size} cm, and this model sees {edge} × {edge} cm: crop it to what matters."

    @property
    def axes(self) -> Literal["yx", "zyx"]:
        """Of the images that it takes or makes: slides and pictures, or volumes."""
        return "yx" if self.spacing is None else "zyx"
