"""What the form needs to know about a model and about an input layer, as plain records."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from diffuscope.jobs.port_checks import Pixels
from diffuscope.model.find import ModelInfo
from diffuscope.plugin.layers.inputs.lies import Lies, lies_of, same_length, scale_in, shown_in, side_in
from diffuscope.plugin.layers.inputs.origin import file_behind, origin_of
from diffuscope.plugin.layers.inputs.pixels import pixels_of
from diffuscope.plugin.layers.placement import Placement, layer_placement
from diffuscope.ports.mask import Mask
from diffuscope.ports.numbers import Option, Value
from diffuscope.ports.port import Port
from diffuscope.ports.raster import Raster
from diffuscope.ports.table import Table
from diffuscope.ports.text import Text
from diffuscope.scans.lattice import Lattice

#: Key of `layer.metadata` under which Diffuscope keeps what it knows about a layer.
KEY = "diffuscope"


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """One model, by what its folder declares: nothing of it is loaded.

    Attributes
    ----------
    name : str
        What `diffuscope.api.run.run` takes: a name or the path of a model folder.
    title, what_it_is, what_it_is_not, trained_on : str
        From the model's card.
    task : str
        What it is for (see `Declaration`).
    inputs : tuple of Raster
        Images that go in, the main one first.
    masks : tuple of Mask
        Outlines on them.
    others : tuple of Table or Text
        What goes in besides, as the user types it.
    any_of : tuple of tuple of str
        As of a `Declaration`.
    presets : dict of str to tuple
        Quality name to (sampler, steps); the first is the default.
    preset_samples : dict of str to int
        Quality name to the number of samples per tile; 1 where it is left out.
    grid : tuple of int
        Tile, overlap, depth and overlap along z, as of a `Declaration`; a tile of 0 where nobody says.
    samplers : tuple of str
        Samplers that may be asked for instead of the preset's.
    options : tuple of Option
        Numbers of the system's own that a run may set.
    values : tuple of Value
        What it tells of each tile.
    whole : bool
        Whether it takes a case at once, of which no part can be chosen.
    outputs : tuple of Port
        What comes out, the main one first.
    zero_shot : bool
        As of a `Declaration`.
    """

    name: str
    title: str
    what_it_is: str
    what_it_is_not: str
    task: str
    inputs: tuple[Raster, ...]
    presets: dict[str, tuple[str, int]] = field(hash=False)
    preset_samples: dict[str, int] = field(default_factory=dict, hash=False)
    grid: tuple[int, int, int, int] = (0, 0, 1, 0)
    masks: tuple[Mask, ...] = ()
    others: tuple[Table | Text, ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()
    whole: bool = False
    trained_on: str = ""
    samplers: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    values: tuple[Value, ...] = ()
    outputs: tuple[Port, ...] = ()
    zero_shot: bool = False

    def steps_of(self, quality: str, sampler: str) -> int:
        """Return the steps where none are asked for: the quality's, or of the first that has the sampler; else 0."""
        own, steps = self.presets.get(quality, ("", 0))
        others = (steps for name, steps in self.presets.values() if name == sampler)
        return steps if sampler in ("", own) else next(others, steps)

    @property
    def goals(self) -> tuple[Port, ...]:
        """Outputs among which a user chooses, of a model that makes what it is not given; of others none."""
        given = {port.key for port in (*self.inputs, *self.others)}
        if not any(port.key in given for port in self.outputs):
            return ()
        # what tells of another output goes with it
        return tuple(port for port in self.outputs if not getattr(port, "of", ""))

    @property
    def has_text(self) -> bool:
        """Whether it reads or writes texts."""
        return any(isinstance(port, Text) for port in (*self.others, *self.outputs))

    @property
    def mpp(self) -> float:
        """µm per pixel at which the model works."""
        return self.inputs[0].mpp

    @property
    def axes(self) -> Literal["yx", "zyx"]:
        """Those of its images; of a slide where it takes none."""
        return self.inputs[0].axes if self.inputs else "yx"

    @property
    def needs_image(self) -> bool:
        """Whether it cannot do without one."""
        return any(port.required for port in self.inputs)

    @property
    def normalises(self) -> bool:
        """Whether it takes H&E that is brought to one reference."""
        return any(port.scale == "stain" for port in self.inputs)


@dataclass(frozen=True, kw_only=True)
class SlideFacts:
    """One input layer: a slide, a channel of one, or a volume.

    Attributes
    ----------
    name : str
        Name of the layer.
    path : Path or None
        The file of what the layer shows; None for what our reader did not make.
    file : Path or None
        Of what another reader made, the file, where it has so many px; whether the layer still shows them a run sees.
    mpp : float or None
        µm per pixel of a slide's finest level, as the layer's scale says it, of what our reader did not open with its
        affine; None where that is no length, and of a volume.
    is_rescaled : bool
        Whether `mpp` is the layer's and the file says another, `file_mpp`, which a run must be told.
    file_mpp : float or None
        See there.
    channel : int or None
        Number of the channel that the layer shows; None where it shows all of the file.
    spacing : tuple of float or None
        (z, y, x) mm per voxel of the upright volume; None of a slide, and where nobody says.
    slices : int or None
        Of the upright volume.
    lies : Lies or None
        Of a volume, how it lies in the patient.
    problem : str
        Why it cannot be computed as it is, and what to do, in one sentence; empty where it can.
    pixels : Pixels or None
        Of a slide, what a run finds in it.
    """

    name: str
    path: Path | None
    mpp: float | None
    file: Path | None = None
    is_rescaled: bool = False
    file_mpp: float | None = None
    channel: int | None = None
    spacing: tuple[float, float, float] | None = None
    slices: int | None = None
    lies: Lies | None = field(default=None, repr=False)
    problem: str = ""
    pixels: Pixels | None = field(default=None, repr=False, compare=False)

    def is_sized_as(self, other: SlideFacts) -> bool:
        """Whether what was chosen for another input holds for this one: the same, renamed or edited."""
        is_same = self.name == other.name or (self.path is not None and self.path == other.path)
        return is_same and (self.mpp, self.spacing, self.slices) == (other.mpp, other.spacing, other.slices)

    @property
    def changed_mpp(self) -> float | None:
        """µm per pixel that a run must be told, since the file says another; None where it says that."""
        return self.mpp if self.is_rescaled else None


