"""What StainDiffuser and its variants share: schedule, the loss of one branch, and the denoising of one branch."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from diffuscope.diffusion.epsilon import denoise, epsilon_errors
from diffuscope.diffusion.samplers import check_steps
from diffuscope.diffusion.schedule import linear_schedule
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.stains import MOST_SAMPLES, SAMPLES
from diffuscope.systems.base import Estimate, Noise, Tiled
from diffuscope.systems.staindiffuser.config import CommonConfig
from diffuscope.systems.staindiffuser.network import Attention, Branch


class BranchSystem(Tiled):
    """A system whose tasks are each one `Branch`: attention blocks on a shared encoder's features, and a U-Net.

    Parameters
    ----------
    config : CommonConfig
        T and loss weighting are read here.
    declared : Declaration
        See there.
    """

    recordable = True
    config: CommonConfig

    def __init__(self, config: CommonConfig, declared: Declaration) -> None:
        super().__init__(declared)
        self.config = config
        self.schedule = linear_schedule(config.T)
        alpha_bar = torch.as_tensor(self.schedule.alphas_cumprod, dtype=torch.float32)
        self.register_buffer("alpha_bar", alpha_bar, persistent=False)

    def check(self, settings: SampleSettings) -> None:
        """Refuse more steps than the schedule has (see `System.check`)."""
        check_steps(settings.sampler, self.schedule, settings.steps)

    def _errors(
        self, branch: Branch, clean: Tensor, features: Sequence[Tensor], generator: torch.Generator, *, last: int = 0
    ) -> Tensor:
        """Return the (weighted) MSE of ε of each example (n,), for one t and one ε each, the first `last` at t = T.

        `clean` in [−1, 1].
        """
        predict = partial(branch, attention=branch.attend(features))
        errors, a = epsilon_errors(predict, clean, self.get_buffer("alpha_bar"), generator, last=last)
        return errors / a if self.config.loss_weighting == "velocity" else errors

    def _denoise(
        self, branch: Branch, attention: Attention, noise: Noise, settings: SampleSettings, *, port: str, sample: int
    ) -> Iterator[Tensor]:
        """Yield the clipped clean estimate, in [−1, 1], after each step; the last one is the sample."""

        def draw(step: int) -> Tensor:
            return noise(port, sample=sample, step=step, channels=branch.channels)

        predict = partial(branch, attention=attention)
        return denoise(predict, self.schedule, draw, sampler=settings.sampler, steps=settings.steps)

    def _images(
        self,
        branch: Branch,
        attention: Attention,
        noise: Noise,
        settings: SampleSettings,
        *,
        port: str,
        density: Callable[[Tensor], Tensor],
        done: Iterator[int],
        total: int,
    ) -> Generator[Estimate, None, tuple[Tensor, Tensor]]:
        """Draw K colour images from one branch.

        Parameters
        ----------
        branch, attention, noise, settings
            What is denoised, and how.
        port : str
            Key of the colour image: of its noise and of its previews.
        density : callable
            Image (n, 3, h, w) in [0, 255] to the density (n, 1, h, w) that is kept of each sample.
        done, total : iterator of int, int
            Numbers of the evaluations to come, and how many there will be in all.

        Returns
        -------
        first : Tensor of shape (n, 3, h, w)
            The first sample, [0, 255].
        densities : Tensor of shape (K, n, 1, h, w)
            Of all samples.
        """
        densities, first = [], None
        for k in range(settings.samples):
            for clean in self._denoise(branch, attention, noise, settings, port=port, sample=k):
                image = (clean + 1.0) * 127.5
                # From the second sample on the picture stays: samples differ, and a flickering preview misleads.
                yield Estimate(next(done), total, {port: image} if k == 0 else {})
            first = image.float() if first is None else first
            densities.append(density(image.float()))
        assert first is not None
        return first, torch.stack(densities)


def mean_and_samples(densities: Tensor, key: str = "dab") -> dict[str, Tensor]:
    """Return the mean over samples (K, n, 1, h, w) under its key, and of several each: (n, K, h, w).

    Each is rounded to 1/512 OD, far below any threshold, which on disk takes a third of what all digits take.
    """
    found = {key: densities.mean(dim=0)}
    if len(densities) > 1:
        kept = densities[:MOST_SAMPLES, :, 0].movedim(0, 1)
        found[SAMPLES + key.removeprefix("dab")] = (kept * 512.0).round() / 512.0
    return found


def normalised(image: Tensor) -> Tensor:
    """Return a colour image in [0, 255] as the networks take it, in [−1, 1]."""
    return image / 127.5 - 1.0
