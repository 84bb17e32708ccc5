"""A system that trains in a millisecond, with all that a resumed run could get wrong: dropout, buffers, a rival.

Run as a program it trains, and tells each step, until it is killed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Estimate, Tiled
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.recipe import Optimisation
from diffuscope.training.trainer import fit

PLAN = Optimisation(
    steps=40, batch=4, learning_rate=1e-2, warmup=5, ema=0.9, seed=3, validations=8, patience=3, checkpoint_every=3
)


class Toy(Tiled):
    tile, overlap = 16, 0
    inputs = (Raster(name="in", key="he", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0)),)
    outputs = (Raster(name="out", key="ihc", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0)),)
    presets = {"fast": SampleSettings(sampler="none", steps=1)}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Dropout(0.2), nn.Conv2d(8, 3, 1))
        self.rival = nn.Conv2d(3, 1, 3)

    def loss(self, batch, generator) -> dict[str, Tensor]:
        he, ihc = batch["he"] / 127.5 - 1, batch["ihc"] / 127.5 - 1
        noise = torch.randn(he.shape, generator=generator).to(he.device)
        found = self.net(torch.cat([he, ihc + noise], dim=1))
        told = [F.conv2d(found, self.rival.weight.detach()), self.rival(found.detach()), self.rival(ihc)]
        pixel = F.mse_loss(found, ihc)
        return {
            "loss": pixel + 0.1 * told[0].square().mean(),
            "rival": (told[1] + 1).square().mean() + (told[2] - 1).square().mean(),
            "pixel": pixel,
        }

    def players(self):
        return {"loss": list(self.net.parameters()), "rival": list(self.rival.parameters())}

    def sample(self, inputs, noise, settings):
        found = (self.net(torch.cat([inputs["he"] / 127.5 - 1] * 2, dim=1)) + 1) * 127.5
        yield Estimate(1, 1, {"ihc": found})
        return {"ihc": found.float().cpu()}


def fresh() -> Toy:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Toy()


def batch_at(number: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(number)
    he = torch.rand(4, 3, 16, 16, generator=generator) * 255
    return {"he": he, "ihc": 255 - he}


DATA = TrainingData(batch_at, [batch_at(10_000), batch_at(10_001)])


def train(folder: Path, plan: Optimisation = PLAN, **options):
    system = fresh()
    return system, fit(system, DATA, plan, folder=folder, device=torch.device("cpu"), precision="fp32", **options)


if __name__ == "__main__":
    torch.set_num_threads(1)

    def told() -> bool:
        print(flush=True)
        return False

    train(Path(sys.argv[1]), cancelled=told, resume=True)
