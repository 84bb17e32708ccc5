"""What the form needs to know about a model and about an input layer, as plain records."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pint

from diffuscope.errors import InputError
from diffuscope.scans import Scan, open_scan

#: Key of `layer.metadata` under which Diffuscope keeps what it knows about a layer.
KEY = "diffuscope"


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """One model of the zoo, as told by the child process (no torch object in it).

    Attributes
    ----------
    name : str
        What `diffuscope.run.run` takes: a name of the zoo or the path of a model folder.
    title, what_it_is, what_it_is_not : str
        From the model's card.
    mpp : float
        µm per pixel at which the model works.
    presets : dict of str to tuple
        Quality name to (sampler, steps); the first is the default.
    samplers : tuple of str
        Samplers that may be asked for instead of the preset's.
    """

    name: str
    title: str
    what_it_is: str
    what_it_is_not: str
    mpp: float
    presets: dict[str, tuple[str, int]] = field(hash=False)
    samplers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SlideFacts:
    """One input layer.

    Attributes
    ----------
    name : str
        Name of the layer.
    path : Path or None
        The file behind it; None for pixels that exist in memory only.
    mpp : float or None
        µm per pixel of the finest level; None where the file does not say.
    """

    name: str
    path: Path | None
    mpp: float | None


def own_metadata(layer: Any) -> dict[str, Any]:
    """Return what Diffuscope wrote into the layer's metadata (empty for other layers)."""
    found = layer.metadata.get(KEY, {})
    return found if isinstance(found, dict) else {}


def is_result(layer: Any) -> bool:
    """Whether the layer shows a Diffuscope result (or the preview of one, or where one is wrong)."""
    return bool({"result", "preview", "evaluation"} & own_metadata(layer).keys())


def slide_facts(layer: Any) -> SlideFacts:
    """Find the file and the µm/px behind an image layer.

    Layers of Diffuscope's own reader carry both. A layer that another reader made from a file that
    `open_scan` opens to the same size counts as that file; everything else exists in memory only, with
    the µm/px of its scale where its units are lengths.
    """
    own = own_metadata(layer)
    if "source" in own:
        return SlideFacts(name=layer.name, path=Path(own["source"]), mpp=own.get("mpp"))
    scan = _scan_behind(layer)
    if scan is not None:
        return SlideFacts(name=layer.name, path=scan.path, mpp=scan.mpp)
    return SlideFacts(name=layer.name, path=None, mpp=_scale_in_um(layer))


def _scan_behind(layer: Any) -> Scan | None:
    if layer.source.path is None:
        return None
    try:
        scan = open_scan(Path(layer.source.path))
    except (InputError, OSError):
        return None
    finest = layer.data[0] if layer.multiscale else layer.data
    return scan if tuple(finest.shape[:2]) == tuple(scan.shape) else None


def _scale_in_um(layer: Any) -> float | None:
    try:
        # a pixel has no length: pint refuses the conversion, and nothing is guessed
        return float((layer.scale[-1] * layer.units[-1]).to("micrometer").magnitude)
    except pint.DimensionalityError:
        return None
