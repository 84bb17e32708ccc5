"""The canvas: finished tiles go in, blended pixels come out on disk, in any order and with the same result."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import zarr
from numpy.typing import NDArray

from diffuscope.tiling.blending import cell_weights
from diffuscope.tiling.layout import ATTRS, CHUNK, FORMAT, chunk_file, create_images, open_images
from diffuscope.tiling.ledger import Ledger
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

    A run may end at any moment. A tile is in the ledger once it is kept, and is let go only when all its
    cells are composed and on disk; so whoever opens the folder again knows what is done, and composes
    again what may not have been.

    Parameters
    ----------
    path : Path
        Result folder; must not exist, unless `resume`.
    plan : Plan
        What is computed.
    ports : sequence of Port
        Output ports, the main one first.
    mpp : float
        µm per canvas px (the slide's µm/px times the plan's factor).
    record : dict
        Run record, JSON.
    resume : bool
        Go on with the unfinished result in `path`, which was begun with the same plan and ports; what is
        done stays done.
    """

    def __init__(
        self,
        path: Path,
        *,
        plan: Plan,
        ports: Sequence[Port],
        mpp: float,
        record: Mapping[str, Any],
        resume: bool = False,
    ) -> None:
        self.path, self.plan, self.ports = path, plan, tuple(ports)
        self._tiles = path / "tiles"
        self._ledger = Ledger(self._tiles / "ledger")
        self.done = np.zeros_like(plan.wanted)
        self._stale: set[tuple[int, int]] = set()
        if resume:
            self.root = zarr.open_group(path, mode="r+", zarr_format=2)
            self.images = open_images(self.root, self.ports)
            begun: Any = self.root.attrs[ATTRS]
            self._about: dict[str, Any] = {**begun, "record": dict(record)}
            self._recover()
            return
        y, x, height, width = plan.window
        # Centre of a canvas px of `factor` level-0 px, from the centre of the first level-0 px.
        slide_mpp = mpp / plan.factor
        origin = tuple((edge + 0.5) * mpp - 0.5 * slide_mpp for edge in (y, x))
        path.mkdir()
        self._tiles.mkdir()
        self.root = zarr.create_group(store=path, zarr_format=2)
        self.images = create_images(
            self.root, self.ports, height=height, width=width, mpp=mpp, origin=(origin[0], origin[1])
        )
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
        if self.is_done(tile) and not self._file(tile).exists():
            return (0, 0, 0, 0)  # done before, composed and let go
        stacked = np.concatenate([np.asarray(outputs[port.key], np.float32) for port in self.ports])
        part = self._tiles / "part"
        with part.open("wb") as file:
            np.save(file, stacked)
        part.replace(self._file(tile))
        _to_disk(self._file(tile))
        self._ledger.enter(tile.iy, tile.ix)
        self._set_done(tile)
        # A cell whose tiles are not all kept any more is composed already, and this tile is being done again.
        ready = [cell for cell in self.plan.cells(tile) if self._is_whole(cell) and self._is_kept(cell)]
        boxes = [self._compose(cell) for cell in ready]
        self._let_go({near for cell in ready for near in self.plan.covering(cell)}, boxes)
        return _union(boxes)

    def refresh(self) -> None:
        """Bring coarser levels and the count of finished tiles up to date on disk."""
        for levels in self.images.values():
            update_pyramid(levels, self._stale)
        self._stale.clear()
        self._mark(complete=False)

    def amend_batch(self, batch: int) -> None:
        """Note in the record that the batch has another size from here on: such a result is not repeated to the bit."""
        record = self._about["record"]
        compute = record["compute"]
        sizes = [*compute.get("batches", [compute["batch"]]), batch]
        self._about["record"] = {**record, "compute": {**compute, "batch": batch, "batches": sizes}}

    def finish(self) -> bool:
        """Finish the pyramid and the metadata; where tiles are missing, compose what waits for them without.

        The kept tiles of an incomplete result stay, for `resume`.

        Returns
        -------
        bool
            Whether every planned tile is there.
        """
        complete = self.count == self.plan.count
        kept = self._kept()
        if complete and kept:
            raise AssertionError(f"every tile is finished, but not every cell of {kept[0]} is composed")
        for cell in sorted({cell for tile in kept for cell in self.plan.cells(tile)}):
            if not self._is_whole(cell):
                self._compose(cell)
        self.refresh()
        self._mark(complete=complete)
        if complete:
            shutil.rmtree(self._tiles)
        return complete

    def _recover(self) -> None:
        """Learn what is done from the disk, and do again what may have been under way when the run ended."""
        for iy, ix in self._ledger:
            if self.plan.is_wanted(iy, ix):
                self._set_done(self.plan.at(iy, ix))
        kept = self._kept()
        for tile in kept:
            # kept, but not entered any more
            if not self.is_done(tile):
                self._ledger.enter(tile.iy, tile.ix)
                self._set_done(tile)
        cells = {cell for tile in kept for cell in self.plan.cells(tile)}
        boxes = [self._compose(cell) for cell in sorted(cells) if self._is_whole(cell) and self._is_kept(cell)]
        self._let_go(kept, boxes)
        # Which coarser pixels were stale is forgotten: all are made again, a row of tiles at a time.
        for row, done in enumerate(self.done):
            for column in np.flatnonzero(done):
                for cell in self.plan.cells(self.plan.at(self.plan.first[0] + row, self.plan.first[1] + int(column))):
                    self._touch(self._canvas_box(cell))
            self.refresh()

    def _let_go(self, tiles: Iterable[Tile], boxes: Iterable[Box]) -> None:
        """Delete kept tiles whose cells are all composed, after what was composed is safe on disk."""
        free = [tile for tile in tiles if all(self._is_whole(cell) for cell in self.plan.cells(tile))]
        if free:
            for cy, cx in {chunk for box in boxes for chunk in _chunks(box)}:
                for levels in self.images.values():
                    _to_disk(chunk_file(levels[0], cy, cx))
        for tile in free:
            self._file(tile).unlink(missing_ok=True)

    def _kept(self) -> list[Tile]:
        """Return the tiles that lie in the folder: those in flight and at the edge of what is done."""
        return [self.plan.at(*map(int, file.stem.split("_"))) for file in self._tiles.glob("*_*.npy")]

    def _compose(self, cell: tuple[int, int]) -> Box:
        """Blend the finished tiles of a cell, write its pixels, return its box on the canvas."""
        plan, stride, (iy, ix) = self.plan, self.plan.stride, cell
        y, x, height, width = plan.cell_box(cell)
        near = [tile for tile in plan.covering(cell) if self.is_done(tile)]
        canvas_box = self._canvas_box(cell)
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
        self._touch(box)

    def _canvas_box(self, cell: tuple[int, int]) -> Box:
        y, x, height, width = self.plan.cell_box(cell)
        return (y - self.plan.window[0], x - self.plan.window[1], height, width)

    def _touch(self, box: Box) -> None:
        self._stale.update(_chunks(box))

    def _mark(self, *, complete: bool) -> None:
        about: dict[str, Any] = {**self._about, "complete": complete, "done": self.count}
        self.root.attrs[ATTRS] = about

    def _file(self, tile: Tile) -> Path:
        return self._tiles / f"{tile.iy}_{tile.ix}.npy"

    def _is_whole(self, cell: tuple[int, int]) -> bool:
        return all(self.is_done(tile) for tile in self.plan.covering(cell))

    def _is_kept(self, cell: tuple[int, int]) -> bool:
        return all(self._file(tile).exists() for tile in self.plan.covering(cell))

    def is_done(self, tile: Tile) -> bool:
        """Whether a tile of the plan is finished."""
        return bool(self.done[tile.iy - self.plan.first[0], tile.ix - self.plan.first[1]])

    def _set_done(self, tile: Tile) -> None:
        self.done[tile.iy - self.plan.first[0], tile.ix - self.plan.first[1]] = True


