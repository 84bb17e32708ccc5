"""Slides that OpenSlide reads: MIRAX, Hamamatsu VMS, Ventana BIF, whose tiles overlap or lie in several files."""

from __future__ import annotations

import re
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffuscope.errors import InputError
from diffuscope.scans.contents import Contents
from diffuscope.scans.formats.libraries import EXTRA_OF_SLIDES, OF_OPENSLIDE, check_libraries
from diffuscope.scans.guards.places import check_regular, inside
from diffuscope.scans.guards.sizes import PICTURE, check_size
from diffuscope.scans.physical import plausible
from diffuscope.scans.source import CHUNK_SIDE, Cache, Source, over_white, paste

if TYPE_CHECKING:
    from openslide import OpenSlide

_NAMES = {"mirax": "MIRAX", "hamamatsu": "Hamamatsu VMS", "ventana": "Ventana BIF"}
_ASSOCIATED = ("label", "macro", "thumbnail")
# Names of files in the tables of MIRAX and VMS: FILE_0 = Data0000.dat, ImageFile(1,0)=slide.jpg.
_NAMED = re.compile(rb"^\s*(?:FILE_\d+|INDEXFILE|\w*File(?:\([\d,]+\))?)\s*=\s*(\S.*?)\s*$", re.MULTILINE)
_TABLE, _FILES = 2**22, 4096


