"""A folder as zarr reads it: nothing through links, nothing larger than its metadata declare."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import ByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from diffuscope.errors import InputError
from diffuscope.scans.guards.sizes import PIECE, check_piece
from diffuscope.scans.guards.streams import COMPRESSORS, PLAIN, fits

# Of metadata: some thousand times what an image's have.
_METADATA = 2**24
# Chunks in one shard, of which each has 16 bytes in its index.
_IN_SHARD = 2**20
# Values of a chunk below which an image of many has more files than any disk likes.
_FEW = 1024
_ABSENT = 2**64 - 1


@dataclass(frozen=True)
class Chunks:
    """What an array's metadata declare of a chunk.

    Attributes
    ----------
    size : int
        Bytes that one unpacks to, with what filters may add.
    compressor : str
        As `diffuscope.scans.guards.streams` knows it; empty: none.
    checksum : int
        Bytes after what is compressed.
    in_shard : int
        Chunks of a file; 0 where each is a file.
    index : int
        Bytes of a shard's index.
    at_start : bool
        Whether a shard's index comes first.
    """

    size: int
    compressor: str = ""
    checksum: int = 0
    in_shard: int = 0
    index: int = 0
    at_start: bool = False

    @property
    def largest_file(self) -> int:
        """Bytes that a file has at most: what cannot be compressed becomes a little longer."""
        return 2 * (self.size + 1024) * max(1, self.in_shard) + self.index


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
        self._declared: dict[str, Chunks] = {}
        self._plain: set[Path] = set()

    def declare(self, array: zarr.Array[Any]) -> None:
        """Look at an array's metadata, and hold its chunks to them from now on.

        Raises
        ------
        InputError
            Its chunks are too large, or packed in a way that is not read.
        """
        self._declared[f"{array.path}/".lstrip("/")] = _declared(array, self._name)

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """As of a store; refused is what is no plain file or too large."""
        chunks = self._before(key)
        return self._after(chunks, await super().get(key, prototype, byte_range), byte_range)

    def get_sync(
        self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """As `get`."""
        chunks = self._before(key)
        return self._after(chunks, super().get_sync(key, prototype=prototype, byte_range=byte_range), byte_range)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """As of a store, each by `get`."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    def _before(self, key: str) -> Chunks | None:
        """Look at a file before it is read, and return what its array declares; None of metadata."""
        chunks = next((one for path, one in self._declared.items() if key.startswith(path)), None)
        if Path(key).name.startswith((".z", "zarr.json")):
            chunks = None
        self._check_file(key, _METADATA if chunks is None else chunks.largest_file)
        return chunks

    def _after(self, chunks: Chunks | None, found: Buffer | None, byte_range: ByteRequest | None) -> Buffer | None:
        """Look at what was read before it is unpacked."""
        if found is not None and chunks is not None:
            self._check_chunks(chunks, found.to_bytes(), byte_range)
        return found

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
            raise self._too_large(f"{key} has {found.st_size} bytes")

    def _check_chunks(self, chunks: Chunks, data: bytes, byte_range: ByteRequest | None) -> None:
        if not chunks.compressor:
            return
        for part in _parts(chunks, data, byte_range):
            packed = part[: len(part) - chunks.checksum]
            if not fits(chunks.compressor, packed, chunks.size):
                raise self._too_large(f"it unpacks to more than {chunks.size} bytes")

    def _led_away(self, key: str) -> InputError:
        return InputError(
            f"{self._name} has a link or a pipe in it ({key}), which is not followed: put the file itself there."
        )

    def _too_large(self, why: str) -> InputError:
        told = f"{self._name} has a chunk that cannot be read ({why}, more than its metadata declare)"
        return InputError(f"{told}; copy or download it again.")


def _parts(chunks: Chunks, data: bytes, byte_range: ByteRequest | None) -> list[bytes]:
    """Return the chunks in what was read: all of a file, one of a shard, or none of its index."""
    if not chunks.in_shard:
        return [data]
    if isinstance(byte_range, SuffixByteRequest):
        return []
    if isinstance(byte_range, RangeByteRequest):
        is_index = chunks.at_start and byte_range.start == 0 and byte_range.end == chunks.index
        return [] if is_index else [data]
    index = data[: chunks.index] if chunks.at_start else data[-chunks.index :]
    places = np.frombuffer(index[: 16 * chunks.in_shard], "<u8").reshape(-1, 2)
    return [data[int(start) : int(start) + int(length)] for start, length in places if start != _ABSENT]


def _declared(array: zarr.Array[Any], name: str) -> Chunks:
    check_piece(name, array.chunks, array.dtype.itemsize, "chunk")
    if prod(array.chunks) < _FEW and prod(array.shape) > _FEW * _IN_SHARD:
        sides = " × ".join(map(str, array.chunks))
        raise InputError(
            f"{name} has chunks of {sides} values, too many to be read; save it in chunks of 256 px or more."
        )
    about = dict(array.metadata.to_dict())
    size = prod(array.chunks) * array.dtype.itemsize
    if array.metadata.zarr_format == 2:
        packed = about.get("compressor")
        filters: Any = about.get("filters") or ()
        return _packed(size, [_word(one) for one in (*filters, *([packed] if packed else []))], name)
    codecs: Any = about["codecs"]
    names = [_word(one) for one in codecs]
    if "sharding_indexed" not in names:
        return _packed(size, names, name)
    how = next(one for one in codecs if _word(one) == "sharding_indexed")["configuration"]
    inner = _packed(size, [_word(one) for one in how["codecs"]], name)
    shards = array.shards or array.chunks
    count = prod(-(-shard // chunk) for shard, chunk in zip(shards, array.chunks, strict=True))
    index = [_word(one) for one in how["index_codecs"]]
    if names != ["sharding_indexed"] or index not in (["bytes"], ["bytes", "crc32c"]) or count > _IN_SHARD:
        raise InputError(f"{name} has shards of a kind that is not read; save it with chunks alone, or a plain index.")
    return Chunks(
        size=inner.size,
        compressor=inner.compressor,
        checksum=inner.checksum,
        in_shard=count,
        index=16 * count + 4 * (len(index) - 1),
        at_start=str(getattr(how.get("index_location"), "value", how.get("index_location"))) == "start",
    )


def _word(codec: Any) -> str:
    """Return the name of a codec, as zarr 2 and 3 write it."""
    return str(codec.get("id") or codec.get("name")).removeprefix("numcodecs.")


def _packed(size: int, names: list[str], name: str) -> Chunks:
    unknown = [one for one in names if one not in COMPRESSORS | PLAIN]
    compressors = [one for one in names if one in COMPRESSORS]
    checks = names.count("crc32c")
    # What is around the compressor would have to be undone before it can be looked at.
    after = names[names.index(compressors[0]) + 1 :] if compressors else []
    if unknown or len(compressors) > 1 or any(one != "crc32c" for one in after):
        told = ", ".join(unknown) or ", ".join(names)
        known = ", ".join(sorted(COMPRESSORS))
        raise InputError(f"{name} has chunks packed by {told}, which is not read; save it with one of {known}.")
    widened = any(one in names for one in PLAIN - {"bytes", "transpose", "crc32c", "shuffle"})
    return Chunks(
        size=min(size * (8 if widened else 1), 2 * PIECE),
        compressor=compressors[0] if compressors else "",
        checksum=4 * checks if compressors else 0,
    )
