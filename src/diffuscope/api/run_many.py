"""The verb `run_many`: a model over many slides or volumes, one after the other, into one folder."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack, cast

from diffuscope.api.events import RanMany
from diffuscope.api.forms import checked, taken
from diffuscope.api.run import run
from diffuscope.cases.slides import Slide, Slides, check_names, find_slides
from diffuscope.devices import pick_device
from diffuscope.engine.events import Finished
from diffuscope.errors import InputError
from diffuscope.events import Notice, Pace, Progress, notices_of
from diffuscope.exports.summary.folder import ENDING, RECORD, SUMMARY
from diffuscope.exports.summary.record import ASSUMED, as_text, check_same_slide, make_summary_record, mpp_told, name_of
from diffuscope.exports.summary.writer import Writer, record_text
from diffuscope.exports.table import check_names_result
from diffuscope.files.claim import Claim
from diffuscope.files.place import Standing, check_place
from diffuscope.files.put import clear, in_place_of, put_text
from diffuscope.files.read import read_json
from diffuscope.jobs.compute import ComputeRequest, check_compute
from diffuscope.jobs.drawn.regions import GivenRegion
from diffuscope.jobs.input_text import check_ranges
from diffuscope.jobs.inputs import split_channel
from diffuscope.jobs.resume import check_resumed, tidy
from diffuscope.jobs.settings import check_number, choose_settings, pick
from diffuscope.model.find import model_info
from diffuscope.model.folder import load_model
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.settings import SampleRequest
from diffuscope.results.opening.about import read_about
from diffuscope.results.result import Result, open_result
from diffuscope.scans import UnknownMppError
from diffuscope.scans.physical import check_given_mpp
from diffuscope.scans.qupath.size import check_size
from diffuscope.unforeseen import unforeseen

# --mpp would go before what every other slide says.
_MPP_OF_SLIDES = "give that of all such slides with --assumed-mpp (in the dock: µm/px), or a column mpp in a table"

Events = Generator[Progress | Notice | RanMany, None, None]


class RunOptions(TypedDict, total=False):
    """What is said of every run, as of `diffuscope.api.run.run`."""

    region: GivenRegion | None
    slices: str | None
    ranges: Mapping[str, tuple[float, float]] | None
    normalise: bool
    stains_of: Sequence[str | Path]
    mpp: float | None
    quality: str | None
    sampler: str | None
    steps: int | None
    samples: int | None
    options: Mapping[str, float] | None
    seed: int
    device: str
    batch: int | None
    precision: str | None
    threads: int | None
    workers: int | None
    scheduler: str | None
    devices: int | str | None
    compile: str
    want: Sequence[str]


@checked
def run_many(
    model: str | Path,
    slides: str | Path | Iterable[Slide],
    out: str | Path,
    *,
    overwrite: bool = False,
    resume: bool = False,
    assumed_mpp: float | None = None,
    cancelled: Callable[[], bool] | None = None,
    **options: Unpack[RunOptions],
) -> Events:
    """Run a model over many slides or volumes, each into a result of its own, and tell of all in one table and page.

    What is wrong with all of them is refused when this is called; the work is done while the returned generator is
    iterated. What is wrong with one slide is told in its row, and the next one goes on.

    Parameters
    ----------
    model : str or Path
        As in `diffuscope.api.run.run`.
    slides : str, Path or iterable of Slide
        A folder, a pattern, a table or a QuPath project (see `diffuscope.cases.slides.find_slides`), or the slides
        themselves.
    out : str or Path
        Folder for a result ``NAME.ome.zarr`` of each slide, ``summary.csv``, ``summary.html`` and ``summary.json``, the
        record. The table is put in place anew after every slide.
    overwrite : bool
        Begin again: such a folder in the way is replaced.
    resume : bool
        Go on with the folder in `out`, by the same settings; begin it where there is none. Slides that are done are
        left alone, one that was begun is gone on with, those that failed are tried again.
    assumed_mpp : float, optional
        µm/px of slides that do not say it and of which neither a table nor a project does; `mpp` is that of all.
    cancelled : callable, optional
        Looked at before every denoising step.
    **options
        Of each run, as in `diffuscope.api.run.run`.

    Returns
    -------
    generator of Progress, Notice and RanMany
        Last what came out.

    Raises
    ------
    InputError
        What was given cannot be used; nothing was written. While iterating: the table cannot be written.
    """
    options = cast("RunOptions", taken(run, options))
    info, target = model_info(model), Path(out)
    by_path = isinstance(slides, str | Path)
    found = find_slides(slides, info.declared) if isinstance(slides, str | Path) else Slides(check_names(slides))
    check_number("seed", options.get("seed"), least=0, most=2**63 - 1)
    for mpp in (assumed_mpp, options.get("mpp")):
        check_given_mpp(mpp)
    check_ranges(options.get("ranges") or {}, info.declared.input_rasters)
    for key in options.get("want") or ():
        pick(key, tuple(port.key for port in info.declared.outputs), "output")
    loaded = load_model(model)
    given: dict[str, Any] = dict(options)
    sample: Any = {name: given[name] for name in SampleRequest.__annotations__.keys() & given.keys() - {"want"}}
    choose_settings(loaded.system, **sample)
    known = {one.name for one in fields(ComputeRequest)} & given.keys()
    check_compute(ComputeRequest(**{name: given[name] for name in known}), loaded)
    if not options.get("scheduler"):
        pick_device(options.get("device", "auto"))
    images = [split_channel(path)[0] for slide in found.slides for path in slide.paths]
    keep = [*images, Path(str(slides))] if by_path else images
    check_names_result(target, ending="")
    standing = check_place(target, SUMMARY, overwrite=overwrite, resume=resume, keep=keep, outside=images)
    over = name_of(slides) if isinstance(slides, str | Path) else ""
    record = make_summary_record(loaded, over, target, {**options, ASSUMED: assumed_mpp}, found.notices)
    if standing == "resumed":
        record = _gone_on(target, record)
    asked = cancelled or (lambda: False)
    return _run_all(_Work(model, info.declared, found, target, standing, record, options, assumed_mpp, asked))


def _gone_on(target: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Return the record of slides that are gone on with.

    The µm/px of slides that state none may be said now where they were not before: all that needed it failed.

    Raises
    ------
    InputError
        It was begun with something else.
    """
    begun = read_json(target / RECORD)
    new: dict[str, Any] = {"notices": request["notices"]}
    stated, asked = begun.get("parameters"), request["parameters"]
    if isinstance(stated, dict) and ASSUMED in asked and ASSUMED not in stated:
        begun["parameters"] = {**stated, ASSUMED: asked[ASSUMED]}
        new["command"] = request["command"]
    check_resumed(target, begun, request)
    return begun | new


