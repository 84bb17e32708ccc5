"""The fields of a case that are compared: all of a small picture, of a slide squares that are tissue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from diffuscope.cases import OpenCase
from diffuscope.scans import tissue_mask

FIELD = 512
"""Side of a field of a slide, px of the model."""

WHOLE = 1024
"""Pictures up to this side are one field, whatever they show."""


class Window(NamedTuple):
    """Where a field lies, px of the model."""

    y: int
    x: int
    height: int
    width: int


def fields(opened: OpenCase, key: str, *, least: float = 0.5) -> list[Window]:
    """Return the fields of a case, row by row; they do not overlap.

    Parameters
    ----------
    opened : OpenCase
        From `diffuscope.cases.open_case`.
    key : str
        The picture whose tissue counts.
    least : float
        Part of a slide's field that must be tissue: glass is easy and would flatter every figure.

    Returns
    -------
    list of Window
        Empty where a slide has no field with so much tissue.
    """
    if max(opened.shape) <= WHOLE:
        return [Window(0, 0, *opened.shape)]
    factor = opened.factors[key]
    tissue = tissue_mask(opened.scans[key])
    ys, xs = (np.array(list(_starts(extent))) for extent in opened.shape)
    height, width = (min(FIELD, extent) for extent in opened.shape)
    part = tissue.fractions_in(ys * factor, xs * factor, height * factor, width * factor)
    return [Window(int(ys[row]), int(xs[column]), height, width) for row, column in np.argwhere(part >= least)]


def _starts(extent: int) -> Iterator[int]:
    """Yield where whole fields begin; of what is smaller than one, its beginning."""
    yield from range(0, max(extent - FIELD, 0) + 1, FIELD)
