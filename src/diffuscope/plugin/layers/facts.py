"""What the form needs to know about a model and about an input layer, as plain records."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pint

from diffuscope.errors import InputError
from diffuscope.model.find import ModelInfo
from diffuscope.ports.numbers import Option, Value
from diffuscope.ports.raster import Raster
from diffuscope.ports.table import Table
from diffuscope.ports.text import Text
from diffuscope.scans import Scan, open_scan

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
        Images that go in, the main one first; those that a model can do without are left out.
    others : tuple of Table or Text
        What goes in besides, as the user types it.
    presets : dict of str to tuple
        Quality name to (sampler, steps); the first is the default.
    samplers : tuple of str
        Samplers that may be asked for instead of the preset's.
    options : tuple of Option
        Numbers of the system's own that a run may set.
    values : tuple of Value
        What it tells of each tile.
    whole : bool
        Whether it takes a case at once, of which no part can be chosen.
    """

    name: str
    title: str
    what_it_is: str
    what_it_is_not: str
    task: str
    inputs: tuple[Raster, ...]
    presets: dict[str, tuple[str, int]] = field(hash=False)
    others: tuple[Table | Text, ...] = ()
    whole: bool = False
    trained_on: str = ""
    samplers: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    values: tuple[Value, ...] = ()

    @property
    def mpp(self) -> float:
        """µm per pixel at which the model works."""
        return self.inputs[0].mpp

    @property
    def axes(self) -> Literal["yx", "zyx"]:
        """Those of its images; of a slide where it takes none."""
        return self.inputs[0].axes if self.inputs else "yx"

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
        The file behind it; None for pixels that exist in memory only.
    mpp : float or None
        µm per pixel of a slide's finest level; None where the file does not say, and of a volume.
    channel : int or None
        Number of the channel that the layer shows; None where it shows all of the file.
    spacing : tuple of float or None
        (z, y, x) mm per voxel; None of a slide, and where nobody says.
    slices : int or None
        Of a volume.
    """

    name: str
    path: Path | None
    mpp: float | None
    channel: int | None = None
    spacing: tuple[float, float, float] | None = None
    slices: int | None = None


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
        inputs=tuple(port for port in declared.input_rasters if port.required),
        others=tuple(port for port in declared.inputs if isinstance(port, Table | Text)),
        whole=declared.whole,
        presets={key: (preset.sampler, preset.steps) for key, preset in declared.presets.items()},
        samplers=declared.samplers,
        options=declared.options,
        values=declared.values,
    )


def own_metadata(layer: Any) -> dict[str, Any]:
    """Return what Diffuscope wrote into the layer's metadata (empty for other layers)."""
    found = layer.metadata.get(KEY, {})
    return found if isinstance(found, dict) else {}


def is_result(layer: Any) -> bool:
    """Whether the layer shows a Diffuscope result (or the preview of one, or where one is wrong)."""
    return bool({"result", "preview", "evaluation"} & own_metadata(layer).keys())


def slide_facts(layer: Any) -> SlideFacts:
    """Find the file, the channel and the µm/px behind an image layer of two axes, or the mm of one of three.

    Layers of Diffuscope's own reader carry all of it. A layer that another reader made from a file that
    `open_scan` opens to the same size counts as that file; everything else exists in memory only, with
    the µm/px or mm of its scale where its units are lengths.
    """
    own = own_metadata(layer)
    path = Path(own["source"]) if "source" in own else None
    if layer.ndim == 3:
        z, y, x = own["lattice"]["spacing_mm"] if "lattice" in own else _scale(layer, "mm")
        spacing = None if z is None or y is None or x is None else (z, y, x)
        return SlideFacts(
            name=layer.name,
            path=path,
            mpp=None,
            spacing=spacing,
            slices=int(layer.data.shape[0]),
        )
    if path is not None:
        return SlideFacts(name=layer.name, path=path, mpp=own.get("mpp"), channel=own.get("channel"))
    scan = _scan_behind(layer)
    if scan is not None:
        return SlideFacts(name=layer.name, path=scan.path, mpp=scan.mpp)
    return SlideFacts(name=layer.name, path=None, mpp=_scale(layer, "micrometer")[-1])


def _scan_behind(layer: Any) -> Scan | None:
    if layer.source.path is None:
        return None
    try:
        scan = open_scan(Path(layer.source.path))
    except (InputError, OSError):
        return None
    finest = layer.data[0] if layer.multiscale else layer.data
    return scan if tuple(finest.shape[:2]) == tuple(scan.shape) else None


def _scale(layer: Any, unit: str) -> list[float | None]:
    """Return the layer's scale along its axes in a unit of length; None along those that have no length."""
    found: list[float | None] = []
    for step, own in zip(layer.scale, layer.units, strict=True):
        try:
            # a pixel has no length: pint refuses the conversion, and nothing is guessed
            found.append(float((step * own).to(unit).magnitude))
        except pint.DimensionalityError:
            found.append(None)
    return found
