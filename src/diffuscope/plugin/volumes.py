"""Volumes, the outlines drawn on them, and results of volumes as napari layers, in mm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.plugin.facts import KEY
from diffuscope.scans import Volume
from diffuscope.scans.intensity import PERCENTILES
from diffuscope.scans.lattice import Lattice
from diffuscope.scans.rtstruct import read_rtstruct
from diffuscope.tiling.result import Result

LayerTuple = tuple[Any, dict[str, Any], str]


def volume_place(lattice: Lattice) -> dict[str, Any]:
    """Return scale, translate and units of a volume's layer.

    The place of the first voxel is told along the volume's own axes, so that volumes of one patient that were scanned
    in one direction lie upon each other.
    """
    return {
        "scale": np.array(lattice.spacing),
        "translate": np.array(lattice.directions) @ np.array(lattice.origin),
        "units": ("mm",) * 3,
    }


def volume_layer(volume: Volume) -> LayerTuple:
    """Describe a volume as one image layer; its voxels are read now."""
    voxels = volume.voxels[:]
    about = {
        "name": volume.name,
        "contrast_limits": _contrast(voxels),
        "colormap": "gray",
        "metadata": {
            KEY: {
                "source": str(volume.path),
                "format": volume.format,
                "lattice": volume.lattice.to_json(),
                "notices": list(volume.notices),
            }
        },
        **volume_place(volume.lattice),
    }
    return voxels, about, "image"


def label_layer(volume: Volume, path: Path) -> LayerTuple:
    """Describe the outlines of an RTSTRUCT file as one labels layer; the names are in its features."""
    labels, names = read_rtstruct(path, volume.lattice)
    about = {
        "name": path.stem if len(names) != 1 else next(iter(names.values())),
        "features": {"index": list(names), "name": list(names.values())},
        "opacity": 0.4,
        "metadata": {KEY: {"structures": str(path)}},
        **volume_place(volume.lattice),
    }
    return labels, about, "labels"


def volume_result_layers(result: Result) -> list[LayerTuple]:
    """Describe every image of a volume's result as a layer, the main one visible, where its input lies."""
    stated = next(iter(result.record["inputs"].values())).get("lattice")
    place: dict[str, Any] = {
        "scale": np.array(result.place.spacing),
        "translate": np.array(result.place.origin),
        "units": ("mm",) * 3,
    }
    if stated is not None:
        place["translate"] = place["translate"] + volume_place(Lattice.from_json(stated))["translate"]
    layers: list[LayerTuple] = []
    for number, port in enumerate(result.ports):
        about = {
            "name": port.name,
            "contrast_limits": tuple(port.range),
            "colormap": port.colormap,
            "visible": number == 0,
            "blending": "translucent",
            "metadata": {
                KEY: {
                    "result": str(result.path),
                    "port": port.key,
                    "complete": result.complete,
                    "record": result.record,
                }
            },
            **place,
        }
        layers.append((result.images[port.key][0][..., 0], about, "image"))
    return layers


def _contrast(voxels: NDArray[np.generic]) -> tuple[float, float]:
    """Return the percentiles of what is above the lowest value, which is air or what was cut away."""
    sample = voxels[::2, ::4, ::4] if voxels.size > 10**6 else voxels
    shown = sample[sample != np.min(sample)]
    if not shown.size:
        return float(np.min(sample)), float(np.min(sample)) + 1.0
    low, high = (float(value) for value in np.percentile(shown, PERCENTILES))
    return (low, high) if high > low else (low, low + 1.0)
