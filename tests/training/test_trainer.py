"""The trainer against a loop of plain PyTorch, and what it leaves behind when it is killed, stopped or cancelled."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import toy_training as toy
from patience import SECONDS
from PIL import Image
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import update_bn

from diffuscope.errors import InputError
from diffuscope.systems.registry import build_system
from diffuscope.training import trainer
from diffuscope.training.checkpoints import WholeCheckpoints, newest
from diffuscope.training.data.batches import Ahead, TrainingData
from diffuscope.training.events import StepDone, TrainingStarted, Validated
from diffuscope.training.module import seeded
from diffuscope.training.norms import batches_to_settle
from diffuscope.training.recipe import Optimisation
from diffuscope.training.trainer import CHECKPOINTS, fit

LONG = toy.PLAN.model_copy(update={"patience": None, "keep": "last"})


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("whole")
    torch.set_num_threads(1)
    return (*toy.train(folder), folder)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def bare(system, batch_at, plan: Optimisation):
    """What the trainer does, written down once more without it."""
    system.to(memory_format=torch.channels_last).train()
    groups = list(system.players().items())
    every = [p for _, group in groups for p in group]
    optimiser = torch.optim.AdamW(every, lr=1.0, betas=(0.9, 0.99), weight_decay=1e-4)
    mean = {p: p.detach().clone() for p in every}
    for step in range(plan.steps):
        done = torch.tensor(torch.pi * (step - plan.warmup) / (plan.steps - plan.warmup))
        rate = plan.learning_rate * (0.55 + 0.45 * float(torch.cos(done)))
        rate = plan.learning_rate * (step + 1) / plan.warmup if step < plan.warmup else rate
        for group in optimiser.param_groups:
            group["lr"] = rate
        seed = plan.seed * 1_000_003 + step
        torch.manual_seed(seed)
        batch = {k: v.contiguous(memory_format=torch.channels_last) for k, v in batch_at(step).items()}
        terms = system.loss(batch, torch.Generator().manual_seed(seed))
        optimiser.zero_grad()
        sum(terms[name] for name, _ in groups).backward()
        for _, group in groups:
            clip_grad_norm_(group, 1.0)
        optimiser.step()
        decay = min(plan.ema, (step + 1) / (step + 10))
        for p in every:
            mean[p].lerp_(p.detach(), 1 - decay)
    with torch.no_grad():
        for p in every:
            p.copy_(mean[p])
    # In training mode, unlike ours: what is dropped comes after the norm.
    update_bn(range(batches_to_settle(plan.steps)), ComputeRequest(system, batch_at, plan))
    return system


class ComputeRequest(torch.nn.Module):
    """A system as PyTorch's own `update_bn` takes a model: of a number."""

    def __init__(self, system, batch_at, plan: Optimisation) -> None:
        super().__init__()
        self.system, self.batch_at, self.plan = system, batch_at, plan

    def forward(self, number: int):
        batch = {k: v.contiguous(memory_format=torch.channels_last) for k, v in self.batch_at(number).items()}
        seed = self.plan.seed * 1_000_003 + 7_000_003 + number
        return self.system.loss(batch, torch.Generator().manual_seed(seed))


def test_the_weights_are_those_of_a_bare_loop(tmp_path: Path):
    mine, _ = toy.train(tmp_path, LONG)
    assert same(mine, bare(toy.fresh(), toy.batch_at, LONG))


def test_every_seed_that_a_recipe_takes_trains(tmp_path: Path):
    plan = LONG.model_copy(update={"steps": 2, "validations": 1, "seed": 2**63 - 1})
    assert Optimisation.model_validate(plan.model_dump()).seed == 2**63 - 1
    mine, _ = toy.train(tmp_path, plan)
    assert all(bool(one.isfinite().all()) for one in mine.state_dict().values())


@pytest.mark.parametrize("seed", [0, 7 * 1_000_003 + 5, 2**63, 2**64 - 1])
def test_seeds_of_64_bits_are_those_of_torch(seed: int):
    expected = torch.rand(4, generator=torch.Generator().manual_seed(seed))
    with torch.random.fork_rng(devices=[]):
        assert torch.equal(torch.rand(4, generator=seeded(seed, torch.device("cpu"))), expected)
        assert torch.equal(torch.rand(4, generator=seeded(seed + 2**64, torch.device("cpu"))), expected)


