"""Batches of one shape on a CUDA device: the second is recorded while it is sampled, and the others replay it.

A network of this size gives a GPU a hundred small kernels an evaluation, and handing them over one by one takes the
host longer than computing them takes the device: at 16 tiles of 272² px 7.0 ms against 2.7 (H200). A CUDA graph is
handed over at once. The kernels are the same, and so are the bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffuscope.devices import is_out_of_memory
from diffuscope.diffusion.noise import TileNoise
from diffuscope.engine.batch import Loaded, Sampling, to_input
from diffuscope.systems.base import Estimate

if TYPE_CHECKING:
    from diffuscope.ports.settings import SampleSettings
    from diffuscope.systems.base import Tiled

# Evaluations that are recorded, at most, each a graph of its own: the thousand of an ancestral sampler are not worth
# their memory, and their batches take so long that the host is no hindrance.
MOST = 64


class RecordedSampling:
    """Samples batch after batch, each as `diffuscope.engine.batch.sample_tiles` does.

    Parameters
    ----------
    system : Tiled
        One that is `recordable`, on `device`.
    shape : tuple of int
        Of a tile, (h, w) or (d, h, w).
    settings : SampleSettings
        How to sample.
    seed : int
        Key of the noise.
    batch : int
        Tiles at once.
    device : torch.device
        CUDA.
    report : callable
        Gets one sentence where a batch cannot be recorded: this one and all that follow are then sampled plainly.
    """

    def __init__(
        self,
        system: Tiled,
        shape: tuple[int, ...],
        settings: SampleSettings,
        seed: int,
        batch: int,
        device: torch.device,
        *,
        report: Callable[[str], None],
    ) -> None:
        self._system, self._settings, self._device, self.batch = system, settings, device, batch
        self._report, self._fails = report, False
        self._patches = len(shape) == 3 and shape[0] > 1
        depth = shape[0] if self._patches else None
        # Places come with each batch.
        height, width = shape[-2:]
        self._noise = TileNoise(seed, [(0,) * len(shape)] * batch, height, width, device, depth=depth)
        self._inputs: dict[str, Tensor] = {}
        self._evaluations = 0
        self._stream, self._pool = torch.cuda.Stream(device), torch.cuda.graph_pool_handle()
        # Of each part of a batch, up to an evaluation or to the end, its graph and what it leaves where.
        self._parts: list[tuple[torch.cuda.CUDAGraph, Estimate | Mapping[str, Tensor]]] = []

    def sample(self, loaded: Loaded, stacked: Mapping[str, Tensor]) -> Sampling:
        """Begin to sample loaded tiles, whose inputs are `stacked` (see `Loaded.stacked`)."""
        tiles = (*loaded.tiles, *[loaded.tiles[-1]] * (self.batch - len(loaded.tiles)))
        self._noise.move([tile.corner for tile in tiles])
        first = not self._inputs
        for port in (port for port in self._system.input_rasters if port.key in stacked):
            there = to_input(stacked[port.key], self._device, patches=self._patches)
            if first:
                self._inputs[port.key] = there
            else:
                self._inputs[port.key].copy_(there)
        if first or self._fails or self._evaluations > MOST:
            # Kernels are chosen and loaded, and the noise's places are put where they stay.
            return (yield from self._plain())
        if self._parts:
            return (yield from self._replay())
        try:
            return (yield from self._record())
        except Exception as error:
            # Too little memory is for a smaller batch to mend.
            if is_out_of_memory(error):
                raise
            self._fails = True
            lines = str(error).strip().splitlines() or [""]
            self._report(f"Batches cannot be recorded here and are computed step by step ({lines[0]}).")
        return (yield from self._plain())

    def _plain(self) -> Sampling:
        steps = self._system.sample(self._inputs, self._noise, self._settings)
        while True:
            try:
                estimate = next(steps)
            except StopIteration as end:
                outputs: dict[str, Tensor] = end.value
                return outputs
            self._evaluations = estimate.steps
            yield estimate

    def _record(self) -> Sampling:
        steps = self._system.sample(self._inputs, self._noise, self._settings)
        whole = False
        try:
            while not whole:
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.stream(self._stream):
                    # Other threads go on reading and fetching.
                    graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
                    try:
                        left = _go_on(steps)
                    finally:
                        graph.capture_end()
                self._parts.append((graph, left))
                graph.replay()
                whole = not isinstance(left, Estimate)
                if isinstance(left, Estimate):
                    yield left
        finally:
            if not whole:
                self._parts.clear()
        assert not isinstance(left, Estimate)
        return _copied(left)

    def _replay(self) -> Sampling:
        for graph, left in self._parts:
            graph.replay()
            if isinstance(left, Estimate):
                yield left
            else:
                return _copied(left)
        raise AssertionError("a batch was recorded without its end")


def _go_on(steps: Sampling) -> Estimate | Mapping[str, Tensor]:
    """Go on to the next evaluation; of its estimate keep the first tile, which is shown, and the values."""
    try:
        estimate = next(steps)
    except StopIteration as end:
        outputs: Mapping[str, Tensor] = end.value
        return outputs
    shown = {key: value[:1].clone() for key, value in estimate.clean.items()}
    return Estimate(estimate.step, estimate.steps, shown, dict(estimate.values))


def _copied(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies: the next batch leaves its outputs in the same place."""
    return {key: value.clone() for key, value in outputs.items()}
