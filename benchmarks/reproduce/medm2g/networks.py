"""MedM2G trained by the library's trainer, round after round, and what it makes of patients, many at once."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.reproduce.medm2g.directions import REPORT
from benchmarks.reproduce.medm2g.figures import Patients, Pictures
from benchmarks.reproduce.medm2g.stages import Stage
from diffuscope.devices import pick_device
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.text import Written
from diffuscope.systems.medm2g.config import TEXT, MedM2GConfig
from diffuscope.systems.medm2g.sampling import sample_flows
from diffuscope.systems.medm2g.system import MedM2G
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.events import StepDone
from diffuscope.training.recipe import Optimisation, Rate
from diffuscope.training.trainer import fit

Cases = Mapping[str, Tensor]
_TOGETHER = 64
# Rounds of fewer steps have no checkpoint on their way.
_KEPT = 50


class Ablated(MedM2G):
    """MedM2G whose alignment may lack InfoNCE, which no recipe asks for: the visual invariant is left."""

    contrast = True

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss of the current objective."""
        terms = super().loss(batch, generator)
        if "contrast" in terms and not self.contrast:
            terms["loss"] = terms["loss"] - terms.pop("contrast")
        return terms


def built(config: Mapping[str, Any], *, seed: int, align: bool = True) -> Ablated:
    """Build a system with the weights of a seed."""
    torch.manual_seed(seed)
    system = Ablated(MedM2GConfig.model_validate(dict(config)))
    system.contrast = align
    return system


def prepared(system: MedM2G, patients: Patients, *, keys: Sequence[Sequence[str]] | None = None) -> dict[str, Tensor]:
    """Return patients as the networks see them, NaN where one does not have a key.

    Parameters
    ----------
    system : MedM2G
        For its tokens.
    patients : Patients
    keys : sequence of sequence of str, optional
        Which keys each patient has; default all.
    """
    assert system.tokens is not None
    found = {key: 2 * torch.from_numpy(values)[:, None].float() - 1 for key, values in patients.images.items()}
    found[REPORT] = torch.stack([system.tokens.encode(text) for text in patients.reports])
    for key, values in found.items():
        missing = [number for number, own in enumerate(keys or ()) if key not in own]
        values[missing] = torch.nan
    return found


def having(cases: Cases, groups: Sequence[Sequence[str]]) -> Tensor:
    """Return the numbers of the cases that have one key of every group."""
    there = torch.stack(
        [
            torch.stack([~cases[key].flatten(1).isnan().any(dim=1) for key in group if key in cases]).any(dim=0)
            for group in groups
        ]
    )
    return there.all(dim=0).nonzero()[:, 0]


