"""What came out: the last event of each verb that has not got one in its own room. Light, for who only shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffuscope.cases.report import DataReport
    from diffuscope.cases.volumes import VolumeReport
    from diffuscope.registration import Transform


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """`evaluate` has written its report.

    Attributes
    ----------
    path : Path
        Its folder.
    report : dict
        What its report.json holds.
    """

    path: Path
    report: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """`export` has written a file or folder.

    Attributes
    ----------
    path : Path
        It.
    notices : tuple of str
        What the user should know of what stands in it.
    """

    path: Path
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CohortScored:
    """`score` has come to its end, or was cancelled.

    Attributes
    ----------
    path : Path or None
        The table; where not all rows are there the folder that keeps them; None where nothing was to be written.
    rows : sequence of dict
        A row a patient (see `diffuscope.results.score_table.COLUMNS`), in the order of the tables.
    complete : bool
        Whether all are there.
    """

    path: Path | None
    rows: Sequence[dict[str, str | float | None]]
    complete: bool


@dataclass(frozen=True, kw_only=True)
class RanMany:
    """`run_many` has come to its end, or was cancelled.

    Attributes
    ----------
    path : Path
        Its folder.
    rows : sequence of dict
        What its ``summary.csv`` holds.
    slides, done, failed : int
        How many there are, have a whole result, and could not be run over.
    complete : bool
        Whether each is done or failed: nothing was left when it was cancelled.
    """

    path: Path
    rows: Sequence[dict[str, Any]]
    slides: int
    done: int
    failed: int
    complete: bool


@dataclass(frozen=True, kw_only=True)
class Registered:
    """What `register` wrote and how good it is.

    Attributes
    ----------
    path : Path
        The OME-Zarr folder; its ``transform.json`` holds the transform.
    transform : Transform
        From µm of the fixed slide to µm of the moving one.
    figures : dict of str to dict of str to float
        By stage (``"before"``, ``"affine"``, ``"B-spline"``): mutual information and, with landmarks, their error.
    correlation : float
        Of the haematoxylin of both slides after the affine stage.
    """

    path: Path
    transform: Transform
    figures: dict[str, dict[str, float]]
    correlation: float


@dataclass(frozen=True, kw_only=True)
class Checked:
    """`check_data` has looked a data set over.

    Attributes
    ----------
    report : DataReport or VolumeReport
        The latter where the first case is one of volumes.
    """

    report: DataReport | VolumeReport


@dataclass(frozen=True, kw_only=True)
class Measured:
    """`measure` has measured regions.

    Attributes
    ----------
    rows : sequence of dict
        A row a region.
    path : Path or None
        The table that was written.
    """

    rows: Sequence[dict[str, Any]]
    path: Path | None
