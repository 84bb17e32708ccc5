"""How a run samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypedDict

from diffuscope.ports.raster import Raster

# Of these a record and a command line tell in a way of their own.
_TOLD_APART = ("options", "wanted")


class SampleRequest(TypedDict, total=False):
    """What the user said of how to sample, as of `diffuscope.api.run.run`; None leaves the choice.

    ``quality`` names a preset of the system, ``want`` the outputs that are asked for; what else there is goes into the
    field of `SampleSettings` of its name.
    """

    quality: str | None
    sampler: str | None
    steps: int | None
    samples: int | None
    options: Mapping[str, float] | None
    want: Sequence[str]


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

    def main_of(self, images: Sequence[Raster]) -> Raster:
        """Return the first of some images that is asked for, which previews show."""
        return next((port for port in images if port.key in self.wanted), images[0])

    def stated(self) -> dict[str, Any]:
        """Return what the run record and the command line state: without what a run can be without and was not set."""
        told = {one.name: (getattr(self, one.name), one.default) for one in fields(self) if one.name not in _TOLD_APART}
        always = ("samples",)
        return {
            name: value
            for name, (value, default) in told.items()
            if default is MISSING or name in always or value != default
        }
