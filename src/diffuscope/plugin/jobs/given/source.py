"""What a run reads of a layer: its file where the layer shows that, else a copy of what it shows."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffuscope.errors import InputError
from diffuscope.jobs.drawn.copied import LayerCopy
from diffuscope.plugin.jobs.scratch import write_scratch, write_scratch_volume
from diffuscope.plugin.layers.facts import SlideFacts
from diffuscope.scans import open_scan

# Rows that are compared at a time.
_BAND = 1024


class Stopped(Exception):  # noqa: N818  no error: it was asked for
    """The job was cancelled while it read what it is given."""


@dataclass(frozen=True)
class _Watched:
    """Pixels of which no more is read once a job is cancelled."""

    pixels: Any
    stop: threading.Event

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.pixels.shape)

    def __getitem__(self, part: Any) -> Any:
        if self.stop.is_set():
            raise Stopped
        return self.pixels[part]


def input_of(facts: SlideFacts, pixels: Any, scratch: list[Path], stop: threading.Event) -> Path | LayerCopy:
    """Return what a verb takes for a layer; call this off the main thread, since all pixels may be read.

    Parameters
    ----------
    facts : SlideFacts
        Of the layer.
    pixels : array-like or None
        Its finest level, where `facts` have no path.
    scratch : list of Path
        To which the file of a copy is added; whoever calls removes its folder.
    stop : threading.Event
        Set where the job is cancelled, which is heard between bands of a picture.

    Raises
    ------
    Stopped
        It was cancelled; nothing is left behind.
    InputError
        The copy could not be written.
    """
    if facts.path is not None:
        return facts.path
    if facts.lies is None:
        pixels = _Watched(pixels, stop)
    if facts.file is not None and _is_of(facts.file, pixels):
        return facts.file
    if facts.lies is not None:
        path = write_scratch_volume(pixels, name=facts.name, lies=facts.lies)
    else:
        path = write_scratch(pixels, name=facts.name, mpp=facts.mpp)
    scratch.append(path)
    return LayerCopy(path=path, layer=facts.name)


def _is_of(file: Path, pixels: Any) -> bool:
    """Whether a slide's layer shows what we read in a file, px for px; its transparency counts for nothing."""
    try:
        finest = open_scan(file).sources[0]
        height, width, channels = finest.shape
        for top in range(0, height, _BAND):
            bottom = min(top + _BAND, height)
            shown = np.asarray(pixels[top:bottom]).reshape(bottom - top, width, -1)[..., :channels]
            if not np.array_equal(shown, finest.read(top, bottom, 0, width)):
                return False
    except (InputError, OSError):
        return False
    return True
