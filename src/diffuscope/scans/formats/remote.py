"""OME-Zarr on the net, by its address: nothing is copied but the chunks that are looked at."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from diffuscope.errors import InputError
from diffuscope.scans.contents import Contents
from diffuscope.scans.formats.libraries import EXTRA_OF_ADDRESSES, OF_ADDRESSES, check_libraries
from diffuscope.scans.formats.ome_zarr import read_store
from diffuscope.scans.guards.remote_store import RemoteStore
from diffuscope.scans.source import Source

# Px of the coarsest level that a fingerprint is taken of.
_LOOKED_AT = 1024


def read_remote(address: str) -> Contents:
    """Contents of an OME-Zarr on the net.

    Its fingerprint is of its levels' sizes and of px of the coarsest: what has another content has another one, as far
    as can be told without reading all.

    Raises
    ------
    InputError
        It is none, cannot be reached, is damaged, or larger than it says.
    """
    name = address.rpartition("/")[2]
    if "?" in address or "@" in address.partition("://")[2].partition("/")[0]:
        raise InputError(f"{name[:80]} has a question or a name in its address, which is not read: give a plain one.")
    if not name.lower().endswith(".zarr"):
        raise InputError(
            f"{name} is an address of no OME-Zarr (….zarr), which alone are read: copy the file here first."
        )
    check_libraries(name, "an address", OF_ADDRESSES[address.partition(":")[0]], EXTRA_OF_ADDRESSES)
    contents = read_store(RemoteStore(address), name, None)
    return replace(contents, fingerprint=_fingerprint(contents.levels))


def _fingerprint(levels: list[Source]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for level in levels:
        digest.update(f"{level.shape} {level.dtype} {level.chunks};".encode())
    height, width = (min(side, _LOOKED_AT) for side in levels[-1].shape[:2])
    digest.update(levels[-1].read(0, height, 0, width).tobytes())
    return digest.hexdigest()
