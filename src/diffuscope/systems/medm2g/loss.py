"""What MedM2G trains for, round by round (§3.5): latents, flows alone, alignment, and flows that guide each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diffuscope.diffusion.epsilon import corrupt
from diffuscope.systems.medm2g.align import info_nce, visual_invariant
from diffuscope.systems.medm2g.contexts import Heard
from diffuscope.systems.medm2g.flows import Flow
from diffuscope.systems.medm2g.guide import Guide, Source
from diffuscope.systems.medm2g.prompts import viewed

# Images that guide at most at once in training; a run may have more.
_SOURCES = 3


@dataclass(frozen=True)
class Chosen:
    """One key of a modality for each case.

    Attributes
    ----------
    x : Tensor of shape (n, …)
        Pictures or token ids.
    kind : Tensor of shape (n,)
        Number of the key in its flow.
    there : Tensor of shape (n,)
        bool: whether the case has any.
    """

    x: Tensor
    kind: Tensor
    there: Tensor

    def only(self, rows: Tensor) -> Chosen:
        """Return some of the cases."""
        return Chosen(self.x[rows], self.kind[rows], self.there[rows])


def choose(
    flow: Flow,
    batch: Mapping[str, Tensor],
    generator: torch.Generator,
    *,
    keys: Sequence[str],
    number: int = 1,
    but: Tensor | None = None,
) -> list[Chosen]:
    """Draw keys of a modality for each case of a batch, different ones, among those that the case has.

    Parameters
    ----------
    flow : Flow
        The modality.
    batch : mapping of str to Tensor
        By key (n, …), NaN where a case does not have it.
    generator : torch.Generator
        What is drawn from, on its own device.
    keys : sequence of str
        Among which.
    number : int
        How many; where a case has fewer, the rest are not there.
    but : Tensor of shape (n,), optional
        Number of a key in the flow that is left out.
    """
    own = [key for key in keys if key in batch]
    several = torch.stack([batch[key] for key in own], dim=1)
    kinds = torch.tensor([flow.keys.index(key) for key in own], device=several.device)
    there = ~several.flatten(2).isnan().any(dim=2)
    if but is not None:
        there &= kinds[None, :] != but[:, None]
    chances = torch.rand(there.shape, generator=generator, device=generator.device).to(several.device)
    order = chances.masked_fill(~there, -1.0).argsort(dim=1, descending=True)
    rows = torch.arange(len(several), device=several.device)
    found = []
    for place in order.T[:number]:
        has = there[rows, place]
        x = several[rows, place]
        gap = has.view(-1, *(1,) * (x.ndim - 1))
        found.append(Chosen(torch.where(gap, x, torch.zeros_like(x)), kinds[place], has))
    return found


def alone_loss(
    flow: Flow, batch: Mapping[str, Tensor], keys: Sequence[str], alpha_bar: Tensor, generator: torch.Generator
) -> Tensor:
    """Return the error of ε, or of the velocity, of a flow that nothing guides (Eq. 2 without y)."""
    (one,) = choose(flow, batch, generator, keys=keys)
    one = one.only(one.there)
    with torch.no_grad():
        latents = flow.side.encode(one.x)
    noisy, noise, t, a = _noised(latents, alpha_bar, generator)
    return _error(flow, flow.epsilon(noisy, t, a, one.kind, None), noise, a)


def align_loss(
    flows: tuple[Flow, Flow],
    batch: Mapping[str, Tensor],
    generator: torch.Generator,
    *,
    temperature: float,
    invariant: float,
    off_diagonal: float,
) -> dict[str, Tensor]:
    """Return InfoNCE of two modalities of the same cases, and the visual invariant of those that are images."""
    ones = [choose(flow, batch, generator, keys=flow.keys)[0] for flow in flows]
    both = ones[0].there & ones[1].there
    ones = [one.only(both) for one in ones]
    vectors = [flow.see(one.x, one.kind)[0] for flow, one in zip(flows, ones, strict=True)]
    terms = {"contrast": info_nce(vectors[0], vectors[1], temperature)}
    total = terms["contrast"]
    imaging = [(flow, one) for flow, one in zip(flows, ones, strict=True) if one.x.ndim == 4]
    if invariant:
        for place, (flow, one) in enumerate(imaging):
            views = [flow.see(viewed(one.x, generator), one.kind)[0] for _ in range(2)]
            name = "invariant" if len(imaging) == 1 else f"invariant {place + 1}"
            terms[name] = visual_invariant(views[0], views[1], off_diagonal)
            total = total + invariant * terms[name]
    return {"loss": total, **terms}


def cross_loss(
    guide: Guide,
    target: str,
    sources: Sequence[str],
    batch: Mapping[str, Tensor],
    generator: torch.Generator,
    *,
    joint: float,
    drop: float,
) -> Tensor:
    """Return L_Cross (Eq. 6): the error of ε of one modality, guided by one to three images, or the text, of others.

    Parameters
    ----------
    guide : Guide
        The flows.
    target : str
        Modality A.
    sources : sequence of str
        Modalities B, each of which guides; A may be among them, of which other kinds of images then guide.
    batch : mapping of str to Tensor
        Cases. Those without A, or without any B, are left out.
    generator : torch.Generator
        What is drawn from.
    joint, drop : float
        See `diffuscope.systems.medm2g.config.ContextConfig`.
    """
    flow, of = guide.flow(target), guide.config.of
    (one,) = choose(flow, batch, generator, keys=of(target, made=True))
    found: list[tuple[str, Chosen]] = []
    for source in sources:
        but, keys = one.kind if target == source else None, of(source)
        number = int(torch.randint(min(_SOURCES, len(keys)), (1,), generator=generator, device=generator.device)) + 1
        chosen = choose(guide.flow(source), batch, generator, keys=keys, number=number, but=but)
        found += [(source, each) for each in chosen]
    both = one.there & torch.stack([each.there for _, each in found]).any(dim=0)
    one, found = one.only(both), [(source, each.only(both)) for source, each in found]
    with torch.no_grad():
        latents = flow.side.encode(one.x)
    noisy, noise, t, a = _noised(latents, guide.alpha_bar, generator)
    chances = torch.rand(2, len(t), generator=generator, device=generator.device).to(t.device)
    together = chances[0] < joint
    several = []
    for source, each in found:
        # What only goes in is always known.
        open_ = together & guide.made(source, each.kind)
        with torch.no_grad():
            known = guide.flow(source).side.encode(each.x)
        extra = torch.randn(known.shape, generator=generator, device=generator.device).to(known)
        shape = (-1, *(1,) * (known.ndim - 1))
        root, hidden = a.view(shape), open_.view(shape)
        state = torch.where(hidden, root.sqrt() * known + (1 - root).sqrt() * extra, known)
        time = torch.where(open_, (t + 1).float() / len(guide.alpha_bar), 0.0)
        heard = guide.context(
            Source(modality=source, latents=state, time=time, kind=each.kind, x=each.x, unknown=open_),
            drawn=guide.config.draws(target, source),
            generator=generator,
        )
        several.append(heard.only(each.there & (chances[1] >= drop)))
    return _error(flow, flow.epsilon(noisy, t, a, one.kind, Heard.joined(several, dim=1)), noise, a)


def draw_sources(guide: Guide, target: str, batch: Mapping[str, Tensor], generator: torch.Generator) -> list[str]:
    """Draw one or two modalities that guide A at a step, evenly, among those that a case with A has, if any has one.

    Of A itself a case must have a second kind of image.
    """
    config = guide.config
    has = {
        one: sum((~batch[key].flatten(1).isnan().any(dim=1)).long() for key in config.of(one) if key in batch)
        for one in config.modalities
    }
    may = config.sources(target)
    among = [
        one for one in may if bool(torch.as_tensor((has[target] > 0) & (has[one] > int(one == target))).any())
    ] or may
    order = torch.randperm(len(among), generator=generator, device=generator.device)
    number = int(torch.randint(min(2, len(among)), (1,), generator=generator, device=generator.device)) + 1
    return [among[int(place)] for place in order[:number]]


def _error(flow: Flow, epsilon: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """Return the mean squared error of ε̂; of a flow that is read as a velocity, that of the velocity.

    The two differ by the factor ᾱ_t of each example. What guides decides most where the noise is strong, and there the
    error of ε is next to nothing: with it a flow hardly learned to listen (docs/medm2g.md).
    """
    errors = (epsilon - noise).square().flatten(1).mean(1)
    return (errors / alpha_bar).mean() if flow.velocity else errors.mean()


def _noised(latents: Tensor, alpha_bar: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return z_t, ε, t (0-based) and ᾱ_t of latents, one draw for each."""
    noisy, noise, time, a = corrupt(latents, alpha_bar, generator)
    return noisy, noise, (time * len(alpha_bar)).round().long() - 1, a
