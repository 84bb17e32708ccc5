"""A run's work where it is sent to: a worker opens model and slide for itself, once, and computes batches of tiles."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Self

import numpy as np

from diffuscope.devices import is_out_of_memory, reused_memory, threads
from diffuscope.engine.batch import load, sample_tiles
from diffuscope.engine.cluster import Answer
from diffuscope.engine.compute import autocast
from diffuscope.engine.fetch import Reports
from diffuscope.errors import InputError
from diffuscope.jobs.compute import ComputeSettings
from diffuscope.jobs.inputs import Frame, Input, PortInput, open_again, read_tile
from diffuscope.model.folder import Model, load_model
from diffuscope.networks.compiled import compile_parts
from diffuscope.ports.settings import SampleSettings
from diffuscope.tiling.plan import Tile
from diffuscope.version import __version__

_log = logging.getLogger(__name__)
# A worker may have several threads; its model and its cores are for one batch at a time.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class RemoteWork:
    """The `diffuscope.engine.cluster.Work` of a run.

    Attributes
    ----------
    model : str
        Name of a model of the zoo, or absolute path of a model folder.
    model_hash : str
        Its hash here; the worker's must be the same.
    inputs : tuple of (str, Input)
        By input port key.
    rows : tuple of (str, tuple of float)
        By input port key, rows of tables as numbers.
    frame : Frame
        What of the inputs a tile is computed from.
    settings : SampleSettings
        How to sample.
    seed : int
        Key of the noise.
    compute : ComputeSettings
        Where and how exactly.
    version : str
        Of Diffuscope, here.
    """

    model: str
    model_hash: str
    inputs: tuple[tuple[str, Input], ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]
    frame: Frame
    settings: SampleSettings
    seed: int
    compute: ComputeSettings
    version: str = __version__

    @property
    def batch(self) -> int:
        """Tiles at once."""
        return self.compute.batch

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
        with _one_at_a_time, threads(self.compute.threads), reused_memory():
            model, inputs = _open(self.model, self.model_hash, self.inputs, self.compute.device, self.compute.compile)
            loaded = load(partial(self._read, inputs), tiles)
            if not loaded.tiles:
                return Answer(unread=loaded.unread)
            device = torch.device(self.compute.device)
            steps = sample_tiles(model.tiled, loaded, self.frame.shape, self.settings, self.seed, self.batch, device)
            told = Reports()
            try:
                while True:
                    with torch.inference_mode(), autocast(device, self.compute.precision):
                        told.take(next(steps))
            except StopIteration as end:
                return Answer(told.finished(loaded.tiles, end.value, self.batch), loaded.unread)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                return Answer(too_large=True)

    def _read(self, inputs: Sequence[PortInput], tile: Tile) -> dict[str, Any]:
        rows = {key: np.asarray(row, np.float32) for key, row in self.rows}
        return read_tile(inputs, tile, self.frame) | rows

    def halved(self) -> Self:
        """Return the same work with half the batch.

        Raises
        ------
        InputError
            The batch is one tile.
        """
        if self.batch == 1:
            raise InputError(
                f"a worker has not enough memory on {self.compute.device} for one tile: give it more. "
                "Finished tiles are kept; --resume goes on."
            )
        return replace(self, compute=replace(self.compute, batch=self.batch // 2))


@lru_cache(maxsize=1)
def _open(
    model: str,
    model_hash: str,
    inputs: tuple[tuple[str, Input], ...],
    device: str,
    compile: str,  # noqa: A002  the word of the option
) -> tuple[Model, list[PortInput]]:
    """Open model and inputs; the last ones stay open for the next batch."""
    loaded = load_model(model, device=device)
    if loaded.hash != model_hash:
        raise InputError(f"a worker has another model under the name {model}: put the same folder there.")
    if compile == "on":
        compile_parts(loaded.system.compiled_parts(), report=_log.warning)
    ports = {port.key: port for port in loaded.system.input_rasters}
    return loaded, [open_again(given, ports[key]) for key, given in inputs]
