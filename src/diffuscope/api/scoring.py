"""Cases through a model, one by one, each by itself: what `diffuscope.api.score` writes down."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from diffuscope.api.prediction import Settings
from diffuscope.cases.to_score import Cases, ToScore
from diffuscope.devices import threads as limit_threads
from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.engine.batch import first_line
from diffuscope.engine.case import sampled
from diffuscope.errors import InputError
from diffuscope.events import Notice, Progress
from diffuscope.files.names import names_apart
from diffuscope.jobs.case_inputs import prepare_case
from diffuscope.jobs.compute import ComputeRequest, ComputeSettings, resolve_compute
from diffuscope.jobs.likeness.notices import unknown_looks
from diffuscope.jobs.provenance import make_record, score_command
from diffuscope.jobs.settings import choose_quality, choose_settings
from diffuscope.model.folder import Model
from diffuscope.ports.score import Score
from diffuscope.ports.settings import SampleSettings
from diffuscope.results.score_table import ScoreRow, failed_row, scored_row
from diffuscope.results.scores import scored
from diffuscope.systems.base import Whole
from diffuscope.systems.protocols import HasNodes
from diffuscope.tiling.whole import make_whole_plan


@dataclass(frozen=True, kw_only=True, eq=False)
class Scoring:
    """Cases that may be scored.

    Attributes
    ----------
    model, system : Model, Whole
        On its device.
    port : Score
        What is asked for.
    cases : Cases
        Which.
    alone : bool
        Whether it is one case, and what is wrong with it is refused, not told in a row.
    settings, seed, compute
        How.
    record : dict
        The run record.
    """

    model: Model
    system: Whole
    port: Score
    cases: Cases
    alone: bool
    settings: SampleSettings
    seed: int
    compute: ComputeSettings
    record: dict[str, Any]


def make_scoring(
    model: Model,
    port: Score,
    cases: Cases,
    settings: Settings,
    paths: Sequence[Path],
    out: str | Path | None,
    begun: Mapping[str, Any] | None,
) -> Scoring:
    """Decide how cases are scored.

    Parameters
    ----------
    model : Model
        Loaded.
    port : Score
        What is asked for.
    cases : Cases
        Which.
    settings : Settings
        By the user.
    paths : sequence of Path
        Tables of a cohort; none of a case by itself.
    out : str, Path or None
        Table that is to be written.
    begun : mapping or None
        The record of rows that are to be gone on with: by the same device, precision and threads.

    Raises
    ------
    InputError
        The settings are none of the model's.
    """
    system = model.system
    assert isinstance(system, Whole)
    s = settings
    chosen = choose_settings(
        system, quality=s.quality, sampler=s.sampler, steps=s.steps, samples=s.samples, want=(port.key,)
    )
    request = ComputeRequest(device=s.device, precision=s.precision, threads=s.threads)
    # As of a run of a case: threads and precision do not hang on its size.
    compute = resolve_compute(request, begun, model, chosen, make_whole_plan(shape=(1, 1), factors=(1.0, 1.0)))
    system.to(compute.device)
    sampling = {**chosen.stated(), "seed": s.seed}
    given = {key for case in cases.cases for key in case.files}
    images = [raster for raster in system.input_rasters if raster.key in given]
    notices = (*cases.notices, *unknown_looks(images, model.stated.seen))
    record = make_record(
        model={"name": model.name, "hash": model.hash, "title": model.card.title},
        inputs={},
        parameters={**sampling, "quality": choose_quality(system, s.quality)},
        compute=asdict(compute),
        command=""
        if cases.flags is None
        else score_command(
            model=model.name,
            cohort=names_apart(paths),
            case=cases.flags,
            out=Path(out).name if out is not None else None,
            # The rest of `compute` says how tiles are taken, of which a case has none.
            flags={
                **sampling,
                "device": compute.device.partition(":")[0],
                "precision": compute.precision,
                "threads": compute.threads,
            },
        ),
        notices=notices,
    )
    return Scoring(
        model=model,
        system=system,
        port=port,
        cases=cases,
        alone=not paths,
        settings=chosen,
        seed=s.seed,
        compute=compute,
        record=record | {"inputs": dict(cases.inputs)},
    )


def score_cases(
    work: Scoring,
    add: Callable[[int, ScoreRow], None],
    done: Mapping[int, ScoreRow],
    cancelled: Callable[[], bool] | None,
) -> Generator[Progress | Notice, None, None]:
    """Score the cases that are not done, or that could not be: what they need is there again maybe.

    Parameters
    ----------
    work : Scoring
        See there.
    add : callable
        Takes the number of a case and its row.
    done : mapping of int to dict
        Rows that are there, which grows with what is added.
    cancelled : callable or None
        Looked at before every case, and before every network evaluation: nothing of the case is kept then.

    Raises
    ------
    InputError
        A case that is alone cannot be scored.
    """
    count = len(work.cases.cases)
    for notice in work.record["notices"]:
        yield Notice(notice)
    left = [number for number in range(count) if number not in done or done[number]["error"]]
    ready = count - len(left)
    yield Progress(done=ready, total=count, unit="cases")
    noise, asked = CaseNoise(work.seed, work.compute.device), cancelled or (lambda: False)
    with limit_threads(work.compute.threads):
        for at, number in enumerate(left, start=ready + 1):
            case, told = work.cases.cases[number], list[str]()
            row = None if asked() else _row(work, case, noise, asked, told.append)
            for notice in dict.fromkeys(told):
                yield Notice(notice if work.alone or not case.name else f"{case.name}: {notice}")
            if row is None:
                return
            add(number, row)
            yield Progress(done=at, total=count, unit="cases")
    failed = sum(1 for row in done.values() if row["error"])
    if failed:
        first = next(str(row["error"]) for row in done.values() if row["error"])
        yield Notice(f"{failed} of {count} could not be scored, the first: {first}")


def _row(
    work: Scoring, case: ToScore, noise: CaseNoise, cancelled: Callable[[], bool], tell: Callable[[str], object]
) -> ScoreRow | None:
    """Return the row of a case; None where it was cancelled meanwhile."""
    try:
        return _scored(work, case, noise, cancelled, tell)
    except MemoryError:
        raise
    except InputError as error:
        if work.alone:
            raise
        return failed_row(case.name, str(error).replace("\n", " "))
    except Exception as error:
        if not case.files:
            raise
        said = f"its images could not be read ({first_line(error)}): check the files."
        if work.alone:
            raise InputError(said) from error
        return failed_row(case.name, said)


def _scored(
    work: Scoring, case: ToScore, noise: CaseNoise, cancelled: Callable[[], bool], tell: Callable[[str], object]
) -> ScoreRow | None:
    if case.fault:
        raise InputError(case.fault)
    if missing := work.system.declared.accepts({*case.files, *case.rows}):
        raise InputError(missing)
    device = torch.device(work.compute.device)
    seen = prepare_case(work.system, case.files, case.rows, device=device, tell=tell)
    steps = sampled(work.system, seen, work.settings, noise, device=device, precision=work.compute.precision)
    with closing(steps):
        while True:
            try:
                next(steps)
            except StopIteration as end:
                draws = end.value[work.port.key]
                break
            if cancelled():
                return None
    found = scored(work.port, draws.float().cpu().tolist())
    if math.isnan(found.mean):
        raise InputError("the model gives no number for it.")
    return scored_row(case.name, found, _missing(work, case, seen), work.system.unlike(seen))


def _missing(work: Scoring, case: ToScore, seen: Mapping[str, Any]) -> list[str]:
    """Return what a case lacks, by the names that the user knows: nodes of a graph, or inputs."""
    names = {port.key: port.name for port in work.system.inputs}
    if isinstance(work.system, HasNodes):
        there = work.system.there(seen).tolist()
        return [names.get(node, node) for node, is_there in zip(work.system.nodes, there, strict=True) if not is_there]
    return [name for key, name in names.items() if key not in {*case.files, *case.rows}]
