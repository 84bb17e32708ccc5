"""What a system learns beside images, made from the batches of a training set: drawn masks, and what they tell."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from diffuscope.systems.base import System
from diffuscope.training.data.batches import Batch, TrainingData


def with_targets(data: TrainingData, system: System, draw: Callable[[Tensor], Tensor] | None = None) -> TrainingData:
    """Return data that hold what a system learns beside images.

    Parameters
    ----------
    data : TrainingData
        With ``ihc`` where masks are to be drawn, and with what `System.derive` takes.
    system : System
        What is trained.
    draw : callable, optional
        Draws masks of IHCs (see `diffuscope.systems.base.DrawsMasks`) that take the place of those
        there are.
    """
    if draw is not None:
        data = data.changed(partial(with_masks, draw=draw))
    return data.changed(system.derive)


def with_masks(batch: Batch, *, draw: Callable[[Tensor], Tensor]) -> Batch:
    """Return a batch whose ``mask`` is drawn from its ``ihc``."""
    return {**batch, "mask": draw(batch["ihc"])}
