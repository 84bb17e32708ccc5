"""DAMM-Diffusion as a `System`: ports, loss and sampling."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffuscope.diffusion.epsilon import corrupt, denoise, read_velocity
from diffuscope.diffusion.samplers import check_steps
from diffuscope.diffusion.schedule import linear_schedule
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Estimate, Noise, Tiled
from diffuscope.systems.damm import outputs
from diffuscope.systems.damm.config import DAMMConfig
from diffuscope.systems.damm.declare import declare
from diffuscope.systems.damm.latents import Latents
from diffuscope.systems.damm.loss import absolute_error, divergence_feedback, gated_loss, squared_error
from diffuscope.systems.damm.network import Encoded, UMMNetwork
from diffuscope.systems.spread import spread


class DAMM(Tiled):
    """One image from a main modality, with the help of auxiliary ones where they agree with it (DAMM-Diffusion).

    Outputs: the prediction (mean over the samples); U, the mean over all evaluations, each of its values over a square
    of as many px as the port's name tells; and the standard deviation (ddof 1) over K samples, unknown (NaN) at K = 1
    or one step. Values of each tile and evaluation: the divergence d, and whether the multi-modal branch was taken. The
    mean of a tile's U is the mean of its d.

    Parameters
    ----------
    config : DAMMConfig
        See there.
    """

    objectives = MappingProxyType(
        {"diffusion": ("branches", "divergence"), "autoencoder": ("autoencoders",), "divergence": ("divergence",)}
    )

    def __init__(self, config: DAMMConfig) -> None:
        super().__init__(declare(config))
        self.config = config
        # γ of training; a run may set another one.
        self.gamma = config.gamma
        self.network = self._network()
        self.autoencoders = Latents(config)
        self.schedule = linear_schedule(config.T)
        alpha_bar = torch.as_tensor(self.schedule.alphas_cumprod, dtype=torch.float32)
        self.register_buffer("alpha_bar", alpha_bar, persistent=False)
        # Steps of training so far: in checkpoints and weights, so that a resumed warm-up ends where it would have.
        self.register_buffer("trained", torch.zeros((), dtype=torch.int64))
        self._warm: bool | None = None
        self.register_load_state_dict_post_hook(_forget_warmth)  # type: ignore[no-untyped-call]
        self.begin()

    def _network(self) -> UMMNetwork:
        return UMMNetwork(*self.config.shape, norm=self.config.norm)

    def parts(self) -> dict[str, tuple[nn.Module, ...]]:
        """Both branches with what fuses them, what U alone hangs on, and in latent space the autoencoders."""
        return {
            "branches": self.network.branches(),
            "divergence": tuple(self.network.tells_divergence()),
            "autoencoders": tuple(self.autoencoders.values()),
        }

    def train(self, mode: bool = True) -> Self:
        """Set the mode; where the divergence alone is trained, the whole network stays as it is used."""
        super().train(mode)
        if self.objective == "divergence":
            # Batch norms would take the statistics of the batch, and go on learning them.
            self.network.eval()
        return self

    def check(self, settings: SampleSettings) -> None:
        """Refuse more steps than the schedule has (see `System.check`)."""
        check_steps(settings.sampler, self.schedule, settings.steps)

    def compiled_parts(self) -> tuple[nn.Module, ...]:
        """Both encoders, woven into one, either decoder, and the attention between them."""
        return self.network.compiled_parts()

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """L + λ·L_dfl (paper Eqs. 11 to 14) over all draws of (t, ε), the objective ``diffusion``.

        Of ``autoencoder``, which latents need first, it is the autoencoders' reconstruction. Of ``divergence`` (not in
        the paper) it is L_dfl alone, the feedback of branches that no longer change.

        In evaluation mode ``loss`` is the error of what a sampler would take, ε_o of Eq. 15: by Eq. 11 a model would
        seem better for never using its multi-modal branch.

        Parameters
        ----------
        batch : mapping
            By key of each input and of the output, (n, 1, h, w) in physical values.
        generator : torch.Generator
            That t and ε are drawn from, on its own device.

        Returns
        -------
        dict of str to Tensor
            ``loss``, ``unimodal``, ``multimodal``, and with uncertainty ``divergence``, its mean, and ``feedback``:
            scalars. Of the autoencoders ``loss`` and a term a modality.
        """
        if self.objective == "autoencoder":
            return self.autoencoders.reconstruction(batch)
        config, alone = self.config, self.objective == "divergence"
        warm = not alone and self._warms_up()
        d, wrong, a = self._evaluated(batch, generator, plain=warm)
        unimodal, multimodal = (self._error(one, a) for one in wrong)  # Eqs. 4 and 5
        # In the warm-up both branches count.
        gamma = 1.0 if warm else self.gamma
        if self.training:
            total = gated_loss(unimodal, multimodal, d, gamma)  # Eq. 11
        else:
            total = torch.where(d <= gamma, multimodal, unimodal)  # Eq. 15
        terms = {"unimodal": unimodal.mean(), "multimodal": multimodal.mean()}
        if self._feeds_back(warm=warm):
            drawn = (*self._distances(wrong, a), d.reshape(-1, config.draws))
            feedback = divergence_feedback(*drawn, gamma=config.gamma, alpha=config.alpha).flatten()  # Eqs. 12 and 13
            terms |= {"feedback": feedback.mean(), "divergence": d.mean()}
            if self.training:
                total = feedback if alone else total + config.lambda_dfl * feedback  # Eq. 14
        return {"loss": total.mean(), **terms}

    def distances(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return L_1^(u) and L_1^(m), each (n, draws), by which the feedback tells the better branch (see `loss`)."""
        _, wrong, a = self._evaluated(batch, generator, plain=False)
        unimodal, multimodal = self._distances(wrong, a)
        return unimodal, multimodal

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """Sample one batch of tiles (see `System.sample`); of either decoder only the tiles that need it.

        The option ``gamma`` takes the place of the γ of training.
        """
        config = self.config
        conditions = self.network.conditions(*self._conditions(inputs))
        gamma = settings.options.get("gamma", self.gamma)
        evaluated: list[tuple[Encoded, Tensor]] = []

        def predict(x: Tensor, time: Tensor, alpha_bar: Tensor) -> Tensor:
            encoded = self.network.encode(x, time, *conditions)
            multimodal = self.choose(encoded.divergence, gamma)
            evaluated[:] = [(encoded, multimodal)]
            return read_velocity(self.network.decode(encoded, multimodal), x, alpha_bar)

        done, total, pictures, uncertainty = 0, settings.samples * settings.steps, [], torch.zeros(())
        for k in range(settings.samples):
            draw = partial(self._draw, noise, k)
            for clean in denoise(predict, self.schedule, draw, sampler=settings.sampler, steps=settings.steps):
                done += 1
                encoded, multimodal = evaluated[0]
                uncertainty = uncertainty + encoded.uncertainty.float().cpu()
                shown = {}
                # Previews of a latent model would cost a decoder each; the last estimate is the sample.
                if config.space == "pixel" or done % settings.steps == 0:
                    picture = self.autoencoders.decode(config.output, clean)
                    shown = {config.output.key: picture} if k == 0 else {}
                values = {"divergence": encoded.divergence, "multimodal": multimodal.float()} if self.values else {}
                yield Estimate(done, total, shown, values)
            pictures.append(picture.cpu())
        drawn = torch.stack(pictures)
        mean = F.interpolate(uncertainty / total, scale_factor=float(config.reach), mode="nearest")
        return {
            config.output.key: drawn.mean(dim=0),
            outputs.SPREAD: spread(drawn, settings.steps),
            outputs.MEAN_U: mean,
        }

    def choose(self, d: Tensor, gamma: float) -> Tensor:
        """Return for which tiles the multi-modal branch counts (DAMMP, paper Eq. 15).

        Parameters
        ----------
        d : Tensor of shape (n,)
            Divergence of each tile at this evaluation.
        gamma : float
            γ.
        """
        return d <= gamma

    def _evaluated(
        self, batch: Mapping[str, Tensor], generator: torch.Generator, *, plain: bool
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """Evaluate both branches at all draws: d (n · draws,), their errors of ε (n · draws, c, h, w), and ᾱ_t."""
        config, network = self.config, self.network
        with torch.no_grad():
            main, auxiliary = self._conditions(batch)
            clean = self.autoencoders.encode(config.output, batch[config.output.key])
        main, auxiliary, clean = (one.repeat_interleave(config.draws, dim=0) for one in (main, auxiliary, clean))
        noisy, noise, time, a = corrupt(clean, self.get_buffer("alpha_bar"), generator)
        encoded = network.encode(noisy, time, *network.conditions(main, auxiliary))
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.objective == "diffusion"):
            raw = (network.decode_unimodal(encoded), network.decode_multimodal(encoded, plain=plain))
        return encoded.divergence, [read_velocity(one, noisy, a) - noise for one in raw], a

    def _distances(self, wrong: list[Tensor], alpha_bar: Tensor) -> list[Tensor]:
        """Return the mean absolute error (n, draws) of each branch, weighted as the loss is."""
        means = [self._distance(one, alpha_bar) for one in wrong]
        return [one.reshape(-1, self.config.draws) for one in means]

    def _warms_up(self) -> bool:
        """Count a step of training; return whether it is one of the warm-up."""
        if not self.training:
            return False
        trained = self.get_buffer("trained")
        # To read the number is to wait for a GPU: not once the warm-up is over.
        if self._warm is not False:
            self._warm = int(trained) < self.config.warmup
        trained += 1
        return self._warm

    def _feeds_back(self, *, warm: bool) -> bool:
        """Whether the feedback trains U at this step."""
        return self.config.early_feedback or not warm

    def _error(self, wrong: Tensor, alpha_bar: Tensor) -> Tensor:
        """Return the error of ε of each example (n,)."""
        return squared_error(wrong, alpha_bar)

    def _distance(self, wrong: Tensor, alpha_bar: Tensor) -> Tensor:
        """Return the absolute error of ε of each example (n,)."""
        return absolute_error(wrong, alpha_bar)

    def _conditions(self, images: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return y_v, and y_n of all auxiliaries, where diffusion takes place; once a tile."""
        main, *others = (
            self.autoencoders.encode(one, images[one.key]) for one in (self.config.main, *self.config.auxiliaries)
        )
        return main, torch.cat(others, dim=1)

    def _draw(self, noise: Noise, sample: int, step: int) -> Tensor:
        config = self.config
        return noise(config.output.key, sample=sample, step=step, channels=config.channels, every=config.factor)


def _forget_warmth(system: DAMM, _keys: object) -> None:
    """Have the number of steps read anew: other weights have been trained for another number."""
    system._warm = None  # noqa: SLF001
