"""The canvas: finished tiles go in, blended pixels come out on disk, in any order and with the same result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import zarr
from numpy.typing import NDArray

from diffuscope.systems.ports import state_port
from diffuscope.tiling.blending import cell_weights
from diffuscope.tiling.boxes import Box, box_slices, chunks, halves, union
from diffuscope.tiling.chunks import write_box
from diffuscope.tiling.damage import damaged_chunks
from diffuscope.tiling.durable import to_disk
from diffuscope.tiling.kept import KeptTiles
from diffuscope.tiling.layout import ATTRS, SLIDE_FORMAT, VOLUME_FORMAT, chunk_file, create_images, open_images
from diffuscope.tiling.place import Place
from diffuscope.tiling.plan import Plan, Tile
from diffuscope.tiling.pyramid import update_pyramid
from diffuscope.tiling.values import ValueStore

if TYPE_CHECKING:
    from diffuscope.systems.ports import Port, Value

Cell = tuple[int, ...]


class Canvas:
    """An OME-Zarr result folder being filled, of a slide or of a volume.

    A finished tile is first kept whole, in float32, in the folder ``tiles``. A grid cell is composed
    from the tiles that reach into it (at most four, of a volume eight) once the last of them is there, summed
    in tile order and rounded once; nothing is ever added to pixels on disk, so that neither the order of
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
    mpp : float, optional
        µm per canvas px of a slide (its µm/px times the plan's factor); a volume's plan knows its spacing.
    record : dict
        Run record, JSON.
    values : sequence of Value
        What the system tells of each tile besides.
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
        mpp: float | None = None,
        record: Mapping[str, Any],
        values: Sequence[Value] = (),
        resume: bool = False,
    ) -> None:
        self.path, self.plan, self.ports = path, plan, tuple(ports)
        self._kept = KeptTiles(path / "tiles", len(plan.axes))
        self.done = np.zeros_like(plan.wanted)
        self._stale: set[tuple[int, ...]] = set()
        if resume:
            self.root = zarr.open_group(path, mode="r+", zarr_format=2)
            self.images = open_images(self.root, self.ports)
            begun: Any = self.root.attrs[ATTRS]
            self._about: dict[str, Any] = {**begun, "record": dict(record)}
            self._values = ValueStore(self.root, values, plan)
            self._recover()
            return
        place = Place.of(plan, mpp)
        path.mkdir()
        self._kept.create()
        self.root = zarr.create_group(store=path, zarr_format=2)
        _, shape = halves(plan.window)
        self.images = create_images(self.root, self.ports, shape=shape, spacing=place.spacing, origin=place.origin)
        self._about = {
            "version": SLIDE_FORMAT if plan.spacing is None else VOLUME_FORMAT,
            "tiles": plan.count,
            "ports": [state_port(port) for port in self.ports],
            **place.to_json(),
            "record": dict(record),
        }
        self._values = ValueStore(self.root, values, plan)
        self._mark(complete=False)

    @property
    def count(self) -> int:
        """Number of finished tiles."""
        return int(self.done.sum())

    def write_tile(
        self,
        tile: Tile,
        outputs: Mapping[str, NDArray[np.float32]],
        values: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> Box:
        """Keep a finished tile and compose every cell that waited for it.

        Parameters
        ----------
        tile : Tile
            Its place in the plan.
        outputs : mapping of str to ndarray (c, tile, tile)
            By port key, float32, in the port's physical range; of a volume (c, depth, tile, tile), where a depth
            of 1 may be left out.
        values : mapping of str to ndarray (evaluations,), optional
            By key of the values that the canvas was made with; required where there are any.

        Returns
        -------
        tuple of int
            (*starts, *lengths) on the canvas of what was written; zero size if nothing could be yet.
        """
        if self.is_done(tile) and tile.index not in self._kept:
            return union([], len(self.plan.axes))  # done before, composed and let go
        stacked = np.concatenate([np.asarray(outputs[port.key], np.float32) for port in self.ports])
        # Before the ledger knows the tile: what is finished has its values.
        self._values.write(self.plan.slot(*tile.index), values or {})
        self._kept.keep(tile.index, stacked.reshape(-1, *self.plan.shape))
        self._set_done(tile)
        # A cell whose tiles are not all kept any more is composed already, and this tile is being done again.
        ready = [cell for cell in self.plan.cells(tile) if self._is_whole(cell) and self._is_kept(cell)]
        boxes = [self._compose(cell) for cell in ready]
        self._let_go({near for cell in self.plan.cells(tile) for near in self.plan.covering(cell)})
        return union(boxes, len(self.plan.axes))

    def refresh(self) -> None:
        """Bring coarser levels and the count of finished tiles up to date on disk."""
        for levels in self.images.values():
            update_pyramid(levels, self._stale)
        self._stale.clear()
        self._mark(complete=False)

    def amend_batch(self, batch: int) -> None:
        """Note in the record, at once, that the batch has another size: such a result is not repeated to the bit."""
        record = self._about["record"]
        compute = record["compute"]
        sizes = [*compute.get("batches", [compute["batch"]]), batch]
        self._about["record"] = {**record, "compute": {**compute, "batch": batch, "batches": sizes}}
        self._mark(complete=False)

    def finish(self) -> bool:
        """Finish the pyramid and the metadata; where tiles are missing, compose what waits for them without.

        The kept tiles of an incomplete result stay, for `resume`.

        Returns
        -------
        bool
            Whether every planned tile is there.
        """
        complete = self.count == self.plan.count
        kept = self._kept_tiles()
        if complete and kept:
            raise AssertionError(f"every tile is finished, but not every cell of {kept[0]} is composed")
        for cell in sorted({cell for tile in kept for cell in self.plan.cells(tile)}):
            # A tile that was done again may have neighbours that were let go: their cell is composed as it was.
            if not self._is_whole(cell) and self._is_kept(cell):
                self._compose(cell)
        self.refresh()
        self._mark(complete=complete)
        if complete:
            self._kept.remove()
        return complete

    def _recover(self) -> None:
        """Learn what is done from the disk, and do again what may have been under way when the run ended."""
        for index in self._kept.finished():
            if self.plan.is_wanted(*index):
                self._set_done(self.plan.at(*index))
        self._strike_damaged()
        kept = self._kept_tiles()
        for tile in kept:
            # kept, but not entered any more
            if not self.is_done(tile):
                self._kept.enter(tile.index)
                self._set_done(tile)
        cells = {cell for tile in kept for cell in self.plan.cells(tile)}
        for cell in sorted(cells):
            if self._is_whole(cell) and self._is_kept(cell):
                self._compose(cell)
        self._let_go(kept)
        # Which coarser pixels were stale is forgotten: all are made again, a row of tiles at a time.
        for _, row in groupby(self.plan.tiles(), key=lambda tile: tile.index[:-1]):
            for tile in row:
                for cell in self.plan.cells(tile) if self.is_done(tile) else ():
                    self._stale.update(chunks(self._canvas_box(cell)))
            self.refresh()

    def _strike_damaged(self) -> None:
        """Take out of the ledger every tile of which something on disk can no longer be read, to be done again."""
        struck = {tile.index for tile in self._kept_tiles() if not self._kept.is_sound(tile.index)}
        if not self._values.is_sound():
            struck.update(tile.index for tile in self.plan.tiles() if self.is_done(tile))
        levels = [levels[0] for levels in self.images.values()]
        for chunk in damaged_chunks(levels):
            for array in levels:
                chunk_file(array, chunk).unlink(missing_ok=True)
            for tile in self.plan.tiles():
                for cell in self.plan.cells(tile):
                    if chunk in chunks(self._canvas_box(cell)):
                        # All of them, also those that were let go: a cell is composed from all its tiles at once.
                        struck.update(near.index for near in self.plan.covering(cell))
        if struck:
            self._kept.strike(struck)
            for index in struck:
                self.done[self.plan.slot(*index)] = False

    def _let_go(self, tiles: Iterable[Tile]) -> None:
        """Delete kept tiles whose cells are all composed, after those are safe on disk."""
        kept = [tile for tile in tiles if tile.index in self._kept]
        free = [tile for tile in kept if all(self._is_whole(cell) for cell in self.plan.cells(tile))]
        cells = {cell for tile in free for cell in self.plan.cells(tile)}
        for chunk in {chunk for cell in cells for chunk in chunks(self._canvas_box(cell))}:
            for levels in self.images.values():
                to_disk(chunk_file(levels[0], chunk))
        for tile in free:
            self._kept.let_go(tile.index)

    def _kept_tiles(self) -> list[Tile]:
        return [self.plan.at(*index) for index in self._kept]

    def _compose(self, cell: Cell) -> Box:
        """Blend the finished tiles of a cell, write its pixels, return its box on the canvas."""
        near = [tile for tile in self.plan.covering(cell) if self.is_done(tile)]
        canvas_box = self._canvas_box(cell)
        starts, lengths = halves(canvas_box)
        if not near or not all(lengths):
            return (*starts, *(0 for _ in lengths))
        axes = self.plan.axes
        strides, overlaps = tuple(axis.stride for axis in axes), tuple(axis.overlap for axis in axes)
        # By how many cells each tile begins before this one, along each axis.
        before = tuple(tuple(i - j for i, j in zip(cell, tile.index, strict=True)) for tile in near)
        weights, covered = cell_weights(strides, overlaps, before)
        total = np.zeros((sum(len(port.channels) for port in self.ports), *strides), np.float32)
        for tile, offset, weight in zip(near, before, weights, strict=True):
            # A tile before this cell reaches into it by the overlap only.
            reach = tuple(axis.overlap if d else axis.stride for d, axis in zip(offset, axes, strict=True))
            there = box_slices((*(d * stride for d, stride in zip(offset, strides, strict=True)), *reach))
            here = box_slices((*(0 for _ in reach), *reach))
            total[:, *here] += weight[here] * self._kept.read(tile.index)[:, *there]
        inner_starts = (start + axis.start - i * axis.stride for start, axis, i in zip(starts, axes, cell, strict=True))
        inner = box_slices((*inner_starts, *lengths))
        self._write(total[:, *inner], covered[inner] & self._inside(canvas_box), canvas_box)
        return canvas_box

    def _inside(self, box: Box) -> NDArray[np.bool_] | np.bool_:
        """Return which pixels of a box on the canvas have their centre inside the drawn outline."""
        if self.plan.polygon is None:
            return np.True_
        (y, x), (height, width) = halves(box)
        top, left = self.plan.window[:2]
        columns, rows = np.meshgrid(left + x + np.arange(width) + 0.5, top + y + np.arange(height) + 0.5)
        inside: NDArray[np.bool_] = shapely.contains_xy(self.plan.polygon, columns, rows)
        return inside

    def _write(self, total: NDArray[np.float32], keep: NDArray[np.bool_], box: Box) -> None:
        """Round once, fill what nothing covers, write one box of every output."""
        start = 0
        for port in self.ports:
            stop = start + len(port.channels)
            block = np.where(keep, to_stored(total[start:stop], port), np.asarray(port.fill, port.dtype))
            write_box(self.images[port.key][0], box, block)
            start = stop
        self._stale.update(chunks(box))

    def _canvas_box(self, cell: Cell) -> Box:
        starts, lengths = halves(self.plan.cell_box(cell))
        return (*(start - axis.start for start, axis in zip(starts, self.plan.axes, strict=True)), *lengths)

    def _mark(self, *, complete: bool) -> None:
        about: dict[str, Any] = {**self._about, "complete": complete, "done": self.count}
        self.root.attrs[ATTRS] = about

    def _is_whole(self, cell: Cell) -> bool:
        return all(self.is_done(tile) for tile in self.plan.covering(cell))

    def _is_kept(self, cell: Cell) -> bool:
        """Whether every finished tile that reaches into a cell still lies in the folder."""
        return all(tile.index in self._kept for tile in self.plan.covering(cell) if self.is_done(tile))

    def is_done(self, tile: Tile) -> bool:
        """Whether a tile of the plan is finished."""
        return bool(self.done[self.plan.slot(*tile.index)])

    def _set_done(self, tile: Tile) -> None:
        self.done[self.plan.slot(*tile.index)] = True


def to_stored(values: NDArray[np.floating], port: Port) -> NDArray[np.generic]:
    """Return physical values in the port's stored type, integers rounded to nearest and clipped."""
    if port.dtype == "float32":
        return np.asarray(values, np.float32)
    limits = np.iinfo(port.dtype)
    return np.asarray(np.clip(np.rint(values), limits.min, limits.max), port.dtype)
