"""The held-out slide, its teacher's sample, and samples of tiles of it without files between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope import DEMO_SLIDE, open_scan
from diffuscope.devices import pick_device, pick_precision
from diffuscope.diffusion.noise import TileNoise
from diffuscope.model.folder import Model
from diffuscope.ports.settings import SampleSettings
from diffuscope.sample_data import sample_path
from diffuscope.scans import read_region
from diffuscope.simulation.restaining.teacher import SourceSample, Stain, prepare
from diffuscope.systems.base import System
from diffuscope.training.data.batches import laid_out


@cache
def teacher_sample(stain: Stain) -> SourceSample:
    """Return the teacher's rule applied to the whole held-out slide (0.499 µm/px, taken for 0.5)."""
    scan = open_scan(sample_path(DEMO_SLIDE))
    height, width = scan.shape
    return prepare(read_region(scan, y=0, x=0, height=height, width=width, factor=1.0), stain, mpp=0.5)


def takes_normalised(model: Model) -> bool:
    """Whether a model takes its H&E brought to the reference, and not as it was scanned."""
    return model.system.input_rasters[0].scale == "stain"


def as_taken(model: Model, taught: SourceSample) -> NDArray[np.uint8]:
    """Return the H&E (h, w, 3) as a model takes it."""
    return taught.normalised if takes_normalised(model) else taught.he


def places_with_cells(taught: SourceSample, side: int, number: int, *, chance: float = 0.5) -> list[tuple[int, int]]:
    """Return tiles around cells that are likely positive, no two overlapping; the same at every call."""
    places: list[tuple[int, int]] = []
    limit = np.array(taught.he.shape[:2]) - side
    likely = taught.centre[taught.chance >= chance]
    for centre in likely[np.random.default_rng(0).permutation(len(likely))]:
        y, x = (int(v) for v in np.clip(centre - side / 2, 0, limit))
        if all(abs(y - b) >= side or abs(x - a) >= side for b, a in places):
            places.append((y, x))
        if len(places) == number:
            return places
    raise ValueError(f"the slide has only {len(places)} such tiles")


def sample(
    model: Model, he: NDArray[np.uint8], places: list[tuple[int, int]], settings: SampleSettings, *, seed: int = 0
) -> dict[str, NDArray[np.float32]]:
    """Sample tiles (n, h, w, 3) that lie at `places`, as the engine would; outputs by key, (n, h, w, c)."""
    found, _ = sample_tiles(
        model.system,
        {model.system.inputs[0].key: torch.from_numpy(he).permute(0, 3, 1, 2).float()},
        places,
        settings,
        seed=seed,
    )
    return {key: value.permute(0, 2, 3, 1).numpy() for key, value in found.items()}


def sample_tiles(
    system: System,
    images: Mapping[str, Tensor],
    places: Sequence[tuple[int, ...]],
    settings: SampleSettings,
    *,
    seed: int = 0,
) -> tuple[dict[str, Tensor], dict[str, NDArray[np.float32]]]:
    """Sample tiles that lie at `places`, as the engine would.

    Parameters
    ----------
    system : System
        In evaluation mode.
    images : mapping of str to Tensor
        By key of the inputs, (n, c, h, w).
    places : sequence of (y, x) or (z, y, x)
        Of the tiles.
    settings : SampleSettings
    seed : int

    Returns
    -------
    dict of str to Tensor
        Outputs (n, c, h, w) by key, on the CPU.
    dict of str to ndarray
        What each evaluation told of each tile, (n, evaluations) by key of `System.values`.
    """
    device = pick_device("auto")
    system.to(device)
    inputs = {key: laid_out(image.to(device)) for key, image in images.items()}
    height, width = next(iter(inputs.values())).shape[2:]
    steps = system.sample(inputs, TileNoise(seed, places, height, width, device), settings)
    enabled = pick_precision(device) == "bf16"
    told: dict[str, list[Tensor]] = {}
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=enabled):
        while True:
            try:
                for key, value in next(steps).values.items():
                    told.setdefault(key, []).append(value.float().cpu())
            except StopIteration as end:
                values = {key: torch.stack(some, dim=1).numpy() for key, some in told.items()}
                return {key: value.float().cpu() for key, value in end.value.items()}, values
