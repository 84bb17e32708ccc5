"""Translated slices: sampling them without files between, and what they score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.shared.scans import Pictures, Slices, physical, unit
from benchmarks.shared.slide import sample_tiles
from diffuscope.devices import pick_device
from diffuscope.evaluation.metrics.distributions import kid
from diffuscope.evaluation.metrics.features import RandomConvFeatures
from diffuscope.evaluation.metrics.paired import mse, mutual_information, psnr, ssim
from diffuscope.measurement.dab import dice
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.midiffusion.config import ModalityConfig
from diffuscope.systems.midiffusion.system import MIDiffusion

COLUMNS = (
    "psnr_db", "ssim", "ssim_source", "mse", "mi_nats", "gradient_correlation", "dice_bone", "dice_air", "kid",
)  # fmt: skip
#: HU above which is bone, and below which is air.
BONE, AIR = 150.0, -150.0
_BINS = 32
# Slices that are sampled at once, on a CPU and on anything else.
_AT_ONCE, _AT_ONCE_GPU = 4, 32


class Translated(NamedTuple):
    """Results of slices, (n, h, w) in the target's range as 0 … 1, and their support in [0, 1].

    Attributes
    ----------
    sample, mean, uncertainty, support : ndarray
        The first sample, the mean of all and their standard deviation, and the support of the first by its source.
    """

    sample: Pictures
    mean: Pictures
    uncertainty: Pictures
    support: Pictures


def translated(
    system: MIDiffusion,
    source: Pictures,
    places: Sequence[tuple[int, int, int]],
    *,
    settings: SampleSettings | None = None,
    samples: int = 1,
    seed: int = 0,
    options: Mapping[str, float] | None = None,
) -> Translated:
    """Translate slices as a run does, at default quality.

    Parameters
    ----------
    system : MIDiffusion
        Trained.
    source : ndarray of shape (n, h, w) or (n, 3, h, w)
        In the source's range as 0 … 1: slices alone, as the paper knows them, or with those before and after.
    places : sequence of (z, y, x)
        Of the noise.
    settings : SampleSettings, optional
        Other than the default preset.
    samples : int
        K.
    seed : int
        Of the noise.
    options : mapping, optional
        Of a run: ``guidance``, ``t0``, ``along_z``. Here every slice has noise of its own by default, so that scores
        are over as many draws as slices.
    """
    config = system.config
    preset = settings or next(iter(system.presets.values()))
    alone = {"neighbours": 0.0} if source.ndim == 3 else {}
    wanted = {"along_z": 0.0} | alone | dict(preset.options) | dict(options or {})
    chosen = replace(preset, samples=samples, options=wanted)
    stacks = source[:, None].repeat(3, axis=1) if source.ndim == 3 else source
    keys = (config.target.key, "mean", "uncertainty", "support")
    parts: dict[str, list[NDArray[np.float32]]] = {key: [] for key in keys}
    at_once = _AT_ONCE if pick_device("auto").type == "cpu" else _AT_ONCE_GPU
    for first in range(0, len(source), at_once):
        some = slice(first, first + at_once)
        images = torch.from_numpy(physical(stacks[some], config.source))
        found, _ = sample_tiles(system, {config.source.key: images}, places[some], chosen, seed=seed)
        for key in keys:
            parts[key].append(found[key][:, 0].numpy())
    sample, mean, uncertainty, support = (np.concatenate(parts[key]) for key in keys)
    spread = uncertainty / np.float32(config.target.high - config.target.low)
    return Translated(unit(sample, config.target), unit(mean, config.target), spread, support)


def scores(tests: Slices, found: Pictures, target: ModalityConfig) -> list[dict[str, float | None]]:
    """Score slices one by one, where they lie in the scan; None where a score is not defined.

    Parameters
    ----------
    tests : Slices
    found : ndarray of shape (n, h, w)
        In the target's range as 0 … 1, which PSNR, SSIM and MSE are over.
    target : ModalityConfig
        Bone and air are looked for where its unit is HU.
    """
    rows = []
    for truth, source, guess, inside in zip(tests.target, tests.source, found, tests.inside, strict=True):
        a, b, origin = truth[inside], guess[inside], source[inside]
        rows.append(
            {
                "psnr_db": psnr(a, b, data_range=1.0),
                "ssim": ssim(a, b, data_range=1.0),
                "ssim_source": ssim(origin, b, data_range=1.0),
                "mse": mse(a, b),
                "mi_nats": mutual_information(a, b, bins=_BINS),
                "gradient_correlation": gradient_correlation(a, b),
                **_tissues(physical(a, target), physical(b, target), hounsfield=target.unit == "HU"),
            }
        )
    return rows


def mean_psnr(tests: Slices, found: Pictures) -> float:
    """Return PSNR of what lies in the scan, mean over slices, dB."""
    both = zip(tests.target, found, tests.inside, strict=True)
    return float(np.mean([psnr(a[inside], b[inside], data_range=1.0) for a, b, inside in both]))


def gradient_correlation(truth: Pictures, found: Pictures) -> float | None:
    """Correlate two images' steps from px to px, mean over both axes (Penney et al. 1998); None if one is constant."""
    values = []
    for axis in (0, 1):
        a, b = (np.diff(image.astype(np.float64), axis=axis).ravel() for image in (truth, found))
        if not a.std() or not b.std():
            return None
        values.append(np.corrcoef(a, b)[0, 1])
    return float(np.mean(values))


def kernel_distance(tests: Slices, found: Pictures) -> float:
    """Return KID of the results' quarters from the truth's, by features that stand in for Inception's offline.

    What lies beside a scan is the truth's in both.
    """
    known = tests.target.copy()
    for image, guess, inside in zip(known, found, tests.inside, strict=True):
        image[inside] = guess[inside]
    truth, guessed = (RandomConvFeatures()(_quarters(images)) for images in (tests.target, known))
    return kid(truth, guessed, subsets=min(10, len(truth) // 2)).value


def _quarters(images: Pictures) -> NDArray[np.uint8]:
    """Return the four quarters of each image as 8-bit pictures (4 n, h / 2, w / 2, 3)."""
    n, height, width = images.shape
    cut = images.reshape(n, 2, height // 2, 2, width // 2).swapaxes(2, 3).reshape(-1, height // 2, width // 2)
    grey = np.round(255 * cut.clip(0, 1)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def _tissues(truth: Pictures, found: Pictures, *, hounsfield: bool) -> dict[str, float | None]:
    """Return Dice of bone and of air, None where the truth has none or is no CT."""
    if not hounsfield:
        return {"dice_bone": None, "dice_air": None}
    return {
        "dice_bone": dice(truth, found, threshold=BONE) if (truth > BONE).any() else None,
        # What is below a threshold is above it with the sign turned.
        "dice_air": dice(-truth, -found, threshold=-AIR) if (truth < AIR).any() else None,
    }
