"""How a run samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class SampleSettings:
    """How to sample: what `sample` of a system needs besides its inputs.

    Attributes
    ----------
    sampler : str
        One of the system's `samplers`.
    steps : int
        Network evaluations of the main branch per sample.
    samples : int
        K ≥ 1, the number of samples drawn.
    options : mapping of str to float
        The system's own numbers by key (see `Declaration.options`); those left out have their defaults.
    wanted : tuple of str
        Keys of the outputs that are asked for; empty: all.
    """

    sampler: str
    steps: int
    samples: int = 1
    options: Mapping[str, float] = field(default_factory=dict)
    wanted: tuple[str, ...] = ()
