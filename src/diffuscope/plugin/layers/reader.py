"""napari's reader: slides lazily at every resolution, volumes in mm, results with all their layers, annotations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffuscope.errors import InputError
from diffuscope.plugin.layers.drawn.annotations import annotation_layers
from diffuscope.plugin.layers.facts import KEY
from diffuscope.plugin.layers.inputs.origin import Origin, remember
from diffuscope.plugin.layers.inputs.scan_level import scan_levels
from diffuscope.plugin.layers.placement import scan_placement
from diffuscope.plugin.layers.reading.viewer import reading_of
from diffuscope.plugin.layers.results import LayerTuple, result_layers
from diffuscope.plugin.layers.values import value_layers
from diffuscope.plugin.layers.volumes import label_layers, volume_layer
from diffuscope.plugin.widgets.last_resort import in_window, tell, told
from diffuscope.results.result import is_result, open_result
from diffuscope.scans import Volume, open_input
from diffuscope.scans.formats.dicom.rtstruct import is_rtstruct
from diffuscope.scans.formats.table import SHOWN
from diffuscope.scans.open_volume import is_image
from diffuscope.scans.qupath.annotations import GEOJSON

if TYPE_CHECKING:
    from diffuscope.scans import Scan

#: Side of the piece of an image from which the contrast of a 16-bit or float image is taken.
_PROBE = 512


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], Any] | None:
    """Return what opens layers for what it can open by its name, else None (npe2's reader contract)."""
    paths = [path] if isinstance(path, str | Path) else list(path)
    return _read_in_window if paths and all(_is_ours(str(p)) for p in paths) else None


def _read_in_window(path: str | Sequence[str]) -> list[LayerTuple] | list[tuple[None]]:
    """Open for napari: what a user asked for in the window and cannot be read is told in a dialog."""
    try:
        return read_layers(path)
    except InputError as error:
        if not in_window():
            raise
        tell(error)
        return [(None,)]  # npe2's word for: it was ours, and holds no layer


@told
def read_layers(path: str | Sequence[str]) -> list[LayerTuple]:
    """Open slides, volumes, results and annotations as napari layers; a DICOM folder with the outlines on its series.

    Raises
    ------
    InputError
        One sentence; napari shows it.
    """
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is not None:
        reading_of(viewer)
    paths = [path] if isinstance(path, str | Path) else path
    layers: list[LayerTuple] = []
    for one in map(Path, paths):
        if is_result(one):
            result = open_result(one)
            layers += result_layers(result) + value_layers(result)
        elif one.suffix.lower() == GEOJSON:
            layers += _annotation_layers(one)
        elif one.is_file() and is_rtstruct(one):
            raise InputError(f"{one.name} holds outlines and no image: open the folder that has the series as well.")
        else:
            opened = open_input(one)
            layers += _volume_layers(opened) if isinstance(opened, Volume) else scan_layers(opened)
    return layers


def _volume_layers(volume: Volume) -> list[LayerTuple]:
    """Describe a volume as a layer, and as layers above it the structure sets that lie in its folder.

    What of them cannot be drawn is told, and keeps nothing else from being shown.
    """
    layers: list[LayerTuple] = [volume_layer(volume)]
    missing: list[str] = []
    for path in volume.series.structures if volume.series else ():
        drawn, notices = label_layers(volume, path)
        layers += drawn
        missing += notices
    if missing:
        from napari.utils.notifications import show_warning

        show_warning("\n".join(missing))
    return layers


def _annotation_layers(path: Path) -> list[LayerTuple]:
    """Describe annotations as shapes on the slide of the viewer, and tell what is not as it is in the file."""
    from napari import current_viewer

    layers, notices = annotation_layers(path, current_viewer())
    if notices:
        from napari.utils.notifications import show_warning

        show_warning("\n".join(notices))
    return layers


def _is_ours(path: str) -> bool:
    """Whether a path ends as what is read does, or is a folder with DICOM files."""
    ends = path.lower().rstrip("/\\").endswith((*SHOWN, GEOJSON))
    return ends or (Path(path).is_dir() and is_image(Path(path)))


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
        [levels] = scan_levels(scan)
        data = levels if len(levels) > 1 else levels[0]
        remember(data, Origin(path=scan.path, channels=scan.channels))
        return [(data, {**about, "name": scan.name, "rgb": True, "contrast_limits": _contrast(levels[0])}, "image")]
    layers: list[LayerTuple] = []
    for number, (channel, levels) in enumerate(zip(scan.channels, scan_levels(scan), strict=True)):
        shown = number if len(scan.channels) > 1 else None
        remember(levels, Origin(path=scan.path, channel=shown, channels=scan.channels))
        own = about["metadata"][KEY] | ({"channel": number, "channel_name": channel} if len(scan.channels) > 1 else {})
        one = {
            **about,
            "metadata": {KEY: own},
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
