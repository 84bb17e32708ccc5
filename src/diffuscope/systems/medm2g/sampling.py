"""Several modalities at once out of noise, each guided by those that are given and by the others on their way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from diffuscope.diffusion.samplers import Sampler, make_sampler
from diffuscope.diffusion.schedule import Schedule
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.medm2g.contexts import Heard
from diffuscope.systems.medm2g.guide import Guide, Source

#: Noise of a key at a step, shaped as its latents: (n, …).
Draw = Callable[[str, int], Tensor]
# Latents have a deviation of 1: what a sampler takes for clean is held within so many.
_BOUNDS = (-6.0, 6.0)


def sample_flows(
    guide: Guide,
    given: Mapping[str, Tensor],
    wanted: Sequence[str],
    draw: Draw,
    *,
    schedule: Schedule,
    settings: SampleSettings,
    options: Mapping[str, float],
) -> Iterator[dict[str, Tensor]]:
    """Yield the clean estimates of all latents after each step; the last ones are the sample.

    Parameters
    ----------
    guide : Guide
        The flows.
    given : mapping of str to Tensor
        Pictures (n, 1, s, s) in [−1, 1], and token ids (n, longest), by key; of one case for as many as are drawn.
    wanted : sequence of str
        Keys of what is made, at least one.
    draw : callable
        Standard normal noise; step 0 is where sampling begins.
    schedule : Schedule
        Of training.
    settings : SampleSettings
        Sampler and steps.
    options : mapping of str to float
        ``guidance``, ``eta`` and ``together`` (see `diffuscope.systems.medm2g.declare`).
    """
    latents = {key: draw(key, 0) for key in wanted}
    number, where = len(latents[wanted[0]]), latents[wanted[0]].device
    runs = {
        key: make_sampler(settings.sampler, schedule, settings.steps, eta=options["eta"], bounds=_BOUNDS)
        for key in wanted
    }
    kinds = {key: _kind(guide, key, number, where) for key in wanted}
    known = []
    for key, x in given.items():
        modality = guide.config.modality(key)
        clean, zero = guide.flow(modality).side.encode(x), torch.zeros(len(x), device=where)
        source = Source(modality=modality, latents=clean, time=zero, kind=_kind(guide, key, len(x), where), x=x)
        said = _said(guide, source, wanted)
        known.append({target: heard.repeated(number // len(x)) for target, heard in said.items()})
    # With known sources beside those on their way, which no training showed, a report was not heard (docs/medm2g.md).
    each_other = len(wanted) > 1 and (options["together"] > 0 or not given)
    first: Sampler = runs[wanted[0]]
    for place, t in enumerate(first.timesteps, start=1):
        open_ = _on_their_way(guide, latents, kinds, (t + 1) / schedule.T) if each_other else {}
        clean_now = {}
        for key in wanted:
            target = guide.config.modality(key)
            others = [one[target] for one in (*known, *(one for other, one in open_.items() if other != key))]
            eps = _guided(guide, key, latents[key], kinds[key], t, others, options["guidance"])
            run = runs[key]
            noise = draw(key, place) if run.needs_noise and place < len(run.timesteps) else None
            step = run.step(eps, t, latents[key], noise=noise)
            latents[key], clean_now[key] = step.sample, step.clean
        yield clean_now


def _on_their_way(
    guide: Guide, latents: Mapping[str, Tensor], kinds: Mapping[str, Tensor], time: float
) -> dict[str, dict[str, Heard]]:
    """Return by what each of those on their way guides the others, by key and by the modality that hears it."""
    found = {}
    for key, noisy in latents.items():
        at = torch.full((len(noisy),), time, device=noisy.device)
        source = Source(modality=guide.config.modality(key), latents=noisy, time=at, kind=kinds[key])
        found[key] = _said(guide, source, list(latents))
    return found


def _said(guide: Guide, source: Source, wanted: Sequence[str]) -> dict[str, Heard]:
    """Return what a source says to the modality of each of the keys, computed once where it says the same."""
    drawn = {one: guide.config.draws(one, source.modality) for one in map(guide.config.modality, wanted)}
    ways = {way: guide.context(source, drawn=way) for way in set(drawn.values())}
    return {one: ways[way] for one, way in drawn.items()}


def _guided(
    guide: Guide,
    key: str,
    noisy: Tensor,
    kind: Tensor,
    t: int,
    others: Sequence[Heard],
    guidance: float,
) -> Tensor:
    """Return ε̂ under classifier-free guidance: ε̂(∅) + g (ε̂(context) − ε̂(∅))."""
    flow, number = guide.flow(guide.config.modality(key)), len(noisy)
    at = torch.full((number,), t, device=noisy.device)
    alpha_bar = guide.alpha_bar[at]
    if not others or guidance == 0:
        return flow.epsilon(noisy, at, alpha_bar, kind, None)
    heard = Heard.joined(others, dim=1)
    if guidance == 1:
        return flow.epsilon(noisy, at, alpha_bar, kind, heard)
    nothing = heard.only(torch.zeros(number, dtype=torch.bool, device=noisy.device))
    noisy, at, alpha_bar, kind = (torch.cat([one, one]) for one in (noisy, at, alpha_bar, kind))
    both = flow.epsilon(noisy, at, alpha_bar, kind, Heard.joined([heard, nothing], dim=0))
    under, free = both.chunk(2)
    return free + guidance * (under - free)


def _kind(guide: Guide, key: str, number: int, where: torch.device) -> Tensor:
    keys = guide.flow(guide.config.modality(key)).keys
    return torch.full((number,), list(keys).index(key), dtype=torch.long, device=where)
