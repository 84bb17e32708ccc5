"""Volumes, and the outlines drawn on them, as napari layers in mm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.plugin.layers.facts import KEY
from diffuscope.plugin.layers.inputs.origin import Origin, remember
from diffuscope.plugin.layers.placement import volume_placement
from diffuscope.scans import Volume
from diffuscope.scans.formats.dicom.rtstruct import read_rtstruct
from diffuscope.scans.intensity import PERCENTILES

LayerTuple = tuple[Any, dict[str, Any], str]


def volume_layer(volume: Volume) -> LayerTuple:
    """Describe a volume as one image layer; its voxels are read now."""
    voxels = volume.voxels[:]
    remember(voxels, Origin(path=volume.path))
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
        **volume_placement(volume.lattice).about,
    }
    return voxels, about, "image"


def label_layers(volume: Volume, path: Path) -> tuple[list[LayerTuple], tuple[str, ...]]:
    """Describe the outlines of an RTSTRUCT file as labels layers, whose features have the names; with what is missing.

    Structures that overlap lie in layers of their own. Of a file that cannot be read there is a sentence only.
    """
    assert volume.series is not None  # outlines are drawn on a series
    try:
        found = read_rtstruct(path, volume.series)
    except (InputError, OSError) as error:
        return [], (str(error),)
    layers: list[LayerTuple] = []
    for number, (labels, names) in enumerate(found.layers, start=1):
        about = {
            "name": next(iter(names.values())) if len(names) == 1 else f"{path.stem}{f' {number}' * (number > 1)}",
            "features": {"index": list(names), "name": list(names.values())},
            "opacity": 0.4,
            "metadata": {KEY: {"structures": str(path), "notices": list(found.notices)}},
            **volume_placement(volume.lattice).about,
        }
        layers.append((volume.storage.show(labels), about, "labels"))
    return layers, found.notices


def _contrast(voxels: NDArray[np.generic]) -> tuple[float, float]:
    """Return the percentiles of what is above the lowest value, which is air or what was cut away."""
    sample = voxels[::2, ::4, ::4] if voxels.size > 10**6 else voxels
    sample = sample[np.isfinite(sample)]
    lowest = np.min(sample) if sample.size else 0
    shown = sample[sample != lowest]
    if not shown.size:
        return float(lowest), float(lowest) + 1.0
    low, high = (float(value) for value in np.percentile(shown, PERCENTILES))
    return (low, high) if high > low else (low, low + 1.0)
