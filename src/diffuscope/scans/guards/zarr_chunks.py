"""What zarr arrays declare of their chunks, to which the chunks are held before they are unpacked."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import ByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer

from diffuscope.errors import InputError
from diffuscope.scans.guards.sizes import PIECE, check_piece
from diffuscope.scans.guards.streams import COMPRESSORS, PLAIN, fits

#: Bytes of metadata at most: some thousand times what an image's have.
METADATA = 2**24
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


class Declarations:
    """What the arrays of a zarr folder declare.

    Parameters
    ----------
    name : str
        Of the folder, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._declared: dict[str, Chunks] = {}

    def declare(self, array: zarr.Array[Any]) -> None:
        """Look at an array's metadata, and hold its chunks to them from now on.

        Raises
        ------
        InputError
            Its chunks are too large, or packed in a way that is not read.
        """
        self._declared[f"{array.path}/".lstrip("/")] = _declared(array, self._name)

    def of(self, key: str) -> Chunks | None:
        """Return what the array of a chunk declares; None of metadata."""
        if key.rpartition("/")[2].startswith((".z", "zarr.json")):
            return None
        return next((one for path, one in self._declared.items() if key.startswith(path)), None)

    def most(self, key: str) -> int:
        """Return how many bytes a file may have."""
        chunks = self.of(key)
        return METADATA if chunks is None else chunks.largest_file

    def look(self, key: str, found: Buffer | None, byte_range: ByteRequest | None) -> Buffer | None:
        """Return what was read, looked at before it is unpacked.

        Raises
        ------
        InputError
            It would unpack to more than it may.
        """
        chunks = self.of(key)
        if found is None or chunks is None or not chunks.compressor:
            return found
        for part in _parts(chunks, found.to_bytes(), byte_range):
            packed = part[: len(part) - chunks.checksum]
            if not fits(chunks.compressor, packed, chunks.size):
                raise self.too_large(f"it unpacks to more than {chunks.size} bytes")
        return found

    def too_large(self, why: str) -> InputError:
        """Return the refusal of a file."""
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
