"""Batches in the order of their numbers, made ahead of time by threads: the network should never wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from diffuscope.ports.seen import Seen

Batch = Mapping[str, Tensor]

#: What is left to do to a training batch on the device that trains: the batch there and a generator there, to what
#: `System.loss` takes.
Finish = Callable[[dict[str, Tensor], torch.Generator], Mapping[str, Tensor]]


def stacked(cases: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return cases one beside the other, NaN where one does not have what others have.

    Parameters
    ----------
    cases : sequence of mapping of str to Tensor (…)
        What a system sees of each, by key; of one shape and floating-point type a key.

    Returns
    -------
    dict of str to Tensor (n, …)
    """
    shapes = {key: one for case in cases for key, one in case.items()}
    return {
        key: torch.stack([case.get(key, torch.full_like(like, torch.nan)) for case in cases])
        for key, like in shapes.items()
    }


@dataclass(frozen=True)
class TrainingData:
    """What a system is trained on.

    A batch is made in two halves: `batch_at` on the CPU, ahead of time, and `finish` on the device that trains, where
    arithmetic on pixels costs a GPU next to nothing. What is copied between them may be small: 8-bit pixels, labels.

    Attributes
    ----------
    batch_at : callable
        Training batch of a number, a function of it alone; may be called by several threads at once. Of any dtype:
        what is still no floating-point number after `finish` becomes float32 on the device.
    validation : sequence of Batch
        The same at every validation; never trained on, and never given to `finish`. Without any, nothing validates and
        the last weights are kept.
    finish : callable, optional
        Second half of a training batch, a function of its two arguments alone, which draws from the generator only
        (seeded by seed and number of the batch; `System.loss` draws from it next). Without gradients, in float32.
    seen : callable
        Looks at the inputs, when the training has ended: how they look by key, for the model's config.json.
    notices : tuple of str
        What the user should know of how they were read.
    """

    batch_at: Callable[[int], Batch]
    validation: Sequence[Batch]
    finish: Finish | None = None
    seen: Callable[[], dict[str, Seen]] = dict
    notices: tuple[str, ...] = ()

    def changed(self, change: Callable[[Batch], Batch]) -> TrainingData:
        """Return these data with every batch changed, those that train and those that validate.

        Parameters
        ----------
        change : callable
            A function of a batch alone; of one that trains before `finish`.
        """
        return replace(
            self,
            batch_at=lambda number: change(self.batch_at(number)),
            validation=[change(batch) for batch in self.validation],
        )

    @torch.no_grad()
    def finished(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Return a training batch as `System.loss` takes it.

        Parameters
        ----------
        batch : mapping of str to Tensor
            From `batch_at`, on the generator's device.
        generator : torch.Generator
            Of this batch.
        """
        if self.finish is not None:
            with torch.autocast(generator.device.type, enabled=False):
                batch = self.finish(dict(batch), generator)
        return {key: laid_out(value) for key, value in batch.items()}


class Ahead:
    """The batches of some numbers, one after the other.

    Threads and not processes: what makes a batch (decoding, resampling, filters) lets go of the interpreter, and
    threads share the slides that are open, on every platform, and bring an error back as it was.

    Parameters
    ----------
    batch_at : callable
        Batch of a number.
    numbers : range
        Which.
    length : int
        What `len` says: Lightning counts the batches before a resumed step as well.
    threads : int
        How many batches are made at once.
    pin : bool
        Whether to put them in page-locked memory, from which a GPU fetches them while it computes.
    """

    def __init__(
        self, batch_at: Callable[[int], Batch], numbers: range, *, length: int, threads: int = 1, pin: bool = False
    ) -> None:
        self._batch_at, self._numbers, self._length = batch_at, numbers, length
        self._threads, self._pin = threads, pin

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="diffuscope-batches")
        try:
            rest = iter(self._numbers)
            waiting: deque[Future[dict[str, Tensor]]] = deque(
                pool.submit(self._make, number) for number in islice(rest, 2 * self._threads)
            )
            while waiting:
                batch = waiting.popleft().result()
                for number in islice(rest, 1):
                    waiting.append(pool.submit(self._make, number))
                yield batch
        finally:
            pool.shutdown(cancel_futures=True)

    def _make(self, number: int) -> dict[str, Tensor]:
        batch = {key: _channels_last(value) for key, value in self._batch_at(number).items()}
        return {key: value.pin_memory() for key, value in batch.items()} if self._pin else batch


def laid_out(value: Tensor) -> Tensor:
    """Return floating-point numbers, images (n, c, h, w) in channels-last order, which convolutions are fastest in."""
    value = value if value.is_floating_point() else value.float()
    return _channels_last(value)


def _channels_last(value: Tensor) -> Tensor:
    return value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value
