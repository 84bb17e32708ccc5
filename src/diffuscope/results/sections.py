"""Slices through what the labels of a case outline, kept in the result: a report needs no scan then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.files.put import in_place_of

PATH = "sections"
# A slice of 512 x 512 with its labels has 2 MB.
_MOST_BYTES, _MOST = 64 * 2**20, 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    """What lies around one thing, in the slice where it is largest.

    Attributes
    ----------
    role : str
        What it is, e.g. ``"tumour"``.
    picture : ndarray of float32 (h, w)
        In the unit of the input, e.g. HU.
    inside : ndarray of bool (h, w)
        Which px are of it.
    limits : tuple of float
        Values to show black and white.
    z, slices : int
        Which slice of how many, from 0 at the feet.
    start : tuple of int
        (y, x) of the first px in the slice.
    spacing : tuple of float
        (y, x) mm.
    millilitres : float
        Of all of it, in every slice.
    """

    role: str
    picture: NDArray[np.float32]
    inside: NDArray[np.bool_]
    limits: tuple[float, float]
    z: int
    slices: int
    start: tuple[int, int]
    spacing: tuple[float, float]
    millilitres: float


def save_sections(folder: Path, sections: Sequence[Section]) -> None:
    """Write sections into a result folder, one array (2, h, w) each of picture and what is inside.

    They come into the result at once, all of them whole: who shows the result while it is written opens it at any time.
    """
    if not sections:
        return
    with in_place_of(folder / PATH, replace=True) as part:
        group = zarr.open_group(part, mode="w-", zarr_format=2)
        for number, one in enumerate(sections):
            group.create_array(
                str(number),
                data=np.stack([one.picture, one.inside]).astype(np.float32),
                chunks=(2, *one.picture.shape),
                chunk_key_encoding={"name": "v2", "separator": "/"},
                attributes={
                    "role": one.role,
                    "limits": list(one.limits),
                    "z": one.z,
                    "slices": one.slices,
                    "start": list(one.start),
                    "spacing": list(one.spacing),
                    "millilitres": one.millilitres,
                },
            )


def load_sections(root: zarr.Group) -> tuple[Section, ...]:
    """Read what `save_sections` wrote; none of a result that has none."""
    if PATH not in root:
        return ()
    group: Any = root[PATH]
    return tuple(_load(group[key]) for key in sorted(group.array_keys(), key=int)[:_MOST])


def _load(array: zarr.Array[Any]) -> Section:
    about: dict[str, Any] = dict(array.attrs)
    limits, spacing = ([float(one) for one in about[key]] for key in ("limits", "spacing"))
    numbers: list[Any] = [about["z"], about["slices"], *about["start"]]
    if (
        array.ndim != 3
        or array.shape[0] != 2
        or not array.size
        or array.nbytes > _MOST_BYTES
        or array.dtype != np.float32
        or len(limits) != 2
        or not limits[0] < limits[1]
        or len(spacing) != 2
        or not all(0 < one < 1e6 for one in spacing)
        or [type(one) for one in numbers] != [int] * 4
        or not (0 <= numbers[0] < numbers[1] and min(numbers) >= 0)
        or not 0 <= float(about["millilitres"]) < 1e12
        or not isinstance(about["role"], str)
    ):
        raise ValueError(f"{array.path} is no section")
    picture, inside = np.asarray(array[:])
    return Section(
        role=about["role"],
        picture=picture,
        inside=inside > 0,
        limits=(limits[0], limits[1]),
        z=numbers[0],
        slices=numbers[1],
        start=(numbers[2], numbers[3]),
        spacing=(spacing[0], spacing[1]),
        millilitres=float(about["millilitres"]),
    )
