"""The verb `evaluate`: a model run over a data set's cases and held against their truth, in a report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.cases import Case, OpenCase, find_cases, open_case
from diffuscope.checks import check_resumed
from diffuscope.errors import InputError
from diffuscope.evaluation.features import FeatureExtractor, InceptionFeatures, RandomConvFeatures
from diffuscope.evaluation.fields import WHOLE
from diffuscope.evaluation.figures import METRICS, mean_curves
from diffuscope.evaluation.folder import HTML, JSON, PREDICTIONS, make_room, read_report, simulated_truth
from diffuscope.evaluation.found import Found, of_pictures, of_result
from diffuscope.evaluation.html import render
from diffuscope.evaluation.judge import MASK, Judge, Judged
from diffuscope.evaluation.measurements import DAB_THRESHOLD
from diffuscope.evaluation.notices import caveats
from diffuscope.evaluation.pictures import Shown
from diffuscope.evaluation.sets import set_figures
from diffuscope.evaluation.summary import against as test_against
from diffuscope.evaluation.summary import summarise
from diffuscope.export.target import in_place_of
from diffuscope.job import prepare
from diffuscope.record import evaluation_command, make_evaluation_record
from diffuscope.run import run
from diffuscope.systems.base import System
from diffuscope.tiling.events import Event, Finished
from diffuscope.tiling.plan import Region
from diffuscope.tiling.result import open_result
from diffuscope.where import Asked
from diffuscope.zoo import Model, load_model


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How cases are run (as in `diffuscope.run.run`); None leaves the choice."""

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
        As in `diffuscope.run.run`.
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
    main = loaded.system.outputs[0]
    keys = [port.key for port in loaded.system.inputs]
    found = find_cases(data, [*keys, main.key], optional=[MASK])
    stated = any(case.part for case in found)
    cases = [case for case in found if case.part == "test"] if stated else found
    if not cases:
        raise InputError(f"no case of {data} states that it tests: write test into the column part of some.")
    other = read_report(Path(against)) if against is not None else None
    pictures = _pictures(Path(predictions), cases, loaded) if predictions is not None else None
    extractor: FeatureExtractor | None = None
    if main.kind == "rgb":
        extractor = InceptionFeatures(inception) if inception is not None else RandomConvFeatures()
    judge = Judge(loaded.system.inputs, main, _threshold(loaded.system), extractor)
    make_room(out, Path(data), overwrite=overwrite, resume=resume)

    rows: list[dict[str, Any]] = []
    judged: list[Judged] = []
    shown: list[tuple[float, str, Sequence[Shown]]] = []
    skipped: list[str] = []
    unknown = False
    for number, case in enumerate(cases, start=1):
        progress(f"Case {number} of {len(cases)}: {case.name}")
        try:
            if pictures is not None:
                opened, answer = of_pictures(case, pictures[case.name], mpp=main.mpp, assumed_mpp=mpp)
                record: dict[str, Any] = {}
            else:
                opened = open_case(case, mpp=main.mpp, assumed_mpp=mpp)
        except InputError as error:
            skipped.append(f"Case {case.name} was left out: {error}")
            continue
        if pictures is None:
            answer, record = _run(loaded, opened, out, settings, follow)
        try:
            one = judge.judge(opened, answer)
        except InputError as error:
            skipped.append(f"Case {case.name} was left out: {error}")
            continue
        unknown |= "uncertainty" in answer.keys and one.curves is None
        rows.append(_row(opened, one, main.key, record))
        judged.append(one)
        shown.append((one.figures["mse"], case.name, judge.pictures(opened, answer, one.worst)))
        shown = sorted(shown, key=lambda entry: -entry[0])[:worst]
    if not rows:
        raise InputError(f"none of {len(cases)} cases could be evaluated. {skipped[0]}")

    sets = _sets(judged)
    curves = [one.curves for one in judged if one.curves is not None]
    simulated = simulated_truth(Path(data))
    notices = caveats(
        rows,
        simulated_truth=simulated,
        simulated_training=loaded.card.trained_on if loaded.card.simulated and pictures is None else None,
        tested=stated,
        sets=sets.get("model", {}),
        uncertainty_unknown=unknown,
        substitute=extractor is not None and inception is None,
    )
    own = {name: value for name, value in vars(settings).items() if value is not None} if pictures is None else {}
    given = {"predictions": predictions, "against": against, "inception": inception}
    report = {
        "format": 1,
        **make_evaluation_record(
            command=evaluation_command(
                model=loaded.name,
                data=Path(data).name,
                out=out.name,
                flags={**own, "mpp": mpp, **{name: value and Path(value).name for name, value in given.items()}},
            )
        ),
        "model": _model(loaded, Path(predictions) if predictions is not None else None),
        "data": Path(data).name,
        "simulated_truth": simulated,
        "mpp": main.mpp,
        "settings": {**own, "DAB-positive from (OD)": judge.threshold, "µm/px of files that do not say it": mpp},
        "notices": [*skipped, *notices],
        "groups": len({row["group"] for row in rows}),
        "fields": sum(row["fields"] for row in rows),
        "summary": summarise(rows),
        "input_summary": summarise(rows, "input"),
        "sets": sets,
        "extractor": extractor.name if extractor is not None else None,
        "distance": judge.distance.name if judge.distance is not None else None,
        "sparsification": mean_curves(curves) if curves else None,
        "against": None,
        "cases": sorted(rows, key=lambda row: -row["figures"]["mse"]),
    }
    if other is not None:
        report["against"] = {"name": other["model"]["name"], "tests": test_against(rows, other["cases"])}
    page = render(report, [(_title(name, rows), list(pictures_)) for _, name, pictures_ in shown])
    out.mkdir(parents=True, exist_ok=True)
    _write(out / JSON, json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    _write(out / HTML, page)
    return report


def _run(
    model: Model, opened: OpenCase, out: Path, settings: Settings, follow: Callable[[Event], None]
) -> tuple[Found, dict[str, Any]]:
    """Run a case, go on with its run, or take the result that is there."""
    key = model.system.inputs[0].key
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


def _row(opened: OpenCase, one: Judged, truth: str, record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "case": opened.case.name,
        "group": opened.case.group,
        "truth": opened.scans[truth].fingerprint,
        "fields": len(one.windows),
        "worst_field": list(one.worst),
        "figures": one.figures,
        "input": one.input,
        "run": dict(record),
    }


def _sets(judged: Sequence[Judged]) -> dict[str, Any]:
    """Return the set measures of the model and of the input itself."""

    def all_of(name: str) -> NDArray[np.float64] | None:
        parts = [one.features[name] for one in judged if name in one.features]
        return np.concatenate(parts) if len(parts) == len(judged) else None

    truth = all_of("truth")
    if truth is None or len(truth) < 2:
        return {}
    return {name: set_figures(truth, x) for name in ("model", "input") if (x := all_of(name)) is not None}


def _pictures(folder: Path, cases: Sequence[Case], model: Model) -> dict[str, dict[str, Path]]:
    """Return the finished pictures of each case by output key."""
    ports = model.system.outputs
    main = ports[0].key
    if not folder.is_dir():
        raise InputError(
            f"{folder} is no folder of pictures: give one with a picture a case, or a folder {main} of them."
        )
    layout = folder if (folder / main).is_dir() else folder.parent
    key = main if layout == folder else folder.name
    found = {
        case.name: case.files
        for case in find_cases(layout, [key], optional=[port.key for port in ports[1:]] if layout == folder else [])
    }
    missing = [case.name for case in cases if case.name not in found]
    if missing:
        raise InputError(f"{folder} has no picture of case {missing[0]}: name the pictures as the cases.")
    return {name: {main if at == key else at: path for at, path in files.items()} for name, files in found.items()}


def _threshold(system: System) -> float | None:
    """Return the DAB threshold of a stain system, by which its truth is judged too; None of any other system."""
    own = getattr(getattr(system, "config", None), "dab_threshold", None)
    if own is None and any(port.key == "dab" for port in system.outputs):
        return DAB_THRESHOLD
    return own


def _model(model: Model, predictions: Path | None) -> dict[str, Any]:
    if predictions is not None:
        return {"name": predictions.name, "hash": None, "title": f"Finished pictures, in the place of {model.name}'s"}
    return {"name": model.name, "hash": model.hash, "title": model.card.title}


def _title(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    figures = next(row["figures"] for row in rows if row["case"] == name)
    told = [
        f"{METRICS[key].name} {figures[key]:.{METRICS[key].digits}f}"
        for key in ("psnr", "ssim", "dab_dice")
        if key in figures
    ]
    return f"{name}: {', '.join(told)}"


def _write(path: Path, text: str) -> None:
    with in_place_of(path) as part:
        part.write_text(text, encoding="utf-8")
