"""Declaration: all that a system says of itself before it is built."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from diffuscope.errors import choice
from diffuscope.ports.numbers import Option, Value
from diffuscope.ports.port import Port, rasters
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a system is for, what it takes and gives, and how it is run.

    A tiled system runs over slides, over volumes slice by slice (`depth` 1), or over volumes in 3D patches (`depth` >
    1). Slice by slice it sees no more axes than on a slide: of each channel the 2 · `context` + 1 slices around the one
    that it computes follow each other along c. A whole system (`tile` 0) takes one case at once.

    Attributes
    ----------
    task : str
        What it is for, e.g. ``"virtual staining"``: a dock lists the models of one task.
    inputs, outputs : tuple of Port
        The first output is the main result, the others belong to it.
        An image or text may be both, under one key: it is made where it is not given.
    any_of : tuple of tuple of str
        Groups of keys of inputs that are not required, of each of which one must be given.
    presets : dict of str to SampleSettings
        Named qualities, e.g. ``{"fast": …, "reference": …}``; the first is the default.
    samplers : tuple of str
        Names that `SampleSettings.sampler` may have; those of the presets where it is left out.
    values : tuple of Value
        What it tells of each tile at each network evaluation, in `Estimate.values`.
    options : tuple of Option
        Numbers of its own that a run may set, in `SampleSettings.options`.
    tile, overlap : int
        Tile side and overlap in px at the ports' µm/px with which the engine should run it.
    depth, overlap_depth : int
        Slices of a tile and their overlap with the next in a volume, at the model's spacing; overlap_depth ≤ depth / 2.
    context : int
        Slices before and after a tile that are read with it in a volume but not computed; beyond the first and the last
        slice of the volume these are repeated.
    zero_shot : bool
        Whether it learned from what it makes alone, and has never seen an input beside it: it needs no pairs.
    canvas : tuple of (int, int) or None
        Of a whole system that makes images from other things: (height, width) of what it makes where no image is given,
        px of the first image among its outputs. None: images that it makes lie on one that is given.
    patch : int
        Side of a training patch, px.
    measures : mapping of str to float
        Numbers that measuring its results needs, by name: ``dab_threshold`` in OD.
    """

    task: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    any_of: tuple[tuple[str, ...], ...] = ()
    presets: Mapping[str, SampleSettings]
    samplers: tuple[str, ...] = ()
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
    measures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.samplers:
            object.__setattr__(self, "samplers", tuple(dict.fromkeys(one.sampler for one in self.presets.values())))

    @property
    def whole(self) -> bool:
        """Whether it takes a case at once."""
        return self.tile == 0

    @property
    def input_rasters(self) -> tuple[Raster, ...]:
        """The images among its inputs."""
        return rasters(self.inputs)

    @property
    def output_rasters(self) -> tuple[Raster, ...]:
        """The images among its outputs."""
        return rasters(self.outputs)

    def made(self, given: Collection[str], wanted: Collection[str] = ()) -> tuple[Port, ...]:
        """Return the outputs that a run makes, in order, with those that tell of them (see `Raster.of`).

        Parameters
        ----------
        given : collection of str
            Keys of the inputs that there are.
        wanted : collection of str
            Keys of the outputs that are asked for; empty: all that is not given.
        """

        def is_made(port: Port) -> bool:
            keys = {port.key, getattr(port, "of", "") or port.key}
            return bool(keys & set(wanted)) if wanted else not keys & set(given)

        return tuple(port for port in self.outputs if is_made(port))

    def accepts(self, given: Collection[str], wanted: Collection[str] = ()) -> str:
        """Say what is missing to run it, in a sentence; nothing where it can be run.

        Parameters
        ----------
        given : collection of str
            Keys of the inputs that there are.
        wanted : collection of str
            Keys of the outputs that are asked for; empty: all that is not given.
        """
        names = {port.key: port.name for port in self.inputs}
        for key in given:
            if key not in names:
                return f"there is no input “{key}”: {choice(key, names)}."
        outputs = [port.key for port in self.outputs]
        for key in wanted:
            if key not in outputs:
                return f"there is no output “{key}”: {choice(key, outputs)}."
        for port in self.inputs:
            if getattr(port, "required", True) and port.key not in given:
                return f"{port.name} is missing: give it as {port.key}."
        for group in self.any_of:
            if not set(group) & set(given):
                return f"one of {', '.join(names[key] for key in group)} is needed: give at least one."
        for key in wanted:
            if key in given:
                return f"{names[key]} is given, and is not made besides: leave {key} out of one of the two."
        if not self.made(given, wanted):
            return "all that it makes is given: leave out what it shall make."
        return ""
