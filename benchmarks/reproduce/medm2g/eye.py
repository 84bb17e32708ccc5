"""A small encoder of pictures that was trained on other simulated patients: what FID, KID and retrieval look by.

There are no weights of Inception here, and Inception never saw an X-ray. This encoder learns to say of a picture of any
key which attributes its findings have; its features are what it makes of it before the last layer. It is the same in
all rows and all seeds, and the page names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.reproduce.medm2g.directions import IMAGES
from benchmarks.reproduce.medm2g.figures import Patients, Pictures
from benchmarks.shared.cells import Cell
from diffuscope.simulation.thorax_brain import Findings
from diffuscope.simulation.thorax_brain.findings import KINDS, SIDES, SIZES, ZONES

#: Numbers a picture.
FEATURES = 32
# Raise it when what is seen changes.
_EYE = 1
_WIDTHS = (16, 32, 64, 64)
_BATCH, _RATE = 64, 2e-3
_VALUES = (("kind", KINDS), ("side", SIDES), ("zone", ZONES), ("size", SIZES))


class Reader(nn.Module):
    """A picture (n, 1, h, w) of 0 … 1 and its key to features (n, FEATURES) and a logit for each label."""

    def __init__(self) -> None:
        super().__init__()
        self.kind = nn.Embedding(len(IMAGES), _WIDTHS[0])
        self.stem = nn.Conv2d(1, _WIDTHS[0], 3, padding=1)
        blocks: list[nn.Module] = []
        for before, after in pairwise(_WIDTHS):
            blocks += [nn.GroupNorm(8, before), nn.SiLU(), nn.Conv2d(before, after, 3, stride=2, padding=1)]
        self.blocks = nn.Sequential(*blocks, nn.SiLU())
        # Where something lies is an attribute: a grid of places, no mean over all of them.
        self.features = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * _WIDTHS[-1], FEATURES))
        self.head = nn.Sequential(nn.SiLU(), nn.Linear(FEATURES, len(label_names())))

    def forward(self, pictures: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and logits."""
        h = self.stem(2 * pictures - 1) + self.kind(key)[:, :, None, None]
        features = self.features(self.blocks(h))
        return features, self.head(features)


def label_names() -> list[str]:
    """Return what of findings is a label: that one of them has a value."""
    return [f"{name} {value}" for name, values in _VALUES for value in values] + ["any"]


def labels(findings: Sequence[Findings]) -> NDArray[np.float32]:
    """Return (n, labels) of 0 and 1."""
    return np.array(
        [
            [
                float(any(getattr(item, name) == value for item in one.items))
                for name, values in _VALUES
                for value in values
            ]
            + [float(bool(one.items))]
            for one in findings
        ],
        np.float32,
    )


def train_reader(
    pictures: Mapping[str, Pictures], truth: NDArray[np.float32], *, steps: int, seed: int, batch: int = _BATCH
) -> Reader:
    """Train a reader on pictures by key, row by row of the same patients, each drawn as often as any other."""
    torch.manual_seed(seed)
    reader, rng = Reader(), np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(reader.parameters(), lr=_RATE, weight_decay=1e-2)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
    keys = [key for key in IMAGES if key in pictures]
    stacked = torch.from_numpy(np.stack([pictures[key] for key in keys]).astype(np.float32))
    numbers, target = torch.tensor([IMAGES.index(key) for key in keys]), torch.from_numpy(truth)
    for _ in range(steps):
        which = torch.from_numpy(rng.integers(0, len(keys), batch))
        who = torch.from_numpy(rng.integers(0, len(truth), batch))
        logits = reader(stacked[which, who][:, None], numbers[which])[1]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, target[who])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    return reader.eval()


@torch.no_grad()
def looked(reader: Reader, key: str, pictures: Pictures) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return features (n, d) and probabilities (n, labels) of pictures of a key."""
    parts = torch.from_numpy(np.asarray(pictures, np.float32)).split(256)
    found = [reader(some[:, None], torch.full((len(some),), IMAGES.index(key))) for some in parts]
    features, logits = (torch.cat(both).double() for both in zip(*found, strict=True))
    return features.numpy(), logits.sigmoid().numpy()


@cache
def eye(root: Path, *, steps: int, patients: int, seed: int) -> Reader:
    """Return the encoder, trained now or before, on patients of a seed that nobody else has."""
    from benchmarks.reproduce.medm2g.cohort import simulated, simulator

    cell = Cell("eye", {"eye": _EYE, "simulator": simulator(), "steps": steps, "patients": patients, "seed": seed})

    def work(folder: Path) -> dict[str, Any]:
        others: Patients = simulated(patients, seed=seed)
        made = train_reader(others.images, labels(others.findings), steps=steps, seed=seed)
        torch.save(made.state_dict(), folder / "eye.pt")
        return {"patients": patients}

    cell.compute(root, work)
    reader = Reader()
    reader.load_state_dict(torch.load(root / cell.key / "eye.pt", weights_only=True))
    return reader.eval()
