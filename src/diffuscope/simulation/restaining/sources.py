"""Sources of the teacher: H&E files and simulated tissues, each with the rule applied to it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, model_validator

from diffuscope.errors import InputError
from diffuscope.scans import open_scan, read_region, resampling_factor
from diffuscope.simulation.restaining.teacher import SourceSample, Stain, prepare
from diffuscope.simulation.tissue import simulate_tissue
from diffuscope.systems.bounds import STRICT, Resolution
from diffuscope.systems.staindiffuser.config import stain_key

#: Side of the blocks that are held out of every source, px; larger than a crop.
BLOCK = 256


class Source(BaseModel):
    """One H&E file to train on.

    Attributes
    ----------
    file : str
        Path relative to the data folder (the package's sample data by default).
    mpp : float, optional
        Assumed µm per pixel of a file that states none.
    evidence : str
        Why that value, in one sentence; required with `mpp`.
    weight : float
        Share of crops, relative to the other sources.
    """

    model_config = STRICT

    file: str
    mpp: Resolution | None = None
    evidence: str = ""
    weight: float = Field(default=1.0, gt=0, le=1e6)


class Restaining(BaseModel):
    """H&E that the teacher restains, to train on: simulated data.

    Attributes
    ----------
    simulation : {"restaining"}
        Says which simulation this is.
    stain : {"CD3", "CK8/18"}, optional
        What the teacher paints; this or `stains`.
    stains : tuple of {"CD3", "CK8/18"}
        What it paints in turns, one stain a batch, for a system of several stains.
    sources : tuple of Source
        H&E files, at least one.
    positive_share : float
        Share of crops that are centred on a cell that the teacher may paint: sparse stains are otherwise rarely seen.
    phantoms : int
        Number of simulated tissues beside the sources.
    phantom_weight : float
        Share of crops of all phantoms together, relative to the sources.
    """

    model_config = STRICT

    simulation: Literal["restaining"] = "restaining"
    stain: Stain | None = None
    stains: tuple[Stain, ...] = ()
    sources: tuple[Source, ...] = Field(min_length=1)
    positive_share: float = Field(default=0.5, ge=0, le=1)
    phantoms: int = Field(default=0, ge=0, le=10_000)
    phantom_weight: float = Field(default=1.0, gt=0, le=1e6)

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if (self.stain is None) == (not self.stains):
            raise ValueError("restained data states either stain or stains")
        return self

    @property
    def painted(self) -> dict[Stain, str]:
        """What a batch calls the painted image, by stain."""
        if self.stain is not None:
            return {self.stain: "ihc"}
        return {stain: f"ihc_{stain_key(stain)}" for stain in self.stains}


@dataclass(frozen=True)
class Pair:
    """One source, to be painted anew for every crop.

    Attributes
    ----------
    name : str
        File, or phantom and its seed.
    sample : SourceSample
        H&E and the rule applied to it.
    weight : float
        Share of crops.
    key : str
        What a batch calls the painted image: ``"ihc"``, or ``"ihc_…"`` of one of several stains.
    """

    name: str
    sample: SourceSample
    weight: float
    key: str = "ihc"


def held_out(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Blocks that no training crop may touch: one in eight, on a lattice, never random tiles.

    Parameters
    ----------
    shape : tuple of int
        Height and width of a source, px.

    Returns
    -------
    ndarray of bool
        One entry a whole block of `BLOCK` px; for a source of 2 × 2 blocks the lower right one.
    """
    rows, columns = np.indices((shape[0] // BLOCK, shape[1] // BLOCK))
    return np.asarray((rows + 3 * columns) % 8 == 4)


def read_source(source: Source, folder: Path, mpp: float) -> NDArray[np.uint8]:
    """Read a whole source at `mpp` µm per pixel as (h, w, 3) uint8.

    Raises
    ------
    InputError
        For a file that cannot be opened, or whose µm/px is neither stated nor assumed with evidence.
    """
    path = folder / source.file
    if source.mpp is not None and not source.evidence:
        raise InputError(f"The recipe assumes {source.mpp} µm/px for {source.file} and must say on what evidence.")
    scan = open_scan(path, mpp=source.mpp)
    factor = resampling_factor(scan, mpp)
    height, width = (int(side / factor) for side in scan.shape)
    return read_region(scan, y=0, x=0, height=height, width=width, factor=factor)


def make_pairs(data: Restaining, folder: Path, *, mpp: float) -> list[Pair]:
    """Apply the teacher's rule to every source, and to the phantoms.

    Parameters
    ----------
    data : Restaining
        Sources, phantoms and stains.
    folder : Path
        Where the sources lie.
    mpp : float
        µm per pixel of the model.

    Returns
    -------
    list of Pair

    Raises
    ------
    InputError
        As `read_source`.
    """
    stains = data.painted

    def of_source(source: Source) -> list[Pair]:
        he = read_source(source, folder, mpp)
        return [Pair(source.file, prepare(he, stain, mpp=mpp), source.weight, key) for stain, key in stains.items()]

    def of_phantom(seed: int) -> list[Pair]:
        tissue, weight = simulate_tissue(seed, mpp=mpp), data.phantom_weight / data.phantoms
        return [
            Pair(f"phantom {seed}", prepare(tissue.he, stain, mpp=mpp, labels=tissue.labels), weight, key)
            for stain, key in stains.items()
        ]

    # Side by side: a whole slide takes half a minute, and what takes it lets go of the interpreter.
    with ThreadPoolExecutor() as pool:
        found = [*pool.map(of_source, data.sources), *pool.map(of_phantom, range(data.phantoms))]
    return [pair for key in stains.values() for pairs in found for pair in pairs if pair.key == key]
