"""What some systems can do besides, which those who train or score ask for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class DrawsMasks(Protocol):
    """A system that helps another one to train: it draws the masks that the other learns."""

    def draw(self, ihc: Tensor) -> Tensor:
        """Return the masks (n, 1, h, w) in {0, 1}, float32, of IHCs (n, 3, h, w) in [0, 255]."""
        ...


@runtime_checkable
class FitsRows(Protocol):
    """A system that takes the scale of its tables from the rows that train: buffers, no parameters."""

    def fit(self, rows: Mapping[str, Tensor]) -> None:
        """Take the scale from rows (n, columns) by table, NaN where nothing is known."""
        ...

    @property
    def fitted(self) -> dict[str, Any]:
        """What its configuration states of those rows."""
        ...


@runtime_checkable
class Decides(Protocol):
    """A system whose score is set right on patients who validate, once its weights are there."""

    def decide(self, *, threshold: float | None, calibration: tuple[float, float] | None) -> dict[str, Any]:
        """Take what is chosen, None for none, and return what its configuration states of it.

        Parameters
        ----------
        threshold : float, optional
            Probability from which the second class is decided for.
        calibration : (float, float), optional
            For `diffuscope.systems.calibration.calibrated`.
        """
        ...


@runtime_checkable
class TakesBackbone(Protocol):
    """A system whose image encoder can begin with weights that were published for others."""

    def load_backbone(self, path: Path) -> None:
        """Take the weights of the encoder from a file.

        Raises
        ------
        InputError
            They are of another network.
        """
        ...


@runtime_checkable
class HasNodes(Protocol):
    """A system that makes a graph of a case: its nodes, and which of them are there."""

    nodes: tuple[str, ...]

    def there(self, inputs: Mapping[str, Any]) -> Tensor:
        """Return which nodes of a case are there, bool (nodes,), from what `Whole.prepare` gives."""
        ...


@runtime_checkable
class TakesPairs(Protocol):
    """A system that learns from cases of which each has some of many images and texts."""

    def needed(self, objective: str) -> tuple[tuple[str, ...], ...]:
        """Return groups of keys; a case is trained on that has one of each, and two of one that stands twice."""
        ...
