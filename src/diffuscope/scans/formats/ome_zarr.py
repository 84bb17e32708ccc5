"""OME-Zarr 0.4 (zarr v2) and 0.5 (zarr v3): one multiscale image, its scale in µm, its channel names."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.errors import GroupNotFoundError

from diffuscope.errors import InputError
from diffuscope.scans.contents import Contents
from diffuscope.scans.formats.generated import check_is_no_volume, generated_notice
from diffuscope.scans.guards.places import inside
from diffuscope.scans.guards.presence import stored_chunks
from diffuscope.scans.guards.remote_store import RemoteStore
from diffuscope.scans.guards.sizes import check_planes, check_size
from diffuscope.scans.guards.zarr_store import GuardedStore
from diffuscope.scans.physical import micrometres
from diffuscope.scans.source import CHUNK_SIDE, Blank, Cache, Source

# Chunks whose sides are shorter are read several at a time: there would be too many of them.
_SHORT = 32
# Versions whose metadata say their axes in a way that is read.
_READ = ("0.3", "0.4", "0.5")
# What a result of our own has among its attributes; its chunks are looked over where it is opened as one.
_RESULT = "diffuscope"


class ZarrLevel(Source):
    """A zarr array whose axes are any of t, c, z, y, x as (y, x, c); t and z have one place only."""

    def __init__(self, array: zarr.Array[Any], axes: list[str], name: str, folder: Path | None) -> None:
        sizes = dict(zip(axes, array.shape, strict=True))
        check_size(name, sizes["y"], sizes["x"])
        check_planes(name, sizes.get("c", 1))
        chunks = dict(zip(axes, array.chunks, strict=True))
        sides = [side if side >= _SHORT else CHUNK_SIDE // side * side for side in (chunks["y"], chunks["x"])]
        super().__init__((sizes["y"], sizes["x"], sizes.get("c", 1)), array.dtype, (sides[0], sides[1]))
        self._array = array
        self._axes = axes
        self._name = name
        self._folder = folder
        self._channels = slice(None)

    def channel(self, number: int, cache: Cache) -> Source:  # noqa: ARG002  zarr keeps nothing
        """As in `Source`."""
        one = copy(self)
        one._channels = slice(number, number + 1)  # noqa: SLF001  a copy of its own
        one.shape = (*self.shape[:2], 1)
        return one

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """As in `Source`."""
        picks: dict[str, Any] = {"y": slice(y0, y1), "x": slice(x0, x1), "c": self._channels}
        try:
            pixels = np.asarray(self._array[tuple(picks.get(axis, 0) for axis in self._axes)])
        except InputError:
            raise
        except Exception as error:  # codecs raise what they like on a damaged chunk
            raise InputError(
                f"{self._name} has a chunk that cannot be read ({type(error).__name__}); copy or download it again."
            ) from error
        order = [axis for axis in self._axes if axis in picks]
        if "c" not in order:
            return pixels[..., np.newaxis] if order == ["y", "x"] else pixels.T[..., np.newaxis]
        return pixels.transpose([order.index(axis) for axis in "yxc"])

    def blank(self, y0: int, y1: int, x0: int, x1: int) -> float | None:
        """As in `Source`: chunks without a file."""
        if self._blank is None or not self._blank.is_blank(y0, y1, x0, x1):
            return None
        return float(self._array.fill_value or 0)

    @cached_property
    def stored(self) -> np.ndarray | None:
        """Which chunks, or shards, have a file, along the axes of the array; None where there are too many to look."""
        return None if self._folder is None else stored_chunks(self._array, self._folder)

    @cached_property
    def _blank(self) -> Blank | None:
        if self.stored is None:
            return None
        sides = dict(zip(self._axes, self._array.shards or self._array.chunks, strict=True))
        beside = tuple(i for i, axis in enumerate(self._axes) if axis not in "yx")
        there = np.asarray(self.stored.any(axis=beside))
        order = [axis for axis in self._axes if axis in "yx"]
        return Blank(there if order == ["y", "x"] else there.T, (sides["y"], sides["x"]))


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr group."""
    return any((path / name).is_file() for name in (".zgroup", ".zattrs", "zarr.json"))


def read_ome_zarr(path: Path) -> Contents:
    """Contents of an OME-Zarr folder: its first multiscale image.

    Raises
    ------
    InputError
        When the folder holds no such image, is damaged, is a stack or time series, or has links in it or chunks that
        are larger than it declares.
    """
    return read_store(GuardedStore(path), path.name, path)


def read_store(store: GuardedStore | RemoteStore, name: str, path: Path | None) -> Contents:
    """Contents of an OME-Zarr in a store that looks at what it reads; `path` is where it lies on this machine, if so.

    Raises
    ------
    InputError
        As `read_ome_zarr`.
    """
    try:
        group = zarr.open_group(store, mode="r")
        group, about = _image(group, name)
        return _contents(group, about, name, path, store)
    except InputError:
        raise
    except GroupNotFoundError as error:
        if path is None:
            raise InputError(
                f"no OME-Zarr was found at the address of {name}, or not everybody may read it: look at the address."
            ) from error
        raise InputError(f"{name} is a damaged OME-Zarr folder: it lacks .zgroup or zarr.json.") from error
    except Exception as error:  # zarr raises what it likes on damaged metadata: KeyError, JSONDecodeError, TypeError …
        told = " ".join(str(error).split())[:200]
        raise InputError(f"{name} is a damaged OME-Zarr folder ({type(error).__name__}: {told}).") from error


