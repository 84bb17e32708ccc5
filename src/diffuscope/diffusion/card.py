"""CARD: diffusion of a response around a guide's answer, for classes and numbers instead of pictures.

X. Han et al., CARD: classification and regression diffusion models, NeurIPS 2022. The chain ends at N(f, I), f what a
guide f_φ says of the case; near t = 0 it is the response itself.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Card:
    """The forward chain and its posterior; steps count from 1 to T.

    Parameters
    ----------
    steps : int
        T.
    first, last : float
        β of the first and the last step, linear between them (MMFusion: 0.01 to 0.95 in ten steps).

    Attributes
    ----------
    alpha, alpha_bar : Tensor (T + 1,)
        1 − β_t and its running product, float64; of t = 0 both are 1.
    """

    def __init__(self, steps: int = 10, first: float = 0.01, last: float = 0.95) -> None:
        beta = torch.linspace(first, last, steps, dtype=torch.float64)
        self.steps = steps
        self.alpha = torch.cat([torch.ones(1, dtype=torch.float64), 1 - beta])
        self.alpha_bar = self.alpha.cumprod(0)

    def forward(self, response: Tensor, guide: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Return y_t of q(y_t | y_0, f) = N(√ᾱ_t y_0 + (1 − √ᾱ_t) f, (1 − ᾱ_t) I) (CARD, Eq. 4).

        Parameters
        ----------
        response, guide, noise : Tensor (n, c)
            y_0, f, and z of a standard normal distribution.
        t : Tensor of int (n,)
            1 to T.
        """
        root, rest = self._roots(t, response)
        return root * response + (1 - root) * guide + rest * noise

    def clean(self, noisy: Tensor, guide: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Return the y_0 that `forward` had made `noisy` of, with that noise."""
        root, rest = self._roots(t, noisy)
        return (noisy - (1 - root) * guide - rest * noise) / root

    def previous(self, response: Tensor, noisy: Tensor, guide: Tensor, t: int, noise: Tensor) -> Tensor:
        """Draw y_{t−1} of q(y_{t−1} | y_t, y_0, f) (CARD, Algorithm 2); y_0 itself at t = 1.

        Parameters
        ----------
        response, noisy, guide, noise : Tensor (n, c)
            y_0 or its estimate, y_t, f and z.
        t : int
            1 to T.
        """
        if t == 1:
            return response
        now, before, step = (float(one) for one in (self.alpha_bar[t], self.alpha_bar[t - 1], self.alpha[t]))
        of_response = (1 - step) * before**0.5 / (1 - now)
        of_noisy = (1 - before) * step**0.5 / (1 - now)
        of_guide = 1 + (now**0.5 - 1) * (step**0.5 + before**0.5) / (1 - now)
        spread = ((1 - before) / (1 - now) * (1 - step)) ** 0.5
        return of_response * response + of_noisy * noisy + of_guide * guide + spread * noise

    def _roots(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        bar = self.alpha_bar.to(t.device)[t][:, None]
        return bar.sqrt().to(like.dtype), (1 - bar).sqrt().to(like.dtype)
