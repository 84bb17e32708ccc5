"""What is hidden in a subject: up to three findings, each with kind, side, zone and size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args
from zlib import crc32

import numpy as np

from diffuscope.errors import InputError

Region = Literal["chest", "head"]
Kind = Literal["solid", "calcified", "cystic"]
Side = Literal["left", "right"]
Zone = Literal["upper", "middle", "lower"]
Size = Literal["small", "large"]

REGIONS: tuple[Region, ...] = get_args(Region)
KINDS: tuple[Kind, ...] = get_args(Kind)
SIDES: tuple[Side, ...] = get_args(Side)
ZONES: tuple[Zone, ...] = get_args(Zone)
SIZES: tuple[Size, ...] = get_args(Size)
#: Most findings of a subject.
MOST = 3
#: Share of subjects with 0, 1, 2 and 3 findings.
SHARES = (0.2, 0.35, 0.25, 0.2)


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes
    ----------
    kind : {"solid", "calcified", "cystic"} or None
        A cystic one is a cavity, which holds air, in the lung, and a cyst, which holds fluid, in the brain.
    side : {"left", "right"} or None
        The patient's: left is on the right of a picture.
    zone : {"upper", "middle", "lower"} or None
        Third of the height of that lung, or of the brain, in the frontal plane that is shown.
    size : {"small", "large"} or None
        16–20 mm or 32–40 mm across.

    What a reader could not tell is None; a truth knows all four.
    """

    kind: Kind | None
    side: Side | None
    zone: Zone | None
    size: Size | None


@dataclass(frozen=True)
class Findings:
    """All findings of a subject, in one order: by side, zone, kind and size.

    Attributes
    ----------
    region : {"chest", "head"} or None
        None: a reader could not tell.
    items : tuple of Finding
        None of them: nothing was found.
    """

    region: Region | None
    items: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", tuple(sorted(self.items, key=_place)))


def draw_findings(region: Region, rng: np.random.Generator) -> Findings:
    """Draw findings: their number by `SHARES`, kind and size evenly, and each in another third of a side.

    Parameters
    ----------
    region : {"chest", "head"}
        Of the subject.
    rng : Generator
        Consumed.
    """
    number = int(rng.choice(MOST + 1, p=SHARES))
    sites = [(side, zone) for side in SIDES for zone in ZONES]
    taken = rng.choice(len(sites), number, replace=False)
    items = []
    for site in taken:
        side, zone = sites[site]
        items.append(Finding(KINDS[rng.integers(len(KINDS))], side, zone, SIZES[rng.integers(len(SIZES))]))
    return Findings(region, tuple(items))


def check_region(region: str) -> Region:
    """Return a region that there is.

    Raises
    ------
    InputError
        There is none of that name.
    """
    for known in REGIONS:
        if region == known:
            return known
    raise InputError(f"There is no region {region!r}: choose {' or '.join(REGIONS)}.")


def generator(seed: int, number: int, region: Region, purpose: str) -> np.random.Generator:
    """Return the random numbers of one purpose of one subject: independent of all others.

    Raises
    ------
    InputError
        A seed or number is negative.
    """
    if seed < 0 or number < 0:
        raise InputError(f"Seed {seed} and number {number}: give two that are not negative.")
    return np.random.default_rng([seed, number, crc32(f"{region} {purpose}".encode())])


def _place(finding: Finding) -> tuple[str, int, str, str]:
    zone = -1 if finding.zone is None else ZONES.index(finding.zone)
    return finding.side or "", zone, finding.kind or "", finding.size or ""
