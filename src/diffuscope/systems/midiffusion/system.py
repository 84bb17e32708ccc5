"""MIDiffusion as a `System`: ports, loss and sampling."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffuscope.diffusion.schedule import linear_schedule
from diffuscope.diffusion.score_samplers import draw_sample
from diffuscope.diffusion.ve_sde import variance_exploding, variance_preserving
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Estimate, Noise, Tiled
from diffuscope.systems.midiffusion.condition import DROPPED, Condition
from diffuscope.systems.midiffusion.config import ATTENDS, WIDTHS, MIDiffusionConfig, ModalityConfig
from diffuscope.systems.midiffusion.declare import declare
from diffuscope.systems.midiffusion.guidance import Guidance
from diffuscope.systems.midiffusion.network import ScoreNetwork
from diffuscope.systems.midiffusion.place import CHANNELS, bodies, body_mask, place_maps
from diffuscope.systems.midiffusion.random_guide import random_guide
from diffuscope.systems.midiffusion.support import level_support, support
from diffuscope.systems.spread import spread


class MIDiffusion(Tiled):
    """One modality from another, trained on slices of the target modality alone (MIDiffusion, Eqs. 12 and 13).

    Inputs: the source, slice by slice, with the slice before and the one after; nothing of it was seen in training.
    Outputs: the target (sample 0), ``mean`` of K samples, ``uncertainty``, their standard deviation (ddof 1; NaN,
    unknown, at K = 1 and of one evaluation, which is no sample), and ``support`` of sample 0 by the source in [0, 1]:
    of its structure times that of its levels (see `diffuscope.systems.midiffusion.support`).

    Options of a run:

    - ``guidance``, w of s = s_0 + w (s_LMI − s_0): 0 is realism without the source, 1 the paper, more holds faster to
      the source. Other values than 0 and 1 cost one more evaluation a step.
    - ``t0``: below 1 sampling begins at the source itself, noised to t_0, as SDEdit's; with w = 0 it is SDEdit.
    - ``along_z``: part of the noise's variance that all slices of a volume share.
    - ``neighbours``, v: as long as the noise is above 1, s_LMI is the mean of those that the slice, the one before
      and the one after guide to, weighted 1 : v : v. It is ours; 0 is the paper, which knows slices only.
    - ``consistency``: as long as the noise is above 1, the part by which the clean estimate is drawn to its mean over
      pixels of like intensity in the source (see `diffuscope.systems.midiffusion.consistency`). It is ours; 0 is the
      paper.

    Presets: ``fast`` and ``best`` are samples, ``mean`` is one evaluation at the highest noise, the posterior mean,
    which is smoother and nearer to the truth px by px, and ``reference`` is Algorithm 1 as the paper has it: 1000
    evaluations, slice by slice, each with noise of its own.

    Parameters
    ----------
    config : MIDiffusionConfig
        See there.
    """

    def __init__(self, config: MIDiffusionConfig) -> None:
        super().__init__(declare(config))
        self.config = config
        maps = 2 + CHANNELS * config.place
        self.network = ScoreNetwork(WIDTHS[config.size], condition=maps, attention=config.size in ATTENDS)
        self.levels = variance_exploding()
        if config.process == "vp":
            # The official code's.
            self.levels = variance_preserving(linear_schedule(config.T))

    def compiled_parts(self) -> tuple[nn.Module, ...]:
        """The score network."""
        return (self.network,)

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Denoising score matching with LMI(F; F, F_t), or LMI(φ(F); φ(F), F_t), one t and z an example (Eq. 12).

        Parameters
        ----------
        batch : mapping
            The target's key: (n, 1, h, w) in its physical range; ``body``, its mask (n, 1, h, w) in [0, 1], is found
            where it is needed and not there. Nothing else is read.
        generator : torch.Generator
            That t, z and the examples without LMI are drawn from, on its own device.

        Returns
        -------
        dict of str to Tensor
            ``loss``: scalar.
        """
        config = self.config
        clean = _signed(batch[config.target.key], config.target)
        where = generator.device
        draw = self.levels.draw_normal if config.noise == "normal" else self.levels.draw
        time, sigma = (drawn.to(clean.device) for drawn in draw(len(clean), generator))
        noise = torch.randn(clean.shape, generator=generator, device=where).to(clean.device)
        dropped = (torch.rand(len(clean), generator=generator, device=where) < config.drop).to(clean.device)
        kept = (1.0 / (1.0 + sigma.square()))[:, None, None, None]
        noisy = kept.sqrt() * clean + (1.0 - kept).sqrt() * noise
        with torch.no_grad():
            guide, place = self._guide_of(clean, batch, generator)
            condition = Condition(guide, config.lmi, place)(noisy)
            condition = condition.masked_fill(dropped[:, None, None, None], DROPPED)
        velocity = kept.sqrt() * noise - (1.0 - kept).sqrt() * clean
        errors = (self.network(noisy, time, condition) - velocity).square()
        return {"loss": (errors * kept if config.loss_weighting == "epsilon" else errors).mean()}

    def _guide_of(
        self, clean: Tensor, batch: Mapping[str, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Return what guides in training, and where in the body it lies."""
        if not self.config.place and self.config.guide == "itself":
            return clean, None
        body = (batch["body"] > 0.5).float() if "body" in batch else bodies(clean)
        guide = random_guide(clean, body, generator) if self.config.guide == "random" else clean
        return guide, place_maps(body) if self.config.place else None

    def training_keys(self) -> tuple[list[str], list[str]]:
        """The target, and nothing of the source."""
        return [self.config.target.key], []

    def complete(self, crops: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Add the body's mask where training needs it: to find it takes longer than to read a slice."""
        if not self.config.place and self.config.guide == "itself":
            return dict(crops)
        target = self.config.target
        image = (crops[target.key][..., 0].astype(np.float32) - target.low) / (target.high - target.low)
        return {**crops, "body": body_mask(image)[..., None].astype(np.float32)}

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """Sample one batch of slices (see `System.sample`); what LMI needs of the source is computed once a batch."""
        chosen = {option.key: option.default for option in self.options} | dict(settings.options)
        config, key = self.config, self.config.target.key
        denoise = Guidance(self.network, self.levels, config, _signed(inputs[config.source.key], config.source), chosen)
        source, start = denoise.source, chosen["t0"]
        done, total, pictures = 0, settings.samples * settings.steps, []
        for k in range(settings.samples):
            run = draw_sample(
                denoise,
                self.levels,
                partial(_draw, noise, key, k, chosen["along_z"]),
                sampler=settings.sampler,
                steps=settings.steps,
                source=source if start < 1.0 else None,
                start=start,
            )
            for number, clean in enumerate(run):
                done += 1
                picture = _physical(clean, config.target)
                yield Estimate(done, total, {key: picture} if k == 0 else {})
                if number == 0:
                    expected = clean
            pictures.append(picture.cpu())
            if k == 0:
                # Begun at the source, no evaluation is the posterior mean.
                levels_held = level_support(source, clean, expected if start == 1.0 else None)
                supported = (support(source, clean) * levels_held).cpu()
        samples = torch.stack(pictures)
        return {
            key: samples[0],
            "mean": samples.mean(dim=0),
            "uncertainty": spread(samples, settings.steps),
            "support": supported,
        }


def _signed(image: Tensor, modality: ModalityConfig) -> Tensor:
    """Return intensities of the window as [−1, 1]; those beyond are cut off."""
    scaled = (image.float() - modality.low) * (2.0 / (modality.high - modality.low)) - 1.0
    return scaled.clamp(-1.0, 1.0)


def _physical(image: Tensor, modality: ModalityConfig) -> Tensor:
    return (image + 1.0) * (0.5 * (modality.high - modality.low)) + modality.low


def _draw(noise: Noise, port: str, sample: int, shared: float, step: int) -> Tensor:
    """Normal noise of which slices share a part of the variance."""
    if shared == 0.0:
        return noise(port, sample=sample, step=step, channels=1)
    common = shared**0.5 * noise(port, sample=sample, step=step, channels=1, along_z=True)
    if shared == 1.0:
        return common
    # Another stream than the common one, which is that of the first slice.
    own = noise(f"{port}/own", sample=sample, step=step, channels=1)
    return common + (1.0 - shared) ** 0.5 * own
