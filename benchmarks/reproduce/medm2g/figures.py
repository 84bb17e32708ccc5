"""Figures of what was made, against patients who did not train: of each patient, and of all together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.reproduce.medm2g.directions import REPORT
from diffuscope.evaluation.metrics.distributions import fid, kid
from diffuscope.evaluation.metrics.items import matched, overlap
from diffuscope.evaluation.metrics.neighbours import memorised
from diffuscope.evaluation.metrics.niqe import niqe, pristine
from diffuscope.evaluation.metrics.paired import ms_ssim, psnr, ssim
from diffuscope.evaluation.metrics.texts import bleu, rouge_l
from diffuscope.simulation.thorax_brain import Findings, read_image, read_report

Floats = NDArray[np.float64]
#: Images (n, h, w), brought to 0 … 1.
Pictures = NDArray[np.float32]

ATTRIBUTES = ("kind", "side", "zone", "size")
# What FID and KID are taken from; at least as many of each.
_LEAST = 20
# Pairs of samples whose likeness is taken for MS-SSIM, whose three scales 64 px hold.
_PAIRS, _SCALES = 200, 3
# NIQE's patches, of its first scale; the paper's 96 px are more than there are.
_PATCH = 32
_DIGITS = 5


@dataclass(frozen=True)
class Patients:
    """Some patients.

    Attributes
    ----------
    images : mapping of str to ndarray (n, h, w)
        By key, 0 … 1 of its range.
    reports : tuple of str
    findings : tuple of Findings
        The hidden truth.
    """

    images: Mapping[str, Pictures]
    reports: tuple[str, ...]
    findings: tuple[Findings, ...]

    def __len__(self) -> int:
        return len(self.reports)

    def some(self, chosen: slice | Sequence[int]) -> Patients:
        """Return a few."""
        places = range(len(self))[chosen] if isinstance(chosen, slice) else chosen
        images = {key: values[list(places)] for key, values in self.images.items()}
        return Patients(images, tuple(self.reports[i] for i in places), tuple(self.findings[i] for i in places))


@dataclass(frozen=True)
class Measured:
    """What samples are held against.

    Attributes
    ----------
    test, train : Patients
        Those who test, and those who trained.
    see : callable
        Features (n, d) of pictures, from one encoder that saw other patients.
    denormalise : callable
        From a key and pictures of 0 … 1 to what the reader takes.
    """

    test: Patients
    train: Patients
    see: Callable[[str, Pictures], Floats]
    denormalise: Callable[[str, Pictures], Pictures]

    def read(self, key: str, made: Pictures | Sequence[str]) -> list[Findings]:
        """Return what a reader without training finds in pictures or reports."""
        if key == REPORT:
            return [read_report(str(text)) for text in made]
        return [read_image(key, picture) for picture in self.denormalise(key, np.asarray(made))]


def figures(key: str, made: Pictures | Sequence[str], against: Measured) -> dict[str, Any]:
    """Measure what was made of every patient who tests.

    Returns
    -------
    dict
        ``cases``: by figure, of every patient; ``set``: by figure, of all together.
    """
    told = found_in(against.test.findings, against.read(key, made))
    own = written([str(one) for one in made], against) if key == REPORT else _pictures(key, np.asarray(made), against)
    return {"cases": told["cases"] | own["cases"], "set": told["set"] | own["set"]}


def found_in(truth: Sequence[Findings], found: Sequence[Findings]) -> dict[str, Any]:
    """Hold findings that were read against the truth.

    Of every patient, the part of findings right in all four attributes (2 · both / (true + found)), the same of each
    attribute alone, and whether count and region are right; of all, precision, recall and F1 of whole findings.
    ``"…, chance"`` is the same against the truth of all other patients of the patient's region, on average: what
    reports or images of somebody else would reach, so that what only follows a region is not above chance.
    """
    pairs = list(zip(truth, found, strict=True))
    cases: dict[str, list[float]] = {}
    for name in ("findings", *ATTRIBUTES):
        true, said = ([_things(one, name) for one in side] for side in (truth, found))
        cases[name] = [overlap(a, b) for a, b in zip(true, said, strict=True)]
        cases[f"{name}, chance"] = [
            float(np.mean([overlap(true[j], mine) for j in range(len(true)) if _is_other(truth, i, j)] or [np.nan]))
            for i, mine in enumerate(said)
        ]
    cases["count"] = [float(len(a.items) == len(b.items)) for a, b in pairs]
    cases["region"] = [float(a.region == b.region) for a, b in pairs]
    match = matched([one.items for one in truth], [one.items for one in found])
    return {
        "cases": {name: rounded(values) for name, values in cases.items()},
        "set": dict(zip(("precision", "recall", "f1"), rounded(match), strict=True)),
    }


def _things(one: Findings, name: str) -> list[Any]:
    """Return whole findings, or one attribute of each."""
    return list(one.items) if name == "findings" else [getattr(item, name) for item in one.items]


def _is_other(truth: Sequence[Findings], i: int, j: int) -> bool:
    return i != j and truth[i].region == truth[j].region


def rounded(values: Sequence[float] | Floats) -> list[float]:
    """Return numbers as results keep them."""
    return [round(float(value), _DIGITS) for value in values]


def written(made: Sequence[str], against: Measured) -> dict[str, Any]:
    """Return how near reports come to those of patients who test, word by word."""
    truth = against.test.reports
    names = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4")
    every = dict(zip(names, rounded(bleu(truth, made)), strict=True)) | {
        "ROUGE-L": round(rouge_l(truth, made), _DIGITS)
    }
    each = [rouge_l([a], [b]) for a, b in zip(truth, made, strict=True)]
    return {"cases": {"ROUGE-L": rounded(each)}, "set": every}


def _pictures(key: str, made: Pictures, against: Measured) -> dict[str, Any]:
    truth = against.test.images[key]
    made = made.clip(0, 1)
    pairs = list(zip(truth, made, strict=True))
    cases = {
        # An image without any error has no PSNR; one of 8 bits that is right has about 60 dB.
        "PSNR": rounded([min(psnr(a, b, data_range=1.0), 60.0) for a, b in pairs]),
        "SSIM": rounded([ssim(a, b, data_range=1.0) for a, b in pairs]),
    }
    return {"cases": cases, "set": alike(key, made, against)}


def alike(key: str, made: Pictures, against: Measured) -> dict[str, float]:
    """Return how near pictures as a whole come to those of patients who test, how varied they are, and if copied."""
    truth, train = against.test.images[key], against.train.images[key]
    every: dict[str, float] = {"MS-SSIM": diversity(made), "MS-SSIM, true": diversity(truth)}
    if len(made) >= _LEAST:
        seen = [against.see(key, one) for one in (truth, made)]
        # Features of any size go into KID by their third power: it told nothing but the largest of them.
        spread = seen[0].std(axis=0).clip(min=1e-6)
        seen = [one / spread for one in seen]
        estimate = kid(*seen)
        every |= {"FID": fid(*seen), "KID": estimate.value, "KID, standard error": estimate.standard_error}
        model = pristine([255.0 * one.astype(np.float64) for one in train[:_PAIRS]], patch=_PATCH)
        for name, pictures in (("NIQE", made), ("NIQE, true", truth)):
            values = [niqe(255.0 * one.astype(np.float64), model, patch=_PATCH) for one in pictures]
            every[name] = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    near = memorised(*(one.reshape(len(one), -1) for one in (made, truth, train)))
    every |= {"nearest": near.found, "nearest, held out": near.held, "nearer": near.nearer, "nearer, p": near.p}
    every["copies"] = near.copies
    return {name: round(value, _DIGITS) for name, value in every.items() if np.isfinite(value)}


def diversity(pictures: Pictures) -> float:
    """Return the mean MS-SSIM of pairs of pictures, drawn once: the lower the more they differ."""
    rng = np.random.default_rng(0)
    pairs = [rng.choice(len(pictures), 2, replace=False) for _ in range(min(_PAIRS, len(pictures) ** 2))]
    return float(np.mean([ms_ssim(pictures[a], pictures[b], data_range=1.0, scales=_SCALES) for a, b in pairs]))
