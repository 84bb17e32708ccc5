"""Image encoders that have seen other simulated patients, so that rows differ by what they make of what is seen.

The paper begins with networks that were trained on other CTs (Med3D). These were trained to read the measures of tumour
and largest node off their crops, on patients of another seed and without any label; in all rows they stay as they are,
and what they see of each patient is computed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.shared.cells import Cell
from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.ports.settings import SampleSettings
from diffuscope.simulation.oesophagus import CohortPlan, OesophagusPatient, simulated
from diffuscope.systems.mmfusion.backbone import Backbone
from diffuscope.systems.mmfusion.config import ImagesConfig, MMFusionConfig
from diffuscope.systems.mmfusion.crops import crop_structures
from diffuscope.systems.mmfusion.images import Tokens
from diffuscope.systems.mmfusion.member import Encoded, Guided, Member
from diffuscope.systems.mmfusion.system import MMFusion

# Raise it when what is seen changes.
_EYES = 1
_SEED, _WIDTH, _BATCH, _RATE = 7001, 32, 32, 2e-3
_MEASURES: Mapping[str, tuple[str, ...]] = {
    "tumour": ("length", "depth", "tumour_pattern"),
    "nodes": ("axis", "eccentricity", "roughness", "node_pattern", "necrosis"),
}
#: Small crops of 2 mm: 4 cm of the tumour and 3.2 cm of each node.
IMAGES: Mapping[str, Any] = {
    "planes": 8, "stem": "small", "spacing": (2.0, 2.0, 2.0), "tumour": (20, 20, 20), "node": (16, 16, 16),
    "tokens": (2, 2, 2),
}  # fmt: skip


#: What an encoder saw of a patient, in place of the crops of that name.
MAPS: Mapping[str, str] = {"tumour": "maps of the tumour", "nodes": "maps of the nodes"}


class Together(MMFusion):
    """MMFusion that draws the classes of several cases at once."""

    @torch.no_grad()
    def draws(self, cases: Mapping[str, Tensor], noise: CaseNoise, settings: SampleSettings) -> Tensor:
        """Return the draws of cases, (members, n, samples), each in the noise that `sample` has.

        Parameters
        ----------
        cases : mapping of str to Tensor (n, …)
            As a training batch has them.
        noise, settings
            As of `sample`.
        """
        tokens = self._tokens(cases)
        encoded = [self._encode(member, cases, tokens) for member in self._members()]
        pairs = zip(self._members(), encoded, strict=True)
        chain = self._drawn([member.guide(one, torch.ones_like(one.there)) for member, one in pairs], noise, settings)
        while True:
            try:
                next(chain)
            except StopIteration as end:
                drawn: Tensor = end.value
                return drawn

    def guided(self, cases: Mapping[str, Tensor]) -> tuple[Member, Encoded, Guided]:
        """Return its first member, and what that makes of cases before and after the graph."""
        member = self._members()[0]
        encoded = self._encode(member, cases, self._tokens(cases))
        return member, encoded, member.guide(encoded, torch.ones_like(encoded.there))


class Seeing(Together):
    """MMFusion on what its image encoders saw once: a case has `MAPS` in place of crops."""

    def __init__(self, config: MMFusionConfig) -> None:
        super().__init__(config)
        assert self.images is not None
        for backbone in self.images.backbones.values():
            assert isinstance(backbone, Backbone)
            backbone.features = nn.Identity()

    def _tokens(self, batch: Mapping[str, Tensor]) -> Tokens | None:
        assert self.images is not None
        return self.images.encode(*(batch[key] for key in MAPS.values()))


def crops_of(patient: OesophagusPatient, images: ImagesConfig) -> dict[str, Tensor]:
    """Return ``"tumour"`` and ``"nodes"`` of a patient with a CT."""
    assert patient.ct is not None and patient.mask is not None
    ct, mask = torch.from_numpy(patient.ct).float()[None], torch.from_numpy(patient.mask)
    return crop_structures(ct, mask, patient.spacing, images)


def trained(backbone: str, *, patients: int, steps: int, root: Path) -> dict[str, tuple[Backbone, Tensor, Tensor]]:
    """Return the two encoders with mean and deviation of their maps, trained now or before.

    Parameters
    ----------
    backbone : str
        Of `ImagesConfig`.
    patients, steps : int
        That they saw, and of training of each.
    root : Path
        Where the cells lie.
    """
    facts = {"eyes": _EYES, "backbone": backbone, "patients": patients, "steps": steps, "images": dict(IMAGES)}
    cell = Cell(f"eyes-{backbone}", facts)
    images = ImagesConfig(backbone=backbone, **IMAGES)  # type: ignore[arg-type]

    def work(folder: Path) -> dict[str, Any]:
        made = {part: _train(part, images, patients=patients, steps=steps) for part in _MEASURES}
        torch.save({part: one[0].state_dict() for part, one in made.items()}, folder / "eyes.pt")
        return {
            part: {"r2": one[1], "mean": one[2].tolist(), "deviation": one[3].tolist()} for part, one in made.items()
        }

    found = cell.compute(root, work)
    stored = torch.load(root / cell.key / "eyes.pt", weights_only=True)
    eyes = {}
    for part in _MEASURES:
        one = Backbone(images, _WIDTH)
        one.load_state_dict(stored[part])
        eyes[part] = (one.eval(), torch.tensor(found[part]["mean"]), torch.tensor(found[part]["deviation"]))
    return eyes


@torch.no_grad()
def seen(eyes: Mapping[str, tuple[Backbone, Tensor, Tensor]], crops: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the feature maps of crops as `MAPS`, scaled, on the grid of tokens: (n, [nodes,] maps, z, y, x)."""
    found = {}
    for part, (eye, mean, deviation) in eyes.items():
        flat = crops[part].float().reshape(-1, 1, *crops[part].shape[-3:])
        maps = torch.cat([nn.functional.adaptive_avg_pool3d(eye.features(one), eye.grid) for one in flat.split(256)])
        maps = (maps - mean.view(-1, 1, 1, 1)) / deviation.view(-1, 1, 1, 1)
        maps[flat[:, 0, 0, 0, 0].isnan()] = torch.nan
        found[MAPS[part]] = maps.view(*crops[part].shape[:-4], *maps.shape[1:])
    return found


