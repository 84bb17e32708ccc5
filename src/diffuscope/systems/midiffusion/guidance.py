"""What a sampler is given: D(x; σ), guided by the source as in Algorithm 1, and by what is ours beside it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from diffuscope.diffusion.ve_sde import NoiseLevels
from diffuscope.systems.midiffusion.condition import DROPPED, Condition
from diffuscope.systems.midiffusion.config import MIDiffusionConfig
from diffuscope.systems.midiffusion.consistency import Consistency
from diffuscope.systems.midiffusion.network import ScoreNetwork
from diffuscope.systems.midiffusion.place import bodies, place_maps

# σ, of images in [−1, 1], above which the levels of regions are decided, which flicker from slice to slice: neighbours
# guide, too, and levels are made consistent. What is decided below are a slice's own edges and texture. From 0.3 on
# neighbours blur those of a brain.
_LEVELS_ABOVE = 1.0


class Guidance:
    """D(x; σ) by s_0 + w (s_LMI − s_0), s_LMI = s_θ(F̂_t, LMI(G; G, F̂_t), t); w = 1 is the paper (Algorithm 1).

    What LMI needs of the source is computed once.

    Parameters
    ----------
    network : ScoreNetwork
        s_θ.
    levels : NoiseLevels
        Those of training.
    config : MIDiffusionConfig
        For LMI, and whether the network sees the place.
    slices : Tensor of shape (n, 3, h, w)
        The slice before, G and the slice after, in [−1, 1].
    options : mapping of str to float
        ``guidance``, w; ``neighbours`` and ``consistency``, see `diffuscope.systems.midiffusion.system.MIDiffusion`.

    Attributes
    ----------
    source : Tensor of shape (n, 1, h, w)
        G.
    """

    def __init__(
        self,
        network: ScoreNetwork,
        levels: NoiseLevels,
        config: MIDiffusionConfig,
        slices: Tensor,
        options: Mapping[str, float],
    ) -> None:
        before, self.source, after = slices.split(1, dim=1)
        self._network, self._levels = network, levels
        self._weight, near, share = (options[key] for key in ("guidance", "neighbours", "consistency"))
        guiding = [(1.0, self.source)] if self._weight else []
        if self._weight and near:
            guiding += [(near, before), (near, after)]
        # (share, LMI); the first is the slice's own.
        self._guides = [(part, _condition(one, config)) for part, one in guiding]
        self._even = partial(Consistency(self.source), share=share) if share else None

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Return D(x; σ) in [−1, 1] of x = F + σ z (n, 1, h, w).

        Velocities are added up as scores are: both are linear in D.
        """
        kept = 1.0 / (1.0 + sigma**2)
        scaled = x * kept**0.5
        time = torch.full((1,), self._levels.time(sigma), device=x.device)
        guides = self._guides if sigma > _LEVELS_ABOVE else self._guides[:1]
        whole = sum(share for share, _ in guides)
        terms = [(self._weight * share / whole, guide(scaled)) for share, guide in guides]
        if self._weight != 1.0:
            blank = x.new_full((len(x), self._network.condition, *x.shape[2:]), DROPPED)
            terms.append((1.0 - self._weight, blank))
        found = self._network(torch.cat([scaled] * len(terms)), time, torch.cat([maps for _, maps in terms]))
        velocity = sum(part * one for (part, _), one in zip(terms, found.chunk(len(terms)), strict=True))
        clean = (kept**0.5 * scaled - (1.0 - kept) ** 0.5 * velocity).clamp(-1.0, 1.0)
        return self._even(clean) if self._even is not None and sigma > _LEVELS_ABOVE else clean


def _condition(source: Tensor, config: MIDiffusionConfig) -> Condition:
    return Condition(source, config.lmi, place_maps(bodies(source)) if config.place else None)
