"""How a result lies on disk: OME-Zarr 0.4 (zarr v2), one multiscale image per output port."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numcodecs
import zarr

if TYPE_CHECKING:
    from diffuscope.systems.ports import Port

CHUNK = 256
SMALLEST = 256
ATTRS = "diffuscope"
FORMAT = 1


def group_path(ports: Sequence[Port], key: str) -> str:
    """Return where the image of output `key` lies: the root for the first port, else a group of its name."""
    return "" if ports[0].key == key else f"{key}/"


def level_shapes(height: int, width: int) -> list[tuple[int, int]]:
    """Return (height, width) of every pyramid level, finest first, halved until both are ≤ 256 px."""
    shapes = [(height, width)]
    while max(shapes[-1]) > SMALLEST:
        shapes.append(((shapes[-1][0] + 1) // 2, (shapes[-1][1] + 1) // 2))
    return shapes


def create_images(
    root: zarr.Group, ports: Sequence[Port], *, height: int, width: int, mpp: float, origin: tuple[float, float]
) -> dict[str, list[zarr.Array[Any]]]:
    """Create the empty pyramids of all outputs with their OME metadata.

    Parameters
    ----------
    root : zarr.Group
        An empty zarr v2 group.
    ports : sequence of Port
        Output ports, the main one first.
    height, width : int
        Canvas size in px.
    mpp : float
        µm per canvas px.
    origin : tuple of float
        (y, x) of the centre of the canvas's first px in µm from the centre of the slide's first px.

    Returns
    -------
    dict of str to list of zarr.Array
        Levels by port key, finest first, each (c, y, x).
    """
    images = {}
    for port in ports:
        path = group_path(ports, port.key)
        group = root.create_group(port.key) if path else root
        channels = len(port.channels)
        images[port.key] = [
            group.create_array(
                str(level),
                shape=(channels, *shape),
                chunks=(channels, CHUNK, CHUNK),
                dtype=port.dtype,
                compressors=numcodecs.Blosc(cname="zstd", clevel=3, shuffle=numcodecs.Blosc.SHUFFLE),
                fill_value=port.fill,
                chunk_key_encoding={"name": "v2", "separator": "/"},
            )
            for level, shape in enumerate(level_shapes(height, width))
        ]
        group.attrs["multiscales"] = [_multiscale(port.name, len(images[port.key]), mpp, origin)]
        group.attrs["omero"] = _omero(port)
    return images


def open_images(root: zarr.Group, ports: Sequence[Port]) -> dict[str, list[zarr.Array[Any]]]:
    """Open the pyramids of all outputs for reading, as `create_images` returns them."""
    images = {}
    for port in ports:
        group: Any = root if not group_path(ports, port.key) else root[port.key]
        levels = len(group.attrs["multiscales"][0]["datasets"])
        images[port.key] = [group[str(level)] for level in range(levels)]
    return images


def chunk_file(array: zarr.Array[Any], cy: int, cx: int) -> Path:
    """Return the file of chunk (cy, cx) of a level; it does not exist while the chunk holds only the fill value."""
    return Path(array.store.root) / array.path / "0" / str(cy) / str(cx)  # type: ignore[attr-defined]


def _multiscale(name: str, levels: int, mpp: float, origin: tuple[float, float]) -> dict[str, Any]:
    """Return the NGFF 0.4 ``multiscales`` entry; places are those of pixel centres, as napari takes them."""
    datasets = []
    for level in range(levels):
        scale = mpp * 2**level
        shift = (scale - mpp) / 2
        datasets.append(
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [1.0, scale, scale]},
                    {"type": "translation", "translation": [0.0, origin[0] + shift, origin[1] + shift]},
                ],
            }
        )
    axes = [
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    return {"version": "0.4", "name": name, "axes": axes, "datasets": datasets, "type": "area mean"}


def _omero(port: Port) -> dict[str, Any]:
    """Return the rendering block: channel names, colours and the port's contrast."""
    colours = ("FF0000", "00FF00", "0000FF") if port.kind == "rgb" else ("FFFFFF",) * len(port.channels)
    low, high = port.range
    return {
        "name": port.name,
        "rdefs": {"model": "color" if port.kind == "rgb" else "greyscale"},
        "channels": [
            {
                "label": label,
                "color": colour,
                "active": True,
                "window": {"min": low, "max": high, "start": low, "end": high},
            }
            for label, colour in zip(port.channels, colours, strict=True)
        ],
    }
