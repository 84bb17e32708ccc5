"""CFD of all members of a system side by side: from what each guide says of cases to draws of their class."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import torch
from torch import Tensor

from diffuscope.diffusion.card import Card
from diffuscope.systems.mmfusion.member import Guided, Member


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
    guides = [one.logits.float().softmax(1)[:, None].expand(-1, draws, -1) for one in guided]
    if any(member.denoiser is None for member in members):
        yield steps
        return torch.stack([guide[..., 1] for guide in guides])
    gates = [
        member.denoiser.case(one.case)[:, None]
        for member, one in zip(members, guided, strict=True)
        if member.denoiser is not None
    ]
    noisy = [guide + noise(number, steps) for number, guide in enumerate(guides)]
    clean = noisy
    for t in range(steps, 0, -1):
        clean = [
            _clean(member, card, y, guide, gate, t)
            for member, y, guide, gate in zip(members, noisy, guides, gates, strict=True)
        ]
        if t > 1:
            noisy = [
                card.previous(found, y, guide, t, noise(number, t - 1))
                for number, (found, y, guide) in enumerate(zip(clean, noisy, guides, strict=True))
            ]
        yield steps - t + 1
    return torch.stack([found[..., 1] for found in clean])


def finished(chain: Generator[int, None, Tensor]) -> Tensor:
    """Run a chain to its end and return what it drew."""
    while True:
        try:
            next(chain)
        except StopIteration as end:
            drawn: Tensor = end.value
            return drawn


def _clean(member: Member, card: Card, noisy: Tensor, guide: Tensor, gate: Tensor, t: int) -> Tensor:
    """Return the estimate of y_0 of draws (n, draws, classes)."""
    at = torch.full((len(noisy), 1), t, device=noisy.device)
    assert member.denoiser is not None
    found = member.denoiser.noise(noisy, guide, gate, at).float()
    # A class vector lies in [0, 1], and so does its mean given y_t: what goes beyond is the network's error.
    return card.clean(noisy, guide, at, found).clamp(0.0, 1.0)
