"""A run before its first pixel: every check made, everything opened, nothing written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.checks import check_mpp, check_out, check_port, check_resumed, check_room, choose_settings, pick
from diffuscope.errors import InputError
from diffuscope.record import command_line, make_record
from diffuscope.remote import Input, RemoteWork
from diffuscope.scans import Scan, open_scan, read_region, resampling_factor, tissue_mask
from diffuscope.systems.base import SampleSettings, System
from diffuscope.systems.ports import Port
from diffuscope.tiling.plan import Plan, Region, Tile, make_plan, parse_region
from diffuscope.tiling.result import open_result
from diffuscope.tiling.tissue import TissueMap, crop_tissue
from diffuscope.where import Asked, Where, address, choose, lanes
from diffuscope.zoo import Model, load_model


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that a run needs, bound to its input.

    Attributes
    ----------
    out : Path
        Result folder.
    replaces : bool
        Whether a Diffuscope result stands there now, to be removed when the run begins.
    resumes : bool
        Whether an unfinished result stands there now, to be gone on with.
    model : Model
        As loaded.
    scans : dict of str to Scan
        By input port key.
    plan : Plan
        Tiles.
    mpp : float
        µm per canvas px.
    tissue : TissueMap
        For measuring.
    settings : SampleSettings
        How to sample.
    seed : int
        Key of the noise.
    asked, where : Asked, Where
        Where to compute: what the user said, and what came of it.
    lanes : int
        Batches that this process computes side by side.
    notices : tuple of str
        What to tell the user.
    record : dict
        The run record.
    """

    out: Path
    replaces: bool
    resumes: bool
    model: Model
    scans: dict[str, Scan]
    plan: Plan
    mpp: float
    tissue: TissueMap
    settings: SampleSettings
    seed: int
    asked: Asked
    where: Where
    lanes: int
    notices: tuple[str, ...]
    record: dict[str, Any]

    @property
    def work(self) -> RemoteWork:
        """What a worker elsewhere needs to compute tiles of this job."""
        return RemoteWork(
            model=address(self.model),
            model_hash=self.model.hash,
            inputs=tuple(
                (key, Input(scan.path.resolve(), scan.fingerprint, scan.mpp)) for key, scan in self.scans.items()
            ),
            tile=self.plan.tile,
            factor=self.plan.factor,
            settings=self.settings,
            seed=self.seed,
            **asdict(self.where),
        )

    def read(self, tile: Tile) -> dict[str, NDArray[np.generic]]:
        """Return the inputs of a tile by port key, each (tile, tile, c)."""
        side, factor = self.plan.tile, self.plan.factor
        return {
            key: read_region(scan, y=tile.y, x=tile.x, height=side, width=side, factor=factor)
            for key, scan in self.scans.items()
        }


