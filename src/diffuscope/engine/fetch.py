"""What comes back from a device: tensors on their way to the host, and when they are there.

From a CUDA device they are copied into pinned memory on a stream of their own, while the device computes on; whoever
asked for them goes on meanwhile. From any other device they are there at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.engine.events import Preview
from diffuscope.ports.raster import Raster
from diffuscope.results.cells import to_stored
from diffuscope.results.computed import Computed
from diffuscope.systems.base import Estimate
from diffuscope.tiling.plan import Tile

T = TypeVar("T")

# Evaluations that a device is given ahead of time: enough that it never waits, few enough that cancelling is soon felt.
_EVALUATIONS_AHEAD = 8


class Fetch(Generic[T]):
    """Tensors on their way to the host, and what is to be made of them there.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Any shape, all on one device.
    make : callable
        From the arrays, float32 by key, to items.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], make: Callable[[dict[str, NDArray[np.float32]]], Sequence[T]]
    ) -> None:
        self._make, self._event = make, None
        device = next((value.device for value in tensors.values() if value.device.type == "cuda"), None)
        if device is None:
            self._host = {key: value.float().cpu() for key, value in tensors.items()}
            return
        computing, copying = torch.cuda.current_stream(device), _copying(device)
        ready = {key: value.float().contiguous() for key, value in tensors.items()}
        copying.wait_stream(computing)
        with torch.cuda.stream(copying):
            self._host = {key: value.to("cpu", non_blocking=True) for key, value in ready.items()}
            self._event = torch.cuda.Event(blocking=True)
            self._event.record(copying)
        for value in ready.values():
            if value.device.type == "cuda":
                # Its memory is not given to another before it is copied.
                value.record_stream(copying)

    def is_there(self) -> bool:
        """Whether `wait` would return at once."""
        return self._event is None or self._event.query()

    def wait(self) -> Sequence[T]:
        """Return the items once the tensors are there."""
        if self._event is not None:
            self._event.synchronize()
        return self._make({key: value.numpy() for key, value in self._host.items()})


class Reports:
    """What the evaluations of a batch tell of its tiles, and scores of them, kept where they run."""

    def __init__(self) -> None:
        self._values: dict[str, Tensor] = {}
        self._steps = 1

    def take(self, estimate: Estimate) -> None:
        """Take the values of an evaluation."""
        self._steps = estimate.steps
        for key, value in estimate.values.items():
            if key not in self._values:
                shape = (len(value), estimate.steps)
                self._values[key] = torch.full(shape, torch.nan, dtype=torch.float32, device=value.device)
            self._values[key][:, estimate.step - 1] = value

    def fetch(self, tiles: Sequence[Tile], outputs: Mapping[str, Tensor], batch: int) -> Fetch[Computed]:
        """Begin to fetch the tiles of a batch, without its padding, with outputs and values of each."""
        number = len(tiles)
        scores = {key: value for key, value in outputs.items() if value.ndim == 1}
        outputs = {key: value for key, value in outputs.items() if key not in scores}
        values = {key: value[:number] for key, value in (self._values | self._last(scores)).items()}

        def make(arrays: dict[str, NDArray[np.float32]]) -> list[Computed]:
            return [
                Computed(
                    tile,
                    {key: arrays[f"output {key}"][index] for key in outputs},
                    {key: arrays[f"value {key}"][index] for key in values},
                    batch,
                )
                for index, tile in enumerate(tiles)
            ]

        named = {f"output {key}": value[:number] for key, value in outputs.items()}
        return Fetch(named | {f"value {key}": value for key, value in values.items()}, make)

    def _last(self, scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return scores as what the last evaluation told."""
        told = {}
        for key, value in scores.items():
            told[key] = torch.full((len(value), self._steps), torch.nan, dtype=torch.float32, device=value.device)
            told[key][:, -1] = value
        return told

    def finished(self, tiles: Sequence[Tile], outputs: Mapping[str, Tensor], batch: int = 1) -> tuple[Computed, ...]:
        """Return the tiles of a batch once they are there (see `fetch`)."""
        return tuple(self.fetch(tiles, outputs, batch).wait())


class Pace:
    """Keeps whoever hands work to a device no more than a few evaluations ahead of it.

    Attributes
    ----------
    behind : int
        Batches that may be on their way back while the next is computed; none where all is done when it is asked for.
    """

    def __init__(self, device: torch.device) -> None:
        self.behind = 1 if device.type == "cuda" else 0
        self._given: deque[torch.cuda.Event] = deque()

    def keep(self) -> None:
        """Call after each evaluation; waits where the device has enough to do."""
        if not self.behind:
            return
        given = torch.cuda.Event(blocking=True)
        given.record()
        self._given.append(given)
        if len(self._given) > _EVALUATIONS_AHEAD:
            self._given.popleft().synchronize()


def fetch_preview(estimate: Estimate, port: Raster, *, y: int, x: int, z: int, beside: int = 1) -> Fetch[Preview]:
    """Begin to fetch the clean estimate of a batch's first tile, whose first px lies at (z, y, x) on the canvas."""

    def make(arrays: dict[str, NDArray[np.float32]]) -> list[Preview]:
        image = to_stored(np.moveaxis(arrays["image"], 0, -1), port)
        return [Preview(y=y, x=x, z=z, image=image, step=estimate.step, steps=estimate.steps, beside=beside)]

    # A copy: a recorded batch leaves its estimates where the next one will.
    return Fetch({"image": estimate.clean[port.key][0].clone()}, make)


@cache
def _copying(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)
