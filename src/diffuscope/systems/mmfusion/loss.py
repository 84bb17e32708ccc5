"""The terms of MMFusion's loss of one member, and how often it sees each patient."""

from __future__ import annotations

import torch
from torch import Tensor

from diffuscope.diffusion.card import Card
from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.systems.mmfusion.member import CLASSES, Guided, Member

# Where a standard normal number has to lie for 0, 1, … of a Poisson distribution of mean 1: Φ⁻¹ of its distribution
# function. Beyond seven there are 1e-6.
_POISSON = (-0.33747, 0.63032, 1.40305, 2.07511, 2.68194, 3.24166, 3.7651)


def drawn_again(case: Tensor, members: int) -> Tensor:
    """Return how often each member sees each case: a draw of as many patients with repetition, in its limit.

    Of n patients drawn n times, each is there as often as a binomial number of mean 1 says; for many patients that is
    a Poisson number of its own for each (N. Oza and S. Russell, Online bagging and boosting, 2001).

    Parameters
    ----------
    case : Tensor (n,)
        Numbers of the cases; a member's draw is a function of member and number.
    members : int
        How many.

    Returns
    -------
    Tensor (members, n)
        Whole numbers.
    """
    numbers = case.long()
    noise, edges = CaseNoise(0), torch.tensor(_POISSON)
    count = int(numbers.max()) + 1
    draws = [noise("patients", sample=member, step=0, shape=(count,)) for member in range(members)]
    return torch.stack([torch.bucketize(draw, edges).float().to(case.device)[numbers] for draw in draws])


def member_loss(
    member: Member,
    guided: Guided,
    label: Tensor,
    *,
    card: Card,
    objective: str,
    frozen: bool,
    weight: Tensor | None,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Return the terms of Eq. 7 of one member by name, means over cases.

    Parameters
    ----------
    member, guided : Member, Guided
        The network, and what its guide makes of the cases.
    label : Tensor (n,)
        0 or 1.
    card : Card
        The chain.
    objective : {"joint", "guide", "diffusion"}
        Which terms.
    frozen : bool
        Whether the diffusion's term leaves the guide alone, as in CARD.
    weight : Tensor (n,), optional
        How often each case counts; once where it is left out.
    generator : torch.Generator
        Of t and ε.
    """
    count, device = len(label), label.device
    classes = label.long()
    once = torch.ones(count, device=device) if weight is None else weight
    terms = {}
    if objective != "diffusion":
        entropy = torch.nn.functional.cross_entropy(guided.logits, classes, reduction="none")
        terms["guide"] = (once * entropy).mean()
        if member.images is not None and member.images.relations is not None:
            terms["alignment"] = guided.alignment
    if objective != "guide" and member.denoiser is not None:
        case, guide = guided.case, guided.logits.softmax(dim=1)
        if frozen or objective == "diffusion":
            case, guide = case.detach(), guide.detach()
        response = torch.nn.functional.one_hot(classes, CLASSES).to(guide.dtype)
        t = torch.randint(1, card.steps + 1, (count,), generator=generator, device=device)
        noise = torch.randn(response.shape, generator=generator, device=device)
        found = member.denoiser(card.forward(response, guide, t, noise), guide, case, t)
        terms["diffusion"] = (once[:, None] * (found - noise) ** 2).mean()
    return terms
