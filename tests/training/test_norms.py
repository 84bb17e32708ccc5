"""Batch norms have the statistics of the weights that are kept."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from diffuscope.training.norms import settle_norms

sys.path.insert(0, str(Path(__file__).parent))
import toy

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


def test_a_training_ends_with_settled_norms(tmp_path: Path):
    torch.set_num_threads(1)
    system, fitted = toy.train(tmp_path, toy.PLAN.model_copy(update={"patience": None, "keep": "last"}))
    assert fitted.complete
    kept = {key: value.clone() for key, value in system.state_dict().items()}
    settle_norms(system, toy.DATA, seed=toy.PLAN.seed, device=CPU, precision="fp32")
    assert all(torch.equal(value, kept[key]) for key, value in system.state_dict().items())
