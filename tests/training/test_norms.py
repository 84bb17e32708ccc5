"""Batch norms have the statistics of the weights that are kept."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch
import toy_training as toy

from diffuscope.training import norms
from diffuscope.training.module import Training
from diffuscope.training.norms import settle_norms

CPU = torch.device("cpu")


def settle(system: toy.Toy, batches: int = 5) -> None:
    settle_norms(system, toy.DATA, seed=2, device=CPU, precision="fp32", batches=batches)


def test_statistics_are_the_means_over_batches_of_what_the_weights_make():
    system = toy.fresh()
    seen: list[torch.Tensor] = []
    before = {key: value.clone() for key, value in system.state_dict().items()}
    hook = system.net[0].register_forward_hook(lambda _module, _given, made: seen.append(made.double()))
    settle(system)
    hook.remove()
    means = torch.stack([one.mean(dim=(0, 2, 3)) for one in seen]).mean(dim=0)
    variances = torch.stack([one.var(dim=(0, 2, 3)) for one in seen]).mean(dim=0)
    assert len(seen) == 5
    torch.testing.assert_close(system.net[1].running_mean.double(), means, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(system.net[1].running_var.double(), variances, rtol=1e-5, atol=1e-6)
    changed = {key for key, value in system.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == {"net.1.running_mean", "net.1.running_var", "net.1.num_batches_tracked"}
    assert not system.training and not system.net[1].training and system.net[1].momentum == 0.1


def test_a_second_time_changes_nothing_and_draws_are_its_own():
    system = toy.fresh()
    settle(system)
    first = {key: value.clone() for key, value in system.state_dict().items()}
    torch.manual_seed(99)
    settle(system)
    assert all(torch.equal(value, first[key]) for key, value in system.state_dict().items())


def test_a_norm_that_training_leaves_alone_stays(monkeypatch):
    system = toy.fresh()
    whole = toy.Toy.train

    def train(self, mode: bool = True):
        whole(self, mode)
        self.net.eval()
        return self

    monkeypatch.setattr(toy.Toy, "train", train)
    before = system.net[1].running_mean.clone()
    settle(system)
    assert torch.equal(system.net[1].running_mean, before)


def test_what_validates_is_settled(tmp_path: Path, monkeypatch):
    """Otherwise the statistics of other weights would choose which are kept."""
    torch.set_num_threads(1)
    validate, apart = Training.validation_step, []

    def look(self: Training, batch, index: int) -> None:
        again = deepcopy(self.average)
        settle_norms(
            again, toy.DATA, seed=toy.PLAN.seed, device=CPU, precision="fp32", batches=norms.BATCHES_TO_VALIDATE
        )
        now, expected = self.average.state_dict(), again.state_dict()
        apart.append([key for key in now if not torch.equal(now[key], expected[key])])
        validate(self, batch, index)

    monkeypatch.setattr(Training, "validation_step", look)
    toy.train(tmp_path, toy.PLAN.model_copy(update={"patience": None}))
    assert len(apart) > 1 and not any(apart)


def test_a_training_ends_with_settled_norms(tmp_path: Path):
    torch.set_num_threads(1)
    system, fitted = toy.train(tmp_path, toy.PLAN.model_copy(update={"patience": None, "keep": "last"}))
    assert fitted.complete
    kept = {key: value.clone() for key, value in system.state_dict().items()}
    assert toy.PLAN.steps < norms.BATCHES
    settle_norms(system, toy.DATA, seed=toy.PLAN.seed, device=CPU, precision="fp32", batches=toy.PLAN.steps)
    assert all(torch.equal(value, kept[key]) for key, value in system.state_dict().items())


@pytest.mark.parametrize(("steps", "batches"), [(1, 2), (2, 2), (8, 8), (40, 40), (150, 150), (10_000, 150)])
def test_a_short_trial_is_not_settled_for_longer_than_it_trains(steps: int, batches: int):
    assert norms.batches_to_settle(steps) == batches
