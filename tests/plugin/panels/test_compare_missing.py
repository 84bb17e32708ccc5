"""Of a map that was not computed everywhere it is said how much of it is compared as files give it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import stain_result

pytest.importorskip("napari")

from napari.layers import Image

from diffuscope.plugin.layers.reader import read_layers
from diffuscope.plugin.panels.compare import _missing


def test_how_much_of_a_map_was_not_computed_is_said(tmp_path: Path):
    result = stain_result.write_stain(tmp_path)
    maps = [Image(data, **own) for data, own, _ in read_layers(str(result.path))]
    (dab,) = [one for one in maps if "DAB" in one.name and not one.rgb][:1]
    share = np.isnan(np.asarray(dab.data[-1] if dab.multiscale else dab.data)).mean()
    assert 0 < share < 1  # the drawn region fills no rectangle
    assert f"Of {share:.0%} of “{dab.name}” nothing was computed" in _missing(dab)
    assert not _missing(Image(np.full((8, 8), np.nan)))  # of others' it is not known what NaN is
