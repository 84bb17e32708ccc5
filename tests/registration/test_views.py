"""Checkerboard and curtain."""

from __future__ import annotations

import numpy as np
from known_pair import write_slide

from diffuscope.registration import Transform, checkerboard, curtain
from diffuscope.registration.density import find_tissue
from diffuscope.registration.views import densest, picture
from diffuscope.scans import open_scan

A, B = np.zeros((6, 10, 3), np.uint8), np.ones((6, 10, 3), np.uint8)


def test_squares_alternate_and_the_last_may_be_cut():
    board = checkerboard(A, B, square=4)[..., 0]
    assert board[:4, :4].max() == 0 and board[:4, 4:8].min() == 1 and board[:4, 8:].max() == 0
    assert board[4:, :4].min() == 1 and board[4:, 4:8].max() == 0


def test_the_curtain_hangs_where_it_is_put():
    assert curtain(A, B, place=0.3)[..., 0].sum(axis=1).tolist() == [7] * 6
    assert curtain(A, B, place=0.0).all() and not curtain(A, B, place=1.0).any()


def test_the_picture_shows_the_tissue_in_three_panels(affine_pair):
    x, y, width, height = window = densest(find_tissue(affine_pair.fixed), affine_pair.fixed)
    assert (width, height) == (1200, 1200) and (x, y) == (0, 0)  # 600 µm are all of this slide
    same = Transform(np.eye(2), np.zeros(2))
    drawn = picture(affine_pair.fixed, affine_pair.moving, before=same, after=same, window=window)
    assert drawn.mode == "RGB" and 3 * 640 <= drawn.width < 3 * 640 + 60


def test_the_densest_window_lies_on_the_tissue(tmp_path, he):
    wide = np.full((1300, 4000, 3), 243, np.uint8)
    wide[:1200, 2500:3700] = he
    scan = open_scan(write_slide(tmp_path / "wide.ome.tif", wide))
    tissue = find_tissue(scan)
    x, y, width, height = densest(tissue, scan)
    assert min(x, y) >= 0 and x + width <= 4000 and y + height <= 1300
    whole = tissue.fraction_in(0, 0, 1300, 4000) * 1300 * 4000
    assert tissue.fraction_in(y, x, height, width) * height * width > 0.9 * whole
