"""Windows that statistics of a whole slide are taken from: where they lie, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from diffuscope.sample_data import sample_path
from diffuscope.scans import Foreground, open_scan
from diffuscope.scans.source import Source
from diffuscope.scans.windows import foreground_windows


class Places(Source):
    """A level whose first value is the row of 256 px and whose second is the column; some of them are damaged."""

    def __init__(self, rows: int, columns: int, damaged: frozenset[tuple[int, int]] = frozenset()) -> None:
        super().__init__((rows, columns, 3), "uint8", (256, 256))
        self._damaged = damaged

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        if (y0 // 256, x0 // 256) in self._damaged:
            raise ValueError("corrupt")
        y, x = np.indices((y1 - y0, x1 - x0))
        return np.stack([(y + y0) // 256, (x + x0) // 256, np.zeros_like(x)], axis=-1).astype(np.uint8)


def slide(rows: int, columns: int, damaged: frozenset[tuple[int, int]] = frozenset()):
    source = Places(rows, columns, damaged)
    scan = open_scan(sample_path("CMU-1-Small-Region.svs"))
    return replace(scan, levels=(source.to_dask(),), downsamples=(1.0,), sources=(source,))


def places(scan, mask: np.ndarray) -> list[tuple[int, int]]:
    found = foreground_windows(scan, Foreground(mask, 256.0), factor=1.0, fill=255)
    return [(int(pixels[0, 0, 0]), int(pixels[0, 0, 1])) for pixels, _ in found]


def test_every_window_that_shows_foreground_where_there_are_few():
    mask = np.zeros((4, 5), bool)
    mask[1, 2] = mask[3, 4] = True
    assert places(slide(1024, 1280), mask) == [(1, 2), (3, 4)]


@pytest.mark.parametrize("side", [9, 16, 20])
def test_of_many_windows_at_most_64_spread_over_all_rows(side: int):
    found = places(slide(256 * side, 256 * side), np.ones((side, side), bool))
    assert 32 <= len(set(found)) == len(found) <= 64
    assert {row for row, _ in found} == set(range(side))


def test_windows_end_where_the_slide_does_and_tell_what_is_foreground():
    mask = np.array([[True, False], [True, True]])
    found = list(foreground_windows(slide(300, 400), Foreground(mask, 200.0), factor=1.0, fill=255))
    assert [pixels.shape[:2] for pixels, _ in found] == [(256, 256), (256, 144), (44, 256), (44, 144)]
    assert found[0][1][:200, :200].all() and not found[0][1][:200, 200:].any() and found[0][1][200:].all()


def test_a_window_that_cannot_be_read_is_left_out():
    mask = np.ones((2, 2), bool)
    assert places(slide(512, 512, frozenset({(0, 1)})), mask) == [(0, 0), (1, 0), (1, 1)]
