"""Boxes on a canvas: (*starts, *lengths) along its axes, (y, x, height, width) or (z, y, x, depth, height, width)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

Box = tuple[int, ...]
#: Side of the squares in which images are written, px: a box is worked on chunk by chunk.
CHUNK = 256


def chunk_shape(axes: int) -> tuple[int, ...]:
    """Return the shape of a chunk along the axes of an image but c: (256, 256) or (1, 256, 256)."""
    return (1, CHUNK, CHUNK)[-axes:]


def halves(box: Box) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the starts and the lengths of a box."""
    return box[: len(box) // 2], box[len(box) // 2 :]


def box_slices(box: Box) -> tuple[slice, ...]:
    """Return the slices that cut a box out of an array."""
    return tuple(slice(start, start + length) for start, length in zip(*halves(box), strict=True))


def chunks(box: Box) -> Iterator[tuple[int, ...]]:
    """Yield (…, cy, cx) of the chunks that a box touches."""
    starts, lengths = halves(box)
    if all(lengths):
        yield from product(
            *(
                range(start // side, (start + length - 1) // side + 1)
                for start, length, side in zip(starts, lengths, chunk_shape(len(starts)), strict=True)
            )
        )


def union(boxes: Sequence[Box], axes: int) -> Box:
    """Return the smallest box around the non-empty ones; all zero where there is none."""
    full = [halves(box) for box in boxes if all(halves(box)[1])]
    if not full:
        return (0,) * 2 * axes
    starts = [min(start[axis] for start, _ in full) for axis in range(axes)]
    stops = [max(start[axis] + length[axis] for start, length in full) for axis in range(axes)]
    return (*starts, *(stop - start for start, stop in zip(starts, stops, strict=True)))
