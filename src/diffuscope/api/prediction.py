"""What a model gives for one case of an evaluation: run, gone on with, or there already."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diffuscope.api.forms import taken
from diffuscope.api.run import run
from diffuscope.cases import OpenCase
from diffuscope.engine.events import Finished
from diffuscope.errors import InputError
from diffuscope.evaluation.fields import WHOLE
from diffuscope.evaluation.found import Found, of_result
from diffuscope.evaluation.report.folder import PREDICTIONS
from diffuscope.events import Notice, Pace, Progress
from diffuscope.jobs.compute import ComputeRequest
from diffuscope.jobs.given import given_rasters
from diffuscope.jobs.inputs import open_inputs
from diffuscope.jobs.prepare import prepare
from diffuscope.jobs.resume import check_resumed, tidy
from diffuscope.model.folder import Model
from diffuscope.results.result import open_result
from diffuscope.scans import Scan
from diffuscope.tiling.region import Region


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

    def __post_init__(self) -> None:
        """Take each as a verb takes it."""
        for name, value in taken(type(self), vars(self)).items():
            object.__setattr__(self, name, value)


def check_run(model: Model, opened: OpenCase) -> None:
    """Refuse a case that could not be run, or whose result would not lie on the grid of its pictures.

    Parameters
    ----------
    model : Model
        Which.
    opened : OpenCase
        The case.

    Raises
    ------
    InputError
        Its picture is not what the model takes, or is run px for px where its truth lies on another grid.
    """
    key = model.system.input_rasters[0].key
    scan = opened.scans[key]
    ports = given_rasters(scan.path, model.system.declared)
    first = open_inputs(scan.path, ports, model.name, mpp=_given_mpp(scan))[0]
    if first.scan.factors(first.port)[-1] != opened.factors[key]:
        raise InputError(
            f"the pictures of case {opened.case.name} have slightly different µm/px: {scan.name} is run as it is, "
            "which its truth does not fit; resample one of them."
        )


def predict(
    model: Model, opened: OpenCase, out: Path, settings: Settings, at: Progress, cuts: Sequence[Path] = ()
) -> Generator[Progress | Notice, None, tuple[Found, dict[str, Any]]]:
    """Run a case, go on with its run, or take the result that is there.

    Parameters
    ----------
    model : Model
        Which.
    opened : OpenCase
        The case.
    out : Path
        Folder of the report.
    settings : Settings
        How to run.
    at : Progress
        Which case it is, of how many.
    cuts : sequence of Path
        What its stains are measured on, where it is a small cut of a slide.

    Yields
    ------
    Progress or Notice

    Returns
    -------
    Found
        What came out.
    dict
        The run record.

    Raises
    ------
    InputError
        It cannot be run, or what is there is of another run.
    """
    key = model.system.input_rasters[0].key
    scan = opened.scans[key]
    path = out / PREDICTIONS / f"{opened.case.name}.ome.zarr"
    height, width = scan.shape
    # What is compared as a whole is computed as a whole, tissue or not.
    region = Region(0, 0, width, height) if max(opened.shape) <= WHOLE else None
    mpp = _given_mpp(scan)
    if path.exists() and (before := open_result(path)).complete:
        own = vars(settings)
        request = ComputeRequest(**{name: own[name] for name in ("device", "batch", "precision", "threads")})
        rest = {name: own[name] for name in ("quality", "sampler", "steps", "samples", "seed")}
        again = path.with_name(".again")
        job = prepare(
            model.path,
            scan.path,
            again,
            region=region,
            mpp=mpp,
            request=request,
            overwrite=False,
            resume=False,
            stains_of=cuts,
            **rest,
        )
        # On what machine does not matter here: the pixels are there.
        check_resumed(path, before.record, job.record | {"compute": {}})
        tidy(path)
    else:
        how = {"region": region, "mpp": mpp, "stains_of": cuts, **vars(settings)}
        events = run(model.path, scan.path, path, resume=path.exists(), **how)
        pace = Pace()
        with closing(events):
            for event in events:
                if isinstance(event, Notice):
                    yield event
                elif pace.take(event):
                    part, tiles = pace.progress.done / pace.progress.total, pace.progress.text
                    yield replace(at, done=at.done + part, what=f"{at.what}, {tiles}")
                if isinstance(event, Finished) and event.unread:
                    raise InputError(
                        f"{event.unread} of {event.tiles} tiles of {scan.name} could not be read: mend the file "
                        "and say --resume."
                    )
    result = open_result(path)
    return of_result(result), result.record


def _given_mpp(scan: Scan) -> float | None:
    return scan.mpp if scan.stated_mpp is None else None
