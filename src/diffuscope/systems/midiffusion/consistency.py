"""One level for what looks alike in the source: a clean estimate drawn to its mean per bin of source intensity."""

from __future__ import annotations

import torch
from torch import Tensor

#: Bins of the source's range.
BINS = 24


class Consistency:
    """Draws estimates of a slice to their means over pixels of like intensity in the source.

    Mutual information has no sign: which level a region takes is decided region by region, and two regions of one
    tissue may come out at two levels. Their source shows them alike. The means are those of the whole image that is
    handed over: where that is the whole slice, a part of it has the levels of the slice.

    Parameters
    ----------
    source : Tensor of shape (n, 1, h, w)
        In [−1, 1].
    """

    def __init__(self, source: Tensor) -> None:
        self._bins = ((source.flatten(1).float() + 1.0) * (0.5 * BINS)).long().clamp(0, BINS - 1)
        member = self._bins[:, None] == torch.arange(BINS, device=source.device)[:, None]
        # As a matrix product and not as a scattered sum, whose order, and last bits, a GPU changes from run to run.
        self._weights = member / member.sum(dim=-1, keepdim=True).clamp_min(1)

    def __call__(self, clean: Tensor, share: float) -> Tensor:
        """Return (1 − share) · clean + share · its mean over each pixel's bin.

        Parameters
        ----------
        clean : Tensor of shape (n, 1, h, w)
            On the source's grid, float32.
        share : float
            In [0, 1].
        """
        return clean + share * (self.means(clean) - clean)

    def means(self, image: Tensor) -> Tensor:
        """Return each pixel's mean over its bin, (n, 1, h, w)."""
        with torch.autocast(image.device.type, enabled=False):
            levels = torch.einsum("nbp,np->nb", self._weights, image.flatten(1).float())
        return levels.gather(1, self._bins).reshape(image.shape)
