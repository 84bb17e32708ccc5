"""The verbs that every face calls: look, pick, run, export. The public API of Diffuscope."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from diffuscope.devices import threads
from diffuscope.errors import InputError
from diffuscope.evaluation.measurements import measure, write_csv
from diffuscope.export import export as write_export
from diffuscope.job import Job, prepare
from diffuscope.scans import Scan, open_scan
from diffuscope.tiling.canvas import Canvas
from diffuscope.tiling.engine import run_tiles
from diffuscope.tiling.events import Event, Finished, TileDone
from diffuscope.tiling.plan import Region
from diffuscope.tiling.result import TABLE, Result, is_result, open_result
from diffuscope.tiling.tissue import save_tissue
from diffuscope.zoo import ModelInfo, list_models, load_model

__all__ = [
    "DEMO_MODEL",
    "DEMO_REGION",
    "DEMO_SLIDE",
    "export",
    "info",
    "load_model",
    "models",
    "open_result",
    "open_scan",
    "run",
]

DEMO_MODEL = "stain-cd3-demo"
DEMO_SLIDE = "CMU-1-Small-Region.svs"
# The infiltrate along the border of dermis and epidermis, where a CD3 stain has something to show.
DEMO_REGION = Region(800, 640, 1024, 1024)


def models() -> list[ModelInfo]:
    """Return the models that ship and those in the user's folder."""
    return list_models()


def info(path: str | Path) -> Scan | Result:
    """Open a slide or a result to look at it.

    Raises
    ------
    InputError
        It is neither.
    """
    return open_result(path) if is_result(path) else open_scan(path)


def run(
    model: str | Path,
    source: str | Path,
    out: str | Path,
    *,
    region: Region | str | None = None,
    mpp: float | None = None,
    quality: str | None = None,
    sampler: str | None = None,
    steps: int | None = None,
    samples: int | None = None,
    seed: int = 0,
    device: str = "auto",
    batch: int | None = None,
    precision: str | None = None,
    overwrite: bool = False,
    resume: bool = False,
    cancelled: Callable[[], bool] | None = None,
) -> Generator[Event, None, None]:
    """Run a model over a slide, or over a region of it, into a result folder.

    Everything is checked when this is called, before anything is written; the work is done while the
    returned generator is iterated. Cancelling keeps what is done, as a result marked incomplete.

    Parameters
    ----------
    model : str or Path
        Name of a model of the zoo, or a model folder.
    source : str or Path
        The slide.
    out : str or Path
        Result folder to write, e.g. ``"out.ome.zarr"``.
    region : Region or str, optional
        What to compute, level-0 px, or the text that `parse_region` reads; default: all tissue.
    mpp : float, optional
        µm per level-0 px; overrides what the slide says.
    quality : str, optional
        One of the system's presets; default its first.
    sampler, steps, samples : optional
        Instead of the preset's.
    seed : int
        Key of the noise, ≥ 0.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.
    batch : int, optional
        Tiles at once; default 1 on the CPU and 4 on a GPU.
    precision : {"fp32", "bf16"}, optional
        Default: bf16 where the device is made for it.
    overwrite : bool
        Replace a Diffuscope result in the way. Nothing else is ever deleted.
    resume : bool
        Go on with the unfinished result in `out`, which a cancelled or killed run left; begin it where there is
        none. Device, batch, precision and threads are those it was begun with. The result is the one that the
        run would have given without the break, bit for bit where the versions of the libraries are the same.
    cancelled : callable, optional
        Looked at before every denoising step.

    Returns
    -------
    generator of Event
        Started; Preview and TileDone in turns; Finished.

    Raises
    ------
    InputError
        What was given cannot be used; nothing was written. While iterating: the disk is full.
    """
    job = prepare(
        model,
        source,
        Path(out),
        region=region,
        mpp=mpp,
        quality=quality,
        sampler=sampler,
        steps=steps,
        samples=samples,
        seed=seed,
        device=device,
        batch=batch,
        precision=precision,
        overwrite=overwrite,
        resume=resume,
    )
    return _work(job, cancelled or (lambda: False))


def export(result: str | Path, path: str | Path, layer: str = "all", overwrite: bool = False) -> Path:
    """Write a finished result as pyramidal OME-TIFF or OME-Zarr, by the ending of `path`.

    Parameters
    ----------
    result : str or Path
        Result folder.
    path : str or Path
        ``….ome.tif`` or ``….ome.zarr``.
    layer : str
        Key or name of one image, or ``"all"``.
    overwrite : bool
        Replace what is in the way.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    InputError
        No such result, layer, format or place to write; the result is incomplete; the disk is full.
    """
    with _full_disk_in_words(Path(path)):
        return write_export(open_result(result), path, layer=layer, overwrite=overwrite)


def _work(job: Job, cancelled: Callable[[], bool]) -> Generator[Event, None, None]:
    """Write the result folder; remove it if a new run fails before its first tile is finished."""
    done = int(job.resumes)
    try:
        with _full_disk_in_words(job.out), threads(job.record["compute"]["threads"]):
            job.out.parent.mkdir(parents=True, exist_ok=True)
            if job.replaces:
                shutil.rmtree(job.out)
            ports = job.model.system.outputs
            canvas = Canvas(job.out, plan=job.plan, ports=ports, mpp=job.mpp, record=job.record, resume=job.resumes)
            if not job.resumes:
                save_tissue(canvas.root, job.tissue)
            events = run_tiles(
                job.model.system,
                job.read,
                job.plan,
                canvas,
                job.settings,
                seed=job.seed,
                batch=job.batch,
                device=job.device,
                precision=job.precision,
                cancelled=cancelled,
                notices=job.notices,
            )
            with closing(events):
                for event in events:
                    if isinstance(event, TileDone):
                        done = event.done
                    if isinstance(event, Finished) and event.complete:
                        write_csv(measure(open_result(job.out)), job.out / TABLE)
                    yield event
    except GeneratorExit:
        raise
    except BaseException:
        if not done and job.out.exists():
            shutil.rmtree(job.out, ignore_errors=True)
        raise


@contextmanager
def _full_disk_in_words(path: Path) -> Iterator[None]:
    """Turn the error of a full disk into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError(
            f"the disk is full: {path} could not be written to the end; make room and start again."
        ) from error
