"""Coarse masks that are learned: a segmentation network trained on noisy masks, whose answers replace them.

A threshold on DAB finds more of a strongly stained slide's cells and fewer of a pale one's. The paper's remedy for CD3
(StainDiffuser, supplement §8): train a segmentation model on those noisy labels, and use what it predicts as the coarse
segmentation. It names no architecture and no input; here a small U-Net looks at the IHC, for no H&E shows which
lymphocytes are T cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from diffuscope.networks.unet import UNet

Batches = Callable[[int], Mapping[str, Tensor]]

_WIDTHS = (16, 24, 32)


@dataclass(frozen=True)
class MaskModel:
    """A segmentation network for IHC.

    Attributes
    ----------
    network : UNet
        IHC in [−1, 1] to the logit of a positive cell, in evaluation mode, on the CPU.
    """

    network: UNet

    def __call__(self, ihc: Tensor) -> Tensor:
        """Return the mask (n, 1, h, w) in {0, 1}, float32, of IHCs (n, 3, h, w) in [0, 255]; sides multiples of 4."""
        with torch.inference_mode():
            return (self.network(ihc / 127.5 - 1.0) > 0).float()


def learn_masks(batches: Batches, *, steps: int = 400, seed: int = 0) -> MaskModel:
    """Train a segmentation network on the coarse masks of a training set (binary cross-entropy, AdamW).

    Parameters
    ----------
    batches : callable
        Batch of a step: ``ihc`` (n, 3, h, w) in [0, 255] and ``mask`` (n, 1, h, w) in {0, 1}.
    steps : int
        Optimiser steps; few, so that the network learns what positive cells look like and not the noise.
    seed : int
        Of the initial weights.

    Returns
    -------
    MaskModel
        The same for the same arguments on one machine.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        network = UNet(3, 1, _WIDTHS).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
    for step in range(steps):
        batch = batches(step)
        loss = F.binary_cross_entropy_with_logits(network(batch["ihc"] / 127.5 - 1.0), batch["mask"])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    return MaskModel(network.eval())
