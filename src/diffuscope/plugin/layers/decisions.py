"""What DAMM-Diffusion decided in a result, what another γ would have decided, and which tile lies at a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.plugin.layers.facts import KEY
from diffuscope.plugin.layers.placement import Placement
from diffuscope.plugin.layers.results import LayerTuple
from diffuscope.results.result import Result

#: In the metadata of the layer that shows which tiles change.
CHANGES = "changes"


@dataclass(frozen=True, eq=False)
class Decisions:
    """Divergence and branch of every tile at every network evaluation, (rows, columns, evaluations).

    Attributes
    ----------
    d : ndarray of float32
        NaN where nothing was computed.
    multimodal : ndarray of bool
        Whether the multi-modal branch was taken; False where nothing was computed.
    samples : int
        The evaluations are the denoising steps of so many samples, one sample after the other.
    gamma : float or None
        That of the run; None where the model does not decide by it (always multi-modal).
    """

    d: NDArray[np.float32]
    multimodal: NDArray[np.bool_]
    samples: int
    gamma: float | None

    @property
    def computed(self) -> NDArray[np.bool_]:
        """Which were made, of the shape of `d`."""
        return np.isfinite(self.d)

    def changed_by(self, gamma: float) -> NDArray[np.bool_]:
        """Return which decisions another γ turns over where d is what it was, of the shape of `d`."""
        return self.computed & ((self.d <= np.float32(gamma)) != self.multimodal)

    def share_changed(self, gamma: float) -> NDArray[np.float32]:
        """Return the part of each tile's decisions that another γ turns over, (rows, columns); NaN where none was."""
        share = self.changed_by(gamma).mean(axis=-1, dtype=np.float32)
        return np.where(self.computed.any(axis=-1), share, np.float32("nan"))

    def curves(self, slot: tuple[int, ...]) -> NDArray[np.float32]:
        """Return d of one tile, (samples, denoising steps)."""
        return self.d[slot].reshape(self.samples, -1)

    def branches(self, slot: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return the branch of one tile, as `curves`."""
        return self.multimodal[slot].reshape(self.samples, -1)


def decisions_of(result: Result | None) -> Decisions | None:
    """Read the decisions of a slide's result, complete or not; None where it tells nothing of them."""
    arrays = result.values.arrays if result is not None and result.values is not None else {}
    if result is None or not {"divergence", "multimodal"} <= arrays.keys():
        return None
    d, taken = arrays["divergence"], arrays["multimodal"] > 0.5
    if d.ndim != 3 or not np.isfinite(d).any():
        return None
    chosen = result.record.get("parameters", {})
    samples = int(chosen.get("samples") or 1)
    gamma = chosen.get("options", {}).get("gamma")
    return Decisions(d, taken, samples if d.shape[-1] % samples == 0 else 1, gamma)


def summary(decisions: Decisions) -> str:
    """Say how often the multi-modal branch was taken, and at which divergences."""
    made = decisions.computed
    low, middle, high = np.percentile(decisions.d[made], (5, 50, 95))
    return (
        f"The multi-modal branch was taken in {decisions.multimodal[made].mean():.0%} of {int(made.sum()):,} "
        f"decisions, one a tile and step. d: {middle:.3f} in the median, {low:.3f} to {high:.3f} in nine of ten."
    )


def what_changes(decisions: Decisions, gamma: float) -> str:
    """Say how many decisions another γ turns over, and what that is worth."""
    changed, made = decisions.changed_by(gamma), decisions.computed
    tiles, all_tiles = int(changed.any(axis=-1).sum()), int(made.any(axis=-1).sum())
    if not tiles:
        return f"γ = {gamma:.3f} decides everything as this run did."
    return (
        f"γ = {gamma:.3f} turns over {int(changed.sum()):,} of {int(made.sum()):,} decisions, in {tiles:,} of "
        f"{all_tiles:,} tiles: told from the stored d alone. After the first such step a tile goes another way and "
        "its d with it: the picture needs a new Run."
    )


def slot_at(place: Placement, world: Sequence[float], grid: Sequence[int]) -> tuple[int, ...] | None:
    """Return the tile whose px of the heat map lies at a place.

    Parameters
    ----------
    place : Placement
        Of the heat map (`tile_place`).
    world : sequence of float
        (y, x) in napari's world.
    grid : sequence of int
        Rows and columns of tiles.
    """
    slot = tuple(int(index) for index in np.floor(place.to_input(world)))
    return slot if all(0 <= index < length for index, length in zip(slot, grid, strict=True)) else None


def change_layer(result: Result, decisions: Decisions, gamma: float, place: dict[str, Any]) -> LayerTuple:
    """Describe which tiles another γ changes as a layer, a px a tile, above all others."""
    about = {
        "name": change_name(gamma),
        "colormap": "yellow",
        "contrast_limits": (0.0, 1.0),
        "blending": "additive",
        "opacity": 0.6,
        "metadata": {KEY: {"result": str(result.path), "value": CHANGES, "title": "turned over"}},
        **place,
    }
    return (decisions.share_changed(gamma), about, "image")


def change_name(gamma: float) -> str:
    """Return the name of the layer of `change_layer`."""
    return f"γ = {gamma:.3f} turns over, share of steps"
