"""What `written` times: a picture as a result has it, and the two writers; as a program, one of them."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import tifffile
import zarr

from diffuscope.exports import ome_tiff
from diffuscope.exports.request import Request
from diffuscope.ports.raster import Raster
from diffuscope.results.layout import create_images, open_images
from diffuscope.results.opening.stored import lazy
from diffuscope.results.pyramid import update_pyramid
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan
from diffuscope.tiling.boxes import CHUNK

MPP = 0.5
_PORT = Raster(name="virtual", key="ihc", kind="rgb", channels=("R", "G", "B"), mpp=MPP, range=(0.0, 255.0))
_PART = 1280


def write_levels(path: Path, side: int) -> None:
    """Write the pyramid of a square picture, nearly all tissue, a band of 1280 rows at a time."""
    part = open_scan(sample_path("CMU-1-Small-Region.svs")).sources[0].read(1536, 1536 + _PART, 512, 512 + _PART)
    band = np.tile(np.concatenate([part, part[:, ::-1]], axis=1), (1, -(-side // (2 * _PART)), 1))[:, :side]
    root = zarr.create_group(store=path, zarr_format=2)
    levels = create_images(root, (_PORT,), shape=(side, side), spacing=(MPP, MPP), origin=(0.0, 0.0))["ihc"]
    for y in range(0, side, _PART):
        rows = min(_PART, side - y)
        levels[0][:, y : y + rows] = np.moveaxis(band[:rows], -1, 0)
        update_pyramid(
            levels, {(i, j) for i in range(y // CHUNK, -(-(y + rows) // CHUNK)) for j in range(-(-side // CHUNK))}
        )


def request_of(path: Path) -> Request:
    """Return what is to be written: a result as far as the writer asks for it."""
    arrays = open_images(zarr.open_group(path, mode="r", zarr_format=2), (_PORT,))["ihc"]
    levels = [lazy(array) for array in arrays]
    result: Any = SimpleNamespace(
        images={"ihc": levels},
        mpp=MPP,
        window=(0, 0, *levels[0].shape[:2]),
        complete=True,
        done=1,
        tiles=1,
        record={},
        path=path,
        ports=(_PORT,),
    )
    return Request(result=result, ports=(_PORT,))


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(start: tuple[float, float]) -> tuple[float, float]:
    return time.perf_counter() - start[0], time.process_time() - start[1]


def ours(levels: Path, out: Path) -> tuple[float, float]:
    """Write by the exporter; return the seconds, and those of processors."""
    request, start = request_of(levels), _now()
    ome_tiff.write(out, request)
    return _since(start)


def write_arrays(levels: Path, folder: Path) -> list[Path]:
    """Write the px of each level as an array in a file, for who reads no result; return the files."""
    files = []
    for number, level in enumerate(request_of(levels).result.images["ihc"]):
        files.append(folder / f"{number}.npy")
        array = np.lib.format.open_memmap(files[-1], mode="w+", dtype=level.dtype, shape=level.shape)
        for y in range(0, level.shape[0], _PART):
            array[y : y + _PART] = level[y : y + _PART].compute(scheduler="synchronous")
    return files


def plain(files: list[Path], out: Path) -> tuple[float, float]:
    """Write by tifffile alone, from arrays in mapped files; return the seconds, and those of processors."""
    arrays = [np.load(file, mmap_mode="r") for file in files]
    start = _now()
    with tifffile.TiffWriter(out, bigtiff=True) as file:
        for number, pixels in enumerate(arrays):
            file.write(
                pixels, photometric="rgb", tile=(256, 256), compression="adobe_deflate", predictor=True,
                subifds=0 if number else len(arrays) - 1, subfiletype=1 if number else 0, metadata=None,
            )  # fmt: skip
    return _since(start)


if __name__ == "__main__":
    ours(Path(sys.argv[1]), Path(sys.argv[2]))
    # What getrusage tells counts the parent from which this process was split off.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) / 1024)
