"""The contract between a diffusion system and everything that runs, shows or describes it.

The engine, the docks, the command line and the model card read `System.inputs` and
`System.outputs`; none of them knows a system by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffuscope.diffusion.samplers import SAMPLERS
from diffuscope.ports import Option, Port, Value


class Noise(Protocol):
    """Coordinate-keyed standard normal noise for the batch at hand (see `diffuscope.diffusion.noise`)."""

    def __call__(
        self, port: str, *, sample: int, step: int, channels: int, every: int = 1, along_z: bool = False
    ) -> Tensor:
        """Return noise for the n tiles of the batch: (n, channels, h, w), of patches (n, channels, d, h, w).

        With `every` = f it is that of a grid f times as coarse in y and x, (n, channels, h / f, w / f), keyed by place
        on that grid: what a system needs that denoises latents. With `along_z` it is the same in every slice of a
        volume.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class SampleSettings:
    """How to sample: what `System.sample` needs besides the images.

    Attributes
    ----------
    sampler : str
        A name known to `diffuscope.diffusion.samplers`.
    steps : int
        Network evaluations of the main branch per sample.
    samples : int
        K ≥ 1, the number of samples drawn per tile.
    options : mapping of str to float
        The system's own numbers by key (see `System.options`); those left out have their defaults.
    """

    sampler: str
    steps: int
    samples: int = 1
    options: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Estimate:
    """Where a tile batch stands after one network evaluation.

    Attributes
    ----------
    step, steps : int
        Evaluations done and in all.
    clean : dict of str to Tensor
        Current clean estimate by output key, shaped as the outputs, in the port's physical range;
        may be empty (an auxiliary branch has nothing to show).
    values : dict of str to Tensor
        What this evaluation tells of each tile, by key of `System.values`: (n,); kept with the result.
    """

    step: int
    steps: int
    clean: Mapping[str, Tensor]
    values: Mapping[str, Tensor] = field(default_factory=dict)


class System(nn.Module, ABC):
    """A diffusion system: ports in, ports out, `sample` and `loss`.

    A system runs over slides, over volumes slice by slice (`depth` 1), or over volumes in 3D patches
    (`depth` > 1). Slice by slice it sees no more axes than on a slide: of each channel the 2 · `context` + 1
    slices around the one that it computes follow each other along c.

    Attributes
    ----------
    inputs, outputs : tuple of Port
        The first output is the main result, the others are its maps.
    tile, overlap : int
        Tile side and overlap in px at the ports' µm/px with which the engine should run it.
    depth, overlap_depth : int
        Slices of a tile and their overlap with the next in a volume, at the model's spacing; overlap_depth ≤ depth / 2.
    context : int
        Slices before and after a tile that are read with it in a volume but not computed; beyond the first and
        the last slice of the volume these are repeated.
    presets : dict of str to SampleSettings
        Named qualities, e.g. ``{"fast": …, "reference": …}``; the first is the default.
    samplers : tuple of str
        Names that `SampleSettings.sampler` may have.
    values : tuple of Value
        What it tells of each tile at each network evaluation, in `Estimate.values`.
    options : tuple of Option
        Numbers of its own that a run may set, in `SampleSettings.options`.
    recordable : bool
        Whether `sample` does the same operations for every batch of one shape, on one device, and never looks at what
        comes of them: a CUDA graph may then stand for it.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    tile: int
    overlap: int
    depth: int = 1
    overlap_depth: int = 0
    context: int = 0
    presets: dict[str, SampleSettings]
    samplers: tuple[str, ...] = SAMPLERS
    values: tuple[Value, ...] = ()
    options: tuple[Option, ...] = ()
    recordable: bool = False

    @abstractmethod
    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """Sample one batch of tiles, yielding after every network evaluation.

        Parameters
        ----------
        inputs : mapping of str to Tensor
            By input key, float32 in the port's physical range, on the system's device: (n, c, h, w) of a slide,
            (n, c · (2 · context + 1), h, w) of slices, (n, c, depth + 2 · context, h, w) of 3D patches.
        noise : Noise
            Standard normal noise keyed by place.
        settings : SampleSettings
            Sampler, steps, number of samples.

        Returns
        -------
        dict of str to Tensor
            By output key, float32 (n, c, h, w), or (n, c, depth, h, w) of 3D patches, in the port's physical
            range, on any device (the generator's return value). The caller may close the generator between any two
            evaluations; nothing is kept then.
        """

    @abstractmethod
    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Return the training loss: ``{"loss": total, ...its terms}``, scalars.

        Parameters
        ----------
        batch : mapping of str to Tensor
            What the recipe's data set yields, physical ranges, (n, c, h, w).
        generator : torch.Generator
            Source of t and ε, so that a step is a function of (seed, step); numbers are drawn on its own device.
        """

    def objectives(self) -> dict[str, list[nn.Parameter]]:
        """Which parameters follow which term of `loss`; ``{"loss": all}`` but for adversarial training.

        A trainer adds up the terms named here, goes back once, and clips the gradient of each list by its own norm;
        one optimiser holds all of them. For one Adam over the sum is one Adam for each term as long as no term has a
        gradient in another's parameters, which is for `loss` to see to (a player sees its opponent's weights detached).

        Returns
        -------
        dict of str to list of Parameter
            Keys that `loss` returns; every parameter that trains, in exactly one list. ``"loss"`` is the first.
        """
        return {"loss": [parameter for parameter in self.parameters() if parameter.requires_grad]}

    def compiled_parts(self) -> tuple[nn.Module, ...]:
        """Modules that `sample` calls at every evaluation, or `loss` at every step, and so are worth compiling.

        Each is called as a module (``part(…)``) with tensors of shapes that do not change from step to step, and none
        calls another. `diffuscope.networks.compiled.compile_parts` compiles them in place. The default is none,
        which is right for every system: it then runs plain.

        Returns
        -------
        tuple of Module
        """
        return ()

    def training_keys(self) -> tuple[list[str], list[str]]:
        """Keys of the pictures that a case must have to be trained on, and of those that are taken where there are any.

        The default is the inputs and the main output, and nothing more.
        """
        return [*(port.key for port in self.inputs), self.outputs[0].key], []

    def complete(self, crops: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Add to the crops of a case what `loss` needs and can be made from them; called by threads.

        Parameters
        ----------
        crops : mapping of str to ndarray
            By key (see `training_keys`), (h, w, c) in physical ranges, at the system's µm/px.

        Returns
        -------
        dict of str to ndarray
            What `loss` gets of this crop, (h, w, c).
        """
        return dict(crops)
