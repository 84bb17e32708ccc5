"""A whole case through a system, with the events of a run: one tile that is all of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.devices import is_out_of_memory
from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.engine.batch import Read, load
from diffuscope.engine.compute import Items, autocast
from diffuscope.engine.events import Preview, Step
from diffuscope.engine.queue import TileQueue
from diffuscope.errors import InputError
from diffuscope.ports.mask import Mask
from diffuscope.ports.raster import Raster
from diffuscope.ports.text import Written
from diffuscope.results.cells import to_stored
from diffuscope.results.computed import Computed, Unlike
from diffuscope.systems.base import CaseInput, Estimate, Whole
from diffuscope.tiling.plan import Tile

if TYPE_CHECKING:
    from diffuscope.ports.settings import SampleSettings


@dataclass(frozen=True, kw_only=True)
class CaseCompute:
    """The `diffuscope.engine.compute.Compute` of a system that takes whole cases.

    Attributes
    ----------
    system : Whole
        In eval mode, on `device`.
    read : callable
        The images, labels and rows of the case by port key: (h, w, c) or (d, h, w, c), (h, w) or (d, h, w), (columns,).
    texts : mapping of str to str
        By port key.
    settings : SampleSettings
        Sampler, steps, samples, outputs that are wanted.
    seed : int
        Key of the noise.
    spacing : tuple of float or None
        Size of a px of the case's images along their axes, µm of pictures and mm of volumes; None where there are none.
    device : torch.device
        Where the network runs.
    precision : {"fp32", "bf16"}
        bf16: the network's evaluations run under autocast.
    cancelled : callable
        Looked at before every network evaluation; nothing of the case is kept when it returns True.
    """

    system: Whole
    read: Read
    texts: Mapping[str, str] = field(default_factory=dict)
    settings: SampleSettings
    seed: int
    spacing: tuple[float, ...] | None = None
    device: torch.device
    precision: str
    cancelled: Callable[[], bool] = lambda: False

    def __call__(self, queue: TileQueue) -> Items:
        """Compute the case; a queue whose one tile is done yields nothing.

        Raises
        ------
        InputError
            It does not fit into memory.
        """
        tiles = queue.take(1)
        if not tiles or self.cancelled():
            return
        loaded = load(self.read, tiles)
        if loaded.unread:
            yield from loaded.unread
            return
        inputs: dict[str, CaseInput] = case_tensors(self.system, loaded.images[0], self.device)
        seen = self.system.prepare(inputs | dict(self.texts), self.spacing)
        if sentence := self.system.unlike(seen):
            yield Unlike(sentence)
        noise = CaseNoise(self.seed, self.device)
        steps = sampled(self.system, seen, self.settings, noise, device=self.device, precision=self.precision)
        with closing(steps):
            while True:
                try:
                    estimate = next(steps)
                except StopIteration as end:
                    yield self._computed(tiles[0], queue.plan.shape, end.value)
                    return
                yield from self._seen(estimate)
                if self.cancelled():
                    return

    def _seen(self, estimate: Estimate) -> Items:
        step, steps = estimate.step, estimate.steps
        for port in self._images:
            if port.key in estimate.clean:
                image = np.moveaxis(_array(estimate.clean[port.key]), 0, -1)
                yield Preview(y=0, x=0, image=to_stored(image, port), step=step, steps=steps)
                return
        yield Step(step=step, steps=steps)

    def _computed(self, tile: Tile, shape: tuple[int, ...], outputs: Mapping[str, Tensor | str | Written]) -> Computed:
        keys = {port.key for port in self.system.output_rasters}
        arrays = {key: _array(value) for key, value in outputs.items() if isinstance(value, Tensor)}
        others = {
            key: arrays[key].tolist() if key in arrays else value for key, value in outputs.items() if key not in keys
        }
        # What a system says nothing of is unknown, as the spread of a single sample.
        unknown = {
            port.key: np.full((len(port.channels), *shape), np.nan, np.float32)
            for port in self._images
            if port.dtype == "float32"
        }
        return Computed(tile, unknown | {key: array for key, array in arrays.items() if key in keys}, others=others)

    @property
    def _images(self) -> tuple[Raster, ...]:
        """Images that are made, in order."""
        wanted = self.settings.wanted
        return tuple(port for port in self.system.output_rasters if not wanted or port.key in wanted)


def sampled(
    system: Whole,
    seen: Mapping[str, CaseInput],
    settings: SampleSettings,
    noise: CaseNoise,
    *,
    device: torch.device,
    precision: str,
) -> Generator[Estimate, None, Mapping[str, Tensor | str | Written]]:
    """Sample what `Whole.prepare` made of a case, yielding after every network evaluation; returns the outputs.

    Raises
    ------
    InputError
        It does not fit into memory.
    """
    steps = system.sample(seen, noise, settings)
    with closing(steps):
        while True:
            try:
                with torch.inference_mode(), autocast(device, precision):
                    estimate = next(steps)
            except StopIteration as end:
                outputs: Mapping[str, Tensor | str | Written] = end.value
                return outputs
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                raise InputError(
                    f"the memory of {device} is too small for this case: try --device cpu, or a smaller case."
                ) from error
            yield estimate


def case_tensors(
    system: Whole, arrays: Mapping[str, NDArray[np.generic]], device: torch.device
) -> dict[str, CaseInput]:
    """Return what was read of a case as `Whole.prepare` takes it.

    Parameters
    ----------
    system : Whole
        Whose inputs they are.
    arrays : mapping of str to ndarray
        By port key, as of `CaseCompute.read`.
    device : torch.device
        Where they go.

    Returns
    -------
    dict of str to Tensor
        Images float32 (c, …), labels as they are, rows float32.
    """
    labels = {port.key for port in system.inputs if isinstance(port, Mask)}
    found: dict[str, CaseInput] = {}
    for key, array in arrays.items():
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(device)
        if key in labels:
            found[key] = tensor
        else:
            found[key] = tensor.float() if array.ndim == 1 else tensor.float().movedim(-1, 0)
    return found


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.float().cpu().numpy(), np.float32)
