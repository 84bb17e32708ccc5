"""Multi-StainDiffuser: several virtual stains of one H&E, trained on pairs of H&E and one stain each."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffuscope.errors import InputError
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Estimate, Noise
from diffuscope.systems.spread import spread
from diffuscope.systems.staindiffuser.base import BranchSystem, mean_and_samples, normalised
from diffuscope.systems.staindiffuser.config import WIDTHS, MultiStainDiffuserConfig, stain_key
from diffuscope.systems.staindiffuser.declare import declare_multi
from diffuscope.systems.staindiffuser.density import dab_of
from diffuscope.systems.staindiffuser.network import MultiStainNetwork


class MultiStainDiffuser(BranchSystem):
    """N virtual IHCs from one H&E (StainDiffuser §4, figure 1B): a shared encoder, and a branch a stain.

    Outputs, for each stain s with its key (``cd3`` of CD3): the virtual IHC ``ihc_s`` (sample 0), its DAB optical
    density ``dab_s`` (mean over samples), and ``uncertainty_s`` in OD, the standard deviation (ddof 1) of DAB over
    K samples, unknown (NaN) at K = 1 or one step. The paper's variant has no segmentation branch, and so has this one.

    Parameters
    ----------
    config : MultiStainDiffuserConfig
        See there.
    """

    config: MultiStainDiffuserConfig

    def __init__(self, config: MultiStainDiffuserConfig) -> None:
        super().__init__(config, declare_multi(config))
        keys = [stain_key(stain) for stain in config.stains]
        self.network = MultiStainNetwork(WIDTHS[config.size], keys)
        self.lambdas = dict(zip(keys, config.lambdas or (1.0,) * len(keys), strict=True))

    def compiled_parts(self) -> tuple[nn.Module, ...]:
        """The encoder, which training evaluates at every step, and the branches."""
        return self.network.encoder, *self.network.branches.values()

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """L = Σ λ_i·L_i over the stains that the batch holds, MSE of ε (StainDiffuser §4, L_multi-stain).

        A batch of uniplex pairs holds one stain; the other branches then have no gradient.

        Parameters
        ----------
        batch : mapping
            ``he`` and at least one of ``ihc_s``: (n, 3, h, w) in [0, 255].
        generator : torch.Generator
            That t and ε are drawn from, on its own device.

        Returns
        -------
        dict of str to Tensor
            ``loss`` and ``generation``, the mean of the L_i of the batch: scalars.
        """
        present = [key for key in self.network.branches if f"ihc_{key}" in batch]
        if not present:
            wanted = ", ".join(f"ihc_{key}" for key in self.network.branches)
            raise ValueError(f"a batch for this system needs one of {wanted}; it holds {', '.join(batch)}")
        features = self.network.encoder(normalised(batch["he"]))
        terms = {
            key: self._errors(self.network.branch(key), normalised(batch[f"ihc_{key}"]), features, generator).mean()
            for key in present
        }
        total = torch.stack([self.lambdas[key] * term for key, term in terms.items()]).sum()
        return {"loss": total, "generation": torch.stack(list(terms.values())).mean()}

    def training_keys(self) -> tuple[list[str], list[str]]:
        """H&E, and whichever stains a case brings."""
        return ["he"], [f"ihc_{key}" for key in self.network.branches]

    def complete(self, crops: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Refuse a case without any of the stains (see `System.complete`)."""
        wanted = self.training_keys()[1]
        if not any(key in crops for key in wanted):
            raise InputError(f"every case needs one of {', '.join(wanted)} beside its H&E.")
        return dict(crops)

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """Sample every stain of one batch of tiles (see `System.sample`).

        The encoder is evaluated once, whatever the number of stains; every attention matrix once, whatever the
        number of steps and samples.
        """
        features = self.network.encoder(normalised(inputs["he"]))
        total = len(self.network.branches) * settings.samples * settings.steps
        done = count(1)
        result: dict[str, Tensor] = {}
        for key in self.network.branches:
            branch = self.network.branch(key)
            first, densities = yield from self._images(
                branch,
                branch.attend(features),
                noise,
                settings,
                port=f"ihc_{key}",
                density=dab_of,
                done=done,
                total=total,
            )
            result |= {
                f"ihc_{key}": first,
                **mean_and_samples(densities, f"dab_{key}"),
                f"uncertainty_{key}": spread(densities, settings.steps),
            }
        return result
