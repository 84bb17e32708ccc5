"""napari's reader: slides come up lazily at every resolution, result folders with all their layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffuscope.plugin.facts import KEY
from diffuscope.plugin.results import LayerTuple, result_layers, scan_placement
from diffuscope.scans import open_scan
from diffuscope.tiling.result import is_result, open_result

if TYPE_CHECKING:
    from diffuscope.scans import Scan

ENDINGS = (".svs", ".tif", ".tiff", ".zarr")
#: Side of the piece of an image from which the contrast of a 16-bit or float image is taken.
_PROBE = 512


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerTuple]] | None:
    """Return `read_layers` for what it can open by its name, else None (npe2's reader contract)."""
    paths = [path] if isinstance(path, str | Path) else list(path)
    return read_layers if paths and all(str(p).lower().rstrip("/\\").endswith(ENDINGS) for p in paths) else None


def read_layers(path: str | Sequence[str]) -> list[LayerTuple]:
    """Open slides and result folders as napari layers.

    Raises
    ------
    InputError
        One sentence; napari shows it.
    """
    paths = [path] if isinstance(path, str | Path) else path
    layers: list[LayerTuple] = []
    for one in paths:
        layers += result_layers(open_result(one)) if is_result(one) else scan_layers(open_scan(Path(one)))
    return layers


def scan_layers(scan: Scan) -> list[LayerTuple]:
    """Describe a slide as one RGB layer, or as one layer a channel. Label and macro images are left out."""
    place = scan_placement(scan.mpp)
    about: dict[str, Any] = {
        "scale": place.scale,
        "units": place.units,
        "multiscale": len(scan.levels) > 1,
        "metadata": {
            KEY: {
                "source": str(scan.path),
                "mpp": scan.mpp,
                "format": scan.format,
                "notices": list(scan.notices),
                "associated": sorted(scan.associated),
            }
        },
    }
    if scan.rgb:
        data = list(scan.levels) if len(scan.levels) > 1 else scan.levels[0]
        return [
            (data, {**about, "name": scan.name, "rgb": True, "contrast_limits": _contrast(scan.levels[0])}, "image")
        ]
    layers: list[LayerTuple] = []
    for number, channel in enumerate(scan.channels):
        levels = [level[..., number] for level in scan.levels]
        one = {
            **about,
            "name": f"{scan.name} · {channel}" if len(scan.channels) > 1 else scan.name,
            "rgb": False,
            "contrast_limits": _contrast(levels[0]),
            "blending": "translucent" if len(scan.channels) == 1 else "additive",
        }
        layers.append((levels if len(levels) > 1 else levels[0], one, "image"))
    return layers


def _contrast(level: Any) -> tuple[float, float]:
    # napari would guess from the whole coarsest level, which for a one-level file means reading all of it
    if level.dtype == np.uint8:
        return 0.0, 255.0
    middle = tuple(slice(max(0, n // 2 - _PROBE // 2), n // 2 + _PROBE // 2) for n in level.shape[:2])
    probe = np.asarray(level[middle])
    low, high = float(probe.min()), float(probe.max())
    return (low, high) if high > low else (low, low + 1.0)