def model_facts(info: ModelInfo, name: str) -> ModelFacts:
    """Return what a form needs to know of a model, which goes by a name or the path of its folder."""
    card, declared = info.card, info.declared
    return ModelFacts(
        name=name,
        title=card.title,
        what_it_is=card.what_it_is,
        what_it_is_not=card.what_it_is_not,
        trained_on=card.trained_on,
        task=declared.task,
        inputs=declared.input_rasters,
        masks=tuple(port for port in declared.inputs if isinstance(port, Mask)),
        others=tuple(port for port in declared.inputs if isinstance(port, Table | Text)),
        any_of=declared.any_of,
        whole=declared.whole,
        presets={key: (preset.sampler, preset.steps) for key, preset in declared.presets.items()},
        preset_samples={key: preset.samples for key, preset in declared.presets.items()},
        grid=(declared.tile, declared.overlap, declared.depth, declared.overlap_depth),
        samplers=declared.samplers,
        options=declared.options,
        values=declared.values,
        outputs=declared.outputs,
        zero_shot=declared.zero_shot,
    )


def own_metadata(layer: Any) -> dict[str, Any]:
    """Return what Diffuscope wrote into the layer's metadata (empty for other layers)."""
    found = layer.metadata.get(KEY, {})
    return found if isinstance(found, dict) else {}


def is_result(layer: Any) -> bool:
    """Whether the layer shows a Diffuscope result (or the preview of one, or where one is wrong)."""
    return bool({"result", "preview", "evaluation"} & own_metadata(layer).keys())


def slide_facts(layer: Any) -> SlideFacts:
    """Find what a run takes of an image layer of two axes (a slide) or three (a volume): what the layer shows.

    A layer counts as its file only as long as it shows the very array that Diffuscope's reader made of it; of a volume
    also its voxel size must be the file's. Everything else is pixels in memory, whose scale says µm/px or mm where its
    units are lengths. A volume that does not come from our reader does not say how it lies in the patient: the user is
    asked.
    """
    return _volume_facts(layer) if layer.ndim == 3 else _slide_facts(layer)


def finest(layer: Any) -> Any:
    """Return the finest level of what an image layer shows."""
    return layer.data[0] if layer.multiscale else layer.data


def _slide_facts(layer: Any) -> SlideFacts:
    own, origin, problem = own_metadata(layer), origin_of(layer), ""
    # a layer without a scale may have all in its affine; else that is how it was moved, which makes no px oblong
    is_affine = origin is None and np.allclose(np.abs(layer.scale), 1.0)
    y, x = (shown_in if is_affine else scale_in)(layer, "micrometer")
    if y is not None and x is not None and not same_length(y, x):
        problem = (
            f"The px of “{layer.name}” are {y:.4g} µm high and {x:.4g} µm wide: give the layer one scale for both."
        )
    if origin is None and x is not None and not np.allclose(layer.affine, np.eye(3), rtol=0):
        x = side_in(layer, "micrometer")  # what our reader opened is as large as its file says, wherever it was moved
    file, file_mpp = (None, own.get("mpp")) if origin is not None else file_behind(layer)
    if origin is None and x is None and np.allclose(layer.scale, 1.0):
        x = file_mpp  # the px of a layer that was edited are still as large as they were
    is_rescaled = (origin is not None or file is not None) and not same_length(x, file_mpp)
    return SlideFacts(
        name=layer.name,
        path=origin.path if origin is not None else None,
        file=file,
        # what the file says where the layer says the same: the last digits are the file's
        mpp=file_mpp if same_length(x, file_mpp) else x,
        is_rescaled=is_rescaled,
        file_mpp=file_mpp if is_rescaled else None,
        channel=origin.channel if origin is not None else None,
        problem=problem,
        pixels=pixels_of(layer, origin),
    )


def _volume_facts(layer: Any) -> SlideFacts:
    lies = volume_lies(layer)
    if lies.lattice is None:
        return SlideFacts(
            name=layer.name, path=None, mpp=None, slices=int(finest(layer).shape[0]), spacing=lies.spacing,
            problem=lies.problem,
        )  # fmt: skip
    origin = origin_of(layer) if lies.placed else None
    return SlideFacts(
        name=layer.name,
        path=origin.path if origin is not None else None,
        mpp=None,
        spacing=lies.lattice.spacing,
        slices=lies.lattice.shape[0],
        lies=lies,
    )


def volume_lies(layer: Any) -> Lies:
    """Return how a volume's layer lies in the patient; whether it is still its file's is not looked at."""
    own = own_metadata(layer)
    return lies_of(layer, Lattice.from_json(own["lattice"]) if "lattice" in own else None)


def input_placement(layer: Any) -> Placement:
    """Return where the px that a run takes of a layer lie: those of a slide, or of the upright volume."""
    return layer_placement(layer, volume_lies(layer).storage if layer.ndim == 3 else None)