def _image(group: zarr.Group, name: str) -> tuple[zarr.Group, dict[str, Any]]:
    """The group with the multiscale image and its metadata; 0.5 keeps them under "ome"."""
    about = _metadata(group)
    if "multiscales" not in about and "bioformats2raw.layout" in about and "0" in group:
        inner = group["0"]
        if isinstance(inner, zarr.Group):
            group, about = inner, _metadata(inner)
    if not about.get("multiscales"):
        raise InputError(f"{name} is a zarr folder, but no OME-Zarr image: it has no multiscales metadata.")
    return group, about


def _metadata(group: zarr.Group) -> dict[str, Any]:
    attributes = dict(group.attrs)
    inner = attributes.get("ome")
    return inner if isinstance(inner, dict) else attributes


def _axes(image: dict[str, Any], name: str) -> list[str]:
    """Return the names of the axes, of a version that says them."""
    version = str(image.get("version") or "")
    if "axes" not in image:
        told = f"OME-Zarr {version}" if version else "an OME-Zarr that does not say its axes"
        raise InputError(f"{name} is {told}, which is not read: convert it to 0.4 or 0.5, e.g. with ome-zarr-py.")
    axes = [axis["name"] if isinstance(axis, dict) else str(axis) for axis in image["axes"]]
    if not {"y", "x"} <= set(axes) <= set("tczyx") or len(set(axes)) < len(axes):
        told = (
            f" and is OME-Zarr {version}, of which {', '.join(_READ)} are read" if version not in (*_READ, "") else ""
        )
        raise InputError(f"{name} has the axes {', '.join(axes)}{told}; a slide has y and x, and may have c.")
    return axes


def _contents(
    group: zarr.Group, about: dict[str, Any], name: str, path: Path | None, store: GuardedStore | RemoteStore
) -> Contents:
    image = about["multiscales"][0]
    axes, said = _axes(image, name), str(image.get("metadata", ""))
    levels: list[ZarrLevel] = []
    for dataset in image["datasets"]:
        folder = None if path is None else inside(path / group.path, str(dataset["path"]), name)
        array = group[dataset["path"]]
        if not isinstance(array, zarr.Array):
            raise InputError(f"{name} lists {dataset['path']} as an image, but it is none.")
        for axis, size in zip(axes, array.shape, strict=True):
            if axis in "tz" and size > 1:
                check_is_no_volume(said, name)
                raise InputError(f"{name} is a stack of {size} planes along {axis}; save one plane of it as an image.")
        if array.dtype.kind not in "uif":
            raise InputError(f"{name} has pixels of type {array.dtype}; save it as integers or floats.")
        store.declare(array)
        one = ZarrLevel(array, axes, name, folder)
        if not levels or one.shape[0] < levels[-1].shape[0]:
            levels.append(one)
    omero = about.get("omero") or {}
    channels = omero.get("channels") or []
    count = levels[0].shape[2]
    names = tuple(str(channel.get("label") or f"channel {i + 1}") for i, channel in enumerate(channels))
    version = "0.5" if group.metadata.zarr_format == 3 else "0.3" if image.get("version") == "0.3" else "0.4"
    return Contents(
        format=f"OME-Zarr {version}",
        levels=list(levels),
        mpp=_scale(image, axes),
        rgb=count == 3 and levels[0].dtype.kind == "u" and _colour(channels),
        channels=names if len(names) == count else (),
        notices=(
            *generated_notice(said, name),
            *(() if _RESULT in group.attrs else _missing(levels[0], name)),
        ),
    )


def _missing(level: ZarrLevel, name: str) -> tuple[str, ...]:
    """One sentence where chunks have no file: the format has it for empty, and a copy that lost them looks the same."""
    if level.stored is None or level.stored.all():
        return ()
    lost, every = int((~level.stored).sum()), level.stored.size
    told = f"{name} has no file for {lost} of the {every} chunks of its finest level"
    return (f"{told}: they are taken as empty, as the format says; copy it again if they should not be.",)


def _scale(image: dict[str, Any], axes: list[str]) -> tuple[float, float] | None:
    """(y, x) µm per pixel of the first dataset; None where the axes have no unit of length."""
    factors = [1.0] * len(axes)
    for transforms in (image["datasets"][0], image):  # the image's own transformation applies to every dataset
        for one in transforms.get("coordinateTransformations") or []:
            if one.get("type") == "scale":
                factors = [a * float(b) for a, b in zip(factors, one["scale"], strict=True)]
    sizes = []
    for axis in "yx":
        about = image["axes"][axes.index(axis)]
        size = micrometres(factors[axes.index(axis)], about.get("unit") if isinstance(about, dict) else None)
        if size is None:
            return None
        sizes.append(size)
    return sizes[0], sizes[1]


def _colour(channels: list[dict[str, Any]]) -> bool:
    """Whether three channels are red, green and blue of one picture: no word on them, or just that word.

    Three stains of a fluorescence image are also shown in red, green and blue, but hardly in this order and under
    these names, which is what writers of brightfield images give.
    """
    if not channels:
        return True
    colours = [str(channel.get("color", "")).upper() for channel in channels]
    labels = [str(channel.get("label", "")).strip().lower() for channel in channels]
    plain = labels in (["red", "green", "blue"], ["r", "g", "b"]) or all(
        not label or label.replace("channel", "").strip(" :_-").isdigit() for label in labels
    )
    return plain and colours in (["FF0000", "00FF00", "0000FF"], ["", "", ""])
