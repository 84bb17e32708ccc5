"""Cuts of one slide: small pictures whose H&E is measured together, since none of them stands for the slide."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from diffuscope.cases.case import Case
from diffuscope.cases.opened import OpenCase, open_case
from diffuscope.errors import InputError
from diffuscope.jobs.scaling import is_cut, measure_together, some_of
from diffuscope.ports.raster import Raster
from diffuscope.scans import Scan
from diffuscope.stains import StainStatistics


class SlideStains:
    """By slide, the pictures of its cases that are small, and their stains.

    Parameters
    ----------
    cases : sequence of Case
        All that are known, whatever their part: of none more than its H&E is looked at.
    key : str
        Of the H&E.
    mpp : float
        The model's µm/px.
    assumed_mpp : float, optional
        µm/px of files that do not say it.
    """

    def __init__(self, cases: Sequence[Case], *, key: str, mpp: float, assumed_mpp: float | None) -> None:
        self._cases: dict[str, list[Case]] = {}
        for case in cases:
            if case.slide and key in case.files:
                self._cases.setdefault(case.slide, []).append(case)
        self._key, self._mpp, self._assumed = key, mpp, assumed_mpp
        self._cuts: dict[str, list[Scan]] = {}

    def cuts(self, opened: OpenCase) -> list[Scan]:
        """Return the pictures that the H&E of a case is measured on (see `some_of`); none where it stands for itself.

        Pictures that cannot be opened are left out: what is wrong with them is said where their own case is.
        """
        slide = opened.case.slide
        if len(self._cases.get(slide, ())) < 2 or not is_cut(opened.scans[self._key]):
            return []
        if slide not in self._cuts:
            opened_too = map(self._open, some_of(self._cases[slide]))
            self._cuts[slide] = [scan for scan in opened_too if scan is not None and is_cut(scan)]
        return self._cuts[slide]

    def of(self, opened: OpenCase) -> dict[str, StainStatistics | None]:
        """Return the stains of a case's H&E by its key; nothing where it stands for itself."""
        cuts = self.cuts(opened)
        return {self._key: measure_together(cuts, mpp=self._mpp)} if cuts else {}

    def _open(self, case: Case) -> Scan | None:
        with suppress(InputError):
            return open_case(case, mpp=self._mpp, assumed_mpp=self._assumed).scans[self._key]
        return None


def slide_stains(cases: Sequence[Case], inputs: Sequence[Raster], assumed_mpp: float | None) -> SlideStains | None:
    """Return the slides of cases for the input of a model that is brought to the reference; None without such a one."""
    for port in inputs:
        if port.scale == "stain" and port.mpp is not None:
            return SlideStains(cases, key=port.key, mpp=port.mpp, assumed_mpp=assumed_mpp)
    return None
