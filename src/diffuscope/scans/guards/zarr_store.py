"""A folder as zarr reads it: nothing through links, nothing larger than its metadata declare."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import zarr
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from diffuscope.errors import InputError
from diffuscope.scans.guards.zarr_chunks import Declarations


class GuardedStore(LocalStore):
    """A folder that is read as it lies there.

    Parameters
    ----------
    root : Path
        The folder.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root, read_only=True)
        self._name = root.name
        self._declared = Declarations(root.name)
        self._plain: set[Path] = set()

    def declare(self, array: zarr.Array[Any]) -> None:
        """Hold the chunks of an array to what it declares (see `Declarations`)."""
        self._declared.declare(array)

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """As of a store; refused is what is no plain file or too large."""
        self._check_file(key, self._declared.most(key))
        return self._declared.look(key, await super().get(key, prototype, byte_range), byte_range)

    def get_sync(
        self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """As `get`."""
        self._check_file(key, self._declared.most(key))
        found = super().get_sync(key, prototype=prototype, byte_range=byte_range)
        return self._declared.look(key, found, byte_range)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """As of a store, each by `get`."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    def _check_file(self, key: str, most: int) -> None:
        path = self.root
        *folders, last = key.split("/")
        for part in folders:
            path /= part
            if path not in self._plain:
                if path.is_symlink() or part == "..":
                    raise InputError(
                        f"{self._name} has a link in it ({key}), which is not followed: put the file there."
                    )
                self._plain.add(path)
        try:
            found = (path / last).lstat()
        except OSError:
            return  # it is not there
        if stat.S_ISDIR(found.st_mode):
            return
        if not stat.S_ISREG(found.st_mode):
            raise InputError(
                f"{self._name} has a link or a pipe in it ({key}), which is not followed: put the file there."
            )
        if found.st_size > most:
            raise self._declared.too_large(f"{key} has {found.st_size} bytes")