def test_the_second_half_of_a_batch_is_made_where_it_is_trained(tmp_path: Path):
    """8-bit batches that are noised on the device, against a bare loop over batches that were noised before."""

    def eight_bits(number: int):
        return {key: value.round().to(torch.uint8) for key, value in toy.batch_at(number).items()}

    def finish(batch, generator):
        assert batch["he"].dtype == torch.uint8 and not torch.is_grad_enabled()
        shift = torch.randint(0, 9, (len(batch["he"]), 1, 1, 1), generator=generator, device=generator.device)
        return {**batch, "he": batch["he"] + shift}

    class Loop(toy.Toy):
        """Finishes its batches by itself, from the same generator."""

        def loss(self, batch, generator):
            shift = torch.randint(0, 9, (4, 1, 1, 1), generator=generator)
            return super().loss({**batch, "he": batch["he"] + shift}, generator)

    def rounded(number: int):
        return {key: value.float() for key, value in eight_bits(number).items()}

    with torch.random.fork_rng():
        torch.manual_seed(0)
        loop = Loop()
    plan = LONG.model_copy(update={"steps": 8, "validations": 1})
    system = toy.fresh()
    data = TrainingData(eight_bits, toy.DATA.validation, finish)
    fit(system, data, plan, folder=tmp_path, device=torch.device("cpu"), precision="fp32")
    assert same(system, bare(loop, rounded, plan))


