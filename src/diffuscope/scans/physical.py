"""Physical pixel sizes: units as files name them, and which resolution tags can be believed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from diffuscope.errors import InputError

# µm per unit, as OME-XML, OME-Zarr (UDUNITS-2 names) and ImageJ spell them.
MICROMETRES = {
    "µm": 1.0,  # micro sign
    "μm": 1.0,  # Greek mu
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "nanometre": 1e-3,
    "mm": 1e3,
    "millimeter": 1e3,
    "millimetre": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "centimetre": 1e4,
    "inch": 25400.0,
    "in": 25400.0,
    "m": 1e6,
    "meter": 1e6,
    "metre": 1e6,
    "å": 1e-4,
    "angstrom": 1e-4,
    "pm": 1e-6,
    "picometer": 1e-6,
}

# Slides are scanned at 0.1–1 µm/px and overviews at up to 8. A tag that says 72, 96 or 300 dpi (353, 265, 85 µm/px)
# speaks of a screen or a page, not of the microscope, and is as good as no tag.
PLAUSIBLE_MPP = (0.02, 10.0)


# Outside these a slide's µm/px is a slip of unit or comma, not an objective.
POSSIBLE_MPP = (0.02, 50.0)
# Of radiographs and single sections of scans, by the µm/px of the model that takes them: so much finer and coarser.
_FINER, _COARSER = 1000.0, 50.0


def check_given_mpp(mpp: float | None) -> None:
    """Refuse µm/px that somebody gives and that are no positive number; None gives none."""
    if mpp is not None and not (math.isfinite(mpp) and mpp > 0):
        raise InputError(f"µm/px must be a positive number, got {mpp:g}.")


def check_mpp(name: str, mpp: float, model: float) -> None:
    """Refuse a resolution that no slide has, or nothing that a model of another scale takes.

    Parameters
    ----------
    name : str
        Of the file.
    mpp, model : float
        µm/px of the file, and at which the model works.

    Raises
    ------
    InputError
        It is none that `POSSIBLE_MPP` holds, and too far from the model's.
    """
    low, high = max(POSSIBLE_MPP[0], model / _FINER), max(POSSIBLE_MPP[1], model * _COARSER)
    if not low <= mpp <= high:
        what = "slide" if model <= POSSIBLE_MPP[1] else f"picture for a model that works at {model:g}"
        raise InputError(
            f"{name} would have {mpp:g} µm/px, which no {what} has: give its µm/px (--mpp, or column mpp of a table)."
        )


# Outside these a voxel's side, or the longest side of the whole volume, is a slip of unit: µm or m taken for mm.
POSSIBLE_MM, POSSIBLE_FIELD_MM = (0.001, 50.0), (0.5, 5000.0)


def check_volume_size(name: str, spacing: Sequence[float], shape: Sequence[int]) -> None:
    """Refuse a volume of a size that no scan has.

    Parameters
    ----------
    name : str
        Of the file, for the message.
    spacing, shape : sequence of float and of int
        Along the same axes, (z, y, x), mm and voxels.

    Raises
    ------
    InputError
        A voxel is none that `POSSIBLE_MM` holds, or the whole none that `POSSIBLE_FIELD_MM` does.
    """
    field = max(step * count for step, count in zip(spacing, shape, strict=True))
    low, high = POSSIBLE_MM
    if min(spacing) < low or max(spacing) > high or not POSSIBLE_FIELD_MM[0] <= field <= POSSIBLE_FIELD_MM[1]:
        sides = " x ".join(f"{step:.4g}" for step in reversed(spacing))
        raise InputError(
            f"{name} would have voxels of {sides} mm and a side of {field:.4g} mm, which no scan has: its header must "
            "state its spacing in mm, or the unit that it is in."
        )


def micrometres(value: float, unit: str | None) -> float | None:
    """`value` in µm, or None where the unit is not a length or the value is not positive."""
    scale = MICROMETRES.get((unit or "").strip().lower())
    return value * scale if scale is not None and 0 < value < float("inf") else None


def plausible(mpp: float) -> bool:
    """Whether a resolution tag can be a microscope's pixel size in µm."""
    return PLAUSIBLE_MPP[0] <= mpp <= PLAUSIBLE_MPP[1]


def isotropic(mpp: tuple[float, float] | None, name: str) -> float | None:
    """One µm/px from (y, x).

    Raises
    ------
    InputError
        When they differ by more than 5 %: no model has seen stretched tissue.
    """
    if mpp is None:
        return None
    y, x = mpp
    if max(y, x) > 1.05 * min(y, x):
        raise InputError(
            f"{name} has pixels of {x:.4g} × {y:.4g} µm, which are not square; resample it to square pixels, or give "
            "a run the µm/px to use (--mpp)."
        )
    return (y + x) / 2
