"""MedM2G as `System`s: one that takes a whole case, and one that runs over volumes slice by slice."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffuscope.diffusion.samplers import make_sampler
from diffuscope.diffusion.schedule import scaled_linear_schedule
from diffuscope.errors import InputError
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.text import Written
from diffuscope.systems.base import CaseInput, CaseNoise, Estimate, Noise, System, Tiled, Whole
from diffuscope.systems.medm2g.config import REPORT, TEXT, MedM2GConfig
from diffuscope.systems.medm2g.declare import SPREAD, declare, declare_slices
from diffuscope.systems.medm2g.flows import TextSide
from diffuscope.systems.medm2g.guide import Guide
from diffuscope.systems.medm2g.loss import align_loss, alone_loss, cross_loss
from diffuscope.systems.medm2g.sampling import Draw, sample_flows
from diffuscope.systems.medm2g.text.tokens import Tokens

# Network evaluations between two pictures of what is on its way.
_SHOWN = 5


class _MedM2G(System):
    """What both have: the networks, and what they train for.

    Objectives, of modalities A and B: ``encode-A`` trains an autoencoder, ``generate-A`` a flow alone (the paper's
    first stage), ``align-A-B`` the prompt encoders, and ``cross-A-B`` what guides, L_A + L_B. The rounds of the paper
    train other parts than these defaults, which a recipe names: see docs/medm2g.md.

    Parameters
    ----------
    config : MedM2GConfig
        See there.
    declared : Declaration
        What it takes and gives.
    """

    def __init__(self, config: MedM2GConfig, declared: Declaration) -> None:
        super().__init__(declared)
        self.config = config
        self.schedule = scaled_linear_schedule(config.T, config.first, config.last)
        self.guide = Guide(config, torch.as_tensor(self.schedule.alphas_cumprod, dtype=torch.float32))
        self.tokens = Tokens(config.text) if config.text is not None else None
        self._ranges = {image.key: image.range for image in config.images}
        self.objectives = _objectives(config)
        self.begin()

    def parts(self) -> dict[str, tuple[nn.Module, ...]]:
        """Of each modality its autoencoder, denoiser, cross-attention, prompt and context encoder and adaptation."""
        found: dict[str, tuple[nn.Module, ...]] = {"embedding": (self.guide.embed,)}
        for modality in self.config.modalities:
            flow = self.guide.flow(modality)
            autoencoder = flow.side.autoencoder
            assert isinstance(autoencoder, nn.Module)
            found |= {
                f"autoencoder-{modality}": (autoencoder,),
                f"diffuser-{modality}": (*flow.denoiser(), flow.null),
                f"cross-{modality}": tuple(flow.side.cross()),  # type: ignore[operator]
                f"prompt-{modality}": (flow.prompt,),
                f"context-{modality}": (flow.context,),
                f"adaptation-{modality}": (flow.adaptation,),
            }
        return found

    def needed(self, objective: str) -> tuple[tuple[str, ...], ...]:
        """Return groups of keys, of each of which a case must have one to be trained on for an objective."""
        verb, *modalities = objective.split("-")
        made = verb == "generate"
        groups = tuple(self.config.of(one, made=made) for one in modalities)
        # One kind of image from another kind.
        return groups if len(set(modalities)) == len(modalities) else (groups[0],)

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss of the current objective, of pictures in [−1, 1] and token ids, NaN where there are none."""
        verb, *modalities = self.objective.split("-")
        align, context, of = self.config.align, self.config.context, self.config.of
        flow = self.guide.flow(modalities[0])
        if verb == "encode":
            several = torch.cat([batch[key] for key in of(modalities[0]) if key in batch])
            several = several[~several.flatten(1).isnan().any(dim=1)]
            number = len(next(iter(batch.values())))
            chosen = torch.randperm(len(several), generator=generator, device=generator.device)[:number]
            found: dict[str, Tensor] = flow.side.loss(several[chosen.to(several.device)], generator)  # type: ignore[operator]
            return found
        if verb == "generate":
            made = of(modalities[0], made=True)
            return {"loss": alone_loss(flow, batch, made, self.guide.alpha_bar, generator)}
        if verb == "align":
            flows = flow, self.guide.flow(modalities[1])
            return align_loss(
                flows,
                batch,
                generator,
                temperature=align.temperature,
                invariant=align.invariant,
                off_diagonal=align.off_diagonal,
            )
        ways = dict.fromkeys([(modalities[0], modalities[1]), (modalities[1], modalities[0])])
        terms = {
            f"{a} from {b}": cross_loss(
                self.guide,
                a,
                b,
                batch,
                (of(a, made=True), of(b)),
                generator,
                joint=context.joint if a != b else 0.0,
                drop=context.drop,
            )
            for a, b in ways
        }
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}

    def check(self, settings: SampleSettings) -> None:
        """Refuse settings that the sampler cannot follow."""
        make_sampler(settings.sampler, self.schedule, settings.steps)

    def _wanted(self, given: Mapping[str, Any], settings: SampleSettings) -> tuple[str, ...]:
        """Return the keys of what is made: what is asked for, else all that was not given."""
        can = [key for one in self.config.modalities for key in self.config.of(one, made=True)]
        asked = {key.removesuffix(SPREAD) for key in settings.wanted}
        wanted = tuple(key for key in can if (key in asked if asked else key not in given))
        if not wanted:
            raise InputError("everything that this model makes was given: say which of it is wanted.")
        return wanted

    def _options(self, settings: SampleSettings) -> dict[str, float]:
        return {one.key: settings.options.get(one.key, one.default) for one in self.options}

    def _sampled(
        self, given: Mapping[str, Tensor], wanted: Sequence[str], draw: Draw, settings: SampleSettings
    ) -> Iterator[dict[str, Tensor]]:
        return sample_flows(
            self.guide,
            given,
            wanted,
            draw,
            schedule=self.schedule,
            settings=settings,
            options=self._options(settings),
        )

    def _pictures(self, latents: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the pictures (n, 1, s, s) of latents, in the range of their ports."""
        found = {}
        for key, one in latents.items():
            if key in self._ranges:
                image = self.guide.flow(self.config.modality(key)).side.decode(one)  # type: ignore[operator]
                low, high = self._ranges[key]
                found[key] = low + (image.clamp(-1, 1) + 1) / 2 * (high - low)
        return found

    def _unit(self, key: str, image: Tensor) -> Tensor:
        """Return a picture in the range of its port as the networks take it."""
        low, high = self._ranges[key]
        return ((image - low) / (high - low) * 2 - 1).clamp(-1, 1)


class MedM2G(_MedM2G, Whole):
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
        size = self.config.size
        for key, one in inputs.items():
            if isinstance(one, str):
                assert self.tokens is not None
                found[key] = self.tokens.encode(one)
                continue
            height, width = one.shape[-2:]
            if height > size or width > size:
                raise InputError(
                    f"{key} has {height} × {width} px at {self.config.mpp:g} µm/px, and this model sees "
                    f"{size} × {size}: cut out what matters, or say the right µm/px."
                )
            top, left = (size - height) // 2, (size - width) // 2
            around = (left, size - width - left, top, size - height - top)
            found[key] = F.pad(self._unit(key, one), around, value=-1.0)
            found["shape"] = torch.tensor([height, width])
        return found

    def sample(
        self, inputs: Mapping[str, CaseInput], noise: CaseNoise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor | Written]]:
        """Sample one case: of each image the mean over the samples and their deviation, and the first sample's report.

        The deviation (ddof 1) over one sample is unknown, NaN.
        """
        given = {key: one[None] for key, one in inputs.items() if isinstance(one, Tensor) and one.is_floating_point()}
        wanted = self._wanted(given, settings)
        shape = inputs.get("shape")
        frame = self._frame(shape if isinstance(shape, Tensor) else None)
        shown = wanted[0] if wanted[0] != REPORT else None
        pictures: list[dict[str, Tensor]] = []
        written: Written | None = None
        steps = settings.steps * settings.samples
        for number in range(settings.samples):
            draw = partial(self._draw, noise, number)
            latents: dict[str, Tensor] = {}
            for place, latents in enumerate(self._sampled(given, wanted, draw, settings), start=1):
                done = number * settings.steps + place
                clean = {}
                if shown and place % _SHOWN == 0:
                    clean = {key: frame(one) for key, one in self._pictures({shown: latents[shown]}).items()}
                yield Estimate(step=done, steps=steps, clean=clean)
            pictures.append({key: frame(one) for key, one in self._pictures(latents).items()})
            if written is None and REPORT in latents:
                written = self._written(latents[REPORT])
        found: dict[str, Tensor | Written] = dict(_mean_and_spread(pictures, settings.wanted))
        return found if written is None else found | {REPORT: written}

    def _draw(self, noise: CaseNoise, sample: int, key: str, step: int) -> Tensor:
        shape = self.guide.flow(self.config.modality(key)).latent
        return noise(key, sample=sample, step=step, shape=(1, *shape))

    def _frame(self, shape: Tensor | None) -> Any:
        """Return what cuts a picture (1, 1, s, s) out as the input lay in it, (1, h, w)."""
        size = self.config.size
        height, width = (size, size) if shape is None else (int(one) for one in shape)
        top, left = (size - height) // 2, (size - width) // 2
        return lambda image: image[0, :, top : top + height, left : left + width]

    def _written(self, latents: Tensor) -> Written:
        side = self.guide.flow(TEXT).side
        assert isinstance(side, TextSide)
        return side.write(latents)[0]


class MedM2GSlices(_MedM2G, Tiled):
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
        given = {key: self._unit(key, one) for key, one in inputs.items()}
        wanted = tuple(key for key in self._wanted(given, settings) if key != REPORT)
        pictures = []
        steps = settings.steps * settings.samples
        for number in range(settings.samples):
            latents: dict[str, Tensor] = {}
            for place, latents in enumerate(self._sampled(given, wanted, self._draw(noise, number), settings), start=1):
                done = number * settings.steps + place
                clean = self._pictures({wanted[0]: latents[wanted[0]]}) if place % _SHOWN == 0 else {}
                yield Estimate(step=done, steps=steps, clean=clean)
            pictures.append(self._pictures(latents))
        return _mean_and_spread(pictures, settings.wanted)

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss of the current objective, of slices in the ranges of their ports."""
        return super().loss({key: self._unit(key, one) for key, one in batch.items()}, generator)

    def training_keys(self) -> tuple[list[str], list[str]]:
        """Nothing must be there; all kinds of images are taken."""
        return [], [image.key for image in self.config.images]

    def _draw(self, noise: Noise, sample: int) -> Draw:
        factor, latent = self.config.autoencoder.factor, self.config.autoencoder.latent
        return lambda key, step: noise(key, sample=sample, step=step, channels=latent, every=factor)


def _mean_and_spread(pictures: Sequence[Mapping[str, Tensor]], asked: Sequence[str]) -> dict[str, Tensor]:
    """Return means over samples, and deviations where they are asked for or nothing in particular is."""
    found = {}
    for key in pictures[0]:
        several = torch.stack([one[key] for one in pictures])
        if not asked or key in asked:
            found[key] = several.mean(0)
        if not asked or f"{key}{SPREAD}" in asked:
            alone = torch.full_like(several[0], torch.nan)
            found[f"{key}{SPREAD}"] = several.std(0) if len(several) > 1 else alone
    return found


def _objectives(config: MedM2GConfig) -> dict[str, tuple[str, ...]]:
    """Return every objective, and the parts that train for it unless a recipe says otherwise."""
    found = {f"encode-{one}": (f"autoencoder-{one}",) for one in config.modalities}
    found |= {f"generate-{one}": (f"diffuser-{one}", f"cross-{one}") for one in config.modalities}
    for one, other in config.pairs():
        if one != other:
            found[f"align-{one}-{other}"] = (f"prompt-{one}", f"prompt-{other}")
        both = dict.fromkeys((one, other))
        own = [[f"context-{each}", f"adaptation-{each}", f"cross-{each}"] for each in both]
        found[f"cross-{one}-{other}"] = ("embedding", *chain.from_iterable(own))
    return found
