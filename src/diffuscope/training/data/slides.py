"""Cases of slides and pictures: where crops of them may lie, and crops as a run gives them to a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffuscope.cases import Case, OpenCase, open_case, tissue_corners
from diffuscope.cases.slide_stains import SlideStains
from diffuscope.errors import InputError
from diffuscope.jobs.inputs import PortInput
from diffuscope.jobs.port_checks import check_port
from diffuscope.jobs.scaling import find_foreground, with_statistics
from diffuscope.ports.raster import Raster
from diffuscope.scans import UnknownMppError
from diffuscope.stains import REFERENCE, augment_stain, estimate_stains
from diffuscope.systems.base import System
from diffuscope.training.recipe_data import Cases

#: Key of the picture whose stain may be augmented.
HE = "he"
# Least part of a crop that is tissue, where the recipe does not say.
_TISSUE = 0.5
# A training has no --mpp.
_MPP_OF_RECIPE = "give that of all such pictures as mpp under data: of the recipe (in the dock: µm/px)"
# Crops that the stains of a case are estimated from.
_LOOK = 8


@dataclass(frozen=True, eq=False)
class SlideSampler:
    """A case and where crops of it may lie.

    Attributes
    ----------
    opened : OpenCase
        Its pictures.
    scaled : dict of str to PortInput
        Those that a run brings to their ports, with the numbers of the whole slide by which it does.
    corners : ndarray of shape (n, 2)
        (y, x) of crops with enough tissue, px at the model's µm/px.
    stains : ndarray of shape (3, 3) or None
        Stain vectors of its H&E, where that is to be augmented.
    """

    opened: OpenCase
    scaled: Mapping[str, PortInput]
    corners: NDArray[np.int64]
    stains: NDArray[np.float64] | None

    @property
    def keys(self) -> frozenset[str]:
        """Its pictures."""
        return frozenset(self.opened.scans)

    def inputs(self, ports: Iterable[Raster]) -> list[tuple[PortInput, tuple[float, ...]]]:
        """As of a `CropSampler`."""
        scans, factors = self.opened.scans, self.opened.factors
        return [
            (self.scaled.get(port.key) or PortInput(port=port, scan=scans[port.key]), (factors[port.key],) * 2)
            for port in ports
            if port.key in scans
        ]

    def read(self, corner: NDArray[np.int64], side: int) -> dict[str, NDArray[np.generic]]:
        """Return a crop by key, (side, side, c); a mask as `OpenCase.read` returns it."""
        y, x = (int(v) for v in corner)
        return {key: self._scale(key, self.opened.read(key, y, x, side, side)) for key in self.opened.scans}

    def augment(
        self, crop: Mapping[str, NDArray[np.generic]], rng: np.random.Generator
    ) -> dict[str, NDArray[np.generic]]:
        """Turn and mirror the pictures together; the stain of the H&E alone is augmented."""
        crop = dict(crop)
        if self.stains is not None:
            crop[HE] = augment_stain(crop[HE].astype(np.uint8), self.stains, rng)
        turn, mirror = int(rng.integers(4)), bool(rng.integers(2))
        turned = {key: np.rot90(image, turn) for key, image in crop.items()}
        return {key: image[::-1] if mirror else image for key, image in turned.items()}

    def spread(self, number: int) -> NDArray[np.int64]:
        """Return corners to validate on, evenly spread: at most four of one field."""
        return _spread(self.corners, min(number, 4))

    def _scale(self, key: str, window: NDArray[np.generic]) -> NDArray[np.generic]:
        one = self.scaled.get(key)
        return window if one is None else one.scaled(window)


def open_slides(
    case: Case,
    ports: Mapping[str, Raster],
    system: System,
    settings: Cases,
    *,
    side: int,
    augment: bool,
    together: SlideStains | None = None,
) -> SlideSampler:
    """Open a case of pictures.

    Parameters
    ----------
    case : Case
        From `diffuscope.cases.find_cases`.
    ports : mapping of str to Raster
        What its pictures are to the system, by key.
    system : System
        For its inputs, which tell the foreground as in a run.
    settings : Cases
        µm/px, tissue.
    side : int
        Of a crop, px.
    augment : bool
        Whether the stain of the H&E is to be augmented.
    together : SlideStains, optional
        Cases that its H&E is measured with, where it is a small cut of a slide.

    Raises
    ------
    InputError
        A picture cannot be opened or is not what its port declares, pictures do not fit, or no crop has enough tissue.
    """
    port = system.input_rasters[0]
    try:
        opened = open_case(case, mpp=port.mpp, assumed_mpp=settings.mpp)
    except UnknownMppError as error:
        raise UnknownMppError(error.name, _MPP_OF_RECIPE) from error
    first = port.key if port.key in opened.scans else next(iter(opened.scans))
    least = _TISSUE if settings.tissue is None else settings.tissue
    corners = tissue_corners(opened, side, key=first, least=least)
    if not len(corners):
        height, width = opened.shape
        raise InputError(
            f"case {case.name} ({width} × {height} px at {port.mpp:g} µm/px) has no crop of {side} px of which "
            f"{least:.0%} is tissue: leave it out, or lower data.tissue."
        )
    scaled = _scaled(opened, ports, system, together)
    stains = None
    if augment and HE in scaled and scaled[HE].stains is not None:
        stains = REFERENCE  # which every normalised crop has
    elif augment:
        seen = [opened.read(HE, int(y), int(x), side, side) for y, x in _spread(corners, _LOOK)]
        stains = estimate_stains(np.concatenate(seen).astype(np.uint8))
    return SlideSampler(opened, scaled, corners, stains)


def _scaled(
    opened: OpenCase, ports: Mapping[str, Raster], system: System, together: SlideStains | None
) -> dict[str, PortInput]:
    """Find the numbers that bring pictures to their ports, once for the whole slide."""
    pictures = [PortInput(port=ports[key], scan=scan) for key, scan in opened.scans.items() if key in ports]
    for one in pictures:
        check_port(one.scan, one.port, type(system).__name__)
    wanted = [one for one in pictures if one.is_float or one.port.scale == "stain"]
    if any(one.port.scale != "stored" for one in wanted):
        inputs = {port.key for port in system.input_rasters}
        inside = find_foreground([one for one in pictures if one.port.key in inputs] or pictures)
        factors = opened.factors
        stains = together.of(opened) if together is not None else {}
        wanted = [
            with_statistics([one], inside, stains=stains, factors=(factors[one.port.key],) * 2)[0] for one in wanted
        ]
    return {one.port.key: one for one in wanted}


def _spread(corners: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Return some of the corners, evenly spread over them."""
    number = min(number, len(corners))
    return corners[((np.arange(number) + 0.5) * len(corners) / number).astype(int)]
