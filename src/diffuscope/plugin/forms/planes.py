"""Across which axis of a volume a model takes slices, it was acquired in slices, and the user looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from diffuscope.plugin.forms.regions import current_slice

#: Cuts across the axes (z, y, x) of a volume as it is shown, whatever its file keeps.
PLANES = ("axial", "coronal", "sagittal")
# Voxels count as slices where they are so many times as long one way as the next longest.
_THICK = 1.5


def seen_plane(viewer: Any) -> int | None:
    """Return the axis (0 to 2 of a volume) across which the viewer cuts; None in the 3D view."""
    dims = viewer.dims
    if dims.ndisplay != 2:
        return None
    first = dims.ndim - 3
    return next((axis - first for axis in range(first, dims.ndim) if axis not in dims.displayed), None)


def slice_text(viewer: Any, layer: Any) -> str:
    """Say which slice is computed, and what to do where the user cannot see it as one."""
    at, last = current_slice(viewer, layer), layer.data.shape[-3] - 1
    plane = seen_plane(viewer)
    if plane == 0:
        return f"Slice {at} of 0 to {last}"
    if plane is None:
        return f"Axial slice {at} of 0 to {last}, the last that was looked at: switch to 2D to choose another."
    return (
        f"Axial slice {at} of 0 to {last}. You look at {PLANES[plane]} cuts, and the model computes axial slices: "
        "roll the axes (below the layer list) to see them."
    )


def acquired_text(spacing: Sequence[float]) -> str:
    """Say that a volume was acquired in other slices than those that a model takes; empty where it was not.

    Parameters
    ----------
    spacing : sequence of float
        (z, y, x) mm per voxel.
    """
    thick = int(np.argmax(spacing))
    if thick == 0 or spacing[thick] < _THICK * sorted(spacing)[1]:
        return ""
    return (
        f"Acquired in {PLANES[thick]} slices {spacing[thick]:.3g} mm apart; the model computes axial ones, "
        "which cut across those."
    )
