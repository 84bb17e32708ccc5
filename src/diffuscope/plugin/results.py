"""A result folder as napari layers: names, contrast, colormaps, visibility, place on the slide, record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.export.multiplex import multiplex_port, multiplexed
from diffuscope.plugin.facts import KEY
from diffuscope.plugin.level import Level, MultiplexLevel
from diffuscope.plugin.volumes import volume_result_layers
from diffuscope.systems.ports import Port
from diffuscope.tiling.layout import open_images
from diffuscope.tiling.result import Result

LayerTuple = tuple[Any, dict[str, Any], str]


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where level-0 pixels of a slide lie in napari's world.

    Attributes
    ----------
    scale : ndarray (2,)
        World units per level-0 px (y, x).
    translate : ndarray (2,)
        World place of the centre of the first level-0 px.
    units : tuple
        As napari takes them.
    """

    scale: NDArray[np.float64]
    translate: NDArray[np.float64]
    units: tuple[Any, ...]

    def to_slide(self, place: Sequence[float]) -> tuple[float, float]:
        """Return the level-0 px (y, x), counted from the slide's corner, at a place of napari's world."""
        y, x = (np.asarray(place) - self.translate) / self.scale + 0.5
        return float(y), float(x)


def scan_placement(mpp: float | None) -> Placement:
    """Return where the reader puts a slide: in µm where known, else in pixels; the first pixel at the origin."""
    return Placement(
        scale=np.full(2, mpp or 1.0), translate=np.zeros(2), units=("micrometer",) * 2 if mpp else ("pixel",) * 2
    )


def layer_placement(layer: Any) -> Placement:
    """Return where a slide's layer lies, as the user may have moved it."""
    return Placement(
        scale=np.asarray(layer.scale[-2:], float),
        translate=np.asarray(layer.translate[-2:], float),
        units=tuple(layer.units[-2:]),
    )


def canvas_place(placement: Placement, factor: float, level0_px: tuple[float, float]) -> dict[str, Any]:
    """Return scale, translate and units of an image whose px are `factor` level-0 px, first corner at `level0_px`."""
    # centres, not corners: the middle of a large px lies (factor - 1) / 2 level-0 px beyond that of a small one
    centre = np.asarray(level0_px, float) + (factor - 1) / 2
    return {
        "scale": placement.scale * factor,
        "translate": placement.translate + centre * placement.scale,
        "units": placement.units,
    }


def result_layers(result: Result, placement: Placement | None = None) -> list[LayerTuple]:
    """Describe every image of a result as a napari layer.

    Parameters
    ----------
    result : Result
        An opened result folder, complete or not.
    placement : Placement, optional
        Where its slide lies; default: where the reader puts that slide.

    Returns
    -------
    list of (data, keyword arguments, "image")
        The main image first and visible, as RGBA: what was not computed is transparent. The other images above it,
        hidden. Where there are several stains, their virtual multiplex on top, visible. The data are `Level`, finest
        first.
    """
    if result.place.unit == "mm":
        return volume_result_layers(result)
    if placement is None:
        placement = scan_placement(slide_mpp(result))
    y, x, _, _ = result.window
    place = canvas_place(placement, result.factor, (y * result.factor, x * result.factor))
    arrays = open_images(zarr.open_group(result.path, mode="r", zarr_format=2), result.ports)
    layers: list[LayerTuple] = []
    for number, port in enumerate(result.ports):
        levels = [Level(array, port.fill if port.kind == "rgb" else None) for array in arrays[port.key]]
        layers.append(_layer(result, port, levels, place, visible=number == 0))
    multiplex = multiplex_port(result.ports)
    if multiplex is not None:
        stains = [zip(arrays[image.key], arrays[dab.key], strict=True) for _, image, dab in multiplexed(result.ports)]
        computed: list[Level] = [MultiplexLevel(level, multiplex.fill) for level in zip(*stains, strict=True)]
        layers.append(_layer(result, multiplex, computed, place, visible=True))
    return layers


def _layer(result: Result, port: Port, levels: list[Level], place: dict[str, Any], *, visible: bool) -> LayerTuple:
    about = {
        "name": port.name,
        "rgb": port.kind == "rgb",
        "contrast_limits": tuple(port.range),
        "visible": visible,
        "blending": "translucent",
        "multiscale": len(levels) > 1,
        "metadata": {KEY: layer_metadata(result, port.key)},
        **place,
    }
    if port.kind == "map":
        about["colormap"] = port.colormap
    return (levels if len(levels) > 1 else levels[0], about, "image")


def slide_mpp(result: Result) -> float | None:
    """Return the µm/px that the slide's own file states, by which its layer is scaled; None where it states none."""
    stated: float | None = next(iter(result.record["inputs"].values()))["mpp_stated"]
    return stated


def layer_metadata(result: Result, key: str) -> dict[str, Any]:
    """Return what a layer of a result carries in its metadata."""
    return {
        "result": str(result.path),
        "port": key,
        "complete": result.complete,
        "record": result.record,
    }
