"""The canvas: finished tiles go in, blended pixels come out on disk, in any order and with the same result."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.files.claim import Claim
from diffuscope.files.durable import names_to_disk
from diffuscope.ports.port import Port
from diffuscope.results.begin import begin_result
from diffuscope.results.beside.others import write_others
from diffuscope.results.cache import FOLDER, LEDGER, CachedParts, Cell
from diffuscope.results.cells import Blend, Cells
from diffuscope.results.chunks import Patch, write_chunk
from diffuscope.results.computed import Computed
from diffuscope.results.coverage import keep_coverage
from diffuscope.results.layout import ATTRS, chunk_file, set_attribute
from diffuscope.results.ledger import NOTHING, Ledger
from diffuscope.results.opening.stored import open_checked
from diffuscope.results.pyramid import Each, update_pyramid
from diffuscope.results.recover import Recovered, Recovery
from diffuscope.results.tissue import TissueMap
from diffuscope.results.values import ValueStore
from diffuscope.tiling.boxes import Box, chunks, halves, union
from diffuscope.tiling.plan import Plan, Tile

if TYPE_CHECKING:
    from diffuscope.ports.numbers import Value
    from diffuscope.ports.raster import Raster


class Canvas:
    """An OME-Zarr result folder being filled, of a slide or of a volume.

    A grid cell is composed from the tiles that reach into it (at most four, of a volume eight) once the last of them
    is there, summed in tile order and rounded once; nothing is ever added to pixels on disk, so that neither the order
    of tiles nor doing one twice changes a bit. Until then their parts in it are kept, in float32, in ``tiles``.

    A run may end at any moment. A tile is in the ledger only once everything of it is on disk: the cells that it
    completed, and its parts in the others. So whoever opens the folder again knows what is done: a cell all of whose
    tiles are in the ledger is composed. What is on disk has its checksum there, and else does not count (`Recovery`).

    Parameters
    ----------
    path : Path
        Result folder.
    plan : Plan
        What is computed.
    ports : sequence of Raster
        Output ports, the main one first.
    record : dict
        Run record, JSON.
    others : sequence of Port
        Outputs that are no images, which the result has besides.
    values : sequence of Value
        What the system tells of each tile besides.
    tissue : TissueMap, optional
        Where the tissue of a slide lies, for measuring.
    resume : bool
        Go on with the unfinished result in `path`, which was begun with the same plan and ports.
    replace : bool
        Whether what is in `path` gives way to it.
    claim : Claim, optional
        Of this process; holds `path` already where that is gone on with.
    each : callable
        `map`, or that of an executor whose threads compose, code and write.
    """

    def __init__(
        self,
        path: Path,
        *,
        plan: Plan,
        ports: Sequence[Raster],
        record: Mapping[str, Any],
        others: Sequence[Port] = (),
        values: Sequence[Value] = (),
        tissue: TissueMap | None = None,
        resume: bool = False,
        replace: bool = False,
        claim: Claim | None = None,
        each: Each = map,
    ) -> None:
        self.path, self.plan, self.ports, self.each = path, plan, tuple(ports), each
        self._check = claim.check if claim is not None else lambda: None
        if not resume:
            begin_result(
                path,
                plan=plan,
                ports=self.ports,
                record=record,
                others=others,
                values=values,
                tissue=tissue,
                replace=replace,
                claim=claim,
            )
        self._kept = CachedParts(path / FOLDER, len(plan.axes))
        self._ledger = Ledger(path / FOLDER / LEDGER, len(plan.axes))
        self._cells = Cells(plan, self.ports, self._kept)
        self.recovered = Recovered()
        self.done = np.zeros_like(plan.selected)
        self._stale: set[tuple[int, ...]] = set()
        self._lock = threading.Lock()
        self.root = zarr.open_group(path, mode="r+", zarr_format=2)
        self.images = open_checked(self.root, self.ports, halves(plan.window)[1], path.name)
        begun: Any = self.root.attrs[ATTRS]
        self._about: dict[str, Any] = {**begun, "record": dict(record)}
        self._values, self._others = ValueStore(self.root, values, plan), tuple(others)
        if resume:
            self._recover()

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
        """Write one tile (see `write_tiles`, and `Computed` for what is given)."""
        return self.write_tiles([Computed(tile, outputs, values or {})])[0]

    def write_tiles(self, group: Sequence[Computed]) -> list[Box]:
        """Compose every cell that waited for these tiles, and keep what they have in cells that wait still.

        Parameters
        ----------
        group : sequence of Computed
            In any order; finished ones are passed over.

        Returns
        -------
        list of tuple of int
            For each tile (*starts, *lengths) on the canvas of what was written once it was there; zero size if nothing
            could be yet.

        Raises
        ------
        OSError
            The disk is full: none of the tiles is finished.
        """
        self._check()
        fresh = {item.tile.index: item for item in group if not self.is_done(item.tile)}
        done = self.done.copy()
        last: dict[Cell, Tile] = {}
        for item in fresh.values():
            done[self.plan.slot(*item.tile.index)] = True
            last |= dict.fromkeys(self._cells.of(item.tile), item.tile)
        whole = {cell for cell in last if self._cells.is_whole(cell, done)}
        # Before the ledger knows the tiles: what is finished has its values, and its parts where they still matter.
        told = self._values.write([(self.plan.slot(*index), item.values) for index, item in fresh.items()])
        for item in fresh.values():
            write_others(self.path, item.others, self._others)
        waiting = {
            index: {
                cell: np.concatenate(self._cells.parts(item, cell))
                for cell in self._cells.of(item.tile)
                if cell not in whole
            }
            for index, item in fresh.items()
        }
        kept = self._kept.keep({index: parts for index, parts in waiting.items() if parts}, self.each)
        # A cell of which a part is neither here nor kept is composed already, and a tile of it is being done again.
        blends = [
            one for one in (self._cells.blend(cell, fresh, self.done) for cell in sorted(whole)) if one is not None
        ]
        self._compose(blends, durable=True)
        self._check()
        if fresh:
            self._ledger.enter({index: (kept.get(index, NOTHING), one) for index, one in zip(fresh, told, strict=True)})
        self.done[...] = done
        self._let_go({near.index for cell in whole for near in self.plan.covering(cell)})
        boxes: dict[tuple[int, ...], list[Box]] = defaultdict(list)
        for one in blends:
            boxes[last[one.cell].index].append(one.box)
        # A tile that comes twice in one group is told of once.
        return [union(boxes.pop(item.tile.index, []), len(self.plan.axes)) for item in group]

    def refresh(self) -> None:
        """Bring coarser levels and the count of finished tiles up to date on disk; tiles may be written meanwhile."""
        with self._lock:
            stale, self._stale = self._stale, set()
        for levels in self.images.values():
            update_pyramid(levels, stale, self.each)
        self._mark(complete=False)

    def amend(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change the record, at once, by what came up while computing."""
        self._about = self._about | {"record": change(self._about["record"])}
        self._mark(complete=False)

    def finish(self, last: Callable[[], None] = lambda: None) -> bool:
        """Finish the pyramid and the metadata; where tiles are missing, compose what waits for them without.

        What is kept of the tiles of an incomplete result stays, for `resume`.

        Parameters
        ----------
        last : callable
            Called of a result that is whole before it says so: what belongs to it is there then.

        Returns
        -------
        bool
            Whether every planned tile is there.
        """
        self._check()
        complete = self.count == self.plan.count
        if complete and (kept := list(self._kept)):
            raise AssertionError(f"every tile is finished, but not every cell of {kept[0]} is composed")
        cells = sorted({cell for index in self._kept for cell in self._cells.of(self.plan.at(*index))})
        waiting = [self._cells.blend(cell, {}, self.done) for cell in cells if not self._is_composed(cell)]
        self._compose([one for one in waiting if one is not None], durable=False)
        self.refresh()
        if self.ports:
            keep_coverage(self.root, self.plan, self.done)
        if complete:
            last()
            self._mark(complete=True)
            self._kept.remove()
        return complete

    def _recover(self) -> None:
        """Learn what is done from the disk."""
        self.recovered = Recovery(
            plan=self.plan,
            cells=self._cells,
            ledger=self._ledger,
            kept=self._kept,
            images=[self.images[port.key] for port in self.ports],
            values=self._values,
        )()
        for index in self.recovered.done:
            self.done[self.plan.slot(*index)] = True
        if self.recovered.notices:
            told = [*self._about["record"].get("notices", ()), *self.recovered.notices]
            self._about = self._about | {"record": self._about["record"] | {"notices": told}}
        self._let_go(set(self._kept))
        # Which coarser pixels were stale is forgotten: all are made again, a row of tiles at a time.
        for _, row in groupby(self.plan.tiles(), key=lambda tile: tile.index[:-1]):
            for tile in row:
                for cell in self._cells.of(tile) if self.is_done(tile) else ():
                    self._stale.update(chunks(self._cells.box(cell)))
            self.refresh()
        if self.ports:
            keep_coverage(self.root, self.plan, self.done)

    def _let_go(self, tiles: set[tuple[int, ...]]) -> None:
        """Delete what is kept of tiles whose cells are all composed."""
        for index in tiles:
            if all(self._cells.is_whole(cell, self.done) for cell in self._cells.of(self.plan.at(*index))):
                self._kept.let_go(index)

    def _compose(self, blends: Sequence[Blend], *, durable: bool) -> None:
        """Blend cells and write their pixels, rounded once, chunk by chunk; what nothing covers is filled."""
        patches: dict[tuple[str, tuple[int, ...]], list[Patch]] = defaultdict(list)
        for one, blocks in zip(blends, self.each(self._cells.blocks, blends), strict=True):
            for chunk in chunks(one.box):
                for key, block in blocks.items():
                    patches[key, chunk].append((one.box, block))

        def write(item: tuple[tuple[str, tuple[int, ...]], list[Patch]]) -> None:
            (key, chunk), found = item
            intend = partial(self._ledger.intend, (list(self.images).index(key), chunk))
            write_chunk(self.images[key][0], chunk, found, durable=durable, intend=intend)

        list(self.each(write, patches.items()))
        with self._lock:
            self._stale.update(chunk for _, chunk in patches)
        if durable:
            list(self.each(names_to_disk, {chunk_file(self.images[key][0], chunk).parent for key, chunk in patches}))

    def _is_composed(self, cell: Cell) -> bool:
        once = self.recovered.again if cell not in self.recovered.opened else ()
        return all(self.is_done(near) or near.index in once for near in self.plan.covering(cell))

    def _mark(self, *, complete: bool) -> None:
        with self._lock:
            set_attribute(self.path, {**self._about, "complete": complete, "done": self.count})

    def is_done(self, tile: Tile) -> bool:
        """Whether a tile of the plan is finished."""
        return bool(self.done[self.plan.slot(*tile.index)])
