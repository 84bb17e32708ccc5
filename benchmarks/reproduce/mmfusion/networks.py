"""MMFusion trained on the patients of a fold, as the trainer trains what ships, and its draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.reproduce.mmfusion.study import Cases, Fold, Study
from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.systems.mmfusion.config import MMFusionConfig
from diffuscope.systems.mmfusion.system import MMFusion
from diffuscope.training.data.cohort import rows_data
from diffuscope.training.recipe import Optimisation
from diffuscope.training.trainer import fit

# Cases that are drawn at once.
_TOGETHER = 64


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


def train(study: Study, fold: Fold, config: Mapping[str, Any], plan: Plan, *, seed: int) -> MMFusion:
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
    """
    torch.manual_seed(seed)
    system = MMFusion(MMFusionConfig.model_validate(dict(config)))
    own, held = study.some(fold.train), study.some(fold.validation)
    system.fit(own)
    rounds = [(plan.guide, "guide")]
    if system.config.diffusion:
        rounds.append((plan.diffusion, "diffusion" if system.config.guide == "frozen" else "joint"))
    for optimisation, objective in rounds:
        seeded = optimisation.model_copy(update={"seed": seed})
        data = rows_data(own, held, seed=seed, batch=optimisation.batch)
        with TemporaryDirectory() as folder:
            fit(system, data, seeded, folder=Path(folder), device=torch.device("cpu"), objective=objective)
    return system.eval()


def draws(system: MMFusion, cases: Cases, plan: Plan, *, seed: int = 0) -> NDArray[np.float64]:
    """Return the draws of cases, (members, n, samples), in the noise that a run of each has."""
    settings = replace(next(iter(system.presets.values())), samples=plan.samples)
    keys = [key for key in system.nodes if key in cases]
    found = []
    for start in range(0, len(cases[keys[0]]), _TOGETHER):
        some = {key: cases[key][start : start + _TOGETHER].float() for key in keys}
        found.append(system.draws(some, CaseNoise(seed), settings))
    return torch.cat(found, 1).double().numpy()
