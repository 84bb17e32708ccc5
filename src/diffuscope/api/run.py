"""The verb `run`: a model over a slide or a volume, into a result folder."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from diffuscope.api.forms import checked
from diffuscope.devices import reused_memory
from diffuscope.devices import threads as limit_threads
from diffuscope.engine.compute import Compute
from diffuscope.engine.events import Event, Finished
from diffuscope.engine.first import Ahead
from diffuscope.engine.gaps import WithGaps
from diffuscope.engine.queue import Focus
from diffuscope.engine.tiles import run_tiles
from diffuscope.errors import InputError
from diffuscope.events import Progress
from diffuscope.exports.table import check_names_result
from diffuscope.files.claim import Claim
from diffuscope.files.put import clear, in_place_of, remove
from diffuscope.files.room import full_disk_in_words
from diffuscope.jobs.compute import ComputeRequest
from diffuscope.jobs.computing import computing
from diffuscope.jobs.drawn.regions import GivenRegion
from diffuscope.jobs.inputs import Source, gaps_of
from diffuscope.jobs.prepare import Job, prepare
from diffuscope.jobs.resume import check_still
from diffuscope.jobs.sections import find_sections
from diffuscope.measurement.measurements import measure, write_csv
from diffuscope.ports.port import rasters
from diffuscope.ports.raster import Raster
from diffuscope.results.canvas import Canvas
from diffuscope.results.opening.damage import damage_in_words
from diffuscope.results.own import TABLE
from diffuscope.results.pyramid import Each
from diffuscope.results.result import open_result
from diffuscope.results.scores import mean_scores, tile_values, write_scores
from diffuscope.results.sections import save_sections
from diffuscope.systems.base import Tiled, Whole


@checked
def run(
    model: str | Path,
    source: Source,
    out: str | Path,
    *,
    region: GivenRegion | None = None,
    slices: str | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    normalise: bool = True,
    stains_of: Sequence[str | Path] = (),
    mpp: float | None = None,
    quality: str | None = None,
    sampler: str | None = None,
    steps: int | None = None,
    samples: int | None = None,
    options: Mapping[str, float] | None = None,
    seed: int = 0,
    device: str = "auto",
    batch: int | None = None,
    precision: str | None = None,
    threads: int | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    devices: int | str | None = None,
    compile: str = "auto",  # noqa: A002  the word of the option
    want: Sequence[str] = (),
    overwrite: bool = False,
    resume: bool = False,
    cancelled: Callable[[], bool] | None = None,
    focus: Focus | None = None,
) -> Generator[Event, None, None]:
    """Run a model over a slide or a volume, or over a region of it, into a result folder.

    Everything is checked when this is called, before anything is written; the work is done while the
    returned generator is iterated. Cancelling keeps what is done, as a result marked incomplete.

    Parameters
    ----------
    model : str or Path
        Name of a model of the zoo, or a model folder.
    source : str, Path, or mapping of str to str or Path
        The slide or volume; of a model with several inputs one multi-channel file whose channels are told by their
        names, or a file by port key. ``"slide.ome.tif#CD31"`` is one channel of a file, by name or number from 0. All
        inputs lie on one lattice. Of a text the text itself, ``"@report.txt"`` or the path of a file; its key may be
        called ``"text"`` where it is the only one.
    out : str or Path
        Result folder to write, e.g. ``"out.ome.zarr"``.
    region : Region, str or sequence of int, optional
        What to compute, level-0 px, as `find_region` takes it (x, y, width, height; an annotation of QuPath); default:
        all tissue, of a volume every slice that shows more than background. Of a volume the rectangle in its slices.
    slices : str, optional
        Of a volume: ``"first:end"``, counted from 0 at the feet, the end not computed.
    ranges : mapping of str to (float, float), optional
        By port key, the values of the file that become the ends of the port's range, where files have a scale of
        their own (fluorescence, MR); default: percentiles of the whole slide's or volume's foreground.
    normalise : bool
        Whether an H&E is brought to the reference by the stains of the whole slide, where the model's port asks for it
        (`Raster.scale` "stain"). Without, it goes in with the colours that it has.
    stains_of : sequence of str or Path
        Pictures, or folders of them, by whose stains together it is brought there instead: the slide that a small
        picture was cut from, or other cuts of it. What is under 0.25 mm² does not stand for its slide.
    mpp : float, optional
        µm per level-0 px; overrides what the slide says.
    quality : str, optional
        One of the system's presets; default its first.
    sampler, steps, samples : optional
        Instead of the preset's. A sampler without steps takes those of the preset that has it.
    options : mapping of str to float, optional
        The system's own numbers by key, e.g. ``{"gamma": 0.4}`` (see `System.options`).
    seed : int
        Key of the noise, ≥ 0.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.
    batch : int, optional
        Tiles at once; default 1 on the CPU, on a GPU what keeps it busy and its memory holds. Where memory turns out
        too small it is halved.
    precision : {"fp32", "bf16"}, optional
        Default: bf16 where the device is made for it.
    threads : int, optional
        CPU threads that compute a batch; default: the cores shared out evenly among `workers`, or between two
        batches that are computed side by side. Results are the same bit for bit where device, batch, precision and
        threads are.
    workers : int, optional
        Compute in so many processes on this machine.
    scheduler : str, optional
        Compute on the workers of a dask.distributed cluster, e.g. ``"tcp://10.0.0.1:8786"``. They must have the
        same Diffuscope, and find model and slide under the same paths; this process alone writes.
    devices : int or "all", optional
        GPUs of this machine that compute side by side, of one kind; default one.
    compile : {"auto", "on", "off"}
        Whether the network is compiled for the device, which takes seconds at the start; by default on a GPU, for runs
        that are long enough to pay for it. Last bits differ.
    want : sequence of str
        Keys of the outputs that are asked for; default all that is not given.
    overwrite : bool
        Replace a Diffuscope result in the way, once the first tile of the new one is finished. Nothing else is ever
        deleted.
    resume : bool
        Go on with the unfinished result in `out`, which a cancelled or killed run left; begin it where there is
        none. Device, batch, precision and threads are those it was begun with. The result is the one that the
        run would have given without the break, bit for bit where the versions of the libraries are the same.
    cancelled : callable, optional
        Looked at before every denoising step.
    focus : callable, optional
        Where the user looks, level-0 px (y, x), or None: tiles near there are computed first.

    Returns
    -------
    generator of Event
        Started; Preview (not from other processes), TileDone and Notice in turns; Finished. Where a result is
        replaced, Started comes after the first tile, before which nothing is written.

    Raises
    ------
    InputError
        What was given cannot be used; nothing was written. While iterating: the disk is full.
    """
    check_names_result(Path(out))
    job = prepare(
        model,
        source,
        Path(out),
        region=region,
        slices=slices,
        ranges=ranges,
        normalise=normalise,
        stains_of=stains_of,
        mpp=mpp,
        quality=quality,
        sampler=sampler,
        steps=steps,
        samples=samples,
        seed=seed,
        request=ComputeRequest(
            device=device,
            precision=precision,
            batch=batch,
            threads=threads,
            workers=workers,
            scheduler=scheduler,
            devices=devices,
            compile=compile,
        ),
        overwrite=overwrite,
        resume=resume,
        options=options,
        want=want,
    )
    return _work(job, cancelled or (lambda: False), focus or (lambda: None))


def _work(job: Job, cancelled: Callable[[], bool], focus: Focus) -> Generator[Event, None, None]:
    """Write the result folder; what a run that fails before its first tile is finished would replace is left alone."""
    with Claim(job.out) as claim:
        if job.begun is not None:
            claim.take(job.out)
            clear(job.out)
            check_still(job.out, job.begun)
        yield from _write(job, claim, cancelled, focus)


def _write(job: Job, claim: Claim, cancelled: Callable[[], bool], focus: Focus) -> Generator[Event, None, None]:
    canvas, unit = None, _unit(job)
    try:
        with (
            full_disk_in_words(job.out, resume=True),
            limit_threads(job.compute.threads),
            reused_memory(),
            _each(job.io_threads) as each,
            computing(job, cancelled) as computed,
            ExitStack() as stack,
        ):
            compute: Compute = computed
            gaps = gaps_of(job.inputs, job.frame)
            if isinstance(job.model.system, Tiled) and gaps is not None:
                maps = {port.key for port in rasters(job.ports) if port.dtype == "float32"}
                compute = WithGaps(compute, gaps, maps)
            if job.replaces:
                compute = ahead = stack.enter_context(closing(Ahead(compute, job.plan, focus)))
                what = f"{job.out.name} stays until a tile is finished"
                yield Progress(total=job.plan.count, unit=unit, what=what)
                yield from ahead.begin()
                if ahead.first is None:
                    tiles, unread = job.plan.count, ahead.unread
                    yield Finished(
                        out=str(job.out),
                        complete=False,
                        done=0,
                        tiles=tiles,
                        seconds=0.0,
                        unit=unit,
                        unread=unread,
                        begun=False,
                    )
                    return
                with in_place_of(job.out, replace=True, claim=claim) as part:
                    _canvas(job, part, each).write_tiles([ahead.first])
            with damage_in_words(job.out.name, resumes=job.resumes):
                canvas = _canvas(job, job.out, each, claim=claim, resume=job.resumes or job.replaces)
            notices = (*job.notices, *canvas.recovered.notices)
            last = partial(_measure, job)
            with closing(
                run_tiles(compute, canvas, notices=notices, focus=focus, last=last, unit=_unit(job))
            ) as events:
                yield from events
    except GeneratorExit:
        raise
    except BaseException:
        if canvas is not None and not canvas.count and not job.resumes:
            with suppress(OSError, InputError):
                remove(job.out, claim)
        raise


def _unit(job: Job) -> str:
    """What a user calls the tiles of a run, in the plural."""
    return "cases" if isinstance(job.model.system, Whole) else job.plan.unit


def _canvas(job: Job, path: Path, each: Each, *, claim: Claim | None = None, resume: bool = False) -> Canvas:
    told = () if isinstance(job.model.system, Whole) else tile_values(job.ports)
    return Canvas(
        path,
        plan=job.plan,
        ports=rasters(job.ports),
        record=job.record,
        others=[port for port in job.ports if not isinstance(port, Raster)],
        values=(*job.model.system.values, *told),
        tissue=job.tissue,
        resume=resume,
        claim=claim,
        each=each,
    )


def _measure(job: Job) -> None:
    """Write the figures of a whole result beside it, and its scores, before it says that it is complete."""
    result = replace(open_result(job.out), complete=True)
    if rows := measure(result):
        write_csv(rows, job.out / TABLE, replace=True)
    if result.others and result.values is not None:
        write_scores(job.out, mean_scores(result.values, result.others))
    save_sections(job.out, find_sections(job.masks, job.inputs))


@contextmanager
def _each(threads: int) -> Iterator[Each]:
    """Yield `map`, or that of a pool of threads."""
    if threads == 1:
        yield map
        return
    with ThreadPoolExecutor(threads, "diffuscope-code") as pool:
        yield pool.map
