"""Numbers of a system's own: those that a run may set, and those that it tells of each tile."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Value:
    """One number that a system tells of each tile at each network evaluation, e.g. how far it trusts an input there.

    Attributes
    ----------
    name : str
        What the user sees.
    key : str
        As of `Raster`, unique among a system's values.
    range : tuple of float
        Lowest and highest value.
    """

    name: str
    key: str
    range: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Option:
    """One number of a system's own that a run may set, besides sampler, steps and samples.

    Attributes
    ----------
    name : str
        What the user sees.
    key : str
        As of `Raster`, unique among a system's options.
    default : float
        Taken where a run does not say.
    range : tuple of float
        Lowest and highest value that a run may set.
    about : str
        What it does, a sentence or two for whoever sets it.
    """

    name: str
    key: str
    default: float
    range: tuple[float, float]
    about: str = ""
