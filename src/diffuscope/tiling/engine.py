"""The engine: tiles through a system onto a canvas, as a generator of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.diffusion.noise import TileNoise
from diffuscope.tiling.canvas import Canvas, to_stored
from diffuscope.tiling.events import Event, Finished, Preview, Started, TileDone
from diffuscope.tiling.plan import Plan, Tile

if TYPE_CHECKING:
    from diffuscope.systems.base import SampleSettings, System

PREVIEW_SECONDS = 0.1
REFRESH_SECONDS = 2.0


def run_tiles(
    system: System,
    read: Callable[[Tile], Mapping[str, NDArray[np.generic]]],
    plan: Plan,
    canvas: Canvas,
    settings: SampleSettings,
    *,
    seed: int,
    batch: int,
    device: torch.device,
    precision: str,
    cancelled: Callable[[], bool] = lambda: False,
    notices: Sequence[str] = (),
) -> Generator[Event, None, None]:
    """Compute every tile of a plan that is not done yet.

    Parameters
    ----------
    system : System
        In eval mode, on `device`.
    read : callable
        The inputs of a tile by port key, each (tile, tile, c) in the port's physical range; of a volume
        (depth + 2·context, tile, tile, c) from slice z - context on (see `System.context`).
    plan : Plan
        Which tiles.
    canvas : Canvas
        Where they go; finished (composed, pyramid, metadata) when the iterator ends, however it ends.
    settings : SampleSettings
        Sampler, steps, samples.
    seed : int
        Key of the noise.
    batch : int
        Tiles at once. The last batch is padded by repeating its last tile, because kernels differ in the
        last bits between batch shapes.
    device : torch.device
        Where the network runs.
    precision : {"fp32", "bf16"}
        bf16: the network's evaluations run under autocast.
    cancelled : callable
        Looked at before every network evaluation; the batch at hand is dropped when it returns True.
    notices : sequence of str
        Passed on in `Started`.

    Yields
    ------
    Event
        Started; Preview and TileDone in turns; Finished. Coarser levels of the canvas follow every two seconds.
    """
    start = time.perf_counter()
    tiles = plan.count
    finished = False
    try:
        yield Started(out=str(canvas.path), tiles=tiles, done=canvas.count, notices=tuple(notices))
        last_refresh = start
        queue = (tile for tile in plan.tiles() if not canvas.is_done(tile))
        while group := tuple(islice(queue, batch)):
            outputs = yield from _sample(system, read, plan, group, settings, seed, batch, device, precision, cancelled)
            if outputs is None:
                break
            for index, tile in enumerate(group):
                box = canvas.write_tile(tile, {key: value[index] for key, value in outputs.items()})
                if time.perf_counter() - last_refresh > REFRESH_SECONDS:
                    canvas.refresh()
                    last_refresh = time.perf_counter()
                yield TileDone(done=canvas.count, tiles=tiles, box=box, seconds=time.perf_counter() - start)
        complete = canvas.finish()
        finished = True
        yield Finished(
            out=str(canvas.path),
            complete=complete,
            done=canvas.count,
            tiles=tiles,
            seconds=time.perf_counter() - start,
        )
    finally:
        if not finished:
            # Closed or failed: keep what is done. A full disk fails here again, and the first error is the one to tell.
            with suppress(OSError):
                canvas.finish()


def _sample(
    system: System,
    read: Callable[[Tile], Mapping[str, NDArray[np.generic]]],
    plan: Plan,
    group: Sequence[Tile],
    settings: SampleSettings,
    seed: int,
    batch: int,
    device: torch.device,
    precision: str,
    cancelled: Callable[[], bool],
) -> Generator[Preview, None, dict[str, NDArray[np.float32]] | None]:
    """Sample one batch, yielding previews of its first tile; None when it was cancelled."""
    padding = [group[-1]] * (batch - len(group))
    images = [read(tile) for tile in group]
    images += [images[-1]] * len(padding)
    patches = plan.depth > 1
    inputs = {
        port.key: to_input([image[port.key] for image in images], device, patches=patches) for port in system.inputs
    }
    places = [tile.corner for tile in (*group, *padding)]
    noise = TileNoise(seed, places, plan.tile, plan.tile, device, depth=plan.depth if patches else None)
    steps = system.sample(inputs, noise, settings)
    main = system.outputs[0]
    shown = 0.0
    while True:
        if cancelled():
            steps.close()
            return None
        try:
            with torch.inference_mode(), autocast(device, precision):
                estimate = next(steps)
        except StopIteration as end:
            return {key: value.float().cpu().numpy() for key, value in end.value.items()}
        if main.key in estimate.clean and time.perf_counter() - shown >= PREVIEW_SECONDS:
            shown = time.perf_counter()
            clean = np.moveaxis(estimate.clean[main.key][0].float().cpu().numpy(), 0, -1)
            *z, y, x = (place - start for place, start in zip(group[0].corner, plan.window, strict=False))
            yield Preview(
                y=y,
                x=x,
                z=z[0] if z else 0,
                image=to_stored(clean, main),
                step=estimate.step,
                steps=estimate.steps,
            )


def to_input(images: Sequence[NDArray[np.generic]], device: torch.device, *, patches: bool = False) -> Tensor:
    """Return images as one float32 batch, channels last in memory, on `device`.

    (h, w, c) become (n, c, h, w); `patches` (d, h, w, c) become (n, c, d, h, w), and without it slices
    (2k + 1, h, w, c) become (n, c·(2k + 1), h, w): of the first channel all slices, then of the next.
    """
    stacked = torch.from_numpy(np.stack([np.asarray(image, np.float32) for image in images])).movedim(-1, 1)
    if patches:
        return stacked.to(device).contiguous(memory_format=torch.channels_last_3d)
    planes = stacked.flatten(1, -3)
    return planes.to(device).contiguous(memory_format=torch.channels_last)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return the context in which the network runs at a precision, ``"fp32"`` or ``"bf16"``."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
