"""The verb `evaluate`: a model run over a data set's cases and held against their truth, in a report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diffuscope.api.run import run
from diffuscope.cases import OpenCase, find_cases, open_case
from diffuscope.engine.events import Event, Finished
from diffuscope.errors import InputError
from diffuscope.evaluation.fields import WHOLE
from diffuscope.evaluation.figures import METRICS, mean_curves
from diffuscope.evaluation.found import Found, finished, of_pictures, of_result
from diffuscope.evaluation.judge import MASK, Judge, Judged, stain_threshold
from diffuscope.evaluation.metrics.features import FeatureExtractor, InceptionFeatures, RandomConvFeatures
from diffuscope.evaluation.metrics.sets import set_figures
from diffuscope.evaluation.report.folder import HTML, JSON, PREDICTIONS, make_room, read_report, simulated_truth
from diffuscope.evaluation.report.html import render
from diffuscope.evaluation.report.notices import caveats
from diffuscope.evaluation.report.pictures import Shown
from diffuscope.evaluation.report.summary import against as test_against
from diffuscope.evaluation.report.summary import summarise
from diffuscope.exports.target import in_place_of
from diffuscope.jobs.compute import Asked
from diffuscope.jobs.prepare import prepare
from diffuscope.jobs.provenance import evaluation_command, make_evaluation_record
from diffuscope.jobs.resume import check_resumed
from diffuscope.jobs.settings import choose_settings, pick
from diffuscope.model.folder import Model, load_model
from diffuscope.results.result import open_result
from diffuscope.tiling.plan import Region


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How cases are run (as in `diffuscope.api.run.run`); None leaves the choice."""

    quality: str | None = None
    sampler: str | None = None
    steps: int | None = None
    samples: int | None = None
    seed: int = 0
    device: str = "auto"
    batch: int | None = None
    precision: str | None = None
    threads: int | None = None


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
    progress: Callable[[str], None] = lambda _what: None,
    follow: Callable[[Event], None] = lambda _event: None,
) -> dict[str, Any]:
    """Run a model over a data set and report how near it comes to the truth.

    Where cases state a part, those that test are taken; else all. The results of the runs stay in ``predictions/``, so
    that a report that was interrupted goes on with `resume`, and one that is done can be made again with another
    comparison at no cost.

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
        Another report on the same cases, or its folder: paired tests.
    inception : str or Path, optional
        FID's weights, as `InceptionFeatures` takes them. Without, a substitute is used, and the report says so.
    mpp : float, optional
        µm/px of the files that do not say it.
    worst : int
        Cases that are shown.
    overwrite, resume : bool
        Begin a report in the way again, or go on with it.
    progress : callable, optional
        Called with what is being done, in words.
    follow : callable, optional
        Called with every event of a run.

    Returns
    -------
    dict
        What report.json holds.

    Raises
    ------
    InputError
        What was given cannot be used, or no case could be evaluated. Single cases that cannot are told in the report.
    """
    out, settings = Path(out), settings or Settings()
    loaded = load_model(model)
    main = loaded.system.output_rasters[0]
    keys = [port.key for port in loaded.system.input_rasters]
    found = find_cases(data, [*keys, main.key], optional=[MASK])
    stated = any(case.part for case in found)
    cases = [case for case in found if case.part == "test"] if stated else found
    if not cases:
        raise InputError(f"no case of {data} states that it tests: write test into the column part of some.")
    other = read_report(Path(against)) if against is not None else None
    pictures = (
        finished(Path(predictions), [case.name for case in cases], loaded.system.output_rasters)
        if predictions is not None
        else None
    )
    extractor: FeatureExtractor | None = None
    if main.kind == "rgb":
        extractor = InceptionFeatures(inception) if inception is not None else RandomConvFeatures()
    judge = Judge(loaded.system.input_rasters, main, stain_threshold(loaded.system), extractor)
    if pictures is None:  # before a report in the way goes
        quality = settings.quality or next(iter(loaded.system.presets))
        quality = pick(quality, tuple(loaded.system.presets), "quality")
        choose_settings(loaded.system, quality, settings.sampler, settings.steps, settings.samples)
    make_room(out, Path(data), overwrite=overwrite, resume=resume)

    seen = _Seen()
    for number, case in enumerate(cases, start=1):
        progress(f"Case {number} of {len(cases)}: {case.name}")
        try:
            if pictures is not None:
                opened, answer = of_pictures(case, pictures[case.name], mpp=main.mpp, assumed_mpp=mpp)
            else:
                opened = open_case(case, mpp=main.mpp, assumed_mpp=mpp)
            judge.check(opened)
        except InputError as error:
            seen.skipped.append(f"Case {case.name} was left out: {error}")
            continue
        # What is wrong with a run is wrong with all of them: it ends the evaluation, which --resume goes on with.
        record: dict[str, Any] = {}
        if pictures is None:
            answer, record = _run(loaded, opened, out, settings, follow)
        seen.add(judge, opened, answer, record, worst)
    if not seen.rows:
        raise InputError(f"none of {len(cases)} cases could be evaluated. {seen.skipped[0]}")

    own = {name: value for name, value in vars(settings).items() if value is not None} if pictures is None else {}
    given = {"predictions": predictions, "against": against, "inception": inception}
    flags = {**own, "mpp": mpp, **{name: value and Path(value).name for name, value in given.items()}}
    command = evaluation_command(model=loaded.name, data=Path(data).name, out=out.name, flags=flags)
    report = {
        "format": 1,
        **make_evaluation_record(command=command),
        "model": _model(loaded, Path(predictions) if predictions is not None else None),
        "data": Path(data).name,
        "simulated_truth": simulated_truth(Path(data)),
        "mpp": main.mpp,
        "settings": {**own, "DAB-positive from (OD)": judge.threshold, "µm/px of files that do not say it": mpp},
        **_figures(seen, judge),
        "against": None,
    }
    if other is not None and against is not None:
        name = f"{other['model']['name']} ({Path(against).name})"
        report["against"] = {"name": name, "tests": test_against(seen.rows, other["cases"])}
    report["notices"] = seen.skipped + caveats(
        seen.rows,
        simulated_truth=report["simulated_truth"],
        simulated_training=loaded.card.trained_on if loaded.card.simulated and pictures is None else None,
        tested=stated,
        sets=report["sets"].get("model", {}),
        uncertainty_unknown=seen.unknown,
        substitute=extractor is not None and inception is None,
    )
    page = render(report, [(_title(row), pictures_) for row, pictures_ in seen.shown])
    out.mkdir(parents=True, exist_ok=True)
    _write(out / JSON, json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    _write(out / HTML, page)
    return report


@dataclass
class _Seen:
    """What has been judged so far; of pictures only those of the worst cases are kept."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    shown: list[tuple[dict[str, Any], Sequence[Shown]]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    unknown: bool = False

    def add(self, judge: Judge, opened: OpenCase, answer: Found, record: Mapping[str, Any], worst: int) -> None:
        """Judge a case, or note why it cannot be."""
        try:
            one = judge.judge(opened, answer)
        except InputError as error:
            self.skipped.append(f"Case {opened.case.name} was left out: {error}")
            return
        row: dict[str, Any] = {
            "case": opened.case.name,
            "group": opened.case.group,
            "truth": opened.scans[judge.main.key].fingerprint,
            "fields": len(one.windows),
            "worst_field": list(one.worst),
            "figures": one.figures,
            "input": one.input,
            "run": dict(record),
        }
        self.rows.append(row)
        self.judged.append(one)
        self.unknown |= "uncertainty" in answer.keys and one.curves is None and one.figures["mse"] > 0
        if len(self.shown) < worst or (worst and row["figures"]["mse"] > self.shown[-1][0]["figures"]["mse"]):
            self.shown.append((row, judge.pictures(opened, answer, one.worst)))
            self.shown = sorted(self.shown, key=lambda entry: -entry[0]["figures"]["mse"])[:worst]


def _figures(seen: _Seen, judge: Judge) -> dict[str, Any]:
    """Return what the cases amount to."""
    curves = [one.curves for one in seen.judged if one.curves is not None]
    return {
        "groups": len({row["group"] for row in seen.rows}),
        "fields": sum(row["fields"] for row in seen.rows),
        "summary": summarise(seen.rows),
        "input_summary": summarise(seen.rows, "input"),
        "sets": set_figures([one.features for one in seen.judged]),
        "extractor": judge.extractor.name if judge.extractor is not None else None,
        "distance": judge.distance.name if judge.distance is not None else None,
        "sparsification": mean_curves(curves) if curves else None,
        "cases": sorted(seen.rows, key=lambda row: -row["figures"]["mse"]),
    }


def _run(
    model: Model, opened: OpenCase, out: Path, settings: Settings, follow: Callable[[Event], None]
) -> tuple[Found, dict[str, Any]]:
    """Run a case, go on with its run, or take the result that is there."""
    key = model.system.input_rasters[0].key
    scan = opened.scans[key]
    path = out / PREDICTIONS / f"{opened.case.name}.ome.zarr"
    height, width = scan.shape
    # What is compared as a whole is computed as a whole, tissue or not.
    region = Region(0, 0, width, height) if max(opened.shape) <= WHOLE else None
    mpp = scan.mpp if scan.stated_mpp is None else None
    if path.exists() and (before := open_result(path)).complete:
        own = vars(settings)
        asked = Asked(**{name: own[name] for name in ("device", "batch", "precision", "threads")})
        rest = {name: own[name] for name in ("quality", "sampler", "steps", "samples", "seed")}
        again = path.with_name(f".{path.name}.again")
        job = prepare(
            model.path, scan.path, again, region=region, mpp=mpp, asked=asked, overwrite=False, resume=False, **rest
        )
        # On what machine does not matter here: the pixels are there.
        check_resumed(path, before.record, job.record | {"compute": {}})
    else:
        events = run(model.path, scan.path, path, region=region, mpp=mpp, resume=path.exists(), **vars(settings))
        with closing(events):
            for event in events:
                follow(event)
                if isinstance(event, Finished) and event.unread:
                    raise InputError(
                        f"{event.unread} of {event.tiles} tiles of {scan.name} could not be read: mend the file "
                        "and say --resume."
                    )
    result = open_result(path)
    if result.factor != opened.factors[key]:
        raise InputError(
            f"the pictures of case {opened.case.name} have slightly different µm/px: {scan.name} is run as it is, "
            "which its truth does not fit; resample one of them."
        )
    return of_result(result), result.record


def _model(model: Model, predictions: Path | None) -> dict[str, Any]:
    if predictions is not None:
        return {"name": predictions.name, "hash": None, "title": f"Finished pictures, in the place of {model.name}'s"}
    return {"name": model.name, "hash": model.hash, "title": model.card.title}


def _title(row: Mapping[str, Any]) -> str:
    figures = row["figures"]
    told = [
        f"{METRICS[key].name} {figures[key]:.{METRICS[key].digits}f}"
        for key in ("psnr", "ssim", "dab_dice")
        if key in figures
    ]
    return f"{row['case']}: {', '.join(told)}"


def _write(path: Path, text: str) -> None:
    with in_place_of(path) as part:
        part.write_text(text, encoding="utf-8")
