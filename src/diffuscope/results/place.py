"""Where a canvas lies in its input, and how the metadata of a result tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from diffuscope.tiling.boxes import halves
from diffuscope.tiling.plan import Plan


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
        return "µm" if len(self.spacing) == 2 else "mm"

    @classmethod
    def of(cls, plan: Plan, mpp: float | None) -> Place:
        """Return the place of a plan's canvas; of a slide, whose canvas px has `mpp` µm, or of a volume (None)."""
        if (mpp is None) != (plan.spacing is not None):
            raise ValueError(f"a slide is placed by its µm/px and a volume by its plan's spacing, got mpp {mpp}")
        spacing = plan.spacing if mpp is None else (mpp, mpp)
        assert spacing is not None  # as was checked
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
