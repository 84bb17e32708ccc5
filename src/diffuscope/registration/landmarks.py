"""Landmark error: how far a transform takes points from where a person saw them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.files.sheet import Line, read_sheet
from diffuscope.ports.figures import read_figure
from diffuscope.registration.transform import Transform
from diffuscope.scans import Scan

COLUMNS = ("x_fixed", "y_fixed", "x_moving", "y_moving")


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Pairs of points that show the same place on two slides.

    Attributes
    ----------
    fixed, moving : ndarray of shape (n, 2)
        (x, y) µm from each slide's upper left corner.
    diagonal : float
        Of the fixed slide, µm.
    notices : tuple of str
        What was told of the table that they were read from.
    """

    fixed: NDArray[np.float64]
    moving: NDArray[np.float64]
    diagonal: float
    notices: tuple[str, ...] = ()

    def errors(self, transform: Transform) -> NDArray[np.float64]:
        """Target registration error of each pair: its distance on the fixed slide after the transform, µm."""
        return np.asarray(np.linalg.norm(transform.to_fixed(self.moving) - self.fixed, axis=-1))

    def summary(self, transform: Transform) -> dict[str, float]:
        """Median, mean and largest error in µm, and the median over the fixed slide's diagonal (rTRE) in per cent."""
        errors = self.errors(transform)
        return {
            "median error (µm)": float(np.median(errors)),
            "mean error (µm)": float(errors.mean()),
            "largest error (µm)": float(errors.max()),
            "median rTRE (%)": 100 * float(np.median(errors)) / self.diagonal,
        }


def read_landmarks(path: str | Path, fixed: Scan, moving: Scan) -> Landmarks:
    """Read landmark pairs from a table.

    Parameters
    ----------
    path : str or Path
        As of `diffuscope.files.sheet.read_sheet`: columns x_fixed, y_fixed, x_moving, y_moving in level-0 px from the
        upper left corner of each slide, with a decimal point or comma; other columns are left unread.
    fixed, moving : Scan
        Of known µm/px.

    Raises
    ------
    InputError
        The file cannot be read, lacks a column, holds no pair or something that is no number, or a point lies
        outside its slide.
    """
    path = Path(path)
    assert fixed.mpp is not None and moving.mpp is not None
    sheet = read_sheet(path)
    missing = [name for name in COLUMNS if name not in sheet.heads]
    if missing:
        raise InputError(f"{path.name} has no column {missing[0]}: landmarks need {', '.join(COLUMNS)}.")
    rows = [[_number(line, name, path) for name in COLUMNS] for line in sheet.lines]
    points = np.array(rows)
    for scan, pair in ((fixed, points[:, :2]), (moving, points[:, 2:])):
        outside = ~((pair >= 0) & (pair <= scan.shape[::-1])).all(axis=1)
        if outside.any():
            row = int(np.flatnonzero(outside)[0])
            x, y = pair[row]
            number = sheet.lines[row].number
            raise InputError(
                f"{path.name}, line {number}: ({x:g}, {y:g}) lies outside {scan.name}, which has {scan.shape[1]} x "
                f"{scan.shape[0]} px: give level-0 pixels."
            )
    diagonal = float(np.hypot(*fixed.shape)) * fixed.mpp
    return Landmarks(points[:, :2] * fixed.mpp, points[:, 2:] * moving.mpp, diagonal, sheet.notices)


def _number(line: Line, name: str, path: Path) -> float:
    """Return what a line says in a column."""
    cell = line.cells[name].strip()
    try:
        found = None if line.fault else read_figure(cell, decimal_commas=line.decimal_commas)
    except InputError as error:
        raise InputError(f"{path.name}, line {line.number}: {error}.") from error
    if found is None:
        why = line.fault or f"{name} is a number of pixels, not “{cell}”"
        raise InputError(f"{path.name}, line {line.number}: {why}.")
    return found
