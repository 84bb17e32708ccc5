"""One run from press to end, as a generator for a worker thread: everything slow that is not the window's."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffuscope.engine.events import Started, TileDone
from diffuscope.errors import InputError
from diffuscope.files.put import remove
from diffuscope.jobs.drawn.copied import LayerCopy
from diffuscope.plugin.forms.cases.mask_facts import MaskFacts
from diffuscope.plugin.jobs.child import Child, drive
from diffuscope.plugin.jobs.given.outlined import GivenOutlines
from diffuscope.plugin.jobs.given.source import Stopped, input_of
from diffuscope.plugin.jobs.process import Failed, Returned
from diffuscope.plugin.layers.facts import SlideFacts, finest
from diffuscope.plugin.layers.inputs.held import held
from diffuscope.plugin.layers.placement import Placement
from diffuscope.plugin.layers.results import LayerTuple, result_layers
from diffuscope.ports.raster import Raster
from diffuscope.results.result import is_result, open_result
from diffuscope.tiling.region import Region

if TYPE_CHECKING:
    from diffuscope.jobs.inputs import Source  # brings torch

# Characters of a text that stand for all of it in a list of jobs.
_NAMED = 40
#: What a job has written is read for the window at most this often.
_RENEW_SECONDS = 0.7


@dataclass(frozen=True, kw_only=True)
class Given:
    """What goes into one input of the model.

    Attributes
    ----------
    key : str
        Of the input's port.
    facts : SlideFacts
        The layer.
    pixels : array-like or None
        The finest level of a layer without a file, as it was when Run was pressed.
    channel : int or None
        The channel to take of the file; None takes the file as it is.
    """

    key: str
    facts: SlideFacts
    pixels: Any = None
    channel: int | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """All of a run, bound when Run was pressed: no layer is looked at afterwards.

    Attributes
    ----------
    inputs : tuple of Given
        In the order of the model's inputs.
    given : dict of str to (dict or str)
        By port key, what was typed for tables and texts.
    outlines : tuple of GivenOutlines
        What goes into the model's masks.
    masks : dict of str to MaskFacts, or None
        What the form knew of them; None of a run that goes on.
    patient : str
        Whose row of a table was taken; empty where none was.
    placement : Placement or None
        Where the first of the inputs lay in the viewer; None where there is none.
    region : Region or None
        None: all tissue.
    settings : dict
        Further keyword arguments of `diffuscope.run`, among them ``out``.
    overwrite : bool
        Whether a result in the way may be replaced.
    where : str
        What of a flat image is computed where that is no region, for the queue.
    evaluations : int
        Steps times samples of a tile, as they were chosen; 0 where nobody knows.
    label : str
        What the region is called, where it is one of several.
    """

    inputs: tuple[Given, ...]
    given: dict[str, dict[str, str] | str] = field(default_factory=dict)
    outlines: tuple[GivenOutlines, ...] = ()
    masks: dict[str, MaskFacts] | None = None
    patient: str = ""
    placement: Placement | None
    region: Region | None
    settings: dict[str, Any]
    overwrite: bool
    where: str = "all tissue"
    evaluations: int = 0
    label: str = ""

    @property
    def slide(self) -> SlideFacts | None:
        """The first input; None of a model that takes no image."""
        return self.inputs[0].facts if self.inputs else None

    @property
    def name(self) -> str:
        """What goes in, in a word or two."""
        if self.slide is not None:
            return self.slide.name
        typed = next((one for one in self.given.values() if isinstance(one, str)), "")
        first = typed if len(typed) <= _NAMED else f"{typed[:_NAMED].rsplit(maxsplit=1)[0]} …"
        return self.patient or first or "what was typed"

    @property
    def text(self) -> str:
        """Slide, model and region, as the queue lists them."""
        where = f"{self.region.width:,} × {self.region.height:,} px" if self.region else self.where
        where = f"{self.label}, {where}" if self.label else where
        if self.slide is None:
            where = "whole case"
        elif self.slide.slices is not None:
            where = f"slices {self.settings['slices']}" if "slices" in self.settings else "whole volume"
        return f"{self.name} · {Path(self.settings['model']).name} · {where}"


@dataclass(frozen=True)
class Opened:
    """The canvas is there: its folder, and layers to show while it fills."""

    out: str
    layers: list[LayerTuple]


@dataclass(frozen=True)
class Renewed:
    """What the job has written lies in memory, in the data of the opened layers."""


def given_inputs(
    ports: Sequence[Raster], layers: Sequence[Any], facts: Sequence[SlideFacts | None]
) -> tuple[Given, ...]:
    """Return what goes into the images of a model, of each its layer and what is known of that; None: nothing.

    Raises
    ------
    InputError
        As of `held`.
    """
    return tuple(
        Given(
            key=port.key,
            facts=one,
            pixels=None if one.path else held(finest(layer), layer.name),
            channel=one.channel if port.kind == "map" else None,
        )
        for port, layer, one in zip(ports, layers, facts, strict=False)
        if one is not None
    )


def carry_out(child: Child, stop: threading.Event, *, request: Request) -> Generator[Any, None, None]:
    """Yield the events of a run, an `Opened` after its `Started`, and a `Returned` last; None now and then.

    A `Renewed` comes now and then after tiles. An error comes as a `Failed` before the `Returned`, which has the
    result, or None where nothing was kept.
    """
    out = Path(request.settings["out"])
    layers: list[LayerTuple] = []
    scratch: list[Path] = []
    renewed = time.monotonic()
    try:
        try:
            source = _source(request, scratch, stop)
        except InputError as error:
            yield Failed(str(error))
            return
        except Stopped:
            yield Returned(None)
            return
        ours, any_done = False, bool(request.settings.get("resume"))
        unopened: Exception | None = None
        for message in drive(
            child, "run", stop, source=source, region=request.region, overwrite=request.overwrite, **request.settings
        ):
            if unopened is not None and isinstance(message, TileDone | Returned):
                raise unopened
            if isinstance(message, Returned):
                break
            yield message
            if isinstance(message, Started):
                ours = True
                try:
                    layers = result_layers(open_result(out), request.placement)
                except Exception as error:  # noqa: BLE001  of a run that failed at once the folder is gone: it says why
                    unopened = error
                else:
                    yield Opened(message.out, layers)
            any_done = any_done or isinstance(message, TileDone)
            if isinstance(message, TileDone) and time.monotonic() - renewed > _RENEW_SECONDS:
                _renew(layers)
                renewed = time.monotonic()
                yield Renewed()
            if isinstance(message, Failed) and ours and not any_done:
                # run() tidies up after its own errors; a child that was killed could not
                with suppress(OSError, InputError):
                    remove(out)
        _renew(layers)
        # a refused run leaves a folder that was there before untouched, and that is not this job's result
        yield Returned(open_result(out) if ours and is_result(out) else None)
    finally:
        for path in scratch:
            shutil.rmtree(path.parent, ignore_errors=True)


def _source(request: Request, scratch: list[Path], stop: threading.Event) -> Source:
    """Return what `diffuscope.run` takes; layers without a file are written to one, which is added to `scratch`."""
    texts: dict[str, Any] = dict(request.given)
    for given in request.inputs:
        source = input_of(given.facts, given.pixels, scratch, stop)
        texts[given.key] = source if given.channel is None else f"{source}#{given.channel}"
    for outlines in request.outlines:
        path = outlines.write()
        scratch.append(path)
        texts[outlines.key] = LayerCopy(path=path, layer=outlines.name)
    return texts


def _renew(layers: list[LayerTuple]) -> None:
    """Read what changed on disk, here and not on the main thread."""
    for data, about, _ in layers:
        for level in data if about["multiscale"] else [data]:
            level.renew()
