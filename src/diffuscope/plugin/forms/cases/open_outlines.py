"""A file of outlines as Labels layers: labels in an image, or the structures of an RTSTRUCT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.jobs.mask_files import whole_numbers
from diffuscope.plugin.layers.facts import KEY, own_metadata
from diffuscope.plugin.layers.placement import scan_placement, volume_placement
from diffuscope.plugin.layers.volumes import LayerTuple, label_layers
from diffuscope.plugin.widgets.last_resort import told
from diffuscope.scans import Volume, open_input, open_volume
from diffuscope.scans.formats.dicom.rtstruct import is_rtstruct

_OPACITY = 0.4


@told
def open_outlines(path: Path, image: Any) -> list[LayerTuple]:
    """Read a file of outlines.

    Parameters
    ----------
    path : Path
        Of it.
    image : Image
        The layer of the image that they were drawn on, which an RTSTRUCT needs.

    Raises
    ------
    InputError
        It cannot be read, holds no outlines, or was drawn on another series.
    """
    if is_rtstruct(path):
        return _structures(path, image)
    scan = open_input(path)
    if len(scan.channels) != 1:
        raise InputError(f"{scan.name} has {len(scan.channels)} channels and is no image of labels: open one.")
    labels = whole_numbers(scan)
    place = volume_placement(scan.lattice) if isinstance(scan, Volume) else scan_placement(scan.mpp)
    about = {"name": scan.name, "opacity": _OPACITY, "metadata": {KEY: {"outlines": str(path)}}, **place.about}
    return [(labels, about, "labels")]


def file_of(layer: Any) -> Path | None:
    """Return the file that a layer of outlines comes from, whatever was painted in it since; None: there is none."""
    own = own_metadata(layer)
    found = own.get("outlines") or own.get("structures") or layer.source.path
    return Path(found) if found else None


def _structures(path: Path, image: Any) -> list[LayerTuple]:
    own = own_metadata(image)
    source = own.get("source") if str(own.get("format", "")).startswith("DICOM") else None
    if source is None:
        raise InputError(
            f"{path.name} was drawn on a DICOM series, and “{image.name}” is none: open that series' folder first."
        )
    layers, notices = label_layers(open_volume(source), path)
    if not layers:
        raise InputError(" ".join(notices) or f"{path.name} has no structure that can be drawn.")
    if notices:
        from napari.utils.notifications import show_warning

        show_warning("\n".join(notices))
    return layers