@cache
def _others(patients: int) -> tuple[OesophagusPatient, ...]:
    return tuple(simulated(CohortPlan(patients=patients, seed=_SEED)))


def _train(
    part: str, images: ImagesConfig, *, patients: int, steps: int
) -> tuple[Backbone, list[float], Tensor, Tensor]:
    """Return an encoder, what of the variance of each measure it tells of crops held out, and the scale of its maps."""
    having = [one for one in _others(patients) if part == "tumour" or one.measures["count"]]
    pairs = [(crops_of(one, images), one.measures) for one in having]
    crops = torch.stack([one["tumour"] if part == "tumour" else one["nodes"][0] for one, _ in pairs])
    truth = torch.tensor([[told[name] for name in _MEASURES[part]] for _, told in pairs])
    truth = (truth - truth.mean(0)) / truth.std(0)
    held = len(crops) // 10
    torch.manual_seed(0)
    eye = Backbone(images, _WIDTH)
    count = int(np.prod(images.tokens))
    head = nn.Linear(_WIDTH * count, truth.shape[1])
    weights = [*eye.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=_RATE)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
    for chosen in _batches(held, len(crops), steps):
        loss = nn.functional.mse_loss(head(eye(crops[chosen]).flatten(1)), truth[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    eye.eval()
    with torch.no_grad():
        told = head(eye(crops[:held]).flatten(1))
        r2 = 1 - ((told - truth[:held]) ** 2).mean(0) / truth[:held].var(0)
        maps = torch.cat([nn.functional.adaptive_avg_pool3d(eye.features(one), eye.grid) for one in crops.split(256)])
    return eye, [float(one) for one in r2], maps.mean((0, 2, 3, 4)), maps.std((0, 2, 3, 4)).clamp(min=1e-3)


def _batches(first: int, end: int, steps: int) -> Iterator[Tensor]:
    rng = np.random.default_rng(0)
    for _ in range(steps):
        yield torch.from_numpy(rng.integers(first, end, _BATCH))
