"""One registration from press to end, as a generator for a worker thread: everything slow that is not the window's."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.files.put import in_place_of
from diffuscope.jobs.drawn.copied import LayerCopy
from diffuscope.plugin.jobs.child import Child, drive
from diffuscope.plugin.jobs.given.source import Stopped, input_of
from diffuscope.plugin.jobs.process import Failed, Returned
from diffuscope.plugin.layers.facts import SlideFacts
from diffuscope.plugin.layers.marks import write_pairs
from diffuscope.plugin.layers.placement import Placement
from diffuscope.results.result import open_result


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two slides.

    Attributes
    ----------
    facts : SlideFacts
        The slide.
    pixels : array-like or None
        The finest level of a slide without a file.
    mpp : float or None
        µm per pixel given by the user.
    """

    facts: SlideFacts
    pixels: Any
    mpp: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """All of a registration, bound when Run was pressed: no layer is looked at afterwards.

    Attributes
    ----------
    fixed, moving : Side
        The slide that stays and the one that is moved.
    placement : Placement
        Where the slide that stays lay in the viewer.
    landmarks : Path, ndarray of shape (n, 4) or None
        A table, or pairs as of `marks.clicked_pairs`.
    affine_only : bool
        Leave the B-spline out.
    out : Path
        Result folder.
    overwrite : bool
        Whether a result in the way may be replaced.
    """

    fixed: Side
    moving: Side
    placement: Placement
    landmarks: Path | NDArray[np.float64] | None
    affine_only: bool
    out: Path
    overwrite: bool

    @property
    def kept_landmarks(self) -> Path:
        """Where pairs that were clicked are kept, so that the run record's command finds them."""
        return self.out.with_name(f"{self.out.name.removesuffix('.zarr').removesuffix('.ome')}.landmarks.csv")


def register(child: Child, stop: threading.Event, *, request: Request) -> Generator[Any, None, None]:
    """Yield the messages of a registration; what comes out is its result, None where it was cancelled."""
    with ExitStack() as stack:
        try:
            fixed, moving = (_file(side, stack, stop) for side in (request.fixed, request.moving))
            clicked = None
            if isinstance(request.landmarks, np.ndarray):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="diffuscope-")))
                clicked = folder / request.kept_landmarks.name
                with in_place_of(clicked, replace=False) as part:
                    write_pairs(part, request.landmarks)
        except InputError as error:
            yield Failed(str(error))
            return
        except Stopped:
            yield Returned(None)
            return
        for message in drive(
            child,
            "register",
            stop,
            fixed=fixed,
            moving=moving,
            out=request.out,
            landmarks=clicked or request.landmarks,
            affine_only=request.affine_only,
            fixed_mpp=request.fixed.mpp,
            moving_mpp=request.moving.mpp,
            overwrite=request.overwrite,
        ):
            if isinstance(message, Returned) and message.value is not None:
                if clicked is not None:
                    try:
                        with in_place_of(request.kept_landmarks, replace=request.overwrite) as part:
                            shutil.copyfile(clicked, part)
                    except InputError as error:
                        yield Failed(str(error))
                message = Returned(open_result(message.value))
            yield message


def _file(side: Side, stack: ExitStack, stop: threading.Event) -> Path | LayerCopy:
    """Return the file of a slide; of one without, a temporary copy that goes with the stack."""
    scratch: list[Path] = []
    source = input_of(side.facts, side.pixels, scratch, stop)
    for path in scratch:
        stack.callback(shutil.rmtree, path.parent, ignore_errors=True)
    return source
