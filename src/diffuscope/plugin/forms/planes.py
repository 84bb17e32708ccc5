"""Across which axis of a volume a model takes slices, it was acquired in slices, and the user looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from diffuscope.plugin.forms.regions import current_slice
from diffuscope.plugin.layers.facts import finest, volume_lies
from diffuscope.plugin.layers.inputs.orientation import UPRIGHT
from diffuscope.scans.lattice import Storage

#: Cuts across the axes (z, y, x) of a volume as it is shown, whatever its file keeps.
PLANES = ("axial", "coronal", "sagittal")
# Voxels count as slices where they are so many times as long one way as the next longest.
_THICK = 1.5


def seen_plane(viewer: Any, storage: Storage = UPRIGHT) -> int | None:
    """Return the axis (0 to 2 of an upright volume) across which the viewer cuts; None in the 3D view.

    `storage` says how the volume's layer keeps it.
    """
    dims = viewer.dims
    if dims.ndisplay != 2:
        return None
    first = dims.ndim - 3
    cut = next((axis - first for axis in range(first, dims.ndim) if axis not in dims.displayed), None)
    return None if cut is None else storage.order.index(cut)


def slice_text(viewer: Any, layer: Any) -> str:
    """Say which slice is computed, and what to do where the user cannot see it as one."""
    lies = volume_lies(layer)
    at, last = current_slice(viewer, layer), finest(layer).shape[lies.storage.order[0]] - 1
    plane = seen_plane(viewer, lies.storage)
    if plane == 0:
        return f"Slice {at} (0 to {last})"
    if plane is None:
        return f"Axial slice {at} (0 to {last}), the last that was looked at: switch to 2D to choose another."
    return (
        f"Axial slice {at} (0 to {last}). You look at {PLANES[plane]} cuts, and the model computes axial slices: "
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
