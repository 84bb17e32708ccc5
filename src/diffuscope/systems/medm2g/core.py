"""The networks of MedM2G as a `System`: its parts, what it trains for, and how it samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffuscope.diffusion.samplers import check_steps
from diffuscope.diffusion.schedule import scaled_linear_schedule
from diffuscope.errors import InputError
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import System
from diffuscope.systems.medm2g.config import MedM2GConfig
from diffuscope.systems.medm2g.declare import DRAFTS
from diffuscope.systems.medm2g.guide import Guide
from diffuscope.systems.medm2g.hub import load_published
from diffuscope.systems.medm2g.images import Images
from diffuscope.systems.medm2g.loss import align_loss, alone_loss, cross_loss, draw_sources
from diffuscope.systems.medm2g.sampling import Draw, sample_flows
from diffuscope.systems.medm2g.text.tokens import Tokens


class Networks(System):
    """The networks of MedM2G, and what they train for.

    Objectives, of modalities A and B: ``encode-A`` trains an autoencoder, ``generate-A`` a flow alone (the paper's
    first stage), ``align-A-B`` the prompt encoders, ``cross-A-B`` what guides, L_A + L_B, and ``cross-A`` L_A alone, of
    which one or two other modalities, drawn at each step, guide. The rounds of the paper train other parts than these
    defaults, which a recipe names: see docs/medm2g.md.

    Parameters
    ----------
    config : MedM2GConfig
        See there.
    declared : Declaration
        What it takes and gives.
    """

    page = "docs/medm2g.md"

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
        if self.guide.layout is not None:
            found["layout"] = (self.guide.layout,)
        for modality in self.config.modalities:
            flow = self.guide.flow(modality)
            found |= {
                f"autoencoder-{modality}": (flow.side.autoencoder,),
                f"diffuser-{modality}": (*flow.denoiser(), flow.null),
                f"cross-{modality}": flow.cross(),
                f"prompt-{modality}": (flow.prompt,),
                f"context-{modality}": (flow.context,),
                f"adaptation-{modality}": (flow.adaptation,),
            }
        return found

    def load_backbone(self, path: Path) -> None:
        """Begin with published weights of Stable Diffusion 1.5, BERT and GPT-2 (see `load_published`)."""
        load_published(path, [self.guide.flow(modality).side for modality in self.config.modalities])

    def needed(self, objective: str) -> tuple[tuple[str, ...], ...]:
        """Return groups of keys; a case is trained on that has one of each, and two of one that stands twice."""
        verb, *modalities = objective.split("-")
        made = verb == "generate"
        if verb == "cross" and len(modalities) == 1:
            modalities = list(self.config.modalities)
            modalities = modalities if len(modalities) > 1 else 2 * modalities
        return tuple(self.config.of(one, made=made) for one in modalities)

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss of the current objective, of pictures in [−1, 1] and token ids, NaN where there are none."""
        verb, *modalities = self.objective.split("-")
        align, of = self.config.align, self.config.of
        flow = self.guide.flow(modalities[0])
        if verb == "encode":
            several = torch.cat([batch[key] for key in of(modalities[0]) if key in batch])
            several = several[~several.flatten(1).isnan().any(dim=1)]
            number = len(next(iter(batch.values())))
            chosen = torch.randperm(len(several), generator=generator, device=generator.device)[:number]
            found: dict[str, Tensor] = flow.side.loss(several[chosen.to(several.device)], generator)
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
        if len(modalities) == 1:
            sources = draw_sources(self.guide, modalities[0], batch, generator)
            return {"loss": self._cross(modalities[0], sources, batch, generator)}
        ways = dict.fromkeys([(modalities[0], modalities[1]), (modalities[1], modalities[0])])
        # Where nothing of a way trains, its error would be computed for nothing.
        learned = [way for way in ways if self.guide.learns(*way)] or list(ways)
        terms = {f"{a} from {b}": self._cross(a, [b], batch, generator) for a, b in learned}
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}

    def _cross(
        self, target: str, sources: Sequence[str], batch: Mapping[str, Tensor], generator: torch.Generator
    ) -> Tensor:
        context = self.config.context
        joint = 0.0 if target in sources else context.joint
        return cross_loss(self.guide, target, sources, batch, generator, joint=joint, drop=context.drop)

    def check(self, settings: SampleSettings) -> None:
        """Refuse settings that the sampler cannot follow."""
        check_steps(settings.sampler, self.schedule, settings.steps)
        drafts = settings.options.get(DRAFTS, 1)
        if drafts != int(drafts):
            raise InputError(f"{drafts:g} {DRAFTS} are no whole number: say how many reports are to be drafted.")

    def what_is_made(self, given: Mapping[str, Any], settings: SampleSettings) -> tuple[str, ...]:
        """Return the keys of what is made: what is asked for, else all that was not given."""
        made = self.declared.made(given, settings.wanted)
        if not made:
            raise InputError("everything that this model makes was given: say which of it is wanted.")
        return tuple(dict.fromkeys(getattr(port, "of", "") or port.key for port in made))

    def _options(self, settings: SampleSettings) -> dict[str, float]:
        return {one.key: settings.options.get(one.key, one.default) for one in self.options}

    def sampled(
        self, given: Mapping[str, Tensor], wanted: Sequence[str], draw: Draw, settings: SampleSettings
    ) -> Iterator[dict[str, Tensor]]:
        """Yield the clean estimates of latents (see `diffuscope.systems.medm2g.sampling.sample_flows`)."""
        return sample_flows(
            self.guide,
            given,
            wanted,
            draw,
            schedule=self.schedule,
            settings=settings,
            options=self._options(settings),
        )

    def pictures(self, latents: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the pictures (n, 1, s, s) of latents, in the range of their ports."""
        found = {}
        for key, one in latents.items():
            if key in self._ranges:
                side = self.guide.flow(self.config.modality(key)).side
                assert isinstance(side, Images)
                image = side.decode(one)
                low, high = self._ranges[key]
                found[key] = low + (image.clamp(-1, 1) + 1) / 2 * (high - low)
        return found

    def unit(self, key: str, image: Tensor) -> Tensor:
        """Return a picture in the range of its port as the networks take it."""
        low, high = self._ranges[key]
        return ((image - low) / (high - low) * 2 - 1).clamp(-1, 1)


def _objectives(config: MedM2GConfig) -> dict[str, tuple[str, ...]]:
    """Return every objective, and the parts that train for it unless a recipe says otherwise."""
    found: dict[str, tuple[str, ...]] = {f"encode-{one}": (f"autoencoder-{one}",) for one in config.modalities}
    found |= {f"generate-{one}": (f"diffuser-{one}", f"cross-{one}") for one in config.modalities}
    found |= {f"cross-{one}": (f"diffuser-{one}", f"cross-{one}") for one in config.modalities if config.sources(one)}
    for one, other in config.pairs():
        if one != other:
            found[f"align-{one}-{other}"] = (f"prompt-{one}", f"prompt-{other}")
        both = dict.fromkeys((one, other))
        own = [[f"context-{each}", f"adaptation-{each}", f"cross-{each}"] for each in both]
        drawn = ("layout",) if config.draws(one, other) or config.draws(other, one) else ()
        found[f"cross-{one}-{other}"] = ("embedding", *drawn, *chain.from_iterable(own))
    return found