class OpenSlideLevel(Source):
    """One level, red, green and blue; what was not scanned is white.

    Parameters
    ----------
    path : Path
        Of the slide.
    number : int
        Of the level.
    bounds : tuple of int
        (y, x, height, width) of what was scanned, px of the finest level.
    cache : Cache
        Where chunks are kept.
    """

    def __init__(self, path: Path, number: int, bounds: tuple[int, int, int, int], cache: Cache) -> None:
        slide = opened(path)
        self._path, self._number, self._cache = path, number, cache
        self._down = float(slide.level_downsamples[number])
        self._origin = bounds[:2]
        height, width = (max(1, round(side / self._down)) for side in bounds[2:])
        check_size(path.name, height, width)
        super().__init__((height, width, 3), np.uint8, (CHUNK_SIDE, CHUNK_SIDE))

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """As in `Source`."""
        out = np.empty((y1 - y0, x1 - x0, 3), np.uint8)
        height, width = self.chunks
        for top in range(y0 // height * height, y1, height):
            for left in range(x0 // width * width, x1, width):
                piece = self._cache.get((id(self), top, left), partial(self._chunk, top, left))
                paste(out, piece, top - y0, left - x0)
        return out

    def _chunk(self, top: int, left: int) -> np.ndarray:
        height, width = min(self.chunks[0], self.shape[0] - top), min(self.chunks[1], self.shape[1] - left)
        y, x = (start + round(at * self._down) for start, at in zip(self._origin, (top, left), strict=True))
        try:
            found = opened(self._path).read_region((x, y), self._number, (width, height))
        except Exception as error:  # OpenSlide, and Pillow behind it, have errors of their own
            raise InputError(
                f"{self._path.name} has a tile that cannot be read ({error}); copy or download it again."
            ) from error
        return over_white(np.asarray(found))


class Associated(Source):
    """A label, macro or thumbnail, read when it is asked for."""

    def __init__(self, path: Path, key: str, size: tuple[int, int]) -> None:
        self._path, self._key = path, key
        super().__init__((size[1], size[0], 3), np.uint8, (size[1], size[0]))

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """As in `Source`."""
        return over_white(np.asarray(opened(self._path).associated_images[self._key]))[y0:y1, x0:x1]


def opened(path: Path) -> OpenSlide:
    """Return an open slide, which OpenSlide reads from several threads at once; opened anew once the file changed."""
    return _opened(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _opened(path: Path, _changed: int) -> OpenSlide:
    from openslide import OpenSlide

    return OpenSlide(path)


def read_by_openslide(path: Path) -> Contents:
    """Contents of a slide that OpenSlide reads: its levels, cut to what was scanned, as QuPath cuts them.

    Raises
    ------
    InputError
        OpenSlide is not installed or does not read it, or it names files outside of its folder.
    """
    check_libraries(path.name, "a slide that OpenSlide reads", OF_OPENSLIDE, EXTRA_OF_SLIDES)
    files = _files(path)
    try:
        slide = opened(path)
        said: dict[str, Any] = dict(slide.properties)
        cache = Cache()
        height, width = slide.dimensions[::-1]
        check_size(path.name, height, width)
        bounds = (
            _whole(said, "bounds-y", 0),
            _whole(said, "bounds-x", 0),
            _whole(said, "bounds-height", height),
            _whole(said, "bounds-width", width),
        )
        levels: list[Source] = [OpenSlideLevel(path, number, bounds, cache) for number in range(slide.level_count)]
        beside = _associated(path, said)
    except InputError:
        raise
    except Exception as error:  # as above
        raise InputError(f"{path.name} cannot be read by OpenSlide ({error}); copy or download it again.") from error
    kind = said.get("openslide.vendor", "")
    notices: tuple[str, ...] = ()
    if (planes := int(said.get("hamamatsu.NoLayers") or 1)) > 1:
        notices += (f"{path.name} has {planes} focal planes (z), of which the first is taken.",)
    if "openslide.icc-size" in said:
        notices += (
            f"{path.name} has an ICC colour profile, which is not applied: its colours are taken as they are stored.",
        )
    if bounds[2:] != (height, width):
        notices += (f"{path.name} is taken as far as it was scanned, from {bounds[1]}, {bounds[0]} px on.",)
    sizes = [_number(said, f"openslide.mpp-{axis}") for axis in "yx"]
    return Contents(
        format=_NAMES.get(kind, f"OpenSlide {kind}"),
        levels=levels,
        mpp=(sizes[0], sizes[1]) if all(plausible(size) for size in sizes) else None,
        rgb=True,
        notices=notices,
        associated=beside,
        files=files,
    )


def _associated(path: Path, said: dict[str, Any]) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for key in _ASSOCIATED:
        size = tuple(int(said.get(f"openslide.associated.{key}.{side}", 0)) for side in ("width", "height"))
        if min(size) > 0 and 4 * size[0] * size[1] <= PICTURE:
            found[key] = Associated(path, key, (size[0], size[1]))
    return found


def _whole(said: dict[str, Any], key: str, otherwise: int) -> int:
    return int(said.get(f"openslide.{key}", otherwise))


def _number(said: dict[str, Any], key: str) -> float:
    try:
        return float(said.get(key, 0))
    except ValueError:
        return 0.0


def _files(path: Path) -> tuple[Path, ...]:
    """Return the files that a slide lies in: itself, and those that it names, in its folder and no links.

    Raises
    ------
    InputError
        One is none of those.
    """
    check_regular(path, path.name, "its main file")
    ending = path.suffix.lower()
    if ending == ".mrxs":
        folder = path.with_suffix("")
        table = folder / "Slidedat.ini"
    elif ending in (".vms", ".vmu"):
        folder, table = path.parent, path
    else:
        return (path,)
    if folder.is_symlink() or not table.is_file():
        raise InputError(
            f"{path.name} lacks the files that its pixels lie in ({table.name} in {folder.name}): copy them too."
        )
    check_regular(table, path.name, "a table")
    with table.open("rb") as file:
        text = file.read(_TABLE + 1)
    named = sorted({one.decode("utf-8", "replace") for one in _NAMED.findall(text)})
    if len(text) > _TABLE or len(named) > _FILES:
        raise InputError(f"{path.name} names more files than any slide has; copy or download it again.")
    found = [path, table]
    for name in named:
        other = inside(folder, name, path.name)
        if other.exists():  # OpenSlide says what it misses
            check_regular(other, path.name, "a file")
            found.append(other)
    return tuple(dict.fromkeys(found))
