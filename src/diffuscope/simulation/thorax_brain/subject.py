"""simulate: a subject with all images and the report, from one hidden truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.simulation.thorax_brain.findings import Findings, Region, generator
from diffuscope.simulation.thorax_brain.mri import SEQUENCES, contrast, lines, receive, undersample
from diffuscope.simulation.thorax_brain.phantom import Phantom, draw_phantom
from diffuscope.simulation.thorax_brain.radiograph import expose, project
from diffuscope.simulation.thorax_brain.reports.write import write_report
from diffuscope.simulation.thorax_brain.shapes import PIXEL, SHAPE

Image = NDArray[np.float32]

#: µm per pixel of every image, and their side in px.
MPP, SIDE = PIXEL * 1000, SHAPE[1]
#: Contrasts that are taken a second time in a quarter of the time.
FAST = ("t1", "t2")
#: Keys of the images, and that of the text.
KEYS = ("ct", *SEQUENCES, *(f"{key}_fast" for key in FAST), "xray")
REPORT = "report"
#: Ranges of the values: HU, and without unit.
HU_RANGE, UNIT_RANGE = (-1000.0, 1000.0), (0.0, 1.0)
#: Steps of the latter: scanners give twelve bits. Those of CT are whole HU.
STEPS = 4096


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A simulated subject.

    Attributes
    ----------
    name : str
        ``"chest-0012"``.
    region : {"chest", "head"}
        What is shown.
    findings : Findings
        The truth.
    images : dict of ndarray
        By `KEYS`: float32 (64, 64) of 4000 µm/px, one frontal plane, columns from the patient's right. ``ct`` in HU,
        −1000–1000; all others 0–1.
    report : str
        What a reader of all of them writes, by templates.
    """

    name: str
    region: Region
    findings: Findings
    images: dict[str, Image]
    report: str


def simulate(number: int, *, seed: int, region: Region) -> Subject:
    """Simulate a subject, a function of (number, seed, region) alone.

    Parameters
    ----------
    number : int
        Of the subject, at least 0.
    seed : int
        Of the cohort, at least 0.
    region : {"chest", "head"}
        What is shown.

    Returns
    -------
    Subject

    Raises
    ------
    InputError
        There is no such region, or a number is negative.
    """
    phantom = draw_phantom(number, seed=seed, region=region)
    rng = generator(seed, number, region, "scanners")
    images = {"ct": _ct(phantom, rng), **_mri(phantom, rng), "xray": _xray(phantom, rng)}
    return Subject(
        name=f"{region}-{number:04d}",
        region=region,
        findings=phantom.findings,
        images={key: images[key] for key in KEYS},
        report=write_report(phantom.findings, generator(seed, number, region, "report")),
    )


def _ct(phantom: Phantom, rng: np.random.Generator) -> Image:
    """Return the shown plane with noise of 6–12 HU, which neighbours share in part."""
    noise = ndimage.gaussian_filter(rng.standard_normal(SHAPE[1:]), 0.5)
    noise *= rng.uniform(6, 12) / noise.std()
    return np.clip(np.rint(phantom.hu[phantom.plane] + noise), *HU_RANGE).astype(np.float32)


def _mri(phantom: Phantom, rng: np.random.Generator) -> dict[str, Image]:
    """Return all contrasts, with one uneven coil, a gain each, and noise, which makes magnitudes Rician."""
    y, x = np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 2, indexing="ij")
    slopes = rng.uniform(-0.08, 0.08, 5)
    coil = np.exp(sum(slope * term for slope, term in zip(slopes, (x, y, x * y, x**2, y**2), strict=True)))
    noise = rng.uniform(0.01, 0.02)
    images = {}
    for key, sequence in SEQUENCES.items():
        clean = coil * rng.uniform(0.92, 1.08) * contrast(phantom.parts, phantom.tissues, sequence)
        received = receive(clean, noise, rng)
        images[key] = _magnitude(received)
        if key in FAST:
            images[f"{key}_fast"] = _magnitude(undersample(received, lines(SIDE, rng)))
    return images


def _xray(phantom: Phantom, rng: np.random.Generator) -> Image:
    return _digital(expose(project(phantom.hu), float(rng.uniform(2e4, 8e4)), rng))


def _magnitude(image: NDArray[np.complexfloating]) -> Image:
    return _digital(np.abs(image))


def _digital(values: NDArray[np.floating]) -> Image:
    return (np.rint(np.clip(values, *UNIT_RANGE) * STEPS) / STEPS).astype(np.float32)
