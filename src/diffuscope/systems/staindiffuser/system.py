"""StainDiffuser as a `System`: ports, loss and sampling."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from diffuscope.diffusion.samplers import make_sampler
from diffuscope.diffusion.schedule import linear_schedule
from diffuscope.stains import coarse_mask, dab_density, fill_rims
from diffuscope.systems.base import Estimate, Noise, SampleSettings, System
from diffuscope.systems.ports import Port
from diffuscope.systems.staindiffuser.config import WIDTHS, StainDiffuserConfig
from diffuscope.systems.staindiffuser.network import Attention, Branch, StainDiffuserNetwork

# The segmentation branch is a second opinion, not the product: few steps are enough.
_SEGMENTATION_SAMPLER, _SEGMENTATION_STEPS = "sde-dpmsolver++", 5


class StainDiffuser(System):
    """Virtual IHC from H&E, trained with a cell-segmentation diffusion beside it (StainDiffuser, Eqs. 1–9).

    Outputs: the virtual IHC (sample 0), its DAB optical density (mean over samples), the segmentation
    probability, and the uncertainty in OD: the standard deviation (ddof 1) of DAB over K samples, or at
    K = 1 the disagreement |min(D / (2·threshold), 1) − p| · 2·threshold between the generated DAB, its rims
    filled as the masks' are (D), and the segmentation branch's probability p; 2·threshold turns both into
    one scale, on which the DAB threshold lies at p = 0.5. Without a segmentation branch (λ = 0) the
    segmentation port is absent, and at K = 1 the uncertainty is unknown (NaN).

    Parameters
    ----------
    config : StainDiffuserConfig
        See there.
    """

    # Stride 256 aligns with the canvas's chunks. 32 px (16 µm) of overlap spans more than a cell.
    tile = 288
    overlap = 32

    def __init__(self, config: StainDiffuserConfig) -> None:
        super().__init__()
        self.config = config
        self.network = StainDiffuserNetwork(WIDTHS[config.size], segmentation=config.lambda_seg > 0)
        self.schedule = linear_schedule(config.T)
        alpha_bar = torch.as_tensor(self.schedule.alphas_cumprod, dtype=torch.float32)
        self.register_buffer("alpha_bar", alpha_bar, persistent=False)
        port = partial(Port, mpp=config.mpp)
        self.inputs = (port(name="H&E", key="he", kind="rgb", channels=("R", "G", "B"), range=(0.0, 255.0)),)
        segmentation = port(
            name="segmentation",
            key="segmentation",
            kind="map",
            channels=("probability",),
            range=(0.0, 1.0),
            dtype="float32",
            fill=0.0,
            colormap="viridis",
        )
        density = partial(port, kind="map", dtype="float32", fill=0.0, unit="OD")
        self.outputs = (
            port(name=f"virtual {config.stain}", key="ihc", kind="rgb", channels=("R", "G", "B"), range=(0.0, 255.0)),
            density(name="DAB", key="dab", channels=("DAB",), range=(0.0, 1.0), colormap="gray_r"),
            *((segmentation,) if config.lambda_seg > 0 else ()),
            density(
                name="uncertainty", key="uncertainty", channels=("uncertainty",), range=(0.0, 0.3), colormap="magma"
            ),
        )
        self.presets = {
            "fast": SampleSettings(sampler="sde-dpmsolver++", steps=10),
            "reference": SampleSettings(sampler="ddpm", steps=config.T),
        }

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """L = L_gen + λ·L_seg, MSE of ε, one t and ε per example and task (paper Eq. 9).

        Parameters
        ----------
        batch : mapping
            ``he`` and ``ihc``: (n, 3, h, w) in [0, 255]; ``mask``: (n, 1, h, w) in {0, 1}.
        generator : torch.Generator
            CPU generator that t and ε are drawn from.

        Returns
        -------
        dict of str to Tensor
            ``loss``, ``generation``, and with λ > 0 ``segmentation``: scalars.
        """
        features = self.network.encoder(batch["he"] / 127.5 - 1.0)
        terms = {
            "generation": self._branch_loss(self.network.generation, batch["ihc"] / 127.5 - 1.0, features, generator)
        }
        total = terms["generation"]
        if self.network.segmentation is not None:
            terms["segmentation"] = self._branch_loss(
                self.network.segmentation, 2.0 * batch["mask"] - 1.0, features, generator
            )
            total = total + self.config.lambda_seg * terms["segmentation"]
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

    def _branch_loss(self, branch: Branch, clean: Tensor, features: list[Tensor], generator: torch.Generator) -> Tensor:
        t = torch.randint(0, self.config.T, (len(clean),), generator=generator).to(clean.device)
        noise = torch.randn(clean.shape, generator=generator).to(clean.device)
        a = self.get_buffer("alpha_bar")[t]
        root = a[:, None, None, None]
        noisy = root.sqrt() * clean + (1.0 - root).sqrt() * noise
        predicted = branch(noisy, (t + 1).float() / self.config.T, a, branch.attend(features))
        error = F.mse_loss(predicted, noise, reduction="none").mean(dim=(1, 2, 3))
        return (error / a if self.config.loss_weighting == "velocity" else error).mean()

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """Sample one batch of tiles (see `System.sample`).

        The encoder and every attention matrix are evaluated once, whatever the number of steps and samples.
        """
        features = self.network.encoder(inputs["he"] / 127.5 - 1.0)
        segmented = self.network.segmentation
        total = settings.samples * settings.steps + (_SEGMENTATION_STEPS if segmented is not None else 0)
        attention = self.network.generation.attend(features)
        done = 0
        densities, first = [], None
        for k in range(settings.samples):
            drawn = self._denoise(self.network.generation, attention, noise, settings, port="ihc", sample=k)
            for clean in drawn:
                done += 1
                ihc = (clean + 1.0) * 127.5
                # From the second sample on the picture stays: samples differ, and a flickering preview misleads.
                yield Estimate(done, total, {"ihc": ihc} if k == 0 else {})
            rgb = ihc.float().cpu()
            first = rgb if first is None else first
            densities.append(torch.from_numpy(dab_density(rgb.permute(0, 2, 3, 1).round().numpy()))[:, None])
        assert first is not None
        stacked = torch.stack(densities)
        result = {"ihc": first, "dab": stacked.mean(dim=0)}
        if segmented is not None:
            cheap = SampleSettings(sampler=_SEGMENTATION_SAMPLER, steps=min(_SEGMENTATION_STEPS, self.config.T))
            branch_attention = segmented.attend(features)
            drawn = self._denoise(segmented, branch_attention, noise, cheap, port="segmentation", sample=0)
            for clean in drawn:  # noqa: B007  the last one is the sample
                done += 1
                yield Estimate(done, total, {})
            result["segmentation"] = ((clean + 1.0) / 2.0).float().cpu()
        result["uncertainty"] = self._uncertainty(stacked, result.get("segmentation"))
        return result

    def _denoise(
        self, branch: Branch, attention: Attention, noise: Noise, settings: SampleSettings, *, port: str, sample: int
    ) -> Generator[Tensor, None, None]:
        """Yield the clipped clean estimate, in [−1, 1], after each step; the last one is the sample."""
        sampler = make_sampler(settings.sampler, self.schedule, settings.steps)
        draw = partial(noise, port, sample=sample, channels=branch.channels)
        x = draw(step=0)
        for i, t in enumerate(sampler.timesteps, start=1):
            times = torch.full((len(x),), (t + 1) / self.config.T, device=x.device)
            alpha_bar = self.get_buffer("alpha_bar")[t].expand(len(x))
            step = sampler.step(
                branch(x, times, alpha_bar, attention), t, x, noise=draw(step=i) if sampler.needs_noise else None
            )
            x = step.sample
            yield step.clean

    def _uncertainty(self, densities: Tensor, probability: Tensor | None) -> Tensor:
        """OD: sd over samples (k, n, 1, h, w), or the two branches' disagreement where there is one sample."""
        if len(densities) > 1:
            return densities.std(dim=0, correction=1)
        if probability is None:
            return torch.full_like(densities[0], torch.nan)
        full = 2.0 * self.config.dab_threshold
        filled = torch.from_numpy(np.stack([fill_rims(density[0].numpy()) for density in densities[0]]))[:, None]
        return ((filled / full).clamp(max=1.0) - probability).abs() * full
