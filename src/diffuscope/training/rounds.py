"""Rounds: the trainings of a recipe, one after the other, each from the weights of the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.files.durable import names_to_disk, replacing
from diffuscope.model.folder import stored_weights
from diffuscope.systems.base import System
from diffuscope.training.data.targets import with_targets
from diffuscope.training.events import InRound, TrainingEvent
from diffuscope.training.plan import Planned
from diffuscope.training.prepare import Prepared
from diffuscope.training.trainer import Fitted, fit

#: What a round that has ended leaves in its folder, for the next ones and for a resumed training.
WEIGHTS = "weights.safetensors"


def train_rounds(
    rounds: Sequence[Prepared],
    *,
    folder: Path,
    device: torch.device,
    resume: bool = False,
    report: Callable[[TrainingEvent], None] = lambda _event: None,
    cancelled: Callable[[], bool] = lambda: False,
    precision: str | None = None,
    devices: int | None = None,
) -> tuple[Prepared, Fitted]:
    """Train round after round; the last one's system is then the model.

    A round leaves its weights as a model stores them, and the next one begins with those, so that rounds give what
    recipes that go on from each other's models (`init_from`) give.

    Parameters
    ----------
    rounds : sequence of Prepared
        From `diffuscope.training.prepare.prepare`.
    folder : Path
        Run folder. Of several rounds each has a folder in it, ``1-NAME``, ``2-NAME`` …, as `fit` writes one.
    device, resume, report, cancelled, precision, devices
        As of `fit`; a resumed training leaves rounds that have ended as they are.

    Returns
    -------
    Prepared
        The last round that was begun.
    Fitted
        How it ended.

    Raises
    ------
    InputError
        As of `fit`.
    """
    before: System | None = None
    for one in rounds:
        planned, system, place = one.planned, one.start.system, one.place(folder)
        ended = place / WEIGHTS
        if before is not None and not planned.system:
            system.load_state_dict(before.state_dict())
        if resume and ended.exists() and planned.number < planned.rounds:
            system.load_state_dict(_read(ended))
        else:
            done = fit(
                system,
                with_targets(one.data, system, one.draw),
                planned.optimisation,
                folder=place,
                device=device,
                objective=planned.objective,
                train=planned.train,
                resume=resume,
                report=partial(_report, report, planned),
                cancelled=cancelled,
                precision=precision,
                devices=devices,
            )
            if not done.complete or planned.number == planned.rounds:
                return one, done
            weights = stored_weights(system)
            if done.first:
                _write(weights, ended)
            # As a resumed training finds them.
            system.load_state_dict(weights)
        system.eval()
        before = before if planned.system else system
    raise AssertionError("the last round is never skipped")


def _report(report: Callable[[TrainingEvent], None], planned: Planned, event: TrainingEvent) -> None:
    """Report an event with the round that it belongs to."""
    if isinstance(event, InRound):
        event = replace(event, round=planned.number, rounds=planned.rounds, name=planned.name)
    report(event)


def _write(weights: dict[str, Tensor], path: Path) -> None:
    with replacing(path) as file:
        file.write(save(weights))
    names_to_disk(path.parent)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is damaged: begin again with --overwrite.") from error
