"""What a system told of each tile as heat maps: a px a tile."""

from __future__ import annotations

from typing import Any

import numpy as np

from diffuscope.plugin.layers.facts import KEY
from diffuscope.plugin.layers.looks import map_colours
from diffuscope.plugin.layers.placement import Placement, canvas_place, result_place
from diffuscope.plugin.layers.results import LayerTuple
from diffuscope.results.result import Result
from diffuscope.results.values import TileValues


def value_layers(result: Result, placement: Placement | None = None) -> list[LayerTuple]:
    """Describe every value of a result as a hidden layer: its mean over the network evaluations, a px a tile.

    A px is as large as the distance of two tiles and lies in the middle of its tile; tiles reach beyond it by half
    their overlap. What was not computed is NaN.

    Parameters
    ----------
    result : Result
        Complete or not.
    placement : Placement, optional
        Where its input lies; default: where the reader puts that input.
    """
    values = result.values
    if values is None:
        return []
    place = tile_place(result, values, placement)
    arrays = values.arrays
    layers: list[LayerTuple] = []
    for value in values.values:
        if value.key not in arrays:
            continue
        about = {
            "name": f"{value.name}, mean of each tile",
            "colormap": map_colours("magma"),
            "contrast_limits": value.range,
            "visible": False,
            "blending": "translucent",
            "opacity": 0.7,
            "metadata": {
                KEY: {
                    "result": str(result.path),
                    "value": value.key,
                    "title": value.name,
                    "complete": result.complete,
                    "record": result.record,
                }
            },
            **place,
        }
        # of a tile that was not computed every evaluation is NaN, of one that was none
        layers.append((arrays[value.key].mean(axis=-1), about, "image"))
    return layers


def tile_place(result: Result, values: TileValues, placement: Placement | None = None) -> dict[str, Any]:
    """Return what places an image with a px a tile (parameters as of `value_layers`)."""
    canvas = Placement.of(result_place(result, placement))
    stride, tile = np.array(values.stride), np.array(values.tile)
    # canvas_place takes the px's first corner
    return canvas_place(canvas, stride, (np.array(values.corner) + (tile - stride) / 2).tolist())
