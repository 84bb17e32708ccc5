"""What a system told of each tile at each network evaluation, kept beside the images of a result.

One zarr array a value, (*grid of tiles, evaluations), of one chunk that is not coded: its file is the array itself, so
that a tile is written into its place. That changes nothing when it is done twice, or in another order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.files.durable import names_to_disk, replacing
from diffuscope.ports.numbers import Value
from diffuscope.results.ledger import checksum

if TYPE_CHECKING:
    from diffuscope.tiling.plan import Plan

PATH = "values"


@dataclass(frozen=True, kw_only=True)
class TileValues:
    """The values of a result.

    Attributes
    ----------
    path : Path
        Their folder in the result.
    values : tuple of Value
        What they are.
    corner : tuple of int
        First px of the grid's first tile on the canvas, px of the canvas; may be negative.
    stride, tile : tuple of int
        Distance of the tiles, and their lengths, px of the canvas.
    """

    path: Path
    values: tuple[Value, ...]
    corner: tuple[int, ...]
    stride: tuple[int, ...]
    tile: tuple[int, ...]

    @property
    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """By key, float32 (*grid, evaluations), the grid along (y, x) or (z, y, x); NaN where no tile was computed.

        Read from disk at each look, so that a result being written is seen to grow; empty before the first tile.
        """
        group: Any = zarr.open_group(self.path, mode="r", zarr_format=2)
        return {value.key: np.asarray(group[value.key][:]) for value in self.values if value.key in group}

    def rows(self) -> Iterator[dict[str, float]]:
        """Yield a row for each computed tile and evaluation: its first px by axis, ``step`` from 1, and the values."""
        arrays = self.arrays
        if not arrays:
            return
        told = np.stack(list(arrays.values()), axis=-1)
        axes = ("z", "y", "x")[-len(self.stride) :]
        for *slot, step in np.argwhere(~np.isnan(told).all(axis=-1)).tolist():
            place = (c + i * s for c, i, s in zip(self.corner, slot, self.stride, strict=True))
            row: dict[str, float] = dict(zip(axes, place, strict=True))
            yield row | {"step": step + 1} | dict(zip(arrays, told[*slot, step].tolist(), strict=True))


class ValueStore:
    """Writes the values of a result that is being computed.

    Parameters
    ----------
    root : zarr.Group
        The result.
    values : sequence of Value
        What the system declares; nothing is written where there is none.
    plan : Plan
        What is computed.
    """

    def __init__(self, root: zarr.Group, values: Sequence[Value], plan: Plan) -> None:
        self._values, self._grid = tuple(values), plan.selected.shape
        if not self._values:
            return
        self._group = root.require_group(PATH)
        starts = plan.window[: len(plan.axes)]
        strides = [axis.stride for axis in plan.axes]
        self._group.attrs.update(
            {
                "values": [asdict(value) for value in self._values],
                "corner": [i * s - start for i, s, start in zip(plan.first, strides, starts, strict=True)],
                "stride": strides,
                "tile": list(plan.shape),
            }
        )

    def write(self, group: Sequence[tuple[tuple[int, ...], Mapping[str, NDArray[np.float32]]]]) -> list[int]:
        """Write the values of tiles, by slot, (evaluations,) by key; they are on disk when this returns.

        Returns
        -------
        list of int
            Of each tile the checksum, as `checksum` finds it again.
        """
        told: list[list[bytes]] = [[] for _ in group]
        for value in self._values if group else ():
            rows = [(slot, np.ascontiguousarray(of_tile[value.key], "<f4")) for slot, of_tile in group]
            for pieces, (_, row) in zip(told, rows, strict=True):
                pieces.append(row.tobytes())
            with self._file(value.key, len(rows[0][1])).open("r+b") as opened:
                for slot, row in rows:
                    opened.seek(int(np.ravel_multi_index(slot, self._grid)) * row.nbytes)
                    opened.write(row.tobytes())
                opened.flush()
                os.fsync(opened.fileno())
        return [checksum(*pieces) for pieces in told]

    def checksum(self, slot: tuple[int, ...]) -> int:
        """Return the checksum of what was told of a tile; of arrays that `is_sound` finds whole."""
        pieces = []
        for value in self._values:
            array: Any = self._group.get(value.key)
            if array is not None:
                size = 4 * array.shape[-1]
                with _chunk(array).open("rb") as opened:
                    opened.seek(int(np.ravel_multi_index(slot, self._grid)) * size)
                    pieces.append(opened.read(size))
        return checksum(*pieces)

    def is_sound(self) -> bool:
        """Whether every array that was begun has a file of its size."""
        arrays = [self._group[value.key] for value in self._values if value.key in self._group]
        return all(_is_whole(array) for array in arrays if isinstance(array, zarr.Array))

    def _file(self, key: str, evaluations: int) -> Path:
        """Return the file of an array, made before its first tile."""
        array: Any = self._group.get(key)
        shape = (*self._grid, evaluations)
        if array is None:
            array = self._group.create_array(
                key,
                shape=shape,
                chunks=shape,
                dtype="<f4",
                compressors=None,
                fill_value=float("nan"),
                chunk_key_encoding={"name": "v2", "separator": "/"},
            )
        file = _chunk(array)
        if not _is_whole(array):
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as opened:
                opened.write(np.full(shape, np.nan, "<f4").tobytes())
            names_to_disk(file.parent)
        return file


def load_values(root: zarr.Group) -> TileValues | None:
    """Read what `ValueStore` wrote; None where a result has no values."""
    if PATH not in root:
        return None
    group: Any = root[PATH]
    about: dict[str, Any] = dict(group.attrs)
    values = tuple(Value(**{**value, "range": tuple(value["range"])}) for value in about["values"])
    grid = {name: tuple(about[name]) for name in ("corner", "stride", "tile")}
    if (
        not all(type(number) is int for numbers in grid.values() for number in numbers)
        or len(set(map(len, grid.values()))) > 1
    ):
        raise ValueError("the grid of its values is no grid")
    for array in (group[value.key] for value in values if value.key in group):
        if array.dtype != np.float32 or array.chunks != array.shape or array.ndim != len(grid["tile"]) + 1:
            raise ValueError(f"{array.path} holds no values of tiles")
        if array.nbytes > 16 * 2**30 or (_chunk(array).exists() and not _is_whole(array)):
            raise ValueError(f"{array.path} is not of its size")
    return TileValues(path=Path(group.store.root) / group.path, values=values, **grid)


def _chunk(array: zarr.Array[Any]) -> Path:
    return Path(array.store.root).joinpath(array.path, *("0" for _ in array.shape))  # type: ignore[attr-defined]


def _is_whole(array: zarr.Array[Any]) -> bool:
    file = _chunk(array)
    return file.is_file() and file.stat().st_size == 4 * int(np.prod(array.shape))
