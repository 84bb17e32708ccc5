"""Validation examples as one PNG: what went in, the truth, and a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from diffuscope.diffusion.noise import TileNoise
from diffuscope.ports.raster import Raster
from diffuscope.systems.base import Tiled
from diffuscope.training.data.batches import laid_out

_EXAMPLES, _GAP = 4, 4


@torch.no_grad()
def sample(system: Tiled, batch: Mapping[str, Tensor], *, device: torch.device, seed: int = 0) -> dict[str, Tensor]:
    """Sample a system on a batch with its default preset; of one that makes its own inputs, the first from the others.

    Parameters
    ----------
    system : Tiled
        On `device`.
    batch : mapping of str to Tensor
        Its inputs and perhaps more, float32 (n, c, h, w) or (n, c, d, h, w).
    device : torch.device
        Where the system is.
    seed : int
        Of the noise; each example has noise of its own.

    Returns
    -------
    dict of str to Tensor
        As `Tiled.sample` returns, on the CPU.
    """
    main, settings = system.output_rasters[0].key, next(iter(system.presets.values()))
    inputs = {key: laid_out(batch[key].to(device)) for key in (port.key for port in system.input_rasters)}
    if main in inputs:  # what is to be made is not given
        del inputs[main]
        settings = replace(settings, wanted=(main,))
    first = next(iter(inputs.values()))
    height, width = first.shape[-2:]
    # Side by side on an imagined slide.
    places = [(0, i * width) for i in range(len(first))]
    depth = system.depth if first.ndim == 5 else None
    noise = TileNoise(seed, places, height, width, device, depth)
    steps = system.sample(inputs, noise, settings)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return {key: value.cpu() for key, value in end.value.items()}


def draw(system: Tiled, batch: Mapping[str, Tensor], path: Path, *, device: torch.device) -> None:
    """Write a picture with a row for each of the first examples of a batch: inputs, truth, sample.

    Parameters
    ----------
    system : Tiled
        On `device`.
    batch : mapping of str to Tensor
        Inputs, and the truth of the main output where there is one. An input that is not there, as of a system that is
        trained on its target alone, is the truth itself: the picture shows what the system makes of its own target.
    path : Path
        PNG file to write.
    device : torch.device
        Where the system is.
    """
    few = {key: value[:_EXAMPLES] for key, value in batch.items()}
    main = system.output_rasters[0]
    shown = [(port, few[port.key]) for port in system.input_rasters if port.key in few and port.key != main.key]
    for port in system.input_rasters:
        if port.key not in few:
            # Each slice stands for its neighbours, too.
            few[port.key] = _rescaled(few[main.key], main, port).repeat_interleave(2 * system.context + 1, dim=1)
    shown += [(main, few[main.key])] if main.key in few else []
    shown += [(main, sample(system, few, device=device)[main.key])]
    rows = [
        np.concatenate([_framed(_picture(values[i], port)) for port, values in shown], axis=1)
        for i in range(len(shown[0][1]))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(path)


def _picture(values: Tensor, port: Raster) -> NDArray[np.uint8]:
    """Return (c, h, w) or (c, d, h, w), then its middle slice, as 8-bit RGB over the port's range.

    Of a slice with its neighbours, as of several channels that are no colours, it is the middle one.
    """
    values = values.float().cpu()
    if values.ndim == 4:
        values = values[:, values.shape[1] // 2]
    low, high = port.range
    grey = ((values.permute(1, 2, 0) - low) / (high - low)).clamp(0, 1).mul(255).round().numpy().astype(np.uint8)
    return grey if port.kind == "rgb" and grey.shape[2] == 3 else np.repeat(grey[..., [grey.shape[2] // 2]], 3, axis=2)


def _rescaled(values: Tensor, own: Raster, other: Raster) -> Tensor:
    """Bring values linearly from one port's range to another's."""
    part = (values - own.range[0]) / (own.range[1] - own.range[0])
    return part * (other.range[1] - other.range[0]) + other.range[0]


def _framed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.pad(image, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
