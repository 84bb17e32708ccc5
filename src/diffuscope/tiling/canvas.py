"""The canvas: finished tiles go in, blended pixels come out on disk, in any order and with the same result."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import zarr
from numpy.typing import NDArray

from diffuscope.tiling.blending import cell_weights
from diffuscope.tiling.layout import ATTRS, CHUNK, FORMAT, create_images
from diffuscope.tiling.plan import Plan, Tile
from diffuscope.tiling.pyramid import update_pyramid

if TYPE_CHECKING:
    from diffuscope.systems.ports import Port

Box = tuple[int, int, int, int]


class Canvas:
    """An OME-Zarr result folder being filled.

    A finished tile is first kept whole, in float32, in the folder ``tiles``. A grid cell is composed
    from the (at most four) tiles that reach into it once the last of them is there, summed in tile
    order and rounded once; nothing is ever added to pixels on disk, so that neither the order of
    tiles nor doing one twice changes a bit.

    Parameters
    ----------
    path : Path
        Result folder; must not exist.
    plan : Plan
        What is computed.
    ports : sequence of Port
        Output ports, the main one first.
    mpp : float
        µm per canvas px (the slide's µm/px times the plan's factor).
    record : dict
        Run record, JSON.
    """

    def __init__(self, path: Path, *, plan: Plan, ports: Sequence[Port], mpp: float, record: Mapping[str, Any]) -> None:
        self.path, self.plan, self.ports = path, plan, tuple(ports)
        y, x, height, width = plan.window
        # Centre of a canvas px of `factor` level-0 px, from the centre of the first level-0 px.
        slide_mpp = mpp / plan.factor
        origin = tuple((edge + 0.5) * mpp - 0.5 * slide_mpp for edge in (y, x))
        path.mkdir()
        self._tiles = path / "tiles"
        self._tiles.mkdir()
        self.root = zarr.create_group(store=path, zarr_format=2)
        self.images = create_images(
            self.root, self.ports, height=height, width=width, mpp=mpp, origin=(origin[0], origin[1])
        )
        self.done = np.zeros_like(plan.wanted)
        self._stale: set[tuple[int, int]] = set()
        self._about = {
            "version": FORMAT,
            "tiles": plan.count,
            "ports": [asdict(port) for port in self.ports],
            "window": list(plan.window),
            "factor": plan.factor,
            "mpp": mpp,
            "level0_origin_px": [y * plan.factor, x * plan.factor],
            "origin_um": list(origin),
            "record": dict(record),
        }
        self._mark(complete=False)

    @property
    def count(self) -> int:
        """Number of finished tiles."""
        return int(self.done.sum())

    def write_tile(self, tile: Tile, outputs: Mapping[str, NDArray[np.float32]]) -> Box:
        """Keep a finished tile and compose every cell that waited for it.

        Parameters
        ----------
        tile : Tile
            Its place in the plan.
        outputs : mapping of str to ndarray (c, tile, tile)
            By port key, float32, in the port's physical range.

        Returns
        -------
        tuple of int
            (y, x, height, width) on the canvas of what was written; zero size if nothing could be yet.
        """
        if self._is_done(tile) and not self._file(tile).exists():
            return (0, 0, 0, 0)  # done before, composed and let go
        stacked = np.concatenate([np.asarray(outputs[port.key], np.float32) for port in self.ports])
        part = self._tiles / "part"
        with part.open("wb") as file:
            np.save(file, stacked)
        part.replace(self._file(tile))
        self._set_done(tile)
        # A cell whose tiles are not all kept any more is composed already, and this tile is being done again.
        ready = [cell for cell in self.plan.cells(tile) if self._is_whole(cell) and self._is_kept(cell)]
        box = _union([self._compose(cell) for cell in ready])
        for near in {near for cell in ready for near in self.plan.covering(cell)}:
            if all(self._is_whole(cell) for cell in self.plan.cells(near)):
                self._file(near).unlink()
        return box

    def refresh(self) -> None:
        """Bring coarser levels and the count of finished tiles up to date on disk."""
        for levels in self.images.values():
            update_pyramid(levels, self._stale)
        self._stale.clear()
        self._mark(complete=False)

    def finish(self) -> bool:
        """Compose what waits for tiles that will not come, finish the pyramid and the metadata.

        Returns
        -------
        bool
            Whether every planned tile is there.
        """
        complete = self.count == self.plan.count
        kept = [self.plan.at(*map(int, file.stem.split("_"))) for file in self._tiles.glob("*_*.npy")]
        if complete and kept:
            raise AssertionError(f"every tile is finished, but not every cell of {kept[0]} is composed")
        for cell in sorted({cell for tile in kept for cell in self.plan.cells(tile)}):
            if not self._is_whole(cell):
                self._compose(cell)
        self.refresh()
        self._mark(complete=complete)
        shutil.rmtree(self._tiles)
        return complete

    def _compose(self, cell: tuple[int, int]) -> Box:
        """Blend the finished tiles of a cell, write its pixels, return its box on the canvas."""
        plan, stride, (iy, ix) = self.plan, self.plan.stride, cell
        y, x, height, width = plan.cell_box(cell)
        near = [tile for tile in plan.covering(cell) if self._is_done(tile)]
        canvas_box = (y - plan.window[0], x - plan.window[1], height, width)
        if not near or not height or not width:
            return (*canvas_box[:2], 0, 0)
        weights, covered = cell_weights(stride, plan.overlap, tuple((iy - t.iy, ix - t.ix) for t in near))
        total = np.zeros((sum(len(port.channels) for port in self.ports), stride, stride), np.float32)
        for tile, weight in zip(near, weights, strict=True):
            # A tile before this cell reaches into it by the overlap only.
            rows = stride if tile.iy == iy else plan.overlap
            columns = stride if tile.ix == ix else plan.overlap
            top, left = (iy - tile.iy) * stride, (ix - tile.ix) * stride
            pixels = np.load(self._file(tile), mmap_mode="r")[:, top : top + rows, left : left + columns]
            total[:, :rows, :columns] += weight[:rows, :columns] * pixels
        inner = (slice(y - iy * stride, y - iy * stride + height), slice(x - ix * stride, x - ix * stride + width))
        keep = covered[inner]
        if plan.polygon is not None:
            columns_x, rows_y = np.meshgrid(x + np.arange(width) + 0.5, y + np.arange(height) + 0.5)
            keep = keep & shapely.contains_xy(plan.polygon, columns_x, rows_y)
        self._write(total[:, *inner], keep, canvas_box)
        return canvas_box

    def _write(self, total: NDArray[np.float32], keep: NDArray[np.bool_], box: Box) -> None:
        """Round once, fill what nothing covers, write one box of every output."""
        y, x, height, width = box
        start = 0
        for port in self.ports:
            stop = start + len(port.channels)
            block = np.where(keep, to_stored(total[start:stop], port), np.asarray(port.fill, port.dtype))
            self.images[port.key][0][:, y : y + height, x : x + width] = block
            start = stop
        for cy in range(y // CHUNK, (y + height - 1) // CHUNK + 1):
            for cx in range(x // CHUNK, (x + width - 1) // CHUNK + 1):
                self._stale.add((cy, cx))

    def _mark(self, *, complete: bool) -> None:
        about: dict[str, Any] = {**self._about, "complete": complete, "done": self.count}
        self.root.attrs[ATTRS] = about

    def _file(self, tile: Tile) -> Path:
        return self._tiles / f"{tile.iy}_{tile.ix}.npy"

    def _is_whole(self, cell: tuple[int, int]) -> bool:
        return all(self._is_done(tile) for tile in self.plan.covering(cell))

    def _is_kept(self, cell: tuple[int, int]) -> bool:
        return all(self._file(tile).exists() for tile in self.plan.covering(cell))

    def _is_done(self, tile: Tile) -> bool:
        return bool(self.done[tile.iy - self.plan.first[0], tile.ix - self.plan.first[1]])

    def _set_done(self, tile: Tile) -> None:
        self.done[tile.iy - self.plan.first[0], tile.ix - self.plan.first[1]] = True


def to_stored(values: NDArray[np.floating], port: Port) -> NDArray[np.generic]:
    """Return physical values in the port's stored type, integers rounded to nearest and clipped."""
    if port.dtype == "float32":
        return np.asarray(values, np.float32)
    limits = np.iinfo(port.dtype)
    return np.asarray(np.clip(np.rint(values), limits.min, limits.max), port.dtype)


def _union(boxes: Sequence[Box]) -> Box:
    """Return the smallest box around the non-empty ones."""
    full = [box for box in boxes if box[2] and box[3]]
    if not full:
        return (0, 0, 0, 0)
    y, x = min(box[0] for box in full), min(box[1] for box in full)
    bottom, right = max(box[0] + box[2] for box in full), max(box[1] + box[3] for box in full)
    return (y, x, bottom - y, right - x)