def to_stored(values: NDArray[np.floating], port: Port) -> NDArray[np.generic]:
    """Return physical values in the port's stored type, integers rounded to nearest and clipped."""
    if port.dtype == "float32":
        return np.asarray(values, np.float32)
    limits = np.iinfo(port.dtype)
    return np.asarray(np.clip(np.rint(values), limits.min, limits.max), port.dtype)


def _chunks(box: Box) -> Iterator[tuple[int, int]]:
    """Yield (cy, cx) of the chunks that a box touches."""
    y, x, height, width = box
    if height and width:
        yield from product(
            range(y // CHUNK, (y + height - 1) // CHUNK + 1), range(x // CHUNK, (x + width - 1) // CHUNK + 1)
        )


def _to_disk(path: Path) -> None:
    """Wait until a file that was written, and its name, are on disk; a chunk of only the fill value has no file."""
    for place in (path, path.parent):
        # Windows opens no folders; there the name is written with the file.
        with suppress(FileNotFoundError, PermissionError):
            handle = os.open(place, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _union(boxes: Sequence[Box]) -> Box:
    """Return the smallest box around the non-empty ones."""
    full = [box for box in boxes if box[2] and box[3]]
    if not full:
        return (0, 0, 0, 0)
    y, x = min(box[0] for box in full), min(box[1] for box in full)
    bottom, right = max(box[0] + box[2] for box in full), max(box[1] + box[3] for box in full)
    return (y, x, bottom - y, right - x)
