"""Where a canvas lies in its input, and how the metadata of a result tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from diffuscope.tiling.boxes import halves
from diffuscope.tiling.plan import Plan

#: By the number of axes, what an input is called, what its px, and in which unit; of none, a case without images.
_KINDS: Final = {0: ("case", "px", ""), 2: ("slide", "px", "µm"), 3: ("volume", "voxels", "mm")}
_UM: Final = {"µm": 1.0, "mm": 1000.0}


@dataclass(frozen=True, kw_only=True)
class Place:
    """The place of a canvas along the axes (y, x) of a slide, in µm, or (z, y, x) of a volume, in mm.

    Attributes
    ----------
    window : tuple of int
        (*starts, *lengths) of the canvas in px of the model's grid.
    factors : tuple of float
        Input px per canvas px.
    spacing : tuple of float
        Size of a canvas px.
    origin : tuple of float
        Centre of the canvas's first px from the centre of the input's first px.
    """

    window: tuple[int, ...]
    factors: tuple[float, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]

    @property
    def unit(self) -> str:
        """Of spacing and origin: ``"µm"`` of a slide, ``"mm"`` of a volume."""
        return _KINDS[len(self.spacing)][2]

    @property
    def what(self) -> str:
        """What the input is: ``"slide"`` or ``"volume"``; ``"case"`` where there is no image."""
        return _KINDS[len(self.spacing)][0]

    @property
    def mpp(self) -> float:
        """µm per canvas px along a row."""
        return self.spacing[-1] * _UM[self.unit]

    @property
    def size(self) -> str:
        """Size of the canvas, as text."""
        _, lengths = halves(self.window)
        return f"{' x '.join(map(str, reversed(lengths)))} {_KINDS[len(self.spacing)][1]}"

    @property
    def scale(self) -> tuple[str, str]:
        """Name and text of its resolution: the µm/px of a slide, the mm of a voxel along (x, y, z)."""
        if self.unit == "µm":
            return "µm/px", f"{self.mpp:.4g}"
        return "spacing", f"{' x '.join(f'{step:.4g}' for step in reversed(self.spacing))} {self.unit} (x, y, z)"

    @classmethod
    def of(cls, plan: Plan) -> Place:
        """Return the place of a plan's canvas."""
        spacing = plan.spacing
        if spacing is None:
            raise ValueError("a canvas is placed by the size of its px, which its plan does not state")
        origin = (
            # Centre of a canvas px of `factor` input px, from the centre of the first input px.
            (axis.start + 0.5) * step - 0.5 * (step / axis.factor)
            for axis, step in zip(plan.axes, spacing, strict=True)
        )
        factors = tuple(axis.factor for axis in plan.axes)
        return cls(window=plan.window, factors=factors, spacing=spacing, origin=tuple(origin))

    def to_json(self) -> dict[str, Any]:
        """Return what stands in the metadata: of a slide one factor and one µm/px, of a volume one for each axis."""
        starts, _ = halves(self.window)
        corner = [start * factor for start, factor in zip(starts, self.factors, strict=True)]
        if self.unit == "µm":
            scale = {"factor": self.factors[0], "mpp": self.spacing[0]}
            return {"window": list(self.window), **scale, "level0_origin_px": corner, "origin_um": list(self.origin)}
        scales = {"factors": list(self.factors), "spacing_mm": list(self.spacing)}
        return {"window": list(self.window), **scales, "level0_origin_px": corner, "origin_mm": list(self.origin)}

    @classmethod
    def from_json(cls, about: Mapping[str, Any]) -> Place:
        """Read what `to_json` wrote."""
        window = tuple(about["window"])
        if "mpp" in about:
            factors, spacing, origin = (about["factor"],) * 2, (about["mpp"],) * 2, about["origin_um"]
        else:
            factors, spacing, origin = about["factors"], about["spacing_mm"], about["origin_mm"]
        return cls(window=window, factors=tuple(factors), spacing=tuple(spacing), origin=tuple(origin))


#: Of a result that has no image.
NOWHERE = Place(window=(), factors=(), spacing=(), origin=())
