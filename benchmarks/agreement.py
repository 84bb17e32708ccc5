"""What tells that nuclei do not belong to vessels, and which normalisation lets a network find it.

Simulated fields of six animals, a quarter with a nuclei channel that misleads; four animals train, two test. Here
networks are told which fields mislead, which no training of DAMM-Diffusion is: this is about what can be seen at all.

- The mean of the nuclei channel on vessels over that beside them: no training.
- `Agreement` as it is, with group norms, and with each px normalised over its channels, as in the U-Nets' blocks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional as F

from benchmarks._report import Goal, main
from benchmarks.reproduce.tumours import INTERNAL, MPP, Animal, Cohort, Fold
from diffuscope.evaluation.penetration import find_vessels
from diffuscope.networks.blocks import ChannelNorm
from diffuscope.systems.damm.agreement import Agreement
from diffuscope.systems.damm.config import WIDTHS

_STEPS, _BATCH, _SIDE = 1200, 16, 64


def measure() -> dict[str, float]:
    """Return AUROC over the fields of the animals that test."""
    animals = Fold(0, Cohort(folds=1, tested=Cohort.fields, phantom="even")).tests()[INTERNAL]
    trained, tested = animals[:4], animals[4:]
    figures = {"auroc_of_the_ratio_on_vessels": _auroc(tested, _ratio)}
    for name, norm in (("group_norm", None), ("norm_over_channels", ChannelNorm)):
        figures[f"auroc_{name}"] = _auroc(tested, _fitted(trained, norm))
    return figures


def _ratio(field: NDArray[np.float32]) -> float:
    """Return how bright nuclei are on vessels, over beside them."""
    vessels = find_vessels(field[0], mpp=MPP)
    return float(field[1][vessels].mean() / field[1][~vessels].mean()) if vessels.any() else 1.0


def _fitted(animals: list[Animal], norm: type[nn.Module] | None) -> Callable[[NDArray[np.float32]], float]:
    """Train on the animals' crops with what each field is; return what the network says of a field."""
    torch.manual_seed(0)
    module, rng = Agreement(2, WIDTHS["small"][:-1]), np.random.default_rng(0)
    if norm is not None:
        module.layers = nn.Sequential(*(norm() if isinstance(one, nn.GroupNorm) else one for one in module.layers))
    optimiser = torch.optim.AdamW(module.parameters(), 2e-3)
    for _ in range(_STEPS):
        crops, misleads = [], []
        for _ in range(_BATCH):
            animal = animals[rng.integers(len(animals))]
            index = int(rng.integers(len(animal.images)))
            y, x = rng.integers(0, np.array(animal.images.shape[2:]) - _SIDE + 1)
            crops.append(np.rot90(animal.images[index, :2, y : y + _SIDE, x : x + _SIDE], int(rng.integers(4)), (1, 2)))
            misleads.append(animal.kinds[index] != "concordant")
        told = _logits(module, np.stack(crops))
        loss = F.binary_cross_entropy_with_logits(told, torch.tensor(misleads, dtype=torch.float32))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    module.eval()

    def says(field: NDArray[np.float32]) -> float:
        starts = range(0, field.shape[1] - _SIDE + 1, _SIDE)
        with torch.no_grad():
            tiles = np.stack([field[:2, y : y + _SIDE, x : x + _SIDE] for y in starts for x in starts])
            return float(_logits(module, tiles).mean())

    return says


def _logits(module: Agreement, crops: NDArray[np.float32]) -> torch.Tensor:
    images = torch.from_numpy(np.ascontiguousarray(crops)) * (2.0 / 255.0) - 1.0
    return module(images[:, :1], images[:, 1:])[:, 0, 0, 0]


def _auroc(animals: list[Animal], says: Callable[[NDArray[np.float32]], float]) -> float:
    misleads = [kind != "concordant" for animal in animals for kind in animal.kinds]
    return float(roc_auc_score(misleads, [says(field) for animal in animals for field in animal.images]))


if __name__ == "__main__":
    main(measure, {"auroc_group_norm": Goal(low=0.9)})
