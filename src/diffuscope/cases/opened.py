"""open_case: the pictures of a case on one grid at the model's µm/px, window by window."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diffuscope.cases.case import Case
from diffuscope.errors import InputError
from diffuscope.scans import Scan, open_scan, read_region, resampling_factor
from diffuscope.scans.source import CHUNK_SIDE, Source

# How far two pictures of one field may differ in size, px of the model: rounding, not another field.
_TOLERANCE = 1.0


class _Inside(Source):
    """A mask: 255 where a picture has any value but 0, whatever it is shown as."""

    def __init__(self, picture: Source) -> None:
        super().__init__((picture.shape[0], picture.shape[1], 1), "uint8", (CHUNK_SIDE, CHUNK_SIDE))
        self._picture = picture.labels()

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """As in `Source`."""
        inside = (self._picture.read(y0, y1, x0, x1) != 0).any(axis=2, keepdims=True)
        return inside.astype(np.uint8) * np.uint8(255)


@dataclass(frozen=True, eq=False)
class OpenCase:
    """The pictures of a case, lazily, on one grid.

    Attributes
    ----------
    case : Case
        What was opened.
    shape : tuple of int
        (height, width) at the model's µm/px: whole px that lie on every picture.
    scans : dict of str to Scan
        By port key.
    factors : dict of str to float
        Level-0 px of each per px of the grid.
    masks : frozenset of str
        Keys that are masks.
    """

    case: Case
    shape: tuple[int, int]
    scans: dict[str, Scan]
    factors: dict[str, float]
    masks: frozenset[str]

    def read(self, key: str, y: int, x: int, height: int, width: int) -> NDArray[np.generic]:
        """Read a window of one picture.

        Parameters
        ----------
        key : str
            Which.
        y, x, height, width : int
            In px of the grid; what lies outside is 255, of a mask 0.

        Returns
        -------
        ndarray of shape (height, width, c)
            The picture's own dtype: means over the px of the grid. Of a mask float32 (height, width, 1) in [0, 1],
            the part of the px that is inside: a mask that is averaged keeps its area, one that is read by
            nearest neighbour loses what is thinner than a px. A threshold of 0.5 makes it binary again.
        """
        scan = self.scans[key]
        mask = key in self.masks
        window = read_region(
            scan, y=y, x=x, height=height, width=width, factor=self.factors[key], fill=0 if mask else 255
        )
        return window.astype(np.float32) / np.float32(255) if mask else window


def open_case(
    case: Case, *, mpp: float | None, assumed_mpp: float | None = None, masks: Collection[str] = ("mask",)
) -> OpenCase:
    """Open the pictures of a case and check that they show one field; no pixel is decoded before it is asked for.

    A file that does not say its µm/px has that of one of the case that says it and has as many px, else `assumed_mpp`.

    Parameters
    ----------
    case : Case
        From `find_cases`.
    mpp : float or None
        The model's µm/px; None takes every picture as it is, px for px.
    assumed_mpp : float, optional
        µm per level-0 px of the files that do not say it.
    masks : collection of str
        Keys of masks: any value but 0 is inside, in whatever channel.

    Returns
    -------
    OpenCase

    Raises
    ------
    InputError
        A file cannot be opened, its µm/px is not known, a mask is a JPEG, or the pictures differ in size by more than
        1 px of the model.
    """
    scans = {key: open_scan(path) for key, path in case.files.items()}
    inside = frozenset(masks) & scans.keys()
    for key in inside:
        if scans[key].format == "JPEG":  # its compression leaves values around every outline
            raise InputError(f"{scans[key].name} is a mask and a JPEG, which keeps no sharp values: save it as PNG.")
    sizes = {scan.shape: scan.mpp for scan in scans.values() if scan.mpp is not None}
    for key, scan in scans.items():
        told = sizes.get(scan.shape, assumed_mpp)
        if scan.mpp is None and told is not None:
            scans[key] = open_scan(case.files[key], mpp=told)
    factors = _factors(case, scans, mpp)
    shape = (
        min(int(scan.shape[0] / factors[key] + 1e-6) for key, scan in scans.items()),
        min(int(scan.shape[1] / factors[key] + 1e-6) for key, scan in scans.items()),
    )
    return OpenCase(case, shape, scans | {key: _mask(scans[key]) for key in inside}, factors, inside)


def _factors(case: Case, scans: Mapping[str, Scan], mpp: float | None) -> dict[str, float]:
    """Return the px of each picture per px of the grid.

    A picture within 5 % of the model's µm/px is taken as it is, as in a run, but only where its partners then still
    fit.
    """
    if mpp is None:
        choices = [dict.fromkeys(scans, 1.0)]
    else:
        settled = {key: resampling_factor(scan, mpp) for key, scan in scans.items()}
        choices = [settled, {key: mpp / (scan.mpp or mpp) for key, scan in scans.items()}]
    for factors in choices:
        if _apart(scans, factors) <= _TOLERANCE:
            return factors
    sizes = ", ".join(
        f"{key} {scan.shape[1] / choices[-1][key]:.0f} × {scan.shape[0] / choices[-1][key]:.0f}"
        for key, scan in scans.items()
    )
    at = f"at {mpp:g} µm/px" if mpp is not None else "px for px"
    raise InputError(
        f"the pictures of case {case.name} do not show one field: {at} they have {sizes} px; "
        "register or crop them, or correct their µm/px."
    )


def _apart(scans: Mapping[str, Scan], factors: Mapping[str, float]) -> float:
    """Return by how many px of the grid the largest and the smallest picture differ."""
    sizes = np.array([[side / factors[key] for side in scan.shape] for key, scan in scans.items()])
    return float(np.ptp(sizes, axis=0).max())


def _mask(scan: Scan) -> Scan:
    """Return a scan whose only level is the mask of the finest one: coarser ones hold means of labels."""
    source = _Inside(scan.sources[0])
    return replace(
        scan, levels=(source.to_dask(),), downsamples=(1.0,), channels=("inside",), rgb=False, sources=(source,)
    )
