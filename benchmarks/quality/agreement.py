"""What tells that nuclei do not belong to vessels, and which normalisation lets a network find it.

Simulated fields of six animals, a quarter with a nuclei channel that misleads; four animals train, two test. Here
networks are told which fields mislead, which no training of DAMM-Diffusion is: this is about what can be seen at all.

- The mean of the nuclei channel on vessels over that beside them: no training.
- `Agreement` as it is, with group norms, and with each px normalised over its channels, as in the U-Nets' blocks.
- d itself, of x_t at a random t: both encoders with U, by their norms. Fewer steps of fewer crops: they are larger.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional as F

from benchmarks.reproduce.damm.tumours import INTERNAL, KEYS, MPP, Animal, Cohort, Fold
from benchmarks.shared.figures import Goal
from diffuscope.diffusion.epsilon import corrupt
from diffuscope.measurement.penetration import find_vessels
from diffuscope.networks.blocks import ChannelNorm
from diffuscope.systems.damm.config import WIDTHS, DAMMConfig
from diffuscope.systems.damm.latents import normalised
from diffuscope.systems.damm.system import DAMM
from diffuscope.systems.damm.variants.agreement import Agreement

_SIDE = 64
# Steps and crops of a step: of the small network, and of both encoders.
_SMALL, _ENCODERS = (1200, 16), (300, 12)

#: From crops (n, 2 or 3, h, w) in counts to a logit each that they mislead.
Logits = Callable[[NDArray[np.float32]], torch.Tensor]
GOALS = {"auroc_group_norm": Goal(low=0.9)}


def measure() -> dict[str, float]:
    """Return AUROC over the fields of the animals that test."""
    animals = Fold(0, Cohort(folds=1, tested=Cohort.fields, phantom="even")).tests()[INTERNAL]
    trained, tested = animals[:4], animals[4:]
    figures = {"auroc_of_the_ratio_on_vessels": _auroc(tested, _ratio)}
    for name, norm in (("group_norm", None), ("norm_over_channels", ChannelNorm)):
        module = _agreement(norm)
        figures[f"auroc_{name}"] = _auroc(tested, _fitted(trained, module, partial(_agreed, module), *_SMALL))
    for kind in ("group", "channel"):
        system = _damm(kind)
        figures[f"auroc_of_d_{kind}"] = _auroc(tested, _fitted(trained, system, partial(_diverged, system), *_ENCODERS))
    return figures


def _ratio(field: NDArray[np.float32]) -> float:
    """Return how bright nuclei are on vessels, over beside them."""
    vessels = find_vessels(field[0], mpp=MPP)
    return float(field[1][vessels].mean() / field[1][~vessels].mean()) if vessels.any() else 1.0


def _agreement(norm: type[nn.Module] | None) -> Agreement:
    torch.manual_seed(0)
    module = Agreement(2, WIDTHS["small"][:-1])
    if norm is not None:
        module.layers = nn.Sequential(*(norm() if isinstance(one, nn.GroupNorm) else one for one in module.layers))
    return module


def _damm(norm: str) -> DAMM:
    torch.manual_seed(0)
    output = {"key": KEYS[2], "range": [0.0, 192.0]}
    return DAMM(
        DAMMConfig.model_validate({"size": "small", "mpp": MPP, "patch": _SIDE, "norm": norm, "output": output})
    )


def _fitted(
    animals: list[Animal], module: nn.Module, logits: Logits, steps: int, batch: int
) -> Callable[[NDArray[np.float32]], float]:
    """Train on the animals' crops with what each field is; return what the network says of a field."""
    rng = np.random.default_rng(0)
    module.train()
    optimiser = torch.optim.AdamW(module.parameters(), 2e-3)
    for _ in range(steps):
        crops, misleads = [], []
        for _ in range(batch):
            animal = animals[rng.integers(len(animals))]
            index = int(rng.integers(len(animal.images)))
            y, x = rng.integers(0, np.array(animal.images.shape[2:]) - _SIDE + 1)
            crops.append(np.rot90(animal.images[index, :, y : y + _SIDE, x : x + _SIDE], int(rng.integers(4)), (1, 2)))
            misleads.append(animal.kinds[index] != "concordant")
        told = logits(np.stack(crops))
        loss = F.binary_cross_entropy_with_logits(told, torch.tensor(misleads, dtype=torch.float32))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    module.eval()

    def says(field: NDArray[np.float32]) -> float:
        starts = range(0, field.shape[1] - _SIDE + 1, _SIDE)
        with torch.no_grad():
            tiles = np.stack([field[:, y : y + _SIDE, x : x + _SIDE] for y in starts for x in starts])
            return float(logits(tiles).mean())

    return says


def _agreed(module: Agreement, crops: NDArray[np.float32]) -> torch.Tensor:
    images = torch.from_numpy(np.ascontiguousarray(crops)) * (2.0 / 255.0) - 1.0
    return module(images[:, :1], images[:, 1:2])[:, 0, 0, 0]


def _diverged(system: DAMM, crops: NDArray[np.float32]) -> torch.Tensor:
    """Of one draw of (t, ε), the same for the same crops: the logit of d."""
    images = torch.from_numpy(np.ascontiguousarray(crops))
    vessels, nuclei, particles = (images[:, i : i + 1] for i in range(3))
    config, generator = system.config, torch.Generator().manual_seed(int(crops.sum()))
    main, auxiliary = normalised(vessels, config.main), normalised(nuclei, config.auxiliaries[0])
    noisy, _, time, _ = corrupt(normalised(particles, config.output), system.get_buffer("alpha_bar"), generator)
    return torch.logit(system.network.encode(noisy, time, main, auxiliary).divergence)


def _auroc(animals: list[Animal], says: Callable[[NDArray[np.float32]], float]) -> float:
    misleads = [kind != "concordant" for animal in animals for kind in animal.kinds]
    return float(roc_auc_score(misleads, [says(field) for animal in animals for field in animal.images]))
