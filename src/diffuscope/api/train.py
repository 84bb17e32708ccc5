"""The verb `train`: a recipe in, a model folder out."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import torch

from diffuscope.api.forms import checked
from diffuscope.devices import pick_device, reused_memory
from diffuscope.devices import threads as limit_threads
from diffuscope.errors import InputError
from diffuscope.evaluation.trained import measure, settle
from diffuscope.events import Progress
from diffuscope.files.claim import Claim
from diffuscope.files.place import Standing, check_apart, check_place, named
from diffuscope.files.put import clear, in_place_of
from diffuscope.files.room import full_disk_in_words
from diffuscope.model.card import ModelCard
from diffuscope.model.folder import MODEL, load_model, save_model, set_config, set_figures, set_seen
from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.sources import Restaining
from diffuscope.systems.protocols import FitsRows
from diffuscope.training.card import make_card, shared_path
from diffuscope.training.data.reading import Cancelled, telling, untold
from diffuscope.training.events import TrainingEvent, TrainingFinished
from diffuscope.training.follow import events_of
from diffuscope.training.prepare import Prepared, Ready, find_rounds, open_rounds
from diffuscope.training.recipe import Recipe, load_recipe
from diffuscope.training.resume import PARTS, RECIPE, TRAINING, check_same, check_same_cases, stated

RUN = ".training"
# What a card says of the model that a training began from.
_BEFORE = {
    "validation PSNR (dB)": "validation PSNR before fine-tuning (dB)",
    "validation AUROC": "validation AUROC before fine-tuning",
}


@dataclass(frozen=True)
class Work:
    """A training that was checked and may begin.

    Attributes
    ----------
    recipe : Recipe
        What is done.
    rounds : tuple of Ready
        What it begins from and is trained on, round after round.
    card : ModelCard
        Of the model.
    out, folder : Path
        Model folder and run folder to write.
    device : torch.device
        Where to train.
    devices : int or None
        How many GPUs; None: all.
    threads : int
        CPU threads.
    begun : {"new", "replaced", "resumed"}
        What becomes of the run folder.
    command : str
        What makes the model again.
    """

    recipe: Recipe
    rounds: tuple[Ready, ...]
    card: ModelCard
    out: Path
    folder: Path
    device: torch.device
    devices: int | None
    threads: int
    begun: Standing
    command: str


@checked
def train(
    recipe: str | Path,
    out: str | Path,
    *,
    data: str | Path | None = None,
    device: str = "auto",
    devices: int | None = 1,
    threads: int | None = None,
    overwrite: bool = False,
    resume: bool = False,
    cancelled: Callable[[], bool] | None = None,
) -> Generator[TrainingEvent, None, None]:
    """Train a model by a recipe, and write its folder.

    Recipe, places and tables are checked when this is called; the work is done while the returned generator is
    iterated. It begins with opening all cases, before anything is written. Checkpoints, log and pictures go to a run
    folder beside the model, ``OUT.training``. Cancelling writes a checkpoint, and in the last round the model with the
    best weights so far where the recipe keeps the best; while cases are opened it leaves all as it was.

    Parameters
    ----------
    recipe : str or Path
        YAML file, see `diffuscope.training.recipe.Recipe`.
    out : str or Path
        Model folder to write.
    data : str or Path, optional
        Folder that the paths in the recipe are relative to; default the recipe's own, for H&E that is restained
        the shipped samples.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to train.
    devices : int or None
        How many GPUs; None: all. Each but the first is a process that runs this program's command line again, so more
        than one is for scripts and the command line.
    threads : int, optional
        CPU threads; default all cores.
    overwrite : bool
        Replace a model in the way, and begin an unfinished training again.
    resume : bool
        Go on with an unfinished training; begin it where there is none. The weights are those that it would have given
        without the break: bit for bit on a CPU with as many threads.
    cancelled : callable, optional
        Looked at before every case that is opened, and before every step.

    Returns
    -------
    generator of TrainingEvent
        Progress while cases are opened; of each round TrainingStarted, then StepDone, and Validating and Validated in
        turns; Progress while the weights are finished and measured; TrainingFinished.

    Raises
    ------
    InputError
        What was given cannot be used; nothing was written. While iterating: a case does not fit, and nothing was
        written either; training diverges, a file cannot be read, the disk is full.
    """
    if importlib.util.find_spec("pytorch_lightning") is None:
        raise InputError('training needs Lightning: pip install "diffuscope[train]".')
    path, out = Path(recipe), named(Path(out))
    made = load_recipe(path)
    folder = out.parent / f"{out.name}{RUN}"
    where = pick_device(device)
    base = Path(data) if data is not None else sample_path() if isinstance(made.data, Restaining) else path.parent
    begun: Standing = "resumed" if resume else "new"
    if _writes():
        begun = _check_places(out, folder, made, keep=[path, base], overwrite=overwrite, resume=resume)
    rounds = find_rounds(made, base)
    if begun == "resumed" and _writes():
        check_same_cases([one.found.parts for one in rounds], folder / PARTS)
    check_apart(out, keep=[one.start.origin.path for one in rounds if one.start.origin is not None])
    given = ["--data", shared_path(data)] if data is not None else []
    work = Work(
        recipe=made,
        rounds=rounds,
        card=make_card(made, rounds[-1].start, [(one.planned.data, one.found.parts) for one in rounds], base),
        out=out,
        folder=folder,
        device=where,
        devices=devices,
        threads=threads or torch.get_num_threads(),
        begun=begun,
        command=shlex.join(["diffuscope", "train", shared_path(recipe), *given, "-o", shared_path(out)]),
    )
    asked = cancelled or (lambda: False)
    return events_of(lambda report, closed: _work(work, report, lambda: closed() or asked()))


def _writes() -> bool:
    """Whether this process is the one that writes: Lightning gives those that it starts for other GPUs a rank."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _check_places(
    out: Path, folder: Path, recipe: Recipe, *, keep: list[Path], overwrite: bool, resume: bool
) -> Standing:
    """Say what becomes of the run folder; refuse what is in the way, and to go on with what another recipe began."""
    begun = check_place(folder, TRAINING, overwrite=overwrite, resume=resume, keep=keep)
    check_place(out, MODEL, overwrite=overwrite or begun == "resumed", keep=keep)
    if begun == "resumed":
        check_same(recipe, folder / RECIPE)
    return begun


