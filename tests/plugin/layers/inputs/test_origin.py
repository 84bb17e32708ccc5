"""What the reader made is known again while nobody has changed it, however it lies in memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("dask")

from diffuscope.plugin.layers.inputs.origin import Origin, origin_of, remember

ORIGIN = Origin(path=Path("ct.nii.gz"))


@pytest.mark.parametrize("turned", ["as it is", "mirrored", "turned", "both", "every second"])
def test_a_voxel_that_changes_makes_it_another_and_no_copy_is_taken(turned: str):
    stored = np.random.default_rng(0).integers(-1000, 1000, (40, 90, 100)).astype(np.int16)
    shown = {
        "as it is": stored,
        "mirrored": stored[:, ::-1, ::-1],
        "turned": stored.transpose(2, 0, 1),
        "both": stored.transpose(1, 2, 0)[::-1],
        "every second": stored[:, ::2],
    }[turned]
    layer = SimpleNamespace(data=shown, multiscale=False)
    tracemalloc.start()
    remember(shown, ORIGIN)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert turned == "every second" or taken < shown.nbytes / 10
    assert origin_of(layer) == ORIGIN
    assert origin_of(SimpleNamespace(data=shown.copy(), multiscale=False)) is None
    shown[3, 7, 9] += 1
    assert origin_of(layer) is None
    shown[3, 7, 9] -= 1
    assert origin_of(layer) == ORIGIN