def prepare(
    model: str | Path,
    source: str | Path,
    out: Path,
    *,
    region: Region | str | None,
    mpp: float | None,
    quality: str | None,
    sampler: str | None,
    steps: int | None,
    samples: int | None,
    seed: int,
    asked: Asked,
    overwrite: bool,
    resume: bool,
    options: Mapping[str, float] | None = None,
) -> Job:
    """Check and open everything (parameters as in `diffuscope.run.run`).

    Raises
    ------
    InputError
        One sentence on the first thing that cannot be used.
    """
    begun = _begun(out, overwrite=overwrite) if resume else None
    replaces = begun is None and check_out(out, Path(source), overwrite=overwrite)
    if isinstance(region, str):
        region = parse_region(region)
    if seed < 0:
        raise InputError(f"the seed must not be negative, got {seed}.")
    loaded = load_model(model)
    system = loaded.system
    quality = pick(quality, tuple(system.presets), "quality") if quality else next(iter(system.presets))
    settings = choose_settings(system, quality, sampler, steps, samples, options)

    scan = open_scan(source, mpp=mpp)
    port = _only_input(system, loaded.name)
    check_port(scan, port, loaded.name)
    factor = resampling_factor(scan, port.mpp)
    assert scan.mpp is not None  # resampling_factor refuses a scan without
    check_mpp(scan.name, scan.mpp)
    tissue = tissue_mask(scan)
    plan = make_plan(
        slide_shape=(scan.shape[0], scan.shape[1]),
        factor=factor,
        tile=system.tile,
        overlap=system.overlap,
        region=region,
        is_tissue=tissue.any_in,
        name=scan.name,
    )
    check_room(out, plan, system.outputs)
    where = choose(asked, begun, loaded, settings)
    if not asked.elsewhere:
        system.to(where.device)

    notices = (*scan.notices, *_resampling_notice(scan.mpp, port.mpp, factor), *_region_notice(scan, region))
    chosen = {"sampler": settings.sampler, "steps": settings.steps, "samples": settings.samples, "seed": seed}
    # What the machine would choose by itself is spelt out: another machine must not choose otherwise.
    flags = {**chosen, **asdict(where), "device": where.device.partition(":")[0]}
    record = make_record(
        model={"name": loaded.name, "hash": loaded.hash, "title": loaded.card.title},
        inputs={
            port.key: {
                "name": scan.name,
                "fingerprint": scan.fingerprint,
                "format": scan.format,
                "shape": list(scan.shape),
                "mpp": scan.mpp,
                "mpp_stated": scan.stated_mpp,
            }
        },
        parameters={
            **chosen,
            "quality": quality,
            "region": str(region) if region else None,
            "tile": plan.tile,
            "overlap": plan.overlap,
            "factor": factor,
            **({"options": dict(settings.options)} if settings.options else {}),
            **_measuring(system),
        },
        compute=asdict(where),
        command=command_line(
            model=loaded.name,
            source=scan.name,
            out=out.name,
            flags=flags,
            shape=str(region) if region else None,
            mpp=mpp,
            options=settings.options,
        ),
        notices=notices,
    )
    if begun is not None:
        check_resumed(out, begun, record)
        notices = (*notices, *_version_notice(begun, record))
        again = {"started": record["started"], "versions": record["versions"]}
        record = begun | {"resumed": [*begun.get("resumed", []), again]}
    return Job(
        out=out,
        replaces=replaces,
        resumes=begun is not None,
        model=loaded,
        scans={port.key: scan},
        plan=plan,
        mpp=scan.mpp * factor,
        tissue=crop_tissue(
            tissue.mask,
            tissue.downsample,
            factor=factor,
            window=plan.window,
            polygon=region.polygon if region else None,
        ),
        settings=settings,
        seed=seed,
        asked=asked,
        where=where,
        lanes=lanes(asked, where),
        notices=notices,
        record=record,
    )


def _begun(out: Path, *, overwrite: bool) -> dict[str, Any] | None:
    """Return the record of the result to be gone on with; None where there is none yet."""
    if overwrite:
        raise InputError("--resume goes on with a result and --overwrite begins it again: choose one.")
    if not out.exists():
        return None
    result = open_result(out)
    if result.complete:
        raise InputError(f"{out.name} is complete: there is nothing to resume.")
    return result.record


def _version_notice(begun: Mapping[str, Any], asked: Mapping[str, Any]) -> tuple[str, ...]:
    """Tell of libraries that changed since the result was begun."""
    changed = [
        f"{name} {old} → {asked['versions'].get(name)}"
        for name, old in begun["versions"].items()
        if asked["versions"].get(name) != old
    ]
    return (f"Begun with other versions ({', '.join(changed)}): the last bits may differ.",) if changed else ()


def _only_input(system: System, name: str) -> Port:
    if len(system.inputs) > 1:
        wanted = ", ".join(port.name for port in system.inputs)
        raise InputError(f"model {name} needs {len(system.inputs)} inputs ({wanted}), but one slide was given.")
    return system.inputs[0]


def _measuring(system: System) -> dict[str, float]:
    """Return the DAB threshold that a stain system was trained with: its results are measured by the same one."""
    threshold = getattr(getattr(system, "config", None), "dab_threshold", None)
    return {} if threshold is None else {"dab_threshold": threshold}


def _resampling_notice(slide: float, model: float, factor: float) -> tuple[str, ...]:
    if factor != 1.0:
        how = f"reduced {factor:.3g} times" if factor > 1 else f"enlarged {1 / factor:.3g} times, which adds no detail"
        return (f"The slide has {slide:.4g} µm/px and the model works at {model:.4g}: {how}.",)
    if not math.isclose(slide, model, rel_tol=1e-3):
        return (f"The slide's {slide:.4g} µm/px are within 5 % of the model's {model:.4g}: used as it is.",)
    return ()


def _region_notice(scan: Scan, region: Region | None) -> tuple[str, ...]:
    height, width = scan.shape[:2]
    if region is None or (
        region.x >= 0 and region.y >= 0 and region.x + region.width <= width and region.y + region.height <= height
    ):
        return ()
    return (f"The region reaches beyond {scan.name} ({width} x {height} px): only what lies inside is computed.",)