@dataclass(frozen=True, eq=False)
class _Work:
    """Slides that may be run over: what `run_many` was given, once it was looked at."""

    model: str | Path
    declared: Declaration
    found: Slides
    out: Path
    standing: Standing
    record: dict[str, Any]
    options: RunOptions
    assumed_mpp: float | None
    cancelled: Callable[[], bool]


def _run_all(work: _Work) -> Events:
    """Hold the folder, made anew where it is not gone on with, as long as is written into it."""
    slides = work.found.slides
    with Claim(work.out) as claim:
        if work.standing == "resumed":
            claim.take(work.out)
            clear(work.out)
            put_text(work.out / RECORD, record_text(work.record), replace=True)
        else:
            with in_place_of(work.out, replace=work.standing == "replaced", claim=claim) as part:
                part.mkdir()
                (part / RECORD).write_text(record_text(work.record), encoding="utf-8")
        writer = Writer(work.out, claim, work.record, slides)
        for notice in work.found.notices:
            yield Notice(notice)
        # First those that are there, so that the table has them at once and the time left is that of the others.
        there = [slide for slide in slides if _is_done(_path(work, slide))]
        left = [slide for slide in slides if slide not in there]
        for number, slide in enumerate((*there, *left)):
            if work.cancelled():
                break
            at = Progress(done=number, total=len(slides), unit="slides", what=slide.name)
            if number >= len(there):
                yield at
            try:
                writer.add_result(slide, (yield from _run_one(work, slide, at)))
            except _Cancelled as end:
                writer.add(slide, "cancelled", str(end))
            except Exception as error:  # noqa: BLE001  one bad file must not stop the others
                said = _sentence(error)
                yield Notice(f"{slide.name}: {said}")
                writer.add(slide, "failed", said)
            if number >= len(there) - 1:
                writer.write()
        writer.write(last=True)
        done, failed = writer.count("done"), writer.count("failed")
        yield Progress(done=done + failed, total=len(slides), unit="slides")
        complete = done + failed == len(slides)
        yield RanMany(path=work.out, rows=writer.rows, slides=len(slides), done=done, failed=failed, complete=complete)


class _Cancelled(Exception):  # noqa: N818  nothing went wrong
    """The user ended it in the middle of a slide; says what is kept."""


def _run_one(work: _Work, slide: Slide, at: Progress) -> Generator[Progress | Notice, None, Result]:
    """Run over a slide, go on with its run, or take the result that is there."""
    path = _path(work, slide)
    is_done = _is_done(path)
    # What was made of a file that has gone is left alone.
    if slide.in_qupath and (not is_done or slide.paths[0].exists()):
        check_size(slide.name, slide.paths[0], slide.shape)
    region = slide.region if slide.region is not None else work.options.get("region")
    told = {"asked": work.options.get("mpp"), "assumed": work.assumed_mpp}
    if is_done:
        before = open_result(path)
        check_same_slide(slide, before, as_text(region), work.declared, **told)
        tidy(path)
        return before
    options: Any = {**work.options, "region": region, "mpp": mpp_told(slide, **told)}
    pace = Pace()
    with closing(run(work.model, slide.source, path, resume=True, cancelled=work.cancelled, **options)) as events:
        for event in events:
            for sentence in notices_of(event):
                yield Notice(f"{slide.name}: {sentence}")
            if pace.take(event) and pace.progress.total:
                part, tiles = pace.progress.done / pace.progress.total, pace.progress.text
                yield replace(at, done=at.done + part, what=f"{slide.name}, {tiles}")
            if isinstance(event, Finished) and not event.complete:
                of = f"{event.done} of {event.tiles} tiles are kept"
                if event.unread:
                    raise InputError(f"{event.unread} tiles could not be read, {of}: mend the file and say --resume.")
                raise _Cancelled(f"{of}; --resume goes on.")
    return open_result(path)


def _path(work: _Work, slide: Slide) -> Path:
    return work.out / f"{slide.name}{ENDING}"


def _is_done(path: Path) -> bool:
    """Whether there is a whole result, as far as it says itself; a damaged one is told where it is opened."""
    about = read_about(path)
    return about is not None and about.get("complete") is True


def _sentence(error: Exception) -> str:
    """Return what is said of a slide that could not be run over."""
    if isinstance(error, UnknownMppError):
        return str(UnknownMppError(error.name, _MPP_OF_SLIDES))
    if isinstance(error, InputError):
        return str(error).replace("\n", " ")
    if isinstance(error, MemoryError):
        return "there is not enough memory for it: choose a smaller region, or a machine with more."
    return f"{unforeseen(error).sentence}: run over it alone for a report."