def stain_batch(number: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    images = [torch.rand(2, 3, 32, 32, generator=generator) * 255 for _ in range(2)]
    return {"he": images[0], "ihc": images[1], "mask": (torch.rand(2, 1, 32, 32, generator=generator) > 0.5).float()}


def test_those_of_a_diffusion_system_too(tmp_path: Path):
    def fresh():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return build_system("staindiffuser", {"stain": "CD3", "size": "tiny", "T": 50})

    plan = Optimisation(steps=6, learning_rate=1e-3, warmup=2, keep="last", validations=2)
    system, data = fresh(), TrainingData(stain_batch, [stain_batch(99)])
    fit(system, data, plan, folder=tmp_path, device=torch.device("cpu"), precision="fp32")
    assert same(system, bare(fresh(), stain_batch, plan))


@pytest.mark.slow
def test_killed_at_a_random_step_and_resumed_is_uninterrupted(whole, tmp_path: Path):
    """Twice: a resumed run may be killed as well."""
    system, done, folder = whole
    program = [sys.executable, str(Path(toy.__file__)), str(tmp_path)]
    for _ in range(2):
        last = random.SystemRandom().randrange(1, done.step // 2)
        with subprocess.Popen(program, stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"}) as child:
            for _ in range(last):
                assert child.stdout.readline()
            os.kill(child.pid, signal.SIGKILL)
            assert child.wait() == -signal.SIGKILL
    told = []
    again, end = toy.train(tmp_path, resume=True, report=told.append)
    assert isinstance(told[0], TrainingStarted) and told[0].done % 3 == 0
    assert same(again, system), f"resumed at {told[0].done}"
    assert end == done
    assert (tmp_path / "log.csv").read_text() == (folder / "log.csv").read_text()


@pytest.mark.slow
def test_cancelled_at_any_step_and_resumed_is_uninterrupted(whole, tmp_path: Path):
    """Every step, those with a validation or a checkpoint as well: each process does one and is asked to stop."""
    system, done, folder = whole
    while True:
        asked = iter([False, True])
        again, end = toy.train(tmp_path, resume=True, cancelled=lambda asked=asked: next(asked))
        if end.complete:
            break
    assert end == done and same(again, system)
    assert (tmp_path / "log.csv").read_text() == (folder / "log.csv").read_text()


def test_what_ended_is_not_begun_again(whole, tmp_path: Path):
    system, done, folder = whole

    def never() -> bool:
        raise AssertionError("a step was about to be done")

    again, end = toy.train(folder, resume=True, cancelled=never)
    assert end == done and same(again, system)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(whole, tmp_path: Path):
    system, done, _ = whole
    asked = iter([False] * 17 + [True])
    toy.train(tmp_path, cancelled=lambda: next(asked))
    before, newest = sorted((tmp_path / CHECKPOINTS).glob("*.ckpt"))
    assert newest.name == "step-00000017.ckpt"
    newest.write_bytes(newest.read_bytes()[:-100])
    told = []
    again, end = toy.train(tmp_path, resume=True, report=told.append)
    assert told[0].done == int(before.stem[-8:]) == 15
    assert end == done and same(again, system)


def test_a_checkpoint_that_does_not_fit_says_why_and_leaves_the_one_before(tmp_path: Path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "step-00000001.ckpt"
    WholeCheckpoints().save_checkpoint({"weights": torch.zeros(10)}, path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        # torch itself raises a RuntimeError about positions in its file.
        with pytest.raises(OSError, match="File too large"):
            WholeCheckpoints().save_checkpoint({"weights": torch.ones(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    _, found = newest(tmp_path)
    assert found["weights"].sum() == 0
    assert list(tmp_path.iterdir()) == [path]


def test_only_damaged_checkpoints_are_said(tmp_path: Path):
    (tmp_path / CHECKPOINTS).mkdir()
    (tmp_path / CHECKPOINTS / "step-00000003.ckpt").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"is damaged.*--overwrite"):
        toy.train(tmp_path, resume=True)


def test_training_stops_early_and_keeps_the_best(tmp_path: Path):
    """The validation loss is made to rise from the third validation on."""
    seen = []

    class Rising(toy.Toy):
        def loss(self, batch, generator):
            terms = super().loss(batch, generator)
            if not self.training:
                seen.append(1)
                terms["loss"] = terms["loss"] * 0 + abs(len(seen) - 5 * 2 * 4 / 2) + 1
            return terms

    with torch.random.fork_rng():
        torch.manual_seed(0)
        system = Rising()
    events = []
    done = fit(system, toy.DATA, toy.PLAN, folder=tmp_path, device=torch.device("cpu"), report=events.append)
    losses = [event.terms["loss"] for event in events if isinstance(event, Validated)]
    best = int(np.argmin(losses))
    assert done.complete and done.kept == 5 * (best + 1)
    assert done.step == done.kept + 5 * toy.PLAN.patience < toy.PLAN.steps
    short = toy.PLAN.model_copy(update={"patience": None, "steps": done.kept, "keep": "last"})
    # The rate falls over all steps, so a shorter plan is another one: only its cosine is taken from the longer.
    assert short.steps in {event.step for event in events if isinstance(event, Validated) and event.best}


def test_the_log_holds_means_and_validations(whole):
    *_, folder = whole
    with (folder / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    training = [row for row in rows if row["part"] == "training"]
    assert [int(row["step"]) for row in training] == list(range(1, len(training) + 1))
    assert {"loss", "rival", "pixel", "learning rate"} <= rows[0].keys()
    assert float(training[0]["learning rate"]) == pytest.approx(1e-2 / 5)
    assert float(training[-1]["pixel"]) < float(training[0]["pixel"])
    for row in rows:
        if row["part"] == "validation":
            with Image.open(folder / "validation" / f"step-{int(row['step']):08d}.png") as image:
                assert image.size == (3 * (16 + 4), 4 * (16 + 4))
    assert any((folder / "tensorboard").iterdir())


def test_a_picture_shows_input_truth_and_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # It is drawn before the norms are settled.
    monkeypatch.setattr(trainer, "settle_norms", lambda *_given, **_named: None)
    system, _ = toy.train(tmp_path, LONG)
    picture = np.asarray(Image.open(tmp_path / "validation" / "step-00000040.png")).astype(float)
    batch = toy.DATA.validation[0]
    for row in range(4):
        y = np.s_[row * 20 : row * 20 + 16]
        for column, key in enumerate(("he", "ihc")):
            truth = batch[key][row].permute(1, 2, 0).numpy()
            np.testing.assert_allclose(picture[y, column * 20 : column * 20 + 16], truth, atol=0.51)
        with torch.no_grad():
            he = batch["he"][row : row + 1] / 127.5 - 1
            found = ((system.net(torch.cat([he, he], dim=1)) + 1) * 127.5).clamp(0, 255)[0]
        np.testing.assert_allclose(picture[y, 40:56], found.permute(1, 2, 0).numpy(), atol=0.51)


@pytest.mark.slow
def test_two_processes_train_as_one_with_both_batches(tmp_path: Path):
    """DDP on two CPU processes: the mean of both gradients, batch 2·step + rank each."""
    program = (
        f"import sys; sys.path.insert(0, {str(Path(toy.__file__).parent)!r});"
        "import toy_training as toy, torch; from pathlib import Path; torch.set_num_threads(1);"
        f"plan = toy.PLAN.model_copy(update=dict(patience=None, keep='last', steps=6, warmup=2));"
        f"system, done = toy.train(Path({str(tmp_path)!r}), plan, devices=2);"
        f"done.first and torch.save(system.state_dict(), {str(tmp_path / 'weights.pt')!r})"
    )
    script = tmp_path / "ddp.py"
    script.write_text(program)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    weights = torch.load(tmp_path / "weights.pt", weights_only=True)
    plan = LONG.model_copy(update={"steps": 6, "warmup": 2})
    system = toy.fresh().to(memory_format=torch.channels_last).train()
    every = [p for group in system.players().values() for p in group]
    mean = [p.detach().clone() for p in every]
    optimiser = torch.optim.AdamW(every, lr=1.0, betas=(0.9, 0.99), weight_decay=1e-4)
    from diffuscope.training.module import learning_rate

    for step in range(plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, plan, plan.learning_rate)
        gradients = []
        buffers = [b.clone() for b in system.buffers()]
        for rank in (1, 0):  # the buffers of process 0 count
            for buffer, value in zip(system.buffers(), buffers, strict=True):
                buffer.copy_(value)
            seed = plan.seed * 1_000_003 + 2 * step + rank
            torch.manual_seed(seed)
            terms = system.loss(toy.batch_at(2 * step + rank), torch.Generator().manual_seed(seed))
            gradients.append(torch.autograd.grad(terms["loss"] + terms["rival"], every))
        for p, one, other in zip(every, *gradients, strict=True):
            p.grad = (one + other) / 2
        for group in system.players().values():
            clip_grad_norm_(group, 1.0)
        optimiser.step()
        torch._foreach_lerp_(mean, [p.detach() for p in every], 1 - min(plan.ema, (1 + step) / (10 + step)))
    names = [name for name, _ in system.named_parameters()]
    for name, value in zip(names, mean, strict=True):
        torch.testing.assert_close(weights[name], value, rtol=1e-4, atol=1e-5)


def test_a_rate_is_found_and_kept_for_the_resumed_run(tmp_path: Path):
    plan = toy.PLAN.model_copy(update={"learning_rate": "find", "patience": None})
    rates = []

    def note(event) -> None:
        if isinstance(event, StepDone):
            rates.append((event.step, event.learning_rate))

    asked = iter([False] * 20 + [True])
    toy.train(tmp_path, plan, cancelled=lambda: next(asked))
    cut, _ = toy.train(tmp_path, plan, resume=True, report=note)
    straight, _ = toy.train(tmp_path / "whole", plan, report=note)
    assert same(cut, straight)
    finals = [rate for step, rate in rates if step == plan.steps]
    assert len(finals) == 2 and finals[0] == finals[1]
    assert 1e-6 < 10 * finals[0] < 1e-1


def test_divergence_is_said_and_never_kept(tmp_path: Path):
    def broken(number: int):
        batch = toy.batch_at(number)
        return batch if number < 10 else {**batch, "ihc": batch["ihc"] * float("nan")}

    data = TrainingData(broken, toy.DATA.validation)
    with pytest.raises(InputError, match=r"diverged: the loss is nan at step 11; lower optimisation\.learning_rate"):
        fit(toy.fresh(), data, toy.PLAN, folder=tmp_path, device=torch.device("cpu"))
    assert max((tmp_path / CHECKPOINTS).glob("*.ckpt")).name == "step-00000009.ckpt"


def test_an_error_in_a_batch_arrives_as_it_was(tmp_path: Path):
    def broken(number: int):
        if number == 4:
            raise InputError("a file went away.")
        return toy.batch_at(number)

    with pytest.raises(InputError, match=r"^a file went away\.$"):
        fit(
            toy.fresh(),
            TrainingData(broken, toy.DATA.validation),
            toy.PLAN,
            folder=tmp_path,
            device=torch.device("cpu"),
        )


def test_ctrl_c_is_ctrl_c(tmp_path: Path):
    def interrupted(number: int):
        if number == 4:
            raise KeyboardInterrupt
        return toy.batch_at(number)

    before = signal.getsignal(signal.SIGINT)
    data = TrainingData(interrupted, toy.DATA.validation)
    with pytest.raises(KeyboardInterrupt):
        fit(toy.fresh(), data, toy.PLAN, folder=tmp_path, device=torch.device("cpu"))
    assert signal.getsignal(signal.SIGINT) is before


def test_without_validation_the_last_weights_are_kept(tmp_path: Path):
    system = toy.fresh()
    plan = toy.PLAN.model_copy(update={"patience": None, "keep": "best"})
    done = fit(system, TrainingData(toy.batch_at, []), plan, folder=tmp_path, device=torch.device("cpu"))
    assert done.complete and done.kept == done.step == plan.steps
    assert not (tmp_path / "validation").exists()


def test_randomness_outside_is_left_alone(tmp_path: Path):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    toy.train(tmp_path, LONG.model_copy(update={"steps": 3, "validations": 1}))
    assert torch.equal(torch.rand(3), expected)


def test_batches_come_in_order_and_not_all_at_once():
    made = []

    def slow(number: int):
        made.append(number)
        return {"x": torch.tensor([float(number)])}

    batches = iter(Ahead(slow, range(5, 50), length=50, threads=3))
    first = [int(next(batches)["x"]) for _ in range(4)]
    assert first == [5, 6, 7, 8]
    batches.close()
    assert len(made) <= 4 + 2 * 3
    assert [int(batch["x"]) for batch in Ahead(slow, range(2, 9), length=9, threads=2)] == list(range(2, 9))
