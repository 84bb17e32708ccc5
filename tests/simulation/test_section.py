"""The section that was stained twice: a turned and shifted restain of the H&E, and two draws of one rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from diffuscope.errors import InputError
from diffuscope.plugin.jobs.given.samples import DRAWS, SECTION
from diffuscope.scans import open_scan
from diffuscope.simulation.restaining.section import DEGREES, FIRST, HE, RESTAINED, SECOND, SHIFT, write_section


def test_the_restain_is_the_first_draw_turned_and_shifted(tmp_path: Path):
    folder = tmp_path / "section"
    write_section(folder)
    assert (SECTION, DRAWS) == ((HE, RESTAINED), (FIRST, SECOND))
    scans = {name: open_scan(folder / name) for name in (HE, RESTAINED, FIRST, SECOND)}
    assert {scan.mpp for scan in scans.values()} == {scans[HE].mpp} and scans[HE].mpp == pytest.approx(0.499)
    he, restained, first, second = (np.asarray(scan.levels[0]).astype(float) for scan in scans.values())
    # back by one affine map of the middle, where no glass came in
    turn = np.radians(DEGREES)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    centre = np.array(first.shape[:2]) / 2 - 0.5
    back = ndimage.affine_transform(
        restained[..., 1], matrix.T, offset=centre + np.array(SHIFT) - matrix.T @ centre, order=1
    )
    middle = np.s_[300:660, 300:660]
    near = np.corrcoef(back[middle].ravel(), first[..., 1][middle].ravel())[0, 1]
    assert near > 0.95
    assert np.corrcoef(restained[..., 1][middle].ravel(), first[..., 1][middle].ravel())[0, 1] < 0.5
    # the two draws paint some cells both, some only one of them, and leave the rest alone
    apart = (np.abs(first - second) > 20).any(axis=-1).mean()
    assert 0.001 < apart < 0.2
    assert np.abs(he - first).mean() > 5
    with pytest.raises(InputError, match="choose another folder"):
        write_section(folder)