def train(system: Ablated, cases: Cases, stages: Iterable[Stage], *, folder: Path, seed: int) -> None:
    """Train in place, round after round; a round that has ended is not trained again.

    What a kill leaves in `folder` is gone on with: the weights of each round that has ended, checkpoints of the one
    that has not, and ``seconds.json``, how long each took: of this processor, whatever else the machine did, and by the
    wall on a GPU.
    """
    clock, device = folder / "seconds.json", pick_device()
    now = time.process_time if device.type == "cpu" else time.monotonic
    seconds: dict[str, float] = json.loads(clock.read_text()) if clock.exists() else {}
    for number, stage in enumerate(stages):
        ended = folder / f"{stage.name}.pt"
        if ended.exists():
            system.load_state_dict(torch.load(ended, weights_only=True))
            continue
        before = seconds.get(stage.name, 0.0) - now()

        def tell(event: object, name: str = stage.name, before: float = before) -> None:
            if isinstance(event, StepDone):
                seconds[name] = before + now()
                clock.write_text(json.dumps(seconds))

        who = having(cases, system.needed(stage.objective))
        plan = Optimisation(
            steps=stage.steps,
            batch=stage.batch,
            learning_rate=stage.rate,
            warmup=min(stage.steps // 10, 50),
            ema=0.99,
            weight_decay=1e-2,
            seed=1000 * seed + number,
            keep="last",
            checkpoint_every=max(stage.steps // 2, _KEPT),
        )
        fit(
            system,
            TrainingData(_batches(cases, who, seed=plan.seed, batch=stage.batch), []),
            plan,
            folder=folder / stage.name,
            device=device,
            objective=stage.objective,
            train={part: Rate() for part in stage.train},
            resume=True,
            report=tell,
        )
        print(f"  {stage.name}: {stage.steps} steps, {seconds.get(stage.name, 0.0):.0f} s", flush=True)
        torch.save(system.state_dict(), part := ended.with_suffix(".partial"))
        part.replace(ended)
        shutil.rmtree(folder / stage.name)
    system.eval()


def _batches(cases: Cases, who: Tensor, *, seed: int, batch: int) -> Callable[[int], dict[str, Tensor]]:
    size = min(batch, len(who))
    rounds = len(who) // size

    def batch_at(number: int) -> dict[str, Tensor]:
        epoch, place = divmod(number, rounds)
        order = np.random.default_rng((seed, epoch)).permutation(len(who))[place * size : (place + 1) * size]
        chosen = who[torch.from_numpy(order)]
        return {key: values[chosen] for key, values in cases.items()}

    return batch_at


@torch.inference_mode()
def made(
    system: MedM2G,
    given: Cases,
    wanted: Sequence[str],
    settings: SampleSettings,
    *,
    seed: int,
    number: int | None = None,
) -> dict[str, Pictures | list[Written]]:
    """Make keys of cases from what is given of them, one sample each.

    Parameters
    ----------
    system : MedM2G
        Trained.
    given : mapping of str to Tensor (n, …)
        As of `prepared`.
    wanted : sequence of str
        What is made, all at once.
    settings : SampleSettings
        Sampler and steps; ``guidance`` and ``eta`` among its options where they are not the defaults.
    seed : int
        Of the noise.
    number : int, optional
        Of cases, where nothing is given of them.

    Returns
    -------
    dict of str to ndarray (n, h, w) or list of Written
        Images of 0 … 1.
    """
    options = {one.key: settings.options.get(one.key, one.default) for one in system.options}
    found: dict[str, list[Any]] = {key: [] for key in wanted}
    count = number if number is not None else len(next(iter(given.values())))
    for start in range(0, count, _TOGETHER):
        some = {key: values[start : start + _TOGETHER] for key, values in given.items()}
        size = min(_TOGETHER, count - start)
        generator = torch.Generator().manual_seed(seed + start)

        def draw(key: str, step: int, size: int = size, generator: torch.Generator = generator) -> Tensor:  # noqa: ARG001
            return torch.randn(size, *_flow(system, key).latent, generator=generator)

        latents: dict[str, Tensor] = {}
        for latents in sample_flows(  # noqa: B007
            system.guide, some, wanted, draw, schedule=system.schedule, settings=settings, options=options
        ):
            pass
        for key in wanted:
            side: Any = _flow(system, key).side
            if key == REPORT:
                found[key] += side.write(latents[key])
            else:
                found[key].append(((side.decode(latents[key])[:, 0] + 1) / 2).clamp(0, 1).numpy())
    return {key: values if key == REPORT else np.concatenate(values) for key, values in found.items()}


@torch.inference_mode()
def aligned(system: MedM2G, cases: Cases, key: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the vectors of cases in the aligned space, (n, width), each of length 1."""
    flow = _flow(system, key)
    kind = torch.full((len(cases[key]),), list(flow.keys).index(key), dtype=torch.long)
    whole = flow.see(cases[key], kind)[0]
    return torch.nn.functional.normalize(whole.double(), dim=1).numpy()


def _flow(system: MedM2G, key: str) -> Any:
    return system.guide.flow(TEXT if key == REPORT else system.config.modality(key))
