"""Slides that slideio reads: Olympus VSI, Zeiss CZI."""

from __future__ import annotations

import re
import threading
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from diffuscope.errors import InputError
from diffuscope.scans.contents import Contents
from diffuscope.scans.guards.places import check_regular
from diffuscope.scans.guards.sizes import check_planes, check_size
from diffuscope.scans.physical import plausible
from diffuscope.scans.source import CHUNK_SIDE, Cache, Source, paste

_NAMES = {"VSI": "Olympus VSI", "CZI": "Zeiss CZI"}
_CONVERT = "convert it to OME-TIFF, e.g. with QuPath or bioformats2raw"
# Of a slide, that are looked at.
_SCENES = 256
# slideio says nowhere that several threads may read one slide.
_LOCK = threading.Lock()


class SlideioLevel(Source):
    """One level of a scene.

    Parameters
    ----------
    path, number : Path, int
        Of the slide, and of its scene.
    shape : tuple of int
        (height, width, channels) of the level.
    down : float
        Px of the finest level per px of this one.
    dtype : numpy.dtype
        Of a px's values.
    plane : int
        Of the focal plane.
    cache : Cache
        Where chunks are kept.
    """

    def __init__(
        self, path: Path, number: int, *, shape: tuple[int, int, int], down: float, dtype: Any, plane: int, cache: Cache
    ) -> None:
        check_size(path.name, *shape[:2])
        super().__init__(shape, dtype, (CHUNK_SIDE, CHUNK_SIDE))
        self._path, self._number, self._down, self._plane, self._cache = path, number, down, plane, cache

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """As in `Source`."""
        out = np.empty((y1 - y0, x1 - x0, self.shape[2]), self.dtype)
        height, width = self.chunks
        for top in range(y0 // height * height, y1, height):
            for left in range(x0 // width * width, x1, width):
                piece = self._cache.get((id(self), top, left), partial(self._chunk, top, left))
                paste(out, piece, top - y0, left - x0)
        return out

    def _chunk(self, top: int, left: int) -> np.ndarray:
        height, width = min(self.chunks[0], self.shape[0] - top), min(self.chunks[1], self.shape[1] - left)
        rect = tuple(round(side * self._down) for side in (left, top, width, height))
        try:
            with _LOCK:
                found = scene(self._path, self._number).read_block(
                    rect, size=(width, height), slices=(self._plane, self._plane + 1)
                )
        except Exception as error:  # slideio has RuntimeError for everything
            raise InputError(
                f"{self._path.name} holds px that slideio does not read ({_short(error)}): {_CONVERT}."
            ) from error
        return np.asarray(found, self.dtype).reshape(height, width, self.shape[2])


def scene(path: Path, number: int) -> Any:
    """Return an open scene; opened anew once the file changed."""
    return _scene(path, number, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _scene(path: Path, number: int, _changed: int) -> Any:
    return _slide(path).get_scene(number)


def _slide(path: Path) -> Any:
    import slideio

    return slideio.open_slide(str(path), path.suffix[1:].upper())


def read_by_slideio(path: Path) -> Contents:
    """Contents of a slide that slideio reads: its largest scene.

    Raises
    ------
    InputError
        slideio does not read it, or it holds no image.
    """
    check_regular(path, path.name, "its main file")
    files = _files(path)
    cache = Cache()
    try:
        with _LOCK:
            count, number, twin = _largest(path)
            one = scene(path, number)
            channels, planes, times = one.num_channels, one.num_z_slices, one.num_t_frames
            check_planes(path.name, channels)
            dtype = np.dtype(one.get_channel_data_type(0))
            names = tuple(str(one.get_channel_name(i)) for i in range(channels))
            (width, height), (x, y) = one.rect[2:], one.resolution
            downs = [1.0, *(1 / one.get_zoom_level_info(i).scale for i in range(1, one.num_zoom_levels))]
        levels: list[Source] = [
            SlideioLevel(
                path,
                number,
                shape=(max(1, round(height / down)), max(1, round(width / down)), channels),
                down=down,
                dtype=dtype,
                plane=planes // 2,
                cache=cache,
            )
            for down in sorted(downs)
        ]
        levels[0].read(0, 1, 0, 1)  # slideio says only then that it does not know a compression
    except InputError:
        raise
    except Exception as error:  # as above
        raise InputError(f"{path.name} cannot be read by slideio ({_short(error)}): {_CONVERT}.") from error
    told: tuple[str, ...] = ()
    if count > 1:
        told += (f"{path.name} holds {count} images (scenes); the largest is opened.",)
    if planes > 1:
        told += (f"{path.name} has {planes} focal planes (z), of which number {planes // 2 + 1} is taken.",)
    if times > 1:
        told += (f"{path.name} has {times} points in time, of which the first is taken.",)
    mpp = (y * 1e6, x * 1e6)
    rgb = channels == 3 and dtype == np.uint8 and len(set(names)) < 3
    return Contents(
        format=_NAMES[path.suffix[1:].upper()],
        levels=levels,
        mpp=mpp if all(plausible(side) for side in mpp) else None,
        rgb=rgb,
        channels=names if not rgb and len(set(names)) == len(names) and all(names) else (),
        notices=told,
        files=files,
        has_twin=twin,
    )


def _largest(path: Path) -> tuple[int, int, bool]:
    """Return how many scenes a slide has, the number of the largest, and whether there is another of its size."""
    slide = _slide(path)
    sizes = [slide.get_scene(number).rect[2:] for number in range(min(slide.num_scenes, _SCENES))]
    if not sizes:
        raise InputError(f"{path.name} holds no image that slideio reads: {_CONVERT}.")
    number = max(range(len(sizes)), key=lambda one: sizes[one][0] * sizes[one][1])
    return slide.num_scenes, number, sizes.count(sizes[number]) > 1


def _files(path: Path) -> tuple[Path, ...]:
    """Return the file, and of Olympus those that its pixels lie in, in the folder of its name."""
    folder = path.with_name(f"_{path.stem}_")
    if path.suffix.lower() != ".vsi":
        return (path,)
    found = sorted(folder.rglob("*.ets")) if folder.is_dir() and not folder.is_symlink() else []
    if not found:
        raise InputError(f"{path.name} lacks the folder {folder.name} that its pixels lie in: copy it too.")
    for other in found:
        check_regular(other, path.name, "a file")
    return (path, *found)


def _short(error: Exception) -> str:
    """Return what slideio says without where in its source it says so."""
    return re.sub(r"^.*\.cpp:\d+:\s*", "", str(error))[:120]
