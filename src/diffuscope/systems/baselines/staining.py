"""What the baselines share: a slide in, a picture and its DAB out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.ports.settings import SampleSettings
from diffuscope.stains import dab_density
from diffuscope.systems.spread import spread


def signed(rgb: Tensor) -> Tensor:
    """[0, 255] to [−1, 1]."""
    return rgb / 127.5 - 1.0


def colours(image: Tensor) -> Tensor:
    """[−1, 1] to [0, 255], float32; what lies outside is clipped."""
    return (image.float().clamp(-1.0, 1.0) + 1.0) * 127.5


def outcome(pictures: Sequence[Tensor], *, uncertain: bool, steps: int = 1) -> dict[str, Tensor]:
    """Return the outputs, on the CPU.

    Parameters
    ----------
    pictures : sequence of Tensor
        K samples (n, 3, h, w) in [0, 255].
    uncertain : bool
        Whether samples differ, so that there is an uncertainty: the `spread` of DAB over K samples.
    steps : int
        Of each sample.
    """
    pictures = [picture.cpu() for picture in pictures]
    densities = torch.stack(
        [torch.from_numpy(dab_density(one.permute(0, 2, 3, 1).round().numpy()))[:, None] for one in pictures]
    )
    found = {"ihc": pictures[0], "dab": densities.mean(dim=0)}
    if uncertain:
        found["uncertainty"] = spread(densities, steps)
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
