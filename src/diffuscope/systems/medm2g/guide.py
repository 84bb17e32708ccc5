"""How flows guide each other: what a denoiser reads of another modality (MedM2G Eq. 5 and 6)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from diffuscope.systems.medm2g.config import MedM2GConfig
from diffuscope.systems.medm2g.contexts import Embed, Heard, ImageContext, sampled_tokens
from diffuscope.systems.medm2g.flows import Flow, Seen
from diffuscope.systems.medm2g.layout import Layout
from diffuscope.systems.medm2g.near import ANYWHERE, WHOLE


@dataclass(frozen=True, kw_only=True)
class Source:
    """What guides: a modality's latents, known or on their way.

    Attributes
    ----------
    modality : str
        B.
    latents : Tensor of shape (n, …)
        z_t^B.
    time : Tensor of shape (n,)
        t / T, 0 where it is known.
    kind : Tensor of shape (n,)
        Number of its key.
    x : Tensor, optional
        The pictures or token ids where they are known.
    unknown : Tensor of shape (n,), optional
        bool: of which cases x is not to be looked at; None: of none where there is an x, else of all.
    """

    modality: str
    latents: Tensor
    time: Tensor
    kind: Tensor
    x: Tensor | None = None
    unknown: Tensor | None = None


class Guide(nn.Module):
    """All flows, and the embedding that they share.

    Parameters
    ----------
    config : MedM2GConfig
        Sizes.
    """

    alpha_bar: Tensor

    def __init__(self, config: MedM2GConfig, alpha_bar: Tensor) -> None:
        super().__init__()
        self.config = config
        self.flows = nn.ModuleDict({one: _alone(config, one) for one in config.modalities})
        self.embed = Embed(config.context.width)
        side = config.size // config.autoencoder.factor // config.context.stride
        self.layout = Layout(config.context.width, side) if config.context.layout else None
        self.register_buffer("alpha_bar", alpha_bar, persistent=False)
        self._made = {
            one: torch.tensor([key in config.of(one, made=True) for key in config.of(one)]) for one in config.modalities
        }

    def flow(self, modality: str) -> Flow:
        """Return a modality's flow."""
        flow = self.flows[modality]
        assert isinstance(flow, Flow)
        return flow

    def made(self, modality: str, kind: Tensor) -> Tensor:
        """Return which of some kinds (n,) of a modality may come out, bool (n,)."""
        return self._made[modality].to(kind.device)[kind]

    def learns(self, target: str, source: str) -> bool:
        """Return whether anything trains of what makes a modality A out of B."""
        flow, other = self.flow(target), self.flow(source)
        parts = [*flow.denoiser(), *flow.cross(), flow.null, other.context, other.adaptation, other.prompt, self.embed]
        if self.layout is not None and self.config.draws(target, source):
            parts.append(self.layout)
        return any(one.requires_grad for part in parts for one in part.parameters())

    def context(self, source: Source, *, drawn: bool = False, generator: torch.Generator | None = None) -> Heard:
        """Return by what a modality guides others.

        Parameters
        ----------
        source : Source
            What guides.
        drawn : bool
            Whether its vector is drawn onto places as well (see `MedM2GConfig.draws`), beside which its own tokens have
            none.
        generator : torch.Generator, optional
            In training, what φ_s draws by; None takes tokens that are evenly spaced.
        """
        flow, sizes = self.flow(source.modality), self.config.context
        number, where = len(source.latents), source.latents.device
        unknown = source.unknown
        if unknown is None:
            unknown = torch.full((number,), source.x is None, device=where)
        seen = None if source.x is None else flow.see(source.x, source.kind)
        if seen is not None and generator is not None and flow.adaptation.table.requires_grad:
            flow.adaptation.begin(seen[1].detach()[seen[2]], generator)
        if sizes.kind == "prompt":
            return self._prompted(seen, unknown, number, where)
        adapted, vectors = None, torch.zeros(number, 0, sizes.width, device=where)
        if sizes.adaptation:
            table = flow.adaptation(number)
            if seen is None:
                tokens = table
            else:
                taken = sampled_tokens(*seen, sizes.adaptation, generator)
                tokens = torch.where(unknown[:, None, None], table.to(taken.dtype), taken)
            adapted = self.embed(tokens)
            vectors = adapted[:, :1]
        found: Tensor = flow.context(source.latents, source.time, source.kind, adapted)
        counts = [torch.ones(one.shape[:2], dtype=torch.bool, device=where) for one in (found, vectors)]
        places = torch.full((found.shape[1],), ANYWHERE)
        if isinstance(flow.context, ImageContext) and sizes.kind == "tokens":
            own = len(flow.context.place)
            places[:own], places[own:] = torch.arange(own), WHOLE
        heard = Heard(found, counts[0], vectors, counts[1], places)
        return self._laid_out(heard, seen, unknown) if drawn else heard

    def _laid_out(self, heard: Heard, seen: Seen | None, unknown: Tensor) -> Heard:
        """Return what is heard with the vector drawn onto places; what is still to be made has no drawing."""
        assert self.layout is not None
        heard = replace(heard, places=torch.full_like(heard.places, WHOLE))
        if seen is None:
            return heard
        drawn = self.layout(seen[0])
        counts = ~unknown[:, None].expand(drawn.shape[:2])
        return replace(
            heard,
            tokens=torch.cat([heard.tokens, drawn], dim=1),
            mask=torch.cat([heard.mask, counts], dim=1),
            places=torch.cat([heard.places, torch.arange(drawn.shape[1])]),
        )

    def _prompted(
        self, seen: tuple[Tensor, Tensor, Tensor] | None, unknown: Tensor, number: int, where: torch.device
    ) -> Heard:
        """Return C(x) as it is: without cross-guided alignment what is still to be made guides nothing."""
        width = self.config.context.width
        no_vector = torch.zeros(number, 0, width, device=where), torch.zeros(number, 0, dtype=torch.bool, device=where)
        if seen is None:
            nothing = torch.zeros(number, 1, dtype=torch.bool, device=where)
            anywhere = torch.full((1,), ANYWHERE)
            return Heard(torch.zeros(number, 1, width, device=where), nothing, *no_vector, anywhere)
        whole, tokens, mask = seen
        both = self.embed(torch.cat([whole[:, None], tokens], dim=1))
        counts = torch.cat([torch.ones_like(mask[:, :1]), mask], dim=1) & ~unknown[:, None]
        return Heard(both, counts, *no_vector, torch.full((both.shape[1],), ANYWHERE))


def _alone(config: MedM2GConfig, modality: str) -> Flow:
    """Build a flow whose first weights do not hang on which others there are: each may be trained apart."""
    seed = torch.initial_seed()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed((seed + zlib.crc32(modality.encode())) % 2**63)
        return Flow(config, modality)
