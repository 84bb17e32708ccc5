"""DAMM-Diffusion as its configuration says: the method, or with parts left out, exchanged or added."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import partial

import torch
from torch import Tensor

from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Estimate, Noise
from diffuscope.systems.damm.config import DAMMConfig
from diffuscope.systems.damm.loss import absolute_error, squared_error
from diffuscope.systems.damm.mmfm import MMFM
from diffuscope.systems.damm.network import UMMNetwork
from diffuscope.systems.damm.system import DAMM
from diffuscope.systems.damm.variants.config import Variant
from diffuscope.systems.damm.variants.network import VariedNetwork
from diffuscope.systems.damm.variants.parts import Concatenation, CrossAttention, NoAttention

_ATTENTION = {"uncertain": None, "plain": CrossAttention, "none": NoAttention}


def build(config: DAMMConfig) -> DAMM:
    """Build a DAMM-Diffusion."""
    return DAMM(config) if config.variant == Variant() else VariedDAMM(config)


class VariedDAMM(DAMM):
    """A DAMM-Diffusion that is not, or not only, the method: see `Variant`.

    Parameters
    ----------
    config : DAMMConfig
        Its `variant` is read here.
    """

    def __init__(self, config: DAMMConfig) -> None:
        super().__init__(config)
        if not config.variant.dammp:
            # d is below 1.
            self.gamma = 1.0

    def _network(self) -> UMMNetwork:
        config, variant = self.config, self.config.variant
        return VariedNetwork(
            *config.shape,
            norm=config.norm,
            fuse=partial(MMFM, reduction=variant.reduction) if variant.mmfm else Concatenation,
            attend=_ATTENTION[variant.attention],
            of_main=variant.uncertainty == "main",
            agreement=variant.agreement,
        )

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """Sample one batch of tiles (see `System.sample`); U only where there is one."""
        found = yield from super().sample(inputs, noise, settings)
        return {port.key: found[port.key] for port in self.outputs}

    def _feeds_back(self, *, warm: bool) -> bool:
        return self.config.variant.attention == "uncertain" and super()._feeds_back(warm=warm)

    def _error(self, wrong: Tensor, alpha_bar: Tensor) -> Tensor:
        error = absolute_error if self.config.variant.error == "l1" else squared_error
        return error(wrong, self._scale(alpha_bar))

    def _distance(self, wrong: Tensor, alpha_bar: Tensor) -> Tensor:
        return super()._distance(wrong, self._scale(alpha_bar))

    def _scale(self, alpha_bar: Tensor) -> Tensor:
        """Return what stands for ᾱ_t in an error: 1 leaves it that of ε."""
        return alpha_bar if self.config.variant.loss_weighting == "velocity" else torch.ones_like(alpha_bar)
