"""A run before its first pixel: every check made, everything opened, nothing written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from diffuscope.files.place import check_place
from diffuscope.jobs.compute import ComputeRequest, ComputeSettings, address, io_threads, lanes, resolve_compute
from diffuscope.jobs.drawn.copied import copies_among, copy_notices
from diffuscope.jobs.extent import Extent, ExtentRequest, find_extent
from diffuscope.jobs.given import Given, given_rasters, split_source, state_case
from diffuscope.jobs.input_text import check_ranges, command_inputs, input_notices
from diffuscope.jobs.inputs import Frame, PortInput, Source, Values, open_inputs, paths_of, read_tile
from diffuscope.jobs.likeness.notices import unlike_notices
from diffuscope.jobs.masks import MaskInput, mask_paths, open_masks
from diffuscope.jobs.provenance import command_line, make_record, state_model
from diffuscope.jobs.resume import begun_ranges, begun_record, begun_stains, check_resumed, version_notice
from diffuscope.jobs.room import check_room
from diffuscope.jobs.settings import check_number, choose_quality, choose_settings
from diffuscope.jobs.worker import RemoteWork
from diffuscope.model.find import model_info
from diffuscope.model.folder import Model, load_model
from diffuscope.ports.mask import Mask
from diffuscope.ports.port import Port
from diffuscope.ports.port import rasters as image_ports
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleRequest, SampleSettings
from diffuscope.ports.stains import samples_kept
from diffuscope.results.result import RESULT
from diffuscope.results.tissue import TissueMap
from diffuscope.systems.base import System
from diffuscope.tiling.plan import Plan, Tile


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that a run needs, bound to its input.

    Attributes
    ----------
    out : Path
        Result folder.
    replaces : bool
        Whether a Diffuscope result stands there now, to be removed when the run begins.
    begun : dict or None
        The record of the unfinished result that stands there now, to be gone on with; None where there is none.
    model : Model
        As loaded.
    inputs : tuple of PortInput
        In the order of the system's inputs.
    masks : tuple of MaskInput
        Labels on them.
    given : Given
        Rows and texts beside them.
    extent : Extent
        The plan, and how the canvas lies in the inputs.
    settings : SampleSettings
        How to sample.
    seed : int
        Key of the noise.
    request, compute : ComputeRequest, ComputeSettings
        Where to compute: what the user input_notices, and what came of it.
    lanes : int
        Batches that this process computes side by side.
    io_threads : int
        Threads that read tiles, and as many that write them.
    notices : tuple of str
        What to tell the user.
    record : dict
        The run record.
    """

    out: Path
    replaces: bool
    begun: dict[str, Any] | None
    model: Model
    inputs: tuple[PortInput, ...]
    masks: tuple[MaskInput, ...]
    given: Given
    extent: Extent
    settings: SampleSettings
    seed: int
    request: ComputeRequest
    compute: ComputeSettings
    lanes: int
    io_threads: int
    notices: tuple[str, ...]
    record: dict[str, Any]

    @property
    def resumes(self) -> bool:
        """Whether an unfinished result is gone on with."""
        return self.begun is not None

    @property
    def plan(self) -> Plan:
        """Tiles."""
        return self.extent.plan

    @property
    def tissue(self) -> TissueMap | None:
        """For measuring; None of a volume."""
        return self.extent.tissue

    @property
    def frame(self) -> Frame:
        """What of the inputs a tile is computed from."""
        factors = tuple(axis.factor for axis in self.plan.axes)
        return Frame(shape=self.plan.shape, factors=factors, context=self.model.system.context)

    @property
    def work(self) -> RemoteWork:
        """What a worker elsewhere needs to compute tiles of this job."""
        return RemoteWork(
            model=address(self.model),
            model_hash=self.model.hash,
            inputs=tuple((one.port.key, one.address) for one in self.inputs),
            rows=tuple((key, tuple(row.tolist())) for key, row in self.given.numbers.items()),
            frame=self.frame,
            settings=self.settings,
            seed=self.seed,
            compute=self.compute,
        )

    def read(self, tile: Tile) -> dict[str, NDArray[np.generic]]:
        """Return the inputs of a tile by port key.

        Of images (tile, tile, c) or (depth + 2·context, tile, tile, c), of labels (h, w) or (d, h, w), of rows
        (columns,).
        """
        factors = [axis.factor for axis in self.plan.axes]
        labels = {one.port.key: one.read(self.plan.shape, factors) for one in self.masks}
        return read_tile(self.inputs, tile, self.frame) | labels | self.given.numbers

    @property
    def ports(self) -> tuple[Port, ...]:
        """Outputs that are made, and the samples that are kept; without an image and a canvas none that lies on one."""
        wanted = self.settings.wanted
        outputs = self.model.system.declared.outputs
        made = [port for port in outputs if not wanted or port.key in wanted]
        # What an older Diffuscope began keeps none.
        samples = samples_kept(made, self.settings.samples if self.record.get("samples") else 1)
        return _placed([*made, *samples], self.plan)


class RunRequest(SampleRequest, ExtentRequest, total=False):
    """What the user said of a run besides, as of `diffuscope.api.run.run`."""


