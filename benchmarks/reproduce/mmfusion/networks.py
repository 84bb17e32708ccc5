"""MMFusion trained on the patients of a fold, and its draws.

The trainer of what ships (`diffuscope.training.trainer`) writes checkpoints and follows one system of any kind; for
networks as small as these that is most of the time. Here are the same steps without: loss, AdamW with warm-up and
cosine, clipping, averaged weights, and the epoch with the least loss on those who validate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.reproduce.mmfusion.eyes import MAPS, Seeing, Together
from benchmarks.reproduce.mmfusion.study import Cases, Fold, Study
from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.systems.mmfusion.config import MMFusionConfig
from diffuscope.training.data.cohort import rows_data
from diffuscope.training.module import learning_rate, seeded
from diffuscope.training.recipe import Optimisation

# Cases that are drawn at once, and draws of t and ε when validating.
_TOGETHER, _DRAWS = 64, 4


@dataclass(frozen=True)
class Plan:
    """Equal for every row of a table.

    Attributes
    ----------
    guide, diffusion : Optimisation
        Of the two rounds: the guide alone, which is all where there is no CFD, then what CFD adds.
    samples : int
        Draws of each member when scoring.
    """

    guide: Optimisation
    diffusion: Optimisation
    samples: int = 100

    def facts(self) -> dict[str, Any]:
        """Return JSON values for a cell's key."""
        return {"guide": self.guide.model_dump(), "diffusion": self.diffusion.model_dump(), "samples": self.samples}


def train(
    study: Study, fold: Fold, config: Mapping[str, Any], plan: Plan, *, seed: int, without: Sequence[str] = ()
) -> Together:
    """Train one on the rows of a fold that train; those that validate choose the epoch, those that test are not seen.

    Parameters
    ----------
    study, fold : Study, Fold
        Who trains and validates.
    config : mapping
        Of `MMFusionConfig`.
    plan : Plan
        Both rounds. Joint, as in Eq. 7 of the paper, the second round goes on with the guide; frozen, it does not.
    seed : int
        Of weights, order and noise.
    without : sequence of str
        Inputs that are hidden.
    """
    torch.manual_seed(seed)
    whole = MMFusionConfig.model_validate(dict(config))
    system = Together(whole) if whole.images is None else Seeing(whole)
    own, held = (study.some(places, without=without) for places in (fold.train, fold.validation))
    system.fit(own)
    _round(system, own, held, plan.guide, objective="guide", seed=seed)
    if whole.diffusion:
        objective = "joint" if whole.guide == "joint" else "diffusion"
        _round(system, own, held, plan.diffusion, objective=objective, seed=seed)
    return system.eval()


def _round(system: Together, own: Cases, held: Cases, plan: Optimisation, *, objective: str, seed: int) -> None:
    """Train in place by an objective; afterwards the averaged weights with the least loss on `held` are there."""
    assert isinstance(plan.learning_rate, float)
    system.objective = objective
    modules = [module for part in system.objectives[objective] for module in system.parts()[part]]
    weights = [weight for module in modules for weight in module.parameters()]
    system.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    optimiser = torch.optim.AdamW(weights, weight_decay=plan.weight_decay, betas=(0.9, 0.99), fused=True)
    average = [weight.detach().clone() for weight in weights]
    best: tuple[float, list[Tensor]] = (float("inf"), average)
    batch_at = rows_data(own, held, seed=seed, batch=plan.batch).batch_at
    every = max(plan.steps // plan.validations, 1)
    system.train()
    for step in range(plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, plan, plan.learning_rate)
        generator = seeded(seed * 1_000_003 + step, torch.device("cpu"))
        loss = system.loss(batch_at(step), generator)["loss"]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        follow = 1 - min(plan.ema, (1 + step) / (10 + step))
        torch._foreach_lerp_(average, [weight.detach() for weight in weights], follow)
        if (step + 1) % every == 0:
            now = deepcopy([weight.detach() for weight in weights])
            _put(weights, average)
            found = _validated(system, held, seed=seed)
            if found < best[0]:
                best = (found, deepcopy(average))
            _put(weights, now)
    _put(weights, best[1])


@torch.no_grad()
def _validated(system: Together, held: Cases, *, seed: int) -> float:
    system.eval()
    generator = torch.Generator().manual_seed(seed)
    draws = 1 if system.objective == "guide" else _DRAWS
    found = float(np.mean([float(system.loss(held, generator)["loss"]) for _ in range(draws)]))
    system.train()
    return found


@torch.no_grad()
def _put(weights: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for weight, value in zip(weights, values, strict=True):
        weight.copy_(value)


def draws(system: Together, cases: Cases, plan: Plan, *, seed: int = 0) -> NDArray[np.float64]:
    """Return the draws of cases, (members, n, samples), in the noise that a run of each has."""
    settings = replace(next(iter(system.presets.values())), samples=plan.samples)
    keys = [key for key in cases if key in system.nodes or key in MAPS.values()]
    found = []
    for start in range(0, len(cases[keys[0]]), _TOGETHER):
        some = {key: cases[key][start : start + _TOGETHER].float() for key in keys}
        found.append(system.draws(some, CaseNoise(seed), settings))
    return torch.cat(found, 1).double().numpy()
