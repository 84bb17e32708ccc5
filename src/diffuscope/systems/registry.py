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


_SYSTEMS: dict[str, Callable[[Mapping[str, Any]], System]] = {
    "staindiffuser": _staindiffuser,
    "multi-staindiffuser": _multi_staindiffuser,
    "bidirectional-staindiffuser": _bidirectional_staindiffuser,
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
