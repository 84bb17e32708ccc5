"""Systems by the name that a model folder's config.json carries: a table, open to entry points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from diffuscope.errors import InputError
from diffuscope.ports.declaration import Declaration

if TYPE_CHECKING:
    from diffuscope.systems.base import System  # brings torch

#: Other packages offer systems under this group: the entry point's name is the system's, its object a `Row`.
ENTRY_POINTS = "diffuscope.systems"
_HERE = "diffuscope.systems"
Part = str | Callable[..., Any]


@dataclass(frozen=True)
class Row:
    """Where the parts of a system are, each as ``"module:name"``, or the part itself.

    Attributes
    ----------
    config : str or type
        Its configuration, a pydantic model; importing it needs no torch.
    declare : str or callable
        Function from the configuration to a `Declaration`; importing it needs no torch.
    system : str or callable
        From the configuration to the system: its class, or a function.
    """

    config: Part
    declare: Part
    system: Part


def _row(folder: str, config: str, declare: str, system: str) -> Row:
    return Row(f"{_HERE}.{folder}.config:{config}", f"{_HERE}.{folder}.declare:{declare}", f"{_HERE}.{folder}.{system}")


_ROWS = {
    "staindiffuser": _row("staindiffuser", "StainDiffuserConfig", "declare", "system:StainDiffuser"),
    "multi-staindiffuser": _row(
        "staindiffuser", "MultiStainDiffuserConfig", "declare_multi", "multi:MultiStainDiffuser"
    ),
    "bidirectional-staindiffuser": _row(
        "staindiffuser", "BidirectionalConfig", "declare_bidirectional", "bidirectional:BidirectionalStainDiffuser"
    ),
    "unet-regression": _row("baselines", "BaselineConfig", "declare_direct", "regression:UNetRegression"),
    "pix2pix": _row("baselines", "BaselineConfig", "declare_direct", "pix2pix:Pix2Pix"),
    "palette": _row("baselines", "PaletteConfig", "declare_palette", "palette:Palette"),
    "bbdm": _row("baselines", "DiffusionBaselineConfig", "declare_bbdm", "bbdm:BBDM"),
    "damm": _row("damm", "DAMMConfig", "declare", "variants.system:build"),
    "cell-masks": _row("cellmasks", "CellMasksConfig", "declare", "system:CellMasks"),
    "mmfusion": _row("mmfusion", "MMFusionConfig", "declare", "system:MMFusion"),
    "medm2g": _row("medm2g", "MedM2GConfig", "declare", "system:MedM2G"),
    "medm2g-slices": _row("medm2g", "MedM2GConfig", "declare_slices", "system:MedM2GSlices"),
    "midiffusion": _row("midiffusion", "MIDiffusionConfig", "declare", "system:MIDiffusion"),
}


def systems() -> Mapping[str, Row]:
    """Return all systems by name: those of this package, and those that others offer as entry points."""
    return _offered() | _ROWS


def register_system(name: str, row: Row) -> None:
    """Add a system to those of this process.

    Raises
    ------
    InputError
        There is one of this name.
    """
    if name in systems():
        raise InputError(f"there is a system {name!r} already: choose another name.")
    _ROWS[name] = row


def configuration(name: str) -> type[BaseModel]:
    """Return the pydantic model of a system's configuration.

    Raises
    ------
    InputError
        For a name that no system has.
    """
    found: type[BaseModel] = _load(_find(name).config)
    return found


def configure(name: str, config: Mapping[str, Any]) -> BaseModel:
    """Check a configuration, and return it with its defaults.

    Raises
    ------
    InputError
        For a name that no system has.
    pydantic.ValidationError
        An entry is missing, unknown or wrong.
    """
    return configuration(name)(**config)


def declare(name: str, config: Mapping[str, Any]) -> Declaration:
    """Return what a system declares in a configuration, without building it and without torch.

    Parameters
    ----------
    name : str
        A system's name, e.g. ``"staindiffuser"``.
    config : mapping
        The system's own configuration.

    Raises
    ------
    InputError
        For a name that no system has.
    pydantic.ValidationError
        An entry is missing, unknown or wrong.
    """
    return _load(_find(name).declare)(configure(name, config))


def build_system(name: str, config: Mapping[str, Any]) -> System:
    """Build an untrained system, in training mode, on the CPU.

    Parameters and errors are those of `declare`.
    """
    return _load(_find(name).system)(configure(name, config))


def _find(name: str) -> Row:
    known = systems()
    if name not in known:
        raise InputError(f"The model asks for the system {name!r}, but this version knows only {', '.join(known)}.")
    return known[name]


@cache
def _offered() -> dict[str, Row]:
    return {point.name: point.load() for point in entry_points(group=ENTRY_POINTS)}


def _load(path: Part) -> Any:
    if not isinstance(path, str):
        return path
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)
