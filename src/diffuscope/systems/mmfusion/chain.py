"""CFD of all members of a system side by side: from what each guide says of cases to draws of their class."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence

import torch
from torch import Tensor

from diffuscope.diffusion.card import Card
from diffuscope.systems.mmfusion.denoiser import SideBySide
from diffuscope.systems.mmfusion.member import Guided, Member

# Draws that are computed at once: more take memory and no less time.
_AT_ONCE = 50_000


def draw_classes(
    members: Sequence[Member], guided: Sequence[Guided], card: Card, noise: Callable[[int, int], Tensor], *, draws: int
) -> Generator[int, None, Tensor]:
    """Draw the class vector of n cases from y_T = f + z to y_0, yielding the steps done.

    Parameters
    ----------
    members : sequence of Member
        With a denoiser, or without: then each draw is the guide's own probability.
    guided : sequence of Guided
        What each makes of the cases.
    card : Card
        The chain.
    noise : callable
        Returns z (draws, classes) of a member and a step, the same for all cases.
    draws : int
        Of each member.

    Returns
    -------
    Tensor (members, n, draws)
        Of the second class, in [0, 1].
    """
    steps = card.steps
    guide = torch.stack([one.logits.float().softmax(1) for one in guided])[:, :, None].expand(-1, -1, draws, -1)
    denoisers = [member.denoiser for member in members if member.denoiser is not None]
    if not denoisers:
        yield steps
        return guide[..., 1]

    def drawn(step: int) -> Tensor:
        return torch.stack([noise(number, step) for number in range(len(members))])[:, None]

    side_by_side = SideBySide(denoisers, [one.case for one in guided])
    noisy = guide + drawn(steps)
    clean = noisy
    for t in range(steps, 0, -1):
        clean = torch.cat([_clean(side_by_side, card, noisy, guide, t, part) for part in _parts(noisy)], dim=1)
        if t > 1:
            noisy = card.previous(clean, noisy, guide, t, drawn(t - 1))
        yield steps - t + 1
    return clean[..., 1]


def _parts(noisy: Tensor) -> Iterator[slice]:
    """Yield the cases that are computed at once: some, where they have many draws."""
    members, n, draws, _ = noisy.shape
    count = max(1, _AT_ONCE // (members * draws))
    yield from (slice(first, first + count) for first in range(0, n, count))


def _clean(denoise: SideBySide, card: Card, noisy: Tensor, guide: Tensor, t: int, part: slice) -> Tensor:
    """Return the estimate of y_0 of some cases."""
    y, f = noisy[:, part], guide[:, part]
    at = torch.full((len(y), 1, 1), t, device=y.device)
    # A class vector lies in [0, 1], and so does its mean given y_t: what goes beyond is the network's error.
    return card.clean(y, f, at, denoise(y, f, t, part).float()).clamp(0.0, 1.0)
