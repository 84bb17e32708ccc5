"""What every baseline shares: a slide in, a picture and its DAB out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.ports import Port
from diffuscope.stains import dab_density
from diffuscope.systems.base import SampleSettings, System
from diffuscope.systems.baselines.config import BaselineConfig


class Staining(System):
    """A system with the ports of a virtual stain.

    Parameters
    ----------
    config : BaselineConfig
        See there.
    uncertain : bool
        Whether samples differ, so that there is an uncertainty to show: the standard deviation (ddof 1) of DAB
        over K samples, unknown (NaN) at K = 1.
    """

    # As StainDiffuser.
    tile = 272
    overlap = 16

    def __init__(self, config: BaselineConfig, *, uncertain: bool) -> None:
        super().__init__()
        self.config = config
        colour = partial(Port, kind="rgb", channels=("R", "G", "B"), mpp=config.mpp, range=(0.0, 255.0))
        density = partial(Port, kind="map", mpp=config.mpp, dtype="float32", fill=0.0, unit="OD")
        self.inputs = (colour(name="H&E", key="he"),)
        self.outputs = (
            colour(name=f"virtual {config.stain}", key="ihc"),
            density(name="DAB", key="dab", channels=("DAB",), range=(0.0, 1.0), colormap="gray_r"),
        )
        if uncertain:
            shown = density(name="uncertainty", key="uncertainty", channels=("uncertainty",), range=(0.0, 0.3))
            self.outputs += (shown,)


def signed(rgb: Tensor) -> Tensor:
    """[0, 255] to [−1, 1]."""
    return rgb / 127.5 - 1.0


def colours(image: Tensor) -> Tensor:
    """[−1, 1] to [0, 255], float32; what lies outside is clipped."""
    return (image.float().clamp(-1.0, 1.0) + 1.0) * 127.5


def outcome(pictures: Sequence[Tensor], *, uncertain: bool) -> dict[str, Tensor]:
    """Return the outputs, on the CPU.

    Parameters
    ----------
    pictures : sequence of Tensor
        K samples (n, 3, h, w) in [0, 255].
    uncertain : bool
        As in `Staining`.
    """
    pictures = [picture.cpu() for picture in pictures]
    densities = torch.stack(
        [torch.from_numpy(dab_density(one.permute(0, 2, 3, 1).round().numpy()))[:, None] for one in pictures]
    )
    found = {"ihc": pictures[0], "dab": densities.mean(dim=0)}
    if uncertain:
        several = len(pictures) > 1
        found["uncertainty"] = (
            densities.std(dim=0, correction=1) if several else torch.full_like(densities[0], torch.nan)
        )
    return found


def check_sampler(settings: SampleSettings, own: str, most: int) -> None:
    """Refuse a sampler that is not the system's own, and more steps than it takes.

    Raises
    ------
    InputError
        Names the sampler and the steps that there are.
    """
    if settings.sampler != own or not 1 <= settings.steps <= most:
        wanted = f"{own!r} with {'1 step' if most == 1 else f'1 to {most} steps'}"
        raise InputError(f"This model samples by {wanted}, not by {settings.sampler!r} with {settings.steps} steps.")
