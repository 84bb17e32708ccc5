"""What a report shows of the scans that a case was scored from: a slice through each thing that is outlined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffuscope.jobs.inputs import PortInput
from diffuscope.jobs.masks import MaskInput
from diffuscope.results.sections import Section

#: HU that radiologists show soft tissue with: a level of 40, a width of 400.
SOFT_TISSUE = (-160.0, 240.0)
# mm around what is shown, and the least that a picture shows.
_AROUND, _LEAST = 20.0, 80.0


def find_sections(masks: Sequence[MaskInput], images: Sequence[PortInput]) -> list[Section]:
    """Return the slice through the largest section of each thing that labels of volumes outline.

    Parameters
    ----------
    masks : sequence of MaskInput
        Opened.
    images : sequence of PortInput
        Those on which they lie among them.

    Returns
    -------
    list of Section
        In the order of the roles; what has no voxel has no section.
    """
    by_key = {one.port.key: one for one in images}
    return [section for mask in masks for section in _of_mask(mask, by_key[mask.port.on])]


def _of_mask(mask: MaskInput, image: PortInput) -> list[Section]:
    spacing = image.scan.spacing
    if image.port.axes != "zyx" or spacing is None:
        return []
    labels, roles = mask.labels, mask.port.roles
    areas = np.stack([np.bincount(plane.ravel(), minlength=len(roles) + 1) for plane in labels])
    return [
        _section(image, labels, label, role, int(areas[:, label].argmax()), int(areas[:, label].sum()))
        for label, role in enumerate(roles, start=1)
        if areas[:, label].any()
    ]


def _section(image: PortInput, labels: NDArray[np.uint8], label: int, role: str, z: int, voxels: int) -> Section:
    spacing = [float(step) for step in image.scan.spacing or ()]
    inside = labels[z] == label
    rows, columns = (_around(inside.any(axis=axis), step) for axis, step in ((1, spacing[1]), (0, spacing[2])))
    shape = (1, rows.stop - rows.start, columns.stop - columns.start)
    ones = (1.0,) * 3
    read = image.scan.read((z, rows.start, columns.start), shape, factors=ones, fill=image.outside)
    return Section(
        role=role,
        picture=np.asarray(read[0, ..., 0], np.float32),
        inside=inside[rows, columns],
        limits=SOFT_TISSUE if image.port.unit == "HU" else image.values or image.port.range,
        z=z,
        slices=len(labels),
        start=(rows.start, columns.start),
        spacing=(spacing[1], spacing[2]),
        millilitres=voxels * float(np.prod(spacing)) / 1000.0,
    )


def _around(there: NDArray[np.bool_], step: float) -> slice:
    """Return what to show along one axis: all that is there, and something around it, as far as the slice goes."""
    first, *_, last = (*np.flatnonzero(there)[[0, -1]],)
    length = max(round((last - first + 1) + 2 * _AROUND / step), round(_LEAST / step))
    start = max(0, min(round((first + last + 1 - length) / 2), len(there) - length))
    return slice(int(start), int(min(start + length, len(there))))
