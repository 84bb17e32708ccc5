"""Values of a series: how its stored numbers become them, and what a user should know of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from diffuscope.errors import InputError
from diffuscope.scans.formats.dicom.slices import Slice

# As messages name what the values of a modality are when they are rescaled.
_UNIT = {"PT": "Bq/ml"}


def value_dtype(slices: Sequence[Slice]) -> np.dtype[Any]:
    """Return the type that holds all values exactly if there is one rescaling by whole numbers; else float32."""
    rescalings = {one.rescaling for one in slices}
    if len(rescalings) > 1 or not all(number.is_integer() for number in next(iter(rescalings))):
        return np.dtype(np.float32)
    [(slope, intercept)] = rescalings
    ranges = [one.stored.range for one in slices]
    ends = [edge * slope + intercept for low_high in ranges for edge in low_high]
    first = slices[0].stored
    kinds: list[np.dtype[Any]] = [np.dtype(np.int16), np.dtype(np.int32), np.dtype(np.int64)]
    if (slope, intercept) == (1.0, 0.0):
        kinds.insert(0, np.dtype(f"{'i' if first.is_signed else 'u'}{first.allocated // 8}"))
    holding = (kind for kind in kinds if np.iinfo(kind).min <= min(ends) and max(ends) <= np.iinfo(kind).max)
    return next(holding, np.dtype(np.float32))


def check_values(name: str, modality: str, slices: Sequence[Slice]) -> tuple[str, ...]:
    """Return what a user should know of the values of a series, one sentence each.

    Raises
    ------
    InputError
        Some slices say how they are rescaled, and others do not.
    """
    silent = next((one for one in slices if one.slope is None), None)
    telling = next((one for one in slices if one.slope is not None), None)
    if silent and telling:
        raise InputError(
            f"{silent.path.name} does not say its RescaleSlope, but {telling.path.name} of the same series does: "
            "export the series again."
        )
    notices = []
    if silent and modality in _UNIT:
        notices.append(
            f"{name} does not say its RescaleSlope: its values are the stored numbers, not {_UNIT[modality]}."
        )
    # Every slice of a PET has its own; elsewhere it is odd.
    if modality != "PT" and len({one.rescaling for one in slices}) > 1:
        notices.append(f"The slices of {name} differ in RescaleSlope or RescaleIntercept: each has its own applied.")
    other = next((one.unit for one in slices if one.unit not in ("", "HU", "US")), None)
    if modality == "CT" and other:
        notices.append(f"{name} is a CT whose values are not in HU: its RescaleType is {other}.")
    padded = next((one.stored.padding for one in slices if one.stored.padding is not None), None)
    if padded is not None:
        shown = " to ".join(str(number) for number in sorted(set(padded)))
        notices.append(
            f"{name} marks where nothing was measured (PixelPaddingValue {shown}): this counts as background and reads "
            "as the lowest value that was."
        )
    return tuple(notices)
