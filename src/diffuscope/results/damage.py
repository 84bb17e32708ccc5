"""Chunks of an unfinished result that can no longer be read: a disk that failed, a file that was cut short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import zarr


def damaged_chunks(arrays: Sequence[zarr.Array[Any]]) -> Iterator[tuple[int, ...]]:
    """Yield the places of chunks that cannot be decoded, each once.

    Parameters
    ----------
    arrays : sequence of zarr.Array
        (c, …) of equal chunks along the axes after the first, which is one chunk; stored in folders.

    Yields
    ------
    tuple of int
        (…, cy, cx); whoever gets it may delete the chunk's files at once.
    """
    seen: set[tuple[int, ...]] = set()
    for array in arrays:
        folder = Path(array.store.root) / array.path  # type: ignore[attr-defined]
        for file in folder.glob("/".join("*" * array.ndim)):
            if not file.name.isdigit():
                continue  # the beginning of a chunk that a kill kept from taking its place
            chunk = tuple(int(part) for part in file.relative_to(folder).parts[1:])
            box = tuple(slice(i * side, (i + 1) * side) for i, side in zip(chunk, array.chunks[1:], strict=True))
            if chunk not in seen and not _is_readable(array, box):
                seen.add(chunk)
                yield chunk


def _is_readable(array: zarr.Array[Any], box: tuple[slice, ...]) -> bool:
    try:
        array[(slice(None), *box)]
    except Exception:  # noqa: BLE001  each codec fails in a way of its own
        return False
    return True
