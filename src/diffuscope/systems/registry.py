"""Systems by the name that a model folder's config.json carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from diffuscope.errors import InputError
from diffuscope.systems.base import System


def _staindiffuser(config: Mapping[str, Any]) -> System:
    from diffuscope.systems.staindiffuser import StainDiffuser, StainDiffuserConfig

    return StainDiffuser(StainDiffuserConfig(**config))


def _multi_staindiffuser(config: Mapping[str, Any]) -> System:
    from diffuscope.systems.staindiffuser import MultiStainDiffuser, MultiStainDiffuserConfig

    return MultiStainDiffuser(MultiStainDiffuserConfig(**config))


def _bidirectional_staindiffuser(config: Mapping[str, Any]) -> System:
    from diffuscope.systems.staindiffuser import BidirectionalConfig, BidirectionalStainDiffuser

    return BidirectionalStainDiffuser(BidirectionalConfig(**config))


def _unet_regression(config: Mapping[str, Any]) -> System:
    from diffuscope.systems.baselines import BaselineConfig, UNetRegression

    return UNetRegression(BaselineConfig(**config))


def _pix2pix(config: Mapping[str, Any]) -> System:
    from diffuscope.systems.baselines import BaselineConfig, Pix2Pix

    return Pix2Pix(BaselineConfig(**config))


def _palette(config: Mapping[str, Any]) -> System:
    from diffuscope.systems.baselines import Palette, PaletteConfig

    return Palette(PaletteConfig(**config))


def _bbdm(config: Mapping[str, Any]) -> System:
    from diffuscope.systems.baselines import BBDM, DiffusionBaselineConfig

    return BBDM(DiffusionBaselineConfig(**config))


def _damm(config: Mapping[str, Any]) -> System:
    from diffuscope.systems.damm import Damm, DammConfig

    return Damm(DammConfig(**config))


def _midiffusion(config: Mapping[str, Any]) -> System:
    from diffuscope.systems.midiffusion import MIDiffusion, MIDiffusionConfig

    return MIDiffusion(MIDiffusionConfig(**config))


_SYSTEMS: dict[str, Callable[[Mapping[str, Any]], System]] = {
    "staindiffuser": _staindiffuser,
    "multi-staindiffuser": _multi_staindiffuser,
    "bidirectional-staindiffuser": _bidirectional_staindiffuser,
    "unet-regression": _unet_regression,
    "pix2pix": _pix2pix,
    "palette": _palette,
    "bbdm": _bbdm,
    "damm": _damm,
    "midiffusion": _midiffusion,
}


def build_system(name: str, config: Mapping[str, Any]) -> System:
    """Build an untrained system.

    Parameters
    ----------
    name : str
        A system's name, e.g. ``"staindiffuser"``.
    config : mapping
        The system's own configuration; checked by its pydantic model.

    Returns
    -------
    System
        In training mode, on the CPU.

    Raises
    ------
    InputError
        For a name that no system has.
    """
    if name not in _SYSTEMS:
        raise InputError(f"The model asks for the system {name!r}, but this version knows only {', '.join(_SYSTEMS)}.")
    return _SYSTEMS[name](config)
