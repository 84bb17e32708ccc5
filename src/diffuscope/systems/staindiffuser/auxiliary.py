"""What the second branch learns beside the stain, and how its sample is read: the coarse mask, or one of two others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from diffuscope.stains import signed_distance
from diffuscope.systems.staindiffuser.config import StainDiffuserConfig


class Segmentation:
    """The coarse mask of positive cells (paper §3.3).

    A mask's probability is its posterior mean: one evaluation at t = T; a sample would be one draw.

    Attributes
    ----------
    name : str
        Of its term in the loss.
    key : str
        Of what it reads of a batch.
    steps : int
        Of the sampler.
    """

    name: str = "segmentation"
    key: str = "mask"
    steps: int = 1

    def target(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, int]:
        """Return what is learned (n, 1, h, w) in [−1, 1], and of how many examples at t = T, where it is read."""
        return 2.0 * batch["mask"] - 1.0, 0

    def derive(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Add what `target` reads where it follows from the mask (see `System.derive`)."""
        return dict(batch)

    def read(self, sample: Tensor) -> dict[str, Tensor]:
        """Return what a sample (n, 1, h, w) in [−1, 1] means, by output key; ``"segmentation"`` is a probability."""
        return {"segmentation": (sample + 1.0) / 2.0}


class Probability(Segmentation):
    """How probable it is that a pixel lies in the mask, of which the mask is one draw; not in the paper."""

    name = key = "probability"

    def target(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, int]:
        """Return the probability where it is known, and the mask elsewhere; half of the examples at t = T."""
        known = batch["probability"] if "probability" in batch else batch["mask"]
        return 2.0 * known - 1.0, len(known) // 2


@dataclass(frozen=True)
class Distance(Segmentation):
    """The signed distance to the mask's outline (paper, table 4).

    The mean of distances is no distance: it is drawn, as a second opinion in few steps.

    Attributes
    ----------
    mpp : float
        µm per pixel.
    limit : float
        Distance at which it is cut off, µm.
    """

    mpp: float
    limit: float
    name = key = "distance"
    steps = 5

    def target(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, int]:
        """Return the part of `limit` that ``distance`` is."""
        return (batch["distance"] / self.limit).clamp(-1.0, 1.0), 0

    def derive(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Add ``distance``: the signed distance to the outline of ``mask`` in µm, (n, 1, h, w).

        It is the distance to an outline in the crop: near the crop's border a nearer one may lie beyond it.
        """
        maps = [
            torch.from_numpy(signed_distance(mask.numpy() > 0.5, mpp=self.mpp, limit=self.limit))
            for mask in batch["mask"][:, 0]
        ]
        return {**batch, "distance": torch.stack(maps)[:, None]}

    def read(self, sample: Tensor) -> dict[str, Tensor]:
        """Return the distance, and the share of each pixel that it says to be covered."""
        distance = sample * self.limit
        return {"segmentation": covered_share(distance, self.mpp), "distance": distance}


def auxiliary_of(config: StainDiffuserConfig) -> Segmentation:
    """Return the auxiliary task that a configuration names."""
    if config.auxiliary == "distance":
        return Distance(config.mpp, config.distance_um)
    return Probability() if config.auxiliary == "probability" else Segmentation()


def covered_share(distance: Tensor, mpp: float) -> Tensor:
    """Return the share of a pixel that lies within an outline at a signed distance from the pixel's centre.

    clamp(1/2 + distance / mpp, 0, 1): exact for a straight outline along the pixels' rows or columns. Of the
    signed distance of a mask it is that mask again.

    Parameters
    ----------
    distance : Tensor
        µm, positive inside.
    mpp : float
        µm per pixel.

    Returns
    -------
    Tensor
        [0, 1], the shape of `distance`.
    """
    return (0.5 + distance / mpp).clamp(0.0, 1.0)
