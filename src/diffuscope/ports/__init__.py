"""Ports: what a system takes and gives, as files and viewers must know it. No torch here: napari imports this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Port:
    """One named input or output of a system.

    Attributes
    ----------
    name : str
        What the user sees, e.g. ``"H&E"`` or ``"virtual CD3"``.
    key : str
        What files and the noise generator use, e.g. ``"ihc"``: ``[a-z0-9_]+``, unique in a system.
    kind : {"rgb", "map"}
        A colour image (3 channels) or one measured quantity (1 channel).
    channels : tuple of str
        Channel names; their number is the number of channels.
    mpp : float
        µm per pixel at which the system works, in the plane of a slice where it works on volumes.
    spacing : tuple of (float or None, float, float), optional
        (z, y, x) mm per voxel at which the system works on volumes; z None takes the slices as they come. None: the
        system works on slides.
    scale : {"stored", "percentile", "stain"}
        How the values of an input file become those of the port. ``"stored"``: as they are (colours, HU), clipped to
        `range` where the port is float32. ``"percentile"``: files have a scale of their own (fluorescence, MR), of
        which two percentiles of the whole slide's or volume's foreground become the ends of `range` (see
        `diffuscope.scans.intensity`). ``"stain"``: an H&E (8-bit RGB), whose stain vectors and strengths, measured on
        the whole slide, are replaced by those of one reference (see `diffuscope.stains.normalisation`). Of an output:
        how the truths were brought to `range` that it was trained on.
    synonyms : tuple of str
        Other names that a channel may have which fits an input, lower case, e.g. ``("cd31",)``, the likeliest first.
    range : tuple of float
        Lowest and highest physical value; ``(0, 255)`` for rgb, optical density for a DAB map.
        Also the contrast limits that a viewer starts with.
    dtype : {"uint8", "float32"}
        Stored type.
    fill : float
        Value where nothing was computed (no tissue, outside a drawn shape).
    unit : str
        Physical unit of a map, e.g. ``"OD"``; empty for colour.
    colormap : str
        napari colormap name of a map.
    """

    name: str
    key: str
    kind: Literal["rgb", "map"]
    channels: tuple[str, ...]
    mpp: float
    range: tuple[float, float]
    dtype: Literal["uint8", "float32"] = "uint8"
    fill: float = 255.0
    unit: str = ""
    colormap: str = "gray"
    spacing: tuple[float | None, float, float] | None = None
    scale: Literal["stored", "percentile", "stain"] = "stored"
    synonyms: tuple[str, ...] = ()


def state_port(port: Port) -> dict[str, Any]:
    """Return a port as results state it: without what only inputs have, so that an older Diffuscope opens them."""
    stated = asdict(port)
    added = {"spacing": None, "scale": "stored", "synonyms": ()}
    return {name: value for name, value in stated.items() if name not in added or value != added[name]}


def read_port(stated: Mapping[str, Any]) -> Port:
    """Return the port that `state_port` and JSON made a mapping of."""
    lists = {name: tuple(value) for name, value in stated.items() if isinstance(value, list)}
    return Port(**{**stated, **lists})


@dataclass(frozen=True, kw_only=True)
class Value:
    """One number that a system tells of each tile at each network evaluation, e.g. how far it trusts an input there.

    Attributes
    ----------
    name : str
        What the user sees.
    key : str
        As of `Port`, unique among a system's values.
    range : tuple of float
        Lowest and highest value.
    """

    name: str
    key: str
    range: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Option:
    """One number of a system's own that a run may set, besides sampler, steps and samples.

    Attributes
    ----------
    name : str
        What the user sees.
    key : str
        As of `Port`, unique among a system's options.
    default : float
        Taken where a run does not say.
    range : tuple of float
        Lowest and highest value that a run may set.
    about : str
        What it does, a sentence or two for whoever sets it.
    """

    name: str
    key: str
    default: float
    range: tuple[float, float]
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class Stain:
    """The outputs that show one virtual immunostain.

    Attributes
    ----------
    name : str
        The marker, e.g. ``"CD3"``.
    colour : Port or None
        Colour image: ``ihc``, or ``ihc_…`` where there are several stains.
    dab : Port or None
        DAB optical density: ``dab``, or ``dab_…``.
    """

    name: str
    colour: Port | None
    dab: Port | None


def find_stains(ports: Sequence[Port]) -> list[Stain]:
    """Return the virtual immunostains among output ports, in order, by the keys that `Stain` tells."""
    by_key = {port.key: port for port in ports}
    endings = dict.fromkeys(key[3:] for key in by_key if key[:3] in {"ihc", "dab"} and key[3:4] in {"", "_"})
    found = []
    for ending in endings:
        colour, dab = by_key.get(f"ihc{ending}"), by_key.get(f"dab{ending}")
        name = colour.name.removeprefix("virtual ") if colour else dab.name.removesuffix(" DAB") if dab else ""
        found.append(Stain(name=name, colour=colour, dab=dab))
    return found
