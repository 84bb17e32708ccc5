"""Compiled networks in training: the same training, whatever the compiler does, and a plain system after it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import toy_training as toy

from diffuscope.engine.events import Notice
from diffuscope.systems.registry import build_system
from diffuscope.systems.staindiffuser.config import WIDTHS
from diffuscope.training import compiling
from diffuscope.training.compiling import pays
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.recipe import Optimisation
from diffuscope.training.trainer import fit

PLAN = toy.PLAN.model_copy(update={"patience": None, "keep": "last", "steps": 12, "validations": 2})
CPU = torch.device("cpu")


class Parted(toy.Toy):
    """The toy, whose network is worth compiling."""

    def compiled_parts(self):
        return (self.net, self.rival)


def fresh() -> Parted:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Parted()


def trained(folder: Path, plan: Optimisation, **options) -> Parted:
    system = fresh()
    fit(system, toy.DATA, plan, folder=folder, device=CPU, precision="fp32", **options)
    return system


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def eagerly(parts, *, report) -> None:
    """Trace as a compiler does, forth and back, and generate no code: seconds instead of minutes."""
    for part in parts:
        part.compile(backend="aot_eager", dynamic=False)


def test_a_part_that_cannot_be_compiled_trains_plain_to_the_same_bits(tmp_path: Path, monkeypatch):
    """Its failed step leaves no trace: not in batch norms, gradients, or what is drawn."""

    def stubborn(parts, *, report) -> None:
        for part in parts:
            if isinstance(part, torch.nn.Sequential):

                def fail(x, part=part):
                    part.forward(x)
                    raise RuntimeError("no such operation\nand a trace")

                part._compiled_call_impl = fail

    monkeypatch.setattr(compiling, "compile_parts", stubborn)
    told = []
    found = trained(tmp_path / "compiled", PLAN.model_copy(update={"compile": True}), report=told.append)
    sentences = [event.sentence for event in told if isinstance(event, Notice)]
    assert sentences[0].endswith("cannot be compiled here: no such operation")
    assert sentences[1].startswith("1 of 2 parts")
    assert same(found, trained(tmp_path / "plain", PLAN.model_copy(update={"compile": False})))


def test_no_further_part_is_begun_when_compiling_takes_long(tmp_path: Path, monkeypatch):
    begun = []
    monkeypatch.setattr(compiling, "compile_parts", lambda parts, report: begun.append((parts, report)))
    clock = iter([0.0, 1.0, 50.0, 51.0])
    monkeypatch.setattr(compiling, "monotonic", lambda: next(clock))
    told = []
    trained(tmp_path, PLAN.model_copy(update={"compile": True}), report=told.append)
    assert len(begun) == 1
    assert Notice("1 of 2 parts of the network were compiled in 51 s.") in told


@pytest.mark.slow
def test_a_traced_training_agrees_and_the_system_is_plain_afterwards(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(compiling, "compile_parts", eagerly)
    # Of two levels: what is traced is every operation, and of all levels the same ones.
    monkeypatch.setitem(WIDTHS, "tiny", (8, 16))

    def batch_at(number: int):
        generator = torch.Generator().manual_seed(number)
        images = [torch.rand(2, 3, 16, 16, generator=generator) * 255 for _ in range(2)]
        mask = (torch.rand(2, 1, 16, 16, generator=generator) > 0.5).float()
        return {"he": images[0], "ihc": images[1], "mask": mask}

    found = []
    for compiled in (False, True):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            system = build_system("staindiffuser", {"stain": "CD3", "size": "tiny", "T": 50})
        names = list(system.state_dict())
        plan = Optimisation(steps=5, learning_rate=1e-3, warmup=2, validations=2, compile=compiled)
        data = TrainingData(batch_at, [batch_at(99)])
        told = []
        fit(system, data, plan, folder=tmp_path / str(compiled), device=CPU, precision="fp32", report=told.append)
        assert list(system.state_dict()) == names
        assert all(module._compiled_call_impl is None for module in system.modules())
        found.append(system)
    assert any(isinstance(event, Notice) and event.sentence.startswith("3 of 3") for event in told)
    for one, other in zip(found[0].state_dict().values(), found[1].state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_compiled_training_that_was_cut_goes_on(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(compiling, "compile_parts", eagerly)
    plan = PLAN.model_copy(update={"compile": True})
    asked = iter([False] * 5 + [True])
    trained(tmp_path / "cut", plan, cancelled=lambda: next(asked))
    assert same(trained(tmp_path / "cut", plan, resume=True), trained(tmp_path / "whole", plan))


def test_it_pays_for_many_steps_to_come_on_one_cuda_device():
    cuda, plan = torch.device("cuda"), Optimisation(steps=5000)
    assert pays(plan, done=0, device=cuda, devices=1)
    assert not pays(plan, done=4500, device=cuda, devices=1)
    assert not pays(plan, done=0, device=cuda, devices=2)
    assert not pays(plan, done=0, device=CPU, devices=1)
    assert pays(plan.model_copy(update={"compile": True}), done=4999, device=CPU, devices=1)
    assert not pays(plan.model_copy(update={"compile": False}), done=0, device=cuda, devices=1)
