"""Holding what was found for a case against its truth: figures, features, and pictures of its worst field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diffuscope.cases import OpenCase
from diffuscope.errors import InputError
from diffuscope.evaluation.fields import FIELD, Window, fields
from diffuscope.evaluation.figures import Field, Tally, tiles
from diffuscope.evaluation.found import Found
from diffuscope.evaluation.metrics.features import FeatureExtractor
from diffuscope.evaluation.metrics.perceptual import PerceptualDistance
from diffuscope.evaluation.report.pictures import Shown, colour, heat
from diffuscope.jobs.port_checks import check_port
from diffuscope.measurement.threshold import DAB_THRESHOLD
from diffuscope.ports.raster import Raster
from diffuscope.stains import dab_density, fill_rims
from diffuscope.systems.base import System

MASK = "mask"


@dataclass(frozen=True, eq=False)
class Judged:
    """A case that was held against its truth.

    Attributes
    ----------
    figures, input : dict of str to float
        By key of `diffuscope.evaluation.figures.METRICS`: of the model, and of the input itself where it is comparable.
    windows : tuple of Window
        The fields.
    worst : Window
        The field of the largest squared error.
    curves : tuple of ndarray or None
        As `Tally.curves`.
    features : dict of str to ndarray of shape (n, d)
        ``truth``, ``model`` and perhaps ``input``: one row a tile; empty without an extractor.
    """

    figures: dict[str, float]
    input: dict[str, float]
    windows: tuple[Window, ...]
    worst: Window
    curves: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    features: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Judge:
    """What a model's figures are made by.

    Attributes
    ----------
    model : str
        Its name, for messages.
    inputs : tuple of Raster
        Of the model.
    main : Raster
        Its main output, which has a truth.
    threshold : float or None
        DAB above which a pixel is positive, OD; None where the output is no IHC stain.
    extractor : FeatureExtractor or None
        For colour outputs.
    """

    model: str
    inputs: tuple[Raster, ...]
    main: Raster
    threshold: float | None
    extractor: FeatureExtractor | None

    @cached_property
    def distance(self) -> PerceptualDistance | None:
        """What tiles are compared by."""
        return PerceptualDistance(self.extractor) if self.extractor is not None else None

    def judge(self, opened: OpenCase, found: Found) -> Judged:
        """Compare all fields of a case.

        Raises
        ------
        InputError
            Something cannot be read, or what was found has another shape than the truth.
        """
        windows = fields(opened, self.inputs[0].key)
        itself = self._input(opened)
        tally, beside = self._tally(), self._tally()
        errors = []
        features: dict[str, list[NDArray[np.float64]]] = {}
        for window in windows:
            one = self.field(opened, found, window)
            errors.append(tally.add(one))
            shown = {"truth": one.truth, "model": one.found}
            if itself is not None:
                other = self.field(opened, itself, window)
                beside.add(other)
                shown["input"] = other.found
            if self.extractor is not None:
                for name, picture in shown.items():
                    features.setdefault(name, []).extend(self.extractor(tile[None]) for tile in tiles(picture))
        return Judged(
            figures=tally.figures(),
            input=beside.figures() if itself is not None else {},
            windows=tuple(windows),
            worst=windows[int(np.argmax(errors))],
            curves=tally.curves(),
            features={name: np.concatenate(parts) for name, parts in features.items()},
        )

    def field(self, opened: OpenCase, found: Found, window: Window) -> Field:
        """Read a field and all that goes with it."""
        truth, picture = opened.read(self.main.key, *window), found.read(self.main.key, *window)
        one = Field(truth, picture)
        if self.threshold is not None:
            dab = _map(found, "dab", window) if "dab" in found.keys else dab_density(picture)
            one = replace(one, truth_dab=dab_density(truth), found_dab=dab)
        if MASK in opened.scans:
            one = replace(one, mask=opened.read(MASK, *window)[..., 0].astype(np.float32))
            if one.found_dab is not None:
                one = replace(one, filled_dab=fill_rims(one.found_dab))
            if "segmentation" in found.keys:
                one = replace(one, segmentation=_map(found, "segmentation", window))
        if "uncertainty" in found.keys:
            one = replace(one, uncertainty=_map(found, "uncertainty", window))
        return one

    def pictures(self, opened: OpenCase, found: Found, window: Window) -> Sequence[Shown]:
        """Show a field: what went in, the truth, what was found, where it is wrong, and how sure it was."""
        one = self.field(opened, found, window)
        limits = self.main.range
        shown = [colour(port.name, opened.read(port.key, *window), port.range) for port in self.inputs]
        shown += [colour(f"{self.main.name}: truth", one.truth, limits), colour("model", one.found, limits)]
        error, unit = one.error(), "OD" if self.threshold is not None else self.main.unit
        what = "error in DAB" if self.threshold is not None else "error"
        # Rare large errors must not darken all others.
        shown.append(heat(what, error, max(float(np.percentile(error, 99.5)), 1e-6), unit))
        if one.uncertainty is not None and np.isfinite(one.uncertainty).all():
            most = max(float(np.percentile(one.uncertainty, 99.5)), 1e-6)
            shown.append(heat("uncertainty", one.uncertainty, most, unit))
        return shown

    def _tally(self) -> Tally:
        low, high = self.main.range
        return Tally(data_range=high - low, threshold=self.threshold or 0.0, distance=self.distance)

    def _input(self, opened: OpenCase) -> Found | None:
        """Return the first input as if it had been found: what a model must be better than."""
        key = self.inputs[0].key
        scan, truth = opened.scans[key], opened.scans[self.main.key]
        alike = scan.dtype == truth.dtype and len(scan.channels) == len(truth.channels)
        if self.inputs[0].kind != self.main.kind or not alike:
            return None
        return Found(frozenset({self.main.key}), lambda _key, *window: opened.read(key, *window))

    def check(self, opened: OpenCase) -> None:
        """Refuse a case before anything is run.

        Raises
        ------
        InputError
            The truth is another kind of picture than the model's output, or of another type, or a slide has no field
            that is half tissue.
        """
        scan = opened.scans[self.main.key]
        if scan.rgb != (self.main.kind == "rgb") or len(scan.channels) != len(self.main.channels):
            raise InputError(
                f"{scan.name} has {len(scan.channels)} channel{'s' if len(scan.channels) != 1 else ''}, but "
                f"{self.main.name} is {'an RGB image' if self.main.kind == 'rgb' else 'a map'}: give its truth as such."
            )
        check_port(scan, self.main, self.model)
        if not fields(opened, self.inputs[0].key):
            raise InputError(f"no field of {FIELD} px is half tissue.")


def stain_threshold(system: System) -> float | None:
    """Return the DAB threshold of a stain system, by which its truth is judged too; None of any other system."""
    own = system.measures.get("dab_threshold")
    if own is None and any(port.key == "dab" for port in system.output_rasters):
        return DAB_THRESHOLD
    return own


def _map(found: Found, key: str, window: Window) -> NDArray[np.float32]:
    return found.read(key, *window)[..., 0].astype(np.float32)
