"""MedM2G as `System`s: one that takes a whole case, and one that runs over volumes slice by slice."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from diffuscope.errors import InputError
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.text import Written
from diffuscope.systems.base import CaseInput, CaseNoise, Estimate, Noise, Tiled, Whole
from diffuscope.systems.medm2g.config import REPORT, TEXT, MedM2GConfig
from diffuscope.systems.medm2g.core import Networks
from diffuscope.systems.medm2g.declare import DRAFTS, SPREAD, declare, declare_slices
from diffuscope.systems.medm2g.sampling import Draw
from diffuscope.systems.spread import spread

# Network evaluations between two pictures of what is on its way.
_SHOWN = 5


class MedM2G(Networks, Whole):
    """Any of text and pictures of a case from any of them.

    Parameters
    ----------
    config : MedM2GConfig
        See there.
    """

    def __init__(self, config: MedM2GConfig) -> None:
        super().__init__(config, declare(config))

    def prepare(self, inputs: Mapping[str, CaseInput], spacing: tuple[float, ...] | None) -> dict[str, CaseInput]:  # noqa: ARG002
        """Return pictures (1, s, s) in [−1, 1], what is beside them as nothing (−1), and token ids (longest,).

        Raises
        ------
        InputError
            A picture is larger than the networks see, or a text longer.
        """
        found: dict[str, CaseInput] = {}
        size, ports = self.config.size, {port.key: port for port in self.input_rasters}
        for key, one in inputs.items():
            if isinstance(one, str):
                assert self.tokens is not None
                found[key] = self.tokens.encode(one)
                continue
            height, width = one.shape[-2:]
            if large := ports[key].too_large(height, width):
                raise InputError(large)
            top, left = (size - height) // 2, (size - width) // 2
            around = (left, size - width - left, top, size - height - top)
            found[key] = F.pad(self.unit(key, one), around, value=-1.0)
            found["shape"] = torch.tensor([height, width])
        return found

    def sample(
        self, inputs: Mapping[str, CaseInput], noise: CaseNoise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor | Written]]:
        """Sample one case: of each image the mean over the samples and their deviation, and the first sample's report.

        The deviation (ddof 1) over one sample, or samples of one step, is unknown, NaN. Of a report that alone is made
        from images several are drafted (see `diffuscope.systems.medm2g.drafts`).
        """
        given = {key: one[None] for key, one in inputs.items() if isinstance(one, Tensor) and one.is_floating_point()}
        wanted = self.what_is_made(given, settings)
        images = {key: one for key, one in given.items() if key != REPORT}
        drafts = int(self._options(settings).get(DRAFTS, 1)) if wanted == (REPORT,) and images else 1
        shape = inputs.get("shape")
        frame = self._frame(shape if isinstance(shape, Tensor) else None)
        shown = wanted[0] if wanted[0] != REPORT else None
        pictures: list[dict[str, Tensor]] = []
        written: Written | None = None
        steps = settings.steps * settings.samples
        for number in range(settings.samples):
            draw = partial(self._draw, noise, number, drafts)
            latents: dict[str, Tensor] = {}
            for place, latents in enumerate(self.sampled(given, wanted, draw, settings), start=1):
                done = number * settings.steps + place
                clean = {}
                if shown and place % _SHOWN == 0:
                    clean = {key: frame(one) for key, one in self.pictures({shown: latents[shown]}).items()}
                yield Estimate(step=done, steps=steps, clean=clean)
            pictures.append({key: frame(one) for key, one in self.pictures(latents).items()})
            if written is None and REPORT in latents:
                written = self._written(latents[REPORT], images)
        found: dict[str, Tensor | Written] = dict(_mean_and_spread(pictures, settings))
        return found if written is None else found | {REPORT: written}

    def _draw(self, noise: CaseNoise, sample: int, number: int, key: str, step: int) -> Tensor:
        shape = self.guide.flow(self.config.modality(key)).latent
        return noise(key, sample=sample, step=step, shape=(number, *shape))

    def _frame(self, shape: Tensor | None) -> Any:
        """Return what cuts a picture (1, 1, s, s) out as the input lay in it, (1, h, w)."""
        size = self.config.size
        height, width = (size, size) if shape is None else (int(one) for one in shape)
        top, left = (size - height) // 2, (size - width) // 2
        return lambda image: image[0, :, top : top + height, left : left + width]

    def _written(self, latents: Tensor, images: Mapping[str, Tensor]) -> Written:
        """Return the text of latents (n, latent): of several the one that is nearest to the images."""
        from diffuscope.systems.medm2g.drafts import nearest  # bring what an extra installs
        from diffuscope.systems.medm2g.text.side import TextSide

        side = self.guide.flow(TEXT).side
        assert isinstance(side, TextSide) and self.tokens is not None
        written = side.write(latents)
        return nearest(self.guide, self.tokens, images, written) if len(written) > 1 else written[0]


class MedM2GSlices(Networks, Tiled):
    """Any of some images from any others of the same slices: the networks of `MedM2G`, over volumes.

    Parameters
    ----------
    config : MedM2GConfig
        See there; its text is left out of a run.
    """

    def __init__(self, config: MedM2GConfig) -> None:
        super().__init__(config, declare_slices(config))

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """Sample a batch of slices: of each image the mean over the samples and their deviation (ddof 1)."""
        given = {key: self.unit(key, one) for key, one in inputs.items()}
        wanted = self.what_is_made(given, settings)
        pictures = []
        steps = settings.steps * settings.samples
        for number in range(settings.samples):
            latents: dict[str, Tensor] = {}
            for place, latents in enumerate(self.sampled(given, wanted, self._draw(noise, number), settings), start=1):
                done = number * settings.steps + place
                clean = self.pictures({wanted[0]: latents[wanted[0]]}) if place % _SHOWN == 0 else {}
                yield Estimate(step=done, steps=steps, clean=clean)
            pictures.append(self.pictures(latents))
        return _mean_and_spread(pictures, settings)

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss of the current objective, of slices in the ranges of their ports."""
        return super().loss({key: self.unit(key, one) for key, one in batch.items()}, generator)

    def training_keys(self) -> tuple[list[str], list[str]]:
        """All kinds of images: of volumes that lie on each other each case must have every one."""
        return [image.key for image in self.config.images], []

    def _draw(self, noise: Noise, sample: int) -> Draw:
        factor, latent = self.config.autoencoder.factor, self.config.autoencoder.latent
        return lambda key, step: noise(key, sample=sample, step=step, channels=latent, every=factor)


def _mean_and_spread(pictures: Sequence[Mapping[str, Tensor]], settings: SampleSettings) -> dict[str, Tensor]:
    """Return means over samples, and deviations where they are asked for or nothing in particular is."""
    found, asked = {}, settings.wanted
    for key in pictures[0]:
        several = torch.stack([one[key] for one in pictures])
        if not asked or key in asked:
            found[key] = several.mean(0)
        if not asked or f"{key}{SPREAD}" in asked:
            found[f"{key}{SPREAD}"] = spread(several, settings.steps)
    return found
