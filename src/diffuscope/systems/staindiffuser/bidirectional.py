"""Bidirectional StainDiffuser: H&E to IHC and IHC to H&E trained together, without masks."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from itertools import count

import torch
from torch import Tensor, nn

from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Estimate, Noise
from diffuscope.systems.spread import spread
from diffuscope.systems.staindiffuser.base import BranchSystem, mean_and_samples, normalised
from diffuscope.systems.staindiffuser.config import WIDTHS, BidirectionalConfig
from diffuscope.systems.staindiffuser.declare import declare_bidirectional
from diffuscope.systems.staindiffuser.density import dab_of, mean_density
from diffuscope.systems.staindiffuser.network import StainDiffuserNetwork


class BidirectionalStainDiffuser(BranchSystem):
    """One encoder and one U-Net for both directions (StainDiffuser §4, L_bidirectional).

    Nothing tells the U-Net which direction is asked for but the image that the encoder sees, as in the paper.
    Outputs from H&E: the virtual IHC ``ihc``, its DAB ``dab`` (mean over samples), and ``uncertainty`` in OD, the
    standard deviation (ddof 1) of DAB over K samples. From IHC: the virtual H&E ``he``, and ``uncertainty`` in OD,
    that of the optical density, mean of red, green and blue. At K = 1 or one step the uncertainty is unknown (NaN).

    Parameters
    ----------
    config : BidirectionalConfig
        See there.
    """

    config: BidirectionalConfig

    def __init__(self, config: BidirectionalConfig) -> None:
        super().__init__(config, declare_bidirectional(config))
        self.network = StainDiffuserNetwork(WIDTHS[config.size])

    def compiled_parts(self) -> tuple[nn.Module, ...]:
        """The encoder, which training evaluates at every step, and the branch."""
        return self.network.encoder, self.network.generation

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """L = L_H&E→IHC + L_IHC→H&E, MSE of ε, one t and ε per example and direction.

        Parameters
        ----------
        batch : mapping
            ``he`` and ``ihc``: (n, 3, h, w) in [0, 255].
        generator : torch.Generator
            That t and ε are drawn from, on its own device.

        Returns
        -------
        dict of str to Tensor
            ``loss``, ``he_to_ihc`` and ``ihc_to_he``: scalars.
        """
        he, ihc = normalised(batch["he"]), normalised(batch["ihc"])
        features = self.network.encoder(torch.cat([he, ihc]))
        errors = self._errors(self.network.generation, torch.cat([ihc, he]), features, generator)
        forth, back = errors[: len(he)].mean(), errors[len(he) :].mean()
        return {"loss": forth + back, "he_to_ihc": forth, "ihc_to_he": back}

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """Sample one batch of tiles in the configured direction (see `System.sample`).

        The encoder and every attention matrix are evaluated once, whatever the number of steps and samples.
        """
        features = self.network.encoder(normalised(inputs[self.inputs[0].key]))
        branch, made = self.network.generation, self.outputs[0].key
        first, densities = yield from self._images(
            branch,
            branch.attend(features),
            noise,
            settings,
            port=made,
            density=dab_of if made == "ihc" else mean_density,
            done=count(1),
            total=settings.samples * settings.steps,
        )
        result = {made: first, "uncertainty": spread(densities, settings.steps)}
        if made == "ihc":
            result |= mean_and_samples(densities)
        return result