def _work(work: Work, report: Callable[[TrainingEvent], None], cancelled: Callable[[], bool]) -> None:
    """Open all cases, train, then write the model."""
    try:
        rounds = open_rounds(work.rounds, telling(report if _writes() else untold, cancelled))
    except Cancelled:
        if _writes():
            report(_none_done(work))
        return
    with Claim(work.folder) as claim:
        if _writes() and work.begun == "resumed":
            claim.take(work.folder)
            clear(work.folder)
        elif _writes():
            with in_place_of(work.folder, replace=work.begun == "replaced", claim=claim) as part:
                part.mkdir()
                (part / RECIPE).write_text(json.dumps(stated(work.recipe), indent=1), encoding="utf-8")
                parts = [dict(one.parts) for one in rounds]
                (part / PARTS).write_text(json.dumps(parts, indent=1), encoding="utf-8")
        _train(work, rounds, report, cancelled)


def _none_done(work: Work) -> TrainingFinished:
    first = work.rounds[0].planned
    return TrainingFinished(
        out="",
        complete=False,
        step=0,
        steps=first.optimisation.steps,
        kept=0,
        seconds=0.0,
        round=first.number,
        rounds=first.rounds,
        name=first.name,
    )


def _train(
    work: Work, rounds: tuple[Prepared, ...], report: Callable[[TrainingEvent], None], cancelled: Callable[[], bool]
) -> None:
    from diffuscope.training.rounds import train_rounds

    begin = monotonic()
    with full_disk_in_words(work.folder, resume=True), limit_threads(work.threads), reused_memory():
        last, done = train_rounds(
            rounds,
            folder=work.folder,
            device=work.device,
            devices=work.devices,
            resume=work.begun == "resumed",
            report=report,
            cancelled=cancelled,
        )
        if not done.first:
            return
        # What is half made before the last round is no model.
        whole = bool(done.kept) and last is rounds[-1]
        if whole:
            report(Progress(what="Measuring the new model on what validates"))
        figures = _write(work, last, stopped=None if done.complete else done.step) if whole else {}
    planned = last.planned
    report(
        TrainingFinished(
            out=str(work.out) if whole else "",
            complete=done.complete,
            step=done.step,
            steps=planned.optimisation.steps,
            kept=done.kept,
            seconds=monotonic() - begin,
            figures=figures,
            round=planned.number,
            rounds=planned.rounds,
            name=planned.name,
        )
    )


def _write(work: Work, last: Prepared, *, stopped: int | None) -> dict[str, float]:
    """Write the model folder, measure it as it is stored, and state the figures and how its inputs look."""
    card, start, planned = work.card, last.start, last.planned
    if stopped is not None:
        where = f" of round {planned.number} of {planned.rounds}" if planned.rounds > 1 else ""
        steps = planned.optimisation.steps
        note = f"{card.what_it_is} Training was stopped at step {stopped} of {steps}{where}."
        card = card.model_copy(update={"what_it_is": note})
    fitted = start.system.fitted if isinstance(start.system, FitsRows) else {}
    save_model(work.out, start.system, start.name, start.config | fitted, card, recipe=work.command)
    # Only then measured and looked at: what fails here must not cost the weights.
    set_seen(work.out, last.data.seen())
    given = {**work.recipe.config, **planned.config}
    if chosen := settle(load_model(work.out).system, last.data, device=work.device, given=given):
        set_config(work.out, chosen)
    figures = measure(load_model(work.out).system, last.data, device=work.device)
    if figures and start.origin is not None:
        before = measure(start.origin.system, last.data, device=work.device)
        figures |= {_BEFORE[name]: value for name, value in before.items() if name in _BEFORE}
    set_figures(work.out, figures)
    return figures
