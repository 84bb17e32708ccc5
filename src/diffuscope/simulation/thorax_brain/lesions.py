"""Findings, placed where there is room for them and painted into a phantom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.simulation.thorax_brain.findings import ZONES, Finding, Findings, Region, Size
from diffuscope.simulation.thorax_brain.shapes import AXES, PIXEL, Ellipsoid, Painting

#: Across, mm: 4–5 and 8–10 px.
DIAMETERS: dict[Size, tuple[float, float]] = {"small": (16.0, 20.0), "large": (32.0, 40.0)}
#: Wall of a cavity or a cyst, mm.
WALL = (3.2, 4.2)
_ROOM, _APART, _BORDER = 5.0, 8.0, 0.09  # mm to the edge, mm to each other, share of the height to other zones


@dataclass(frozen=True, kw_only=True)
class Lesion:
    """A finding with its place.

    Attributes
    ----------
    finding : Finding
        What it is.
    x, y : float
        Of its middle, mm from that of the lattice: to the patient's left, and downward.
    diameter : float
        mm.
    """

    finding: Finding
    x: float
    y: float
    diameter: float


def place(findings: Findings, organ: NDArray[np.bool_], rng: np.random.Generator) -> list[Lesion] | None:
    """Find room for all findings, the largest first.

    Parameters
    ----------
    findings : Findings
        What is to be placed.
    organ : ndarray of shape (64, 64)
        Where they may lie: lungs, or brain.
    rng : Generator
        Consumed.

    Returns
    -------
    list of Lesion or None
        The largest first; None where one has no room.
    """
    x, y = np.meshgrid(AXES[2], AXES[1])
    left = x > middle(organ)
    room = ndimage.distance_transform_edt(organ).astype(np.float64) * PIXEL - PIXEL / 2
    sized = [(rng.uniform(*DIAMETERS[finding.size or "small"]), finding) for finding in findings.items]
    placed: list[Lesion] = []
    for diameter, finding in sorted(sized, key=lambda one: -one[0]):
        side = left if finding.side == "left" else ~left
        rows = np.flatnonzero(_height(organ, side, findings))
        height = (np.arange(len(organ)) - rows[0] + 0.5) / (rows[-1] - rows[0] + 1)
        low = ZONES.index(finding.zone or "upper") / len(ZONES)
        zone = (height > low + _BORDER) & (height < low + 1 / len(ZONES) - _BORDER)
        free = side & zone[:, None] & (room > diameter / 2 + _ROOM)
        # A finding that crosses the middle has no side.
        free &= np.abs(x - middle(organ)) > diameter / 2 + _ROOM
        for other in placed:
            free &= np.hypot(x - other.x, y - other.y) > (diameter + other.diameter) / 2 + _APART
        places = np.flatnonzero(free)
        if not len(places):
            return None
        chosen = rng.choice(places)
        shift = rng.uniform(-PIXEL / 2, PIXEL / 2, 2)
        placed.append(
            Lesion(
                finding=finding,
                x=float(x.flat[chosen] + shift[0]),
                y=float(y.flat[chosen] + shift[1]),
                diameter=float(diameter),
            )
        )
    return placed


def middle(organ: NDArray[np.bool_]) -> float:
    """Return where left and right part, mm: halfway between the outermost columns of an organ."""
    columns = np.flatnonzero(organ.any(axis=0))
    return float(AXES[2][columns[[0, -1]]].mean())


def paint_lesion(
    painting: Painting, lesion: Lesion, region: Region, rng: np.random.Generator, *, shown: bool = False
) -> None:
    """Paint a lesion: nearly a ball.

    Parameters
    ----------
    painting : Painting
        Is changed.
    lesion : Lesion
        What, and where.
    region : {"chest", "head"}
        A cystic lesion holds air in a chest and fluid in a head.
    rng : Generator
        Consumed.
    shown : bool
        Whether its middle lies in the shown plane; else up to an eighth of its radius before or behind it.
    """
    radius = lesion.diameter / 2
    depth = AXES[0][painting.plane] + (0.0 if shown else rng.uniform(-1, 1) * radius / 8)
    shape = radius * rng.uniform(0.94, 1.06, 3)
    turn = rng.uniform(0, np.pi)
    kind = lesion.finding.kind
    layers = [("calcified" if kind == "calcified" else "solid", 0.0)]
    if kind == "cystic":
        layers.append(("air" if region == "chest" else "cyst", rng.uniform(*WALL)))
    for tissue, wall in layers:
        radii = (float(shape[0] - wall), float(shape[1] - wall), float(shape[2] - wall))
        painting.paint(Ellipsoid(tissue, (lesion.x, lesion.y, float(depth)), radii, turn=turn))


def _height(organ: NDArray[np.bool_], side: NDArray[np.bool_], findings: Findings) -> NDArray[np.bool_]:
    """Return the rows that are cut into zones: those of that lung, or of the whole brain."""
    half: NDArray[np.bool_] = organ & side if findings.region == "chest" else organ
    return np.asarray(half.any(axis=1))
