"""What MedM2G is held against without diffusion: the nearest patient who trained, and a network a task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.reproduce.medm2g.directions import REPORT, Direction
from benchmarks.reproduce.medm2g.figures import Patients, Pictures
from diffuscope.evaluation.metrics.neighbours import nearest
from diffuscope.evaluation.metrics.texts import words

See = Callable[[str, Pictures], NDArray[np.float64]]
_WIDTHS = (32, 64, 96)
_RATE = 1e-3


def retrieved(direction: Direction, train: Patients, test: Patients, see: See) -> Pictures | list[str]:
    """Return what the training patient has whose input is nearest: by features of pictures, by words of reports."""
    (given,), (made,) = direction.given, direction.made
    if given == REPORT:
        every = bags([*test.reports, *train.reports])
        own, others = every[: len(test)], every[len(test) :]
    else:
        own, others = see(given, test.images[given]), see(given, train.images[given])
    which = nearest(own, others)[1]
    return [train.reports[i] for i in which] if made == REPORT else train.images[made][which]


def bags(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return texts as counts of words and of pairs of words, each of length 1: near is alike."""
    counted = []
    for text in texts:
        own = words(text)
        counted.append(Counter(own) + Counter(pairwise(own)))
    names = {name: place for place, name in enumerate(sorted({n for one in counted for n in one}, key=str))}
    found = np.zeros((len(texts), len(names)))
    for row, one in zip(found, counted, strict=True):
        for name, count in one.items():
            row[names[name]] = count
    return found / np.linalg.norm(found, axis=1, keepdims=True).clip(min=1e-9)


class Translator(nn.Module):
    """A U-Net from pictures (n, c, h, w) of 0 … 1 to one, by the mean absolute error."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        first, *rest = _WIDTHS
        self.stem = nn.Conv2d(inputs, first, 3, padding=1)
        pairs = list(zip(_WIDTHS, rest, strict=False))
        self.down = nn.ModuleList(_block(a, b, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(_block(b + a, a, stride=1) for a, b in reversed(pairs))
        self.last = nn.Conv2d(first, 1, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return pictures (n, 1, h, w)."""
        h = self.stem(2 * pictures - 1)
        kept = []
        for block in self.down:
            kept.append(h)
            h = block(h)
        for block, before in zip(self.up, reversed(kept), strict=True):
            h = block(torch.cat([nn.functional.interpolate(h, scale_factor=2.0), before], dim=1))
        return torch.sigmoid(self.last(h))


def _block(before: int, after: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1), nn.GroupNorm(8, after), nn.SiLU(),
        nn.Conv2d(after, after, 3, padding=1), nn.GroupNorm(8, after), nn.SiLU(),
    )  # fmt: skip


def regressed(
    inputs: NDArray[np.float32], target: NDArray[np.float32], model: nn.Module, *, steps: int, batch: int, seed: int
) -> nn.Module:
    """Train a network in place to give the target, and return it."""
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=_RATE)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
    x, y = torch.from_numpy(inputs), torch.from_numpy(target)
    for _ in range(steps):
        who = torch.from_numpy(rng.integers(0, len(x), batch))
        loss = (model(x[who]) - y[who]).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    return model.eval()