def prepare(
    model: str | Path,
    source: Source,
    out: Path,
    *,
    mpp: float | None,
    seed: int,
    request: ComputeRequest,
    overwrite: bool,
    resume: bool,
    ranges: Mapping[str, Values] | None = None,
    normalise: bool = True,
    **chosen: Unpack[RunRequest],
) -> Job:
    """Check and open everything (parameters as in `diffuscope.api.run.run`).

    Raises
    ------
    InputError
        One sentence on the first thing that cannot be used.
    """
    part: dict[str, Any] = {key: value for key, value in chosen.items() if key in ExtentRequest.__annotations__}
    sample: dict[str, Any] = {key: value for key, value in chosen.items() if key not in part}
    want: Sequence[str] = sample.get("want", ())
    info = model_info(model)
    copies = copies_among(source)
    images, given = split_source(source, info.declared, info.name, want)
    check_number("seed", seed, least=0, most=2**63 - 1)
    loaded = load_model(model)
    system = loaded.system
    ranges = dict(ranges or {})
    check_ranges(ranges, system.input_rasters)
    rasters = given_rasters(images, system.declared)
    made = system.declared.made({*(port.key for port in rasters), *given.keys}, want)
    # All, where that is meant: a system may have more outputs one day.
    wanted = tuple(port.key for port in made) if want or len(made) < len(system.outputs) else ()
    settings = choose_settings(system, **{**sample, "want": wanted})
    opened = open_inputs(images, rasters, loaded.name, mpp=mpp) if rasters else []
    # After what is told at once, and before outlines are filled and tissue is looked for.
    read = [*paths_of(images), *mask_paths(given.masks)]
    standing = check_place(out, RESULT, overwrite=overwrite, resume=resume, keep=read, outside=read)
    begun = begun_record(out) if standing == "resumed" else None
    ports = [port for port in system.declared.inputs if isinstance(port, Mask) and port.key in given.masks]
    masks = open_masks(given.masks, ports, opened)
    stained = [port.key for port in system.input_rasters if port.scale == "stain"]
    stains = begun_stains(begun) if normalise else dict.fromkeys(stained)
    extent = find_extent(opened, system, **part, ranges=begun_ranges(begun) | ranges, stains=stains)
    inputs, plan = extent.inputs, extent.plan
    check_room(out, plan, (*image_ports(made), *(samples := samples_kept(made, settings.samples))))
    compute = resolve_compute(request, begun, loaded, settings, plan)
    if not request.elsewhere:
        system.to(compute.device)

    stated = [copy_notices(copies.values()), *(one.scan.notices for one in inputs), *(one.notices for one in masks)]
    own = dict.fromkeys(notice for some in stated for notice in some)
    factors = [axis.factor for axis in plan.axes]
    odd = unlike_notices(inputs, extent.foreground, info.stated.seen, factors=factors)
    notices = (*given.notices, *own, *odd, *input_notices(inputs, ranges, normalise=normalise), *extent.notices)
    sampled = {**settings.stated(), "seed": seed}
    # What the machine would choose by itself is spelt out: another machine must not choose otherwise.
    flags = {**sampled, **asdict(compute), "device": compute.device.partition(":")[0]}
    named, flags_of_inputs = command_inputs(inputs, alone=not (given.keys or masks))
    record = make_record(
        model=state_model(loaded),
        inputs={one.port.key: one.to_json() for one in inputs}
        | {one.port.key: one.to_json() for one in masks}
        | given.to_json(),
        case=state_case(system.declared.inputs, (*rasters, *ports), masks, given),
        parameters={
            **sampled,
            "quality": choose_quality(system, sample.get("quality")),
            "tile": plan.tile,
            "overlap": plan.overlap,
            **extent.to_json(),
            **({"normalise": normalise} if stained else {}),
            **({"wanted": list(want)} if want else {}),
            **_options(system, settings),
            **system.measures,
        },
        compute=asdict(compute),
        command=""
        if copies or given.flags is None
        else command_line(
            model=loaded.name,
            source=named,
            out=out.name,
            flags=flags,
            shape=extent.to_json()["region"],
            mpp=mpp,
            options=settings.options,
            inputs=[
                *flags_of_inputs,
                *(flag for one in masks for flag in one.flags),
                *given.flags,
                *_want_flags(want),
                *extent.flags,
            ],
            switches=["no-normalise"] if stained and not normalise else [],
        ),
        notices=notices,
        generated=[port.key for port in _placed(made, plan)],
    )
    if (told := extent.region) is not None and (told.name or told.category):
        record["drawn"] = {"name": told.name, "class": told.category}
    if samples:
        record["samples"] = len(samples[0].channels)
    if begun is not None:
        check_resumed(out, begun, record)
        notices = (*notices, *version_notice(begun, record))
        again = {"started": record["started"], "versions": record["versions"]}
        record = begun | {"resumed": [*begun.get("resumed", []), again]}
    return Job(
        out=out,
        replaces=standing == "replaced",
        begun=begun,
        model=loaded,
        inputs=inputs,
        masks=tuple(masks),
        given=given,
        extent=extent,
        settings=settings,
        seed=seed,
        request=request,
        compute=compute,
        lanes=lanes(request, compute),
        io_threads=io_threads(request, compute),
        notices=notices,
        record=record,
    )


def _options(system: System, settings: SampleSettings) -> dict[str, Any]:
    """Return every number of the system's own, also those that nobody chose."""
    options = {option.key: option.default for option in system.options} | dict(settings.options)
    return {"options": options} if options else {}


def _placed(ports: Sequence[Port], plan: Plan) -> tuple[Port, ...]:
    """Leave out images where there is nothing that they could lie on."""
    return tuple(port for port in ports if plan.spacing or not isinstance(port, Raster))


def _want_flags(want: Sequence[str]) -> list[tuple[str, str]]:
    return [("want", ",".join(want))] if want else []
