"""How the images look that a system is trained on, for its model folder: a run tells of others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from diffuscope.jobs.inputs import PortInput
from diffuscope.jobs.likeness.looks import MANY, Looks, look, seen_of
from diffuscope.jobs.scaling import find_foreground
from diffuscope.ports.raster import Raster
from diffuscope.ports.seen import Seen
from diffuscope.scans import Scan
from diffuscope.scans.source import CHUNK_SIDE
from diffuscope.training.data.sampler import CropSampler

#: What is said of images that trained a model.
TRAINING = "what trained it"
# Cases that are looked at: a second or two each at most.
_CASES = 64


def seen_in_cases(samplers: Sequence[CropSampler], ports: Iterable[Raster], of: str = TRAINING) -> dict[str, Seen]:
    """Return how the inputs look in some cases, by key; one that no case has is not there.

    Parameters
    ----------
    samplers : sequence of CropSampler
        Of the cases that train; of many, some that are spread evenly.
    ports : iterable of Raster
        The system's inputs.
    of : str
        As of `Seen`.
    """
    wanted = list(ports)
    number = min(len(samplers), _CASES)
    chosen = [samplers[place * len(samplers) // number] for place in range(number)]
    found: dict[str, list[Looks]] = defaultdict(list)
    for sampler in chosen:
        inputs = sampler.inputs(wanted)
        if inputs:
            inside = find_foreground([one for one, _ in inputs])
            for one, factors in inputs:
                found[one.port.key].append(look(one, inside, factors, number=MANY))
    return _stated(found, of)


def seen_in_pictures(pictures: Iterable[NDArray[np.uint8]], port: Raster, of: str = TRAINING) -> dict[str, Seen]:
    """Return how pictures look that are an input, by its key.

    Parameters
    ----------
    pictures : iterable of ndarray of shape (h, w, 3)
        RGB at the port's µm/px.
    port : Raster
        The input.
    of : str
        As of `Seen`.
    """
    inputs = [PortInput(port=port, scan=_opened(pixels, port.mpp)) for pixels in pictures]
    looks = [look(one, find_foreground([one]), (1.0, 1.0), number=MANY) for one in inputs]
    return _stated({port.key: looks}, of)


def _stated(found: dict[str, list[Looks]], of: str) -> dict[str, Seen]:
    seen = {key: seen_of(looks, of) for key, looks in found.items()}
    return {key: one for key, one in seen.items() if one is not None}


def _opened(pixels: NDArray[np.uint8], mpp: float) -> Scan:
    """Return a picture in memory as if it had been opened."""
    return Scan(
        path=Path("picture"),
        name="picture",
        format="",
        levels=(da.from_array(pixels, chunks=(CHUNK_SIDE, CHUNK_SIDE, 3)),),
        downsamples=(1.0,),
        mpp=mpp,
        stated_mpp=mpp,
        notices=(),
        channels=("R", "G", "B"),
        rgb=True,
        associated={},
        fingerprint="",
    )
