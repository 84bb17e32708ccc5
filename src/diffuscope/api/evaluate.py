"""The verb `evaluate`: a model run over a data set's cases and held against their truth, in a report."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from diffuscope.api.events import Evaluated
from diffuscope.api.forms import checked
from diffuscope.api.prediction import Settings, check_run, predict
from diffuscope.cases import Case, OpenCase, find_cases, open_case
from diffuscope.cases.find import simulated_truth
from diffuscope.cases.slide_stains import SlideStains, slide_stains
from diffuscope.errors import InputError
from diffuscope.evaluation.comparable import check_comparable
from diffuscope.evaluation.found import finished, of_pictures
from diffuscope.evaluation.judge import MASK, Judge, stain_threshold
from diffuscope.evaluation.metrics.features import FeatureExtractor, InceptionFeatures, RandomConvFeatures
from diffuscope.evaluation.report.folder import (
    HTML,
    JSON,
    REPORT,
    is_unwritten,
    read_report,
)
from diffuscope.evaluation.report.html import render
from diffuscope.evaluation.report.notices import caveats, unlike_cases
from diffuscope.evaluation.report.summary import against as test_against
from diffuscope.evaluation.seen import Seen, title
from diffuscope.events import Notice, Progress
from diffuscope.files.claim import Claim
from diffuscope.files.place import Standing, check_place
from diffuscope.files.put import clear, in_place_of, put_text, remove
from diffuscope.jobs.provenance import evaluation_command, make_evaluation_record
from diffuscope.jobs.settings import check_number, choose_settings
from diffuscope.model.folder import Model, load_model
from diffuscope.scans.physical import check_given_mpp


@checked
def evaluate(
    model: str | Path,
    data: str | Path,
    out: str | Path,
    *,
    settings: Settings | None = None,
    predictions: str | Path | None = None,
    against: str | Path | None = None,
    inception: str | Path | None = None,
    mpp: float | None = None,
    worst: int = 3,
    overwrite: bool = False,
    resume: bool = False,
) -> Generator[Progress | Notice | Evaluated, None, None]:
    """Run a model over a data set and report how near it comes to the truth.

    What can be checked is checked when this is called, before anything is written or removed; the work is done while
    the returned generator is iterated. Where cases state a part, those that test are taken; else all. The results of
    the runs stay in ``predictions/``, so that a report that was interrupted goes on with `resume`, and one that is done
    can be made again with another comparison at no cost.

    Parameters
    ----------
    model : str or Path
        As in `diffuscope.api.run.run`.
    data : str or Path
        As in `diffuscope.cases.find_cases`: the model's inputs and its main output; a mask where there is one.
    out : str or Path
        Folder for ``report.html``, ``report.json`` and ``predictions/``.
    settings : Settings, optional
        How to run.
    predictions : str or Path, optional
        Folder of finished pictures by name of the case, or with a sub-folder an output key: the model is then not run,
        and only its ports count.
    against : str or Path, optional
        Another report on the same cases, or its folder: paired tests. All cases are then opened when this is called.
    inception : str or Path, optional
        FID's weights, as `InceptionFeatures` takes them. Without, a substitute is used, and the report says so.
    mpp : float, optional
        µm/px of the files that do not say it.
    worst : int
        Cases that are shown.
    overwrite, resume : bool
        Begin a report in the way again, or go on with it.

    Returns
    -------
    generator of Progress, Notice and Evaluated
        Cases, of which the tiles and steps of the run at hand are parts; last the report. Closed before its end it
        keeps the results that there are.

    Raises
    ------
    InputError
        What was given cannot be used. While iterating: no case could be evaluated. Single cases that cannot are told
        in the report.
    """
    out, settings = Path(out), settings or Settings()
    check_number("seed", settings.seed, least=0, most=2**63 - 1)
    check_given_mpp(mpp)
    loaded = load_model(model)
    loaded.system.check_images(loaded.name, "what is evaluated is images")
    main = loaded.system.output_rasters[0]
    if not any(port.required for port in loaded.system.input_rasters):
        raise InputError(
            f"{loaded.name} takes any of its images, and what is evaluated here makes one image of one: "
            "run it, and compare its results with their truth."
        )
    if any(port.axes == "zyx" for port in loaded.system.input_rasters):
        raise InputError(
            f"{loaded.name} takes volumes, and what is evaluated here is slides and pictures: save a slice of its "
            "result and of the truth as pictures, and compare these."
        )
    keys = [port.key for port in loaded.system.input_rasters]
    found = find_cases(data, [*keys, main.key], optional=[MASK])
    stated = any(case.part for case in found)
    cases = [case for case in found if case.part == "test"] if stated else found
    if not cases:
        raise InputError(f"no case of {data} states that it tests: write test into the column part of some.")
    other = read_report(Path(against)) if against is not None else None
    pictures = None
    if predictions is not None:
        pictures = finished(Path(predictions), [case.name for case in cases], loaded.system.output_rasters)
    else:
        s = settings
        choose_settings(loaded.system, quality=s.quality, sampler=s.sampler, steps=s.steps, samples=s.samples)
    keep = [Path(one) for one in (data, predictions) if one is not None]
    # Before Inception's weights are fetched.
    standing = check_place(out, REPORT, overwrite=overwrite, resume=resume, keep=keep)
    extractor: FeatureExtractor | None = None
    if main.kind == "rgb":
        extractor = InceptionFeatures(inception) if inception is not None else RandomConvFeatures()
    judge = Judge(loaded.name, loaded.system.input_rasters, main, stain_threshold(loaded.system), extractor)
    if other is not None:
        check = partial(_check, judge, loaded if pictures is None else None)
        check_comparable(cases, judge, other["cases"], mpp=mpp, check=check)
    given = {"predictions": predictions, "against": against, "inception": inception}
    return _evaluate(
        _Work(
            model=loaded,
            data=Path(data),
            out=out,
            cases=cases,
            tested=stated,
            settings=settings,
            pictures=pictures,
            judge=judge,
            given={name: Path(value) for name, value in given.items() if value is not None},
            other=other,
            mpp=mpp,
            worst=worst,
            standing=standing,
            together=slide_stains(found, loaded.system.input_rasters, mpp),
        )
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Work:
    """An evaluation that was checked and may begin.

    Attributes
    ----------
    tested : bool
        Whether the cases state that they test.
    pictures : dict of str to dict of str to Path, or None
        Finished pictures by case and output key.
    given : dict of str to Path
        The arguments that name files: ``predictions``, ``against``, ``inception``.
    other : dict or None
        The report to compare with.
    standing : {"new", "replaced", "resumed"}
        What becomes of the folder.
    together : SlideStains or None
        Small cuts of one slide, whose H&E is measured together; None where the model takes none.
    """

    model: Model
    data: Path
    out: Path
    cases: Sequence[Case]
    tested: bool
    settings: Settings
    pictures: Mapping[str, Mapping[str, Path]] | None
    judge: Judge
    given: Mapping[str, Path]
    other: Mapping[str, Any] | None
    mpp: float | None
    worst: int
    standing: Standing
    together: SlideStains | None


def _evaluate(work: _Work) -> Generator[Progress | Notice | Evaluated, None, None]:
    """Hold the folder of the report, made anew where it is not gone on with, as long as is written into it."""
    with Claim(work.out) as claim:
        if work.standing == "resumed":
            claim.take(work.out)
            clear(work.out)
        else:
            with in_place_of(work.out, replace=work.standing == "replaced", claim=claim) as part:
                part.mkdir()
        try:
            yield from _write(work)
        finally:
            if work.standing == "new" and claim.holds and is_unwritten(work.out):
                with suppress(OSError, InputError):
                    remove(work.out, claim)


def _write(work: _Work) -> Generator[Progress | Notice | Evaluated, None, None]:
    out, judge, seen = work.out, work.judge, Seen()
    for number, case in enumerate(work.cases):
        at = Progress(done=number, total=len(work.cases), what=f"Case {number + 1} of {len(work.cases)}: {case.name}")
        yield at
        try:
            if work.pictures is not None:
                files, ports = work.pictures[case.name], work.model.system.output_rasters
                opened, answer = of_pictures(
                    case, files, ports, work.model.name, mpp=judge.main.mpp, assumed_mpp=work.mpp
                )
            else:
                opened = open_case(case, mpp=judge.main.mpp, assumed_mpp=work.mpp)
            _check(judge, work.model if work.pictures is None else None, opened)
        except InputError as error:
            seen.skipped.append(f"Case {case.name} was left out: {error}")
            continue
        # What else is wrong with a run is wrong with all of them: it ends the evaluation, which --resume goes on with.
        record: dict[str, Any] = {}
        if work.pictures is None:
            cuts = work.together.cuts(opened) if work.together is not None else []
            paths = [scan.path for scan in cuts]
            answer, record = yield from predict(work.model, opened, out, work.settings, at, paths)
        seen.add(judge, opened, answer, record, work.worst)
    if not seen.rows:
        raise InputError(f"none of {len(work.cases)} cases could be evaluated. {seen.skipped[0]}")
    report = _report(work, seen)
    page = render(report, [(title(row), pictures) for row, pictures in seen.shown])
    put_text(out / JSON, json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n", replace=True)
    put_text(out / HTML, page, replace=True)
    yield Evaluated(path=out, report=report)


def _check(judge: Judge, model: Model | None, opened: OpenCase) -> None:
    """Refuse a case before anything is computed; `model` is what is to be run, None where pictures are there."""
    judge.check(opened)
    if model is not None:
        check_run(model, opened)


def _report(work: _Work, seen: Seen) -> dict[str, Any]:
    """Return what report.json holds."""
    model, settings, given, judge = work.model, work.settings, work.given, work.judge
    ran = work.pictures is None
    own = {name: value for name, value in vars(settings).items() if value is not None} if ran else {}
    names = {name: given[name].name if name in given else None for name in ("predictions", "against", "inception")}
    command = evaluation_command(
        model=model.name, data=work.data.name, out=work.out.name, flags={**own, "mpp": work.mpp, **names}
    )
    report = {
        "format": 1,
        **make_evaluation_record(command=command),
        "model": _model(model, given.get("predictions")),
        "data": work.data.name,
        "simulated_truth": simulated_truth(work.data),
        "mpp": judge.main.mpp,
        "settings": {**own, "DAB-positive from (OD)": judge.threshold, "µm/px of files that do not say it": work.mpp},
        **seen.figures(judge),
        "against": None,
    }
    if work.other is not None:
        name = f"{work.other['model']['name']} ({given['against'].name})"
        report["against"] = {"name": name, "tests": test_against(seen.rows, work.other["cases"])}
    report["notices"] = seen.skipped + caveats(
        seen.rows,
        simulated_truth=report["simulated_truth"],
        card=model.card if ran else None,
        tested=work.tested,
        sets=report["sets"].get("model", {}),
        uncertainty_unknown=seen.unknown,
        substitute=judge.extractor is not None and "inception" not in given,
    )
    report["notices"] += unlike_cases(seen.rows)
    return report


def _model(model: Model, predictions: Path | None) -> dict[str, Any]:
    if predictions is not None:
        return {"name": predictions.name, "hash": None, "title": f"Finished pictures, in the place of {model.name}'s"}
    return {"name": model.name, "hash": model.hash, "title": model.card.title}
