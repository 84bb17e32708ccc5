"""A run's work where it is sent to: a worker opens model and slide for itself, once, and computes batches of tiles."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from diffuscope import __version__
from diffuscope.devices import kept_memory, threads
from diffuscope.errors import InputError
from diffuscope.scans import Scan, open_scan, read_region
from diffuscope.systems.base import SampleSettings
from diffuscope.tiling.cluster import Answer
from diffuscope.tiling.compute import Told, autocast, is_out_of_memory, load, sample_tiles
from diffuscope.tiling.plan import Tile
from diffuscope.zoo import Model, load_model

# A worker may have several threads; its model and its cores are for one batch at a time.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Input:
    """A slide as the worker must find it: under the same path, with the same content."""

    path: Path
    fingerprint: str
    mpp: float | None


@dataclass(frozen=True, kw_only=True)
class RemoteWork:
    """The `diffuscope.tiling.cluster.Work` of a run.

    Attributes
    ----------
    model : str
        Name of a model of the zoo, or absolute path of a model folder.
    model_hash : str
        Its hash here; the worker's must be the same.
    inputs : tuple of (str, Input)
        By input port key.
    tile : int
        Side, model px.
    factor : float
        Level-0 px per model px.
    settings : SampleSettings
        How to sample.
    seed, batch, threads : int
        Key of the noise; tiles at once; CPU threads.
    device : str
        Where.
    precision : {"fp32", "bf16"}
        How exact.
    version : str
        Of Diffuscope, here.
    """

    model: str
    model_hash: str
    inputs: tuple[tuple[str, Input], ...]
    tile: int
    factor: float
    settings: SampleSettings
    seed: int
    batch: int
    threads: int
    device: str
    precision: str
    version: str = __version__

    def __call__(self, tiles: Sequence[Tile]) -> Answer:
        """Compute one batch.

        Raises
        ------
        InputError
            The worker's Diffuscope, model or slide is not that of the run.
        """
        import torch

        if self.version != __version__:
            raise InputError(
                f"a worker has Diffuscope {__version__} and this machine {self.version}: install the same."
            )
        with _one_at_a_time, threads(self.threads), kept_memory():
            model, scans = _open(self.model, self.model_hash, self.inputs, self.device)

            def read(tile: Tile) -> dict[str, Any]:
                side = self.tile
                return {
                    key: read_region(scan, y=tile.y, x=tile.x, height=side, width=side, factor=self.factor)
                    for key, scan in scans.items()
                }

            loaded = load(read, tiles)
            if not loaded.tiles:
                return Answer(unread=loaded.unread)
            device = torch.device(self.device)
            steps = sample_tiles(
                model.system, loaded, (self.tile, self.tile), self.settings, self.seed, self.batch, device
            )
            told = Told()
            try:
                while True:
                    with torch.inference_mode(), autocast(device, self.precision):
                        told.hear(next(steps))
            except StopIteration as end:
                return Answer(told.finished(loaded.tiles, end.value), loaded.unread)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                return Answer(too_large=True)

    def halved(self) -> Self:
        """Return the same work with half the batch.

        Raises
        ------
        InputError
            The batch is one tile.
        """
        if self.batch == 1:
            raise InputError(
                f"a worker has not enough memory on {self.device} for one tile: give it more. "
                "Finished tiles are kept; --resume goes on."
            )
        return replace(self, batch=self.batch // 2)


@lru_cache(maxsize=1)
def _open(
    model: str, model_hash: str, inputs: tuple[tuple[str, Input], ...], device: str
) -> tuple[Model, dict[str, Scan]]:
    """Open model and slides; the last ones stay open for the next batch."""
    loaded = load_model(model, device=device)
    if loaded.hash != model_hash:
        raise InputError(f"a worker has another model under the name {model}: put the same folder there.")
    scans = {}
    for key, given in inputs:
        scans[key] = open_scan(given.path, mpp=given.mpp)
        if scans[key].fingerprint != given.fingerprint:
            raise InputError(f"a worker finds another file under {given.path}: give one that all workers share.")
    return loaded, scans
