"""What the trainer costs beside the network on a GPU: its steps a second over those of a bare, compiled PyTorch loop.

Both train the system of the shipped CD3 recipe, on batches of 64 crops, compiled, in one precision, with one optimiser
and one averaging. The bare loop's batches lie on the device; the trainer's are ready to be copied there in `ratio`, and
made as the recipe says in `ratio_whole` and `wait_share`. `syncs` tells how often a step makes the CPU wait for the
device, which then runs dry: batch, loss, gradient. Where there is no CUDA device the figures are those of
`benchmarks.speed.training`.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor

from benchmarks.shared.figures import Goal
from benchmarks.shared.scores import restained_data, shipped_recipe
from benchmarks.speed import training
from diffuscope.devices import pick_precision
from diffuscope.networks.compiled import compile_parts
from diffuscope.sample_data import sample_path
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.events import StepDone
from diffuscope.training.model import make_starts
from diffuscope.training.prepare import prepare
from diffuscope.training.recipe import Optimisation, Recipe
from diffuscope.training.trainer import fit

BATCH = 64
# Each loop runs so long, s, after steps that do not count: the first ones choose kernels.
SECONDS, WARM = 5.0, 10
# Sources are read and painted by the rule before the first step; a few do, and the crops cost the same.
SOURCES = 3
GOALS = {
    "syncs": Goal(high=0),
    "ratio": Goal(low=0.9),
    "ratio_whole": Goal(low=0.9),
    "wait_share": Goal(high=0.05),
}


def measure() -> dict[str, float]:
    """Time the bare loop, then the trainer on ready batches, then on batches that it has to make."""
    if not torch.cuda.is_available():
        return training.measure()
    device, recipe = torch.device("cuda"), _recipe()
    made = prepare(recipe, sample_path())[-1].data
    ready = [made.batch_at(number) for number in range(4)]
    held = TrainingData(lambda number: ready[number % len(ready)], [], made.finish)
    begin = perf_counter()
    loop = bare(recipe, held, device)
    compiled = perf_counter() - begin - SECONDS
    steps, _ = trainer(recipe, held, device)
    whole, wait = trainer(recipe, TrainingData(made.batch_at, [], made.finish), device)
    return {
        "syncs": syncs(recipe, held, device),
        "ratio": steps / loop,
        "ratio_whole": whole / loop,
        "steps_per_s": whole,
        "steps_per_s_bare": loop,
        "crops_per_s": BATCH * whole,
        "wait_share": wait,
        "compile_s": compiled,
    }


def syncs(recipe: Recipe, data: TrainingData, device: torch.device) -> int:
    """Return how often a step waits for the device, by PyTorch's own debugging mode."""
    system = make_starts(recipe)[-1].system.to(device=device, memory_format=torch.channels_last).train()
    generator = torch.Generator(device).manual_seed(0)
    ready = _on(data.batch_at(0), device)
    for mode in ("default", "warn"):
        # The first step fills caches and chooses kernels.
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode(mode)
            try:
                system.loss(data.finished(ready, generator), generator)["loss"].backward()
            finally:
                torch.cuda.set_sync_debug_mode("default")
    found = [one for one in caught if "synchronizing" in str(one.message)]
    for one in found:
        print(f"{one.filename}:{one.lineno}: {one.message}")
    return len(found)


def bare(recipe: Recipe, data: TrainingData, device: torch.device) -> float:
    """Return steps a second of a loop of plain PyTorch over the compiled network."""
    fast = pick_precision(device) == "bf16"
    system = make_starts(recipe)[-1].system.to(device=device, memory_format=torch.channels_last).train()
    compile_parts(system.compiled_parts(), report=print)
    parameters = [p for p in system.parameters() if p.requires_grad]
    average = [p.detach().clone() for p in parameters]
    optimiser = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
    generator = torch.Generator(device).manual_seed(0)
    ready = [_on(data.batch_at(number), device) for number in range(4)]
    begin = perf_counter()
    for step in count():
        batch = data.finished(ready[step % len(ready)], generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=fast):
            loss = system.loss(batch, generator)["loss"]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        torch._foreach_lerp_(average, [p.detach() for p in parameters], 0.1)
        if step <= WARM or step % WARM == 0:
            torch.cuda.synchronize()
            now = perf_counter()
            if step == WARM:
                begin = now
            elif step > WARM and now - begin > SECONDS:
                return (step - WARM) / (now - begin)
    raise AssertionError("the loop ends by time")


def trainer(recipe: Recipe, data: TrainingData, device: torch.device) -> tuple[float, float]:
    """Return steps a second of the trainer, and which part of the time it waited for batches."""
    # Ended by time: no validation, no checkpoint within it.
    plan = Optimisation(steps=10**6, batch=BATCH, validations=1, keep="last", checkpoint_every=10**6, compile=True)
    told: list[StepDone] = []

    def tell(event: object) -> None:
        # Reports after the device has done the step.
        if isinstance(event, StepDone) and event.step > WARM:
            told.append(event)

    def over() -> bool:
        return bool(told) and told[-1].seconds - told[0].seconds > SECONDS

    with tempfile.TemporaryDirectory() as folder:
        system = make_starts(recipe)[-1].system
        fit(system, data, plan, folder=Path(folder), device=device, devices=1, cancelled=over, report=tell)
    first, last = told[0], told[-1]
    seconds = last.seconds - first.seconds
    return (last.step - first.step) / seconds, (last.waited - first.waited) / seconds


def _recipe() -> Recipe:
    recipe = shipped_recipe("stain-cd3-demo")
    plan = recipe.optimisation.model_copy(update={"batch": BATCH})
    whole = restained_data(recipe)
    data = whole.model_copy(update={"sources": whole.sources[-SOURCES:], "phantoms": 0})
    return recipe.model_copy(update={"data": data, "optimisation": plan})


def _on(batch: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    return {key: value.to(device) for key, value in batch.items()}
