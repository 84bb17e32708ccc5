"""StainDiffuser as a `System`: ports, loss and sampling."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffuscope.ports.settings import SampleSettings
from diffuscope.stains import coarse_mask, dab_density
from diffuscope.systems.base import Estimate, Noise
from diffuscope.systems.spread import spread
from diffuscope.systems.staindiffuser.auxiliary import auxiliary_of
from diffuscope.systems.staindiffuser.base import BranchSystem, mean_and_samples, normalised
from diffuscope.systems.staindiffuser.config import WIDTHS, StainDiffuserConfig
from diffuscope.systems.staindiffuser.declare import declare
from diffuscope.systems.staindiffuser.density import dab_of, filled
from diffuscope.systems.staindiffuser.network import StainDiffuserNetwork

# Of the second branch.
_SECOND_SAMPLER = "sde-dpmsolver++"


class StainDiffuser(BranchSystem):
    """Virtual IHC from H&E, trained with a cell-segmentation diffusion beside it (StainDiffuser, Eqs. 1–9).

    Outputs: the virtual IHC (sample 0), its DAB optical density (mean over samples), the segmentation
    probability, and the uncertainty in OD: the standard deviation (ddof 1) of DAB over K samples, or at
    K = 1 the disagreement |min(D / (2·threshold), 1) − p| · 2·threshold between the generated DAB, its rims
    filled as the masks' are (D), and the segmentation branch's probability p; 2·threshold turns both into
    one scale, on which the DAB threshold lies at p = 0.5. Without a segmentation branch (λ = 0) the
    segmentation port is absent, and at K = 1 the uncertainty is unknown (NaN).

    What else the second branch may learn, and how p is then read: `diffuscope.systems.staindiffuser.auxiliary`.

    Parameters
    ----------
    config : StainDiffuserConfig
        See there.
    """

    config: StainDiffuserConfig

    def __init__(self, config: StainDiffuserConfig) -> None:
        super().__init__(config, declare(config))
        self.auxiliary = auxiliary_of(config)
        self.targets = (self.auxiliary.key,)
        self.network = StainDiffuserNetwork(
            WIDTHS[config.size], config.segmentation_widths, features=config.feature_widths
        )

    def compiled_parts(self) -> tuple[nn.Module, ...]:
        """The encoder, which training evaluates at every step, and the branches."""
        network = self.network
        second = () if network.segmentation is None else (network.segmentation,)
        return network.encoder, network.generation, *second

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """L = L_gen + λ·L_seg, MSE of ε, one t and ε per example and task (paper Eq. 9).

        Parameters
        ----------
        batch : mapping
            ``he`` and ``ihc``: (n, 3, h, w) in [0, 255]; ``mask``: (n, 1, h, w) in {0, 1}, or with the distance as
            auxiliary task ``distance``: (n, 1, h, w) in µm, positive in cells. With the probability as auxiliary task
            ``probability``: (n, 1, h, w) in [0, 1] where it is known, of which ``mask`` is one draw otherwise.
        generator : torch.Generator
            That t and ε are drawn from, on its own device.

        Returns
        -------
        dict of str to Tensor
            ``loss``, ``generation``, and with λ > 0 ``segmentation``, ``distance`` or ``probability``: scalars.
        """
        features = self.network.encoder(normalised(batch["he"]))
        terms = {
            "generation": self._errors(self.network.generation, normalised(batch["ihc"]), features, generator).mean()
        }
        total = terms["generation"]
        if self.network.segmentation is not None:
            target, last = self.auxiliary.target(batch)
            error = self._errors(self.network.segmentation, target, features, generator, last=last).mean()
            terms[self.auxiliary.name] = error
            total = total + self.config.lambda_seg * error
        return {"loss": total, **terms}

    def training_keys(self) -> tuple[list[str], list[str]]:
        """H&E and IHC; the mask of positive cells where a case brings one."""
        return ["he", "ihc"], ["mask"] if self.network.segmentation is not None else []

    def complete(self, crops: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Make the coarse mask of DAB-positive cells from the IHC where the case has none (paper §3.3)."""
        completed = dict(crops)
        if self.network.segmentation is not None:
            if "mask" in crops:
                # A mask that was brought to the model's µm/px holds the part of each pixel that is inside.
                completed["mask"] = np.asarray(crops["mask"], np.float32) >= 0.5
            else:
                dab = dab_density(crops["ihc"])
                mask = coarse_mask(dab, mpp=self.config.mpp, threshold=self.config.dab_threshold)
                completed["mask"] = mask[..., None]
        return completed

    def derive(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Add what the auxiliary task learns (see `System.derive`)."""
        return self.auxiliary.derive(batch)

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """Sample one batch of tiles (see `System.sample`).

        The encoder and every attention matrix are evaluated once, whatever the number of steps and samples.
        """
        features = self.network.encoder(normalised(inputs["he"]))
        segmented = self.network.segmentation
        second = min(self.auxiliary.steps, self.config.T)
        total = settings.samples * settings.steps + (second if segmented is not None else 0)
        done = count(1)
        branch = self.network.generation
        first, densities = yield from self._images(
            branch, branch.attend(features), noise, settings, port="ihc", density=dab_of, done=done, total=total
        )
        result = {"ihc": first, **mean_and_samples(densities)}
        if segmented is not None:
            cheap = SampleSettings(sampler=_SECOND_SAMPLER, steps=second)
            attention = segmented.attend(features)
            drawn = self._denoise(segmented, attention, noise, cheap, port="segmentation", sample=0)
            for clean in drawn:  # noqa: B007  the last one is the sample
                yield Estimate(next(done), total, {})
            result |= self.auxiliary.read(clean.float())
        result["uncertainty"] = self._uncertainty(densities, result.get("segmentation"), settings.steps)
        return result

    def _uncertainty(self, densities: Tensor, probability: Tensor | None, steps: int) -> Tensor:
        """OD: sd over samples (k, n, 1, h, w), or the two branches' disagreement where there is one, or no sample."""
        if (len(densities) > 1 and steps > 1) or probability is None:
            return spread(densities, steps)
        full = 2.0 * self.config.dab_threshold
        return ((filled(densities[0]) / full).clamp(max=1.0) - probability).abs() * full
