"""The contract between a diffusion system and everything that runs, shows or describes it.

The engine, the docks, the command line and the model card read `System.inputs` and
`System.outputs`; none of them knows a system by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffuscope.diffusion.names import SAMPLERS
from diffuscope.errors import InputError
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.numbers import Option, Value
from diffuscope.ports.port import Port, rasters
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.text import Written as Written  # noqa: PLC0414  systems import it from here
from diffuscope.systems.trainable import Trainable

#: What a whole system gets of an input: an image, labels or the row of a table, a text.
CaseInput = Tensor | str


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


class CaseNoise(Protocol):
    """Standard normal noise of a whole case, keyed by index (see `diffuscope.diffusion.noise.CaseNoise`)."""

    def __call__(self, port: str, *, sample: int, step: int, shape: tuple[int, ...]) -> Tensor:
        """Return noise of a shape: each number is a function of (seed, port, sample, step) and its index."""
        ...


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


class System(Trainable):
    """What all systems have: a declaration, a loss, and parts that are trained or compiled.

    Parameters
    ----------
    declared : Declaration, optional
        Its attributes become those of the system (see there); a class may state them itself instead.

    Attributes
    ----------
    targets : tuple of str
        Keys of what `loss` reads of a batch beside images, e.g. ``"mask"``: simulated data give what they know of it.
    recordable : bool
        Whether `sample` does the same operations for every batch of one shape, on one device, and never looks at what
        comes of them: a CUDA graph may then stand for it.
    """

    task: str = ""
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    any_of: tuple[tuple[str, ...], ...] = ()
    presets: Mapping[str, SampleSettings]
    samplers: tuple[str, ...] = SAMPLERS
    values: tuple[Value, ...] = ()
    options: tuple[Option, ...] = ()
    tile: int = 0
    overlap: int = 0
    depth: int = 1
    overlap_depth: int = 0
    context: int = 0
    zero_shot: bool = False
    canvas: tuple[int, int] | None = None
    patch: int = 128
    measures: Mapping[str, float] = MappingProxyType({})
    targets: tuple[str, ...] = ()
    recordable: bool = False

    def __init__(self, declared: Declaration | None = None) -> None:
        super().__init__()
        for one in fields(declared) if declared is not None else ():
            setattr(self, one.name, getattr(declared, one.name))

    @property
    def declared(self) -> Declaration:
        """All that it declares."""
        return Declaration(**{one.name: getattr(self, one.name) for one in fields(Declaration)})

    @property
    def input_rasters(self) -> tuple[Raster, ...]:
        """The images among its inputs."""
        return rasters(self.inputs)

    @property
    def output_rasters(self) -> tuple[Raster, ...]:
        """The images among its outputs."""
        return rasters(self.outputs)

    def check(self, settings: SampleSettings) -> None:
        """Refuse settings that it cannot follow.

        Raises
        ------
        InputError
            E.g. more steps than the schedule has.
        """

    def check_images(self, name: str, why: str) -> None:
        """Refuse to be used for what needs images in and out.

        Parameters
        ----------
        name : str
            Of the model, for the message.
        why : str
            What does not go without.

        Raises
        ------
        InputError
            It takes none, or gives none.
        """
        if not (self.input_rasters and self.output_rasters):
            raise InputError(f"{name} takes or gives no image: {why}.")

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:  # noqa: ARG002
        """Return the training loss: ``{"loss": total, ...its terms}``, scalars.

        Parameters
        ----------
        batch : mapping of str to Tensor
            What the recipe's data set yields, physical ranges, (n, c, h, w).
        generator : torch.Generator
            Source of t and ε, so that a step is a function of (seed, step); numbers are drawn on its own device.
        """
        raise InputError(f"{type(self).__name__} is a system that is not trained.")

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

    def derive(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Add to a batch what `loss` needs and follows from its targets; on the CPU, called by threads."""
        return dict(batch)


class Tiled(System, ABC):
    """A system that runs over slides and volumes tile by tile.

    Its inputs are images; a score that it gives is that of a tile, and the result has the mean over all tiles.
    """

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


class Whole(System, ABC):
    """A system that takes one case at once: images, tables and texts in; images, scores, rows and texts out."""

    def prepare(self, inputs: Mapping[str, CaseInput], spacing: tuple[float, ...] | None) -> dict[str, CaseInput]:  # noqa: ARG002
        """Return what the network sees of a case: before `sample`, and once a case before training.

        The default is all of it.

        Parameters
        ----------
        inputs : mapping of str to Tensor or str
            By key of the inputs that were given. Of a raster float32 (c, h, w) or (c, d, h, w) in the port's physical
            range, of a mask uint8 (h, w) or (d, h, w), of a table its row, float32 (columns,) as of `Table.encode`,
            all on the system's device; of a text itself.
        spacing : tuple of float or None
            Size of a px of the images, (y, x) µm or (z, y, x) mm; None where no image is given or made.

        Raises
        ------
        InputError
            It can do nothing with the case.
        """
        return dict(inputs)

    def unlike(self, inputs: Mapping[str, CaseInput]) -> str:  # noqa: ARG002
        """Say in a sentence how a case is unlike those that it was trained on; nothing where it is not, or may be.

        Parameters
        ----------
        inputs : mapping of str to Tensor or str
            From `prepare`.
        """
        return ""

    @abstractmethod
    def sample(
        self, inputs: Mapping[str, CaseInput], noise: CaseNoise, settings: SampleSettings
    ) -> Generator[Estimate, None, Mapping[str, Tensor | str | Written]]:
        """Sample one case, yielding after every network evaluation.

        Parameters
        ----------
        inputs : mapping of str to Tensor or str
            From `prepare`.
        noise : CaseNoise
            Standard normal noise keyed by index.
        settings : SampleSettings
            Sampler, steps, number of samples, the outputs that are wanted.

        Returns
        -------
        mapping of str to Tensor, str or Written
            By key of each output that is wanted (the generator's return value). Of a raster float32 shaped as those
            that came in, or (c, *canvas), of a score float32 (samples,) or (members, samples) in [0, 1], of a table
            float32 (columns,), NaN where nothing is known, of a text itself or `Written`. Of what is not there nothing.
        """
