"""Small valid slides and pictures, one of each format that is read, made from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from PIL import Image

_SIDE = 128
_SVS = (
    "Aperio Image Library v11.2.1\n128x128 [0,0 128x128] (64x64) JPEG/RGB Q=70"
    "|AppMag = 20|Filename = made|MPP = 0.499|Date = 01/02/03"
)


def picture(channels: int = 3, side: int = _SIDE) -> np.ndarray:
    """Return (side, side, channels) uint8: pink tissue with dark spots on white, or what counts as such."""
    y, x = np.mgrid[:side, :side]
    tissue = (x - side / 2) ** 2 + (y - side / 2) ** 2 < (side / 2.5) ** 2
    spots = tissue & ((x // 8 + y // 8) % 3 == 0)
    noise = np.random.default_rng(0).integers(0, 12, (side, side, channels))
    base = np.where(spots[..., None], 90, np.where(tissue[..., None], 180, 240))
    return (base + noise - 40 * (np.arange(channels) % 2)).clip(0, 255).astype(np.uint8)


def svs(folder: Path) -> Path:
    """Write an Aperio SVS: tiles, a coarser level, a label."""
    path = folder / "slide.svs"
    with tifffile.TiffWriter(path) as file:
        common: dict[str, Any] = {"photometric": "rgb", "metadata": None, "description": _SVS, "software": "made"}
        file.write(picture(), tile=(64, 64), compression="jpeg", **common)
        file.write(picture()[::4, ::4], rowsperstrip=16, compression="jpeg", **common)
        file.write(picture(side=48), rowsperstrip=16, compression="lzw", **(common | {"description": "label 48x48"}))
    return path


def tiled_tiff(folder: Path) -> Path:
    """Write a plain pyramid of deflated tiles."""
    path = folder / "tiled.tif"
    per_cm = {"resolution": (20000, 20000), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as file:
        file.write(picture(), tile=(32, 32), compression="zlib", photometric="rgb", metadata=None, **per_cm)
        file.write(picture()[::2, ::2], tile=(32, 32), compression="zlib", photometric="rgb", subfiletype=1)
    return path


def jpeg_2000_tiff(folder: Path) -> Path:
    """Write an image of JPEG 2000 tiles."""
    path = folder / "wavelets.tif"
    tifffile.imwrite(path, picture(), tile=(64, 64), compression="jpeg2000", photometric="rgb", metadata=None)
    return path


def striped_tiff(folder: Path) -> Path:
    """Write one grey 16-bit image of LZW strips, big-endian."""
    path = folder / "striped.tif"
    grey = picture(1)[..., 0].astype(np.uint16) * 200
    tifffile.imwrite(path, grey, rowsperstrip=24, compression="lzw", byteorder=">", predictor=2)
    return path


def ome_tiff(folder: Path) -> Path:
    """Write two named channels with a SubIFD pyramid."""
    path = folder / "channels.ome.tif"
    planes = np.moveaxis(picture(2), -1, 0)
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}
    about = {"axes": "CYX", "Channel": {"Name": ["vessels", "nuclei"]}, **size}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(planes, tile=(32, 32), subifds=1, compression="zlib", metadata=about)
        file.write(planes[:, ::2, ::2], tile=(32, 32), subfiletype=1, compression="zlib")
    return path


def big_tiff(folder: Path, *, side: int = _SIDE) -> Path:
    """Write a BigTIFF OME image without compression."""
    path = folder / "big.ome.tif"
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "axes": "YXS"}
    tifffile.imwrite(path, picture(side=side), bigtiff=True, ome=True, tile=(64, 64), photometric="rgb", metadata=size)
    return path


def png(folder: Path) -> Path:
    """Write a PNG."""
    path = folder / "picture.png"
    Image.fromarray(picture()).save(path, dpi=(2540, 2540))
    return path


def jpeg(folder: Path) -> Path:
    """Write a JPEG."""
    path = folder / "picture.jpg"
    Image.fromarray(picture()).save(path, quality=80)
    return path


def zarr_4(folder: Path) -> Path:
    """Write an OME-Zarr 0.4 of three channels, two levels."""
    return _ome_zarr(folder / "slide4.ome.zarr", zarr_format=2)


def zarr_5(folder: Path) -> Path:
    """Write an OME-Zarr 0.5 of three channels, two levels."""
    return _ome_zarr(folder / "slide5.ome.zarr", zarr_format=3)


def _ome_zarr(path: Path, *, zarr_format: Any) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    pixels = np.moveaxis(picture(), -1, 0)
    datasets = []
    for level, step in enumerate((1, 2)):
        some = pixels[:, ::step, ::step]
        array = group.create_array(str(level), shape=some.shape, chunks=(3, 32, 32), dtype=some.dtype)
        array[:] = some
        scale = {"type": "scale", "scale": [1.0, 0.5 * step, 0.5 * step]}
        datasets.append({"path": str(level), "coordinateTransformations": [scale]})
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    colours = zip("RGB", ("FF0000", "00FF00", "0000FF"), strict=True)
    omero = {"channels": [{"label": label, "color": colour} for label, colour in colours]}
    image = {"axes": axes, "datasets": datasets, "name": "made"}
    if zarr_format == 2:
        group.attrs.update({"multiscales": [image | {"version": "0.4"}], "omero": omero})
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [image], "omero": omero}
    return path
