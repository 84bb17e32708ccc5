"""What is there when a job begins is not looked through for garbage meanwhile; a layer's pixels are let go."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator
from typing import Any
from weakref import ref

import numpy as np
import pytest
from patience import MILLISECONDS

pytest.importorskip("napari")

from napari.components import ViewerModel

from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.job import Job
from diffuscope.plugin.jobs.process import Returned
from diffuscope.plugin.jobs.session import Session
from diffuscope.plugin.jobs.spared import Spared


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.own = self


def is_found(ring: ref[Ring]) -> bool:
    gc.collect()
    return ring() is None


def test_what_was_there_is_spared_until_the_end_and_what_comes_is_not():
    spared, before = Spared(ViewerModel()), Ring()
    spared.begin()
    later = Ring()
    rings = ref(before), ref(later)
    del before, later
    assert [is_found(ring) for ring in rings] == [False, True]
    spared.end()
    assert is_found(rings[0])
    assert gc.get_freeze_count() == 0


def test_once_a_layer_is_removed_nothing_is_spared_since_its_pixels_would_be():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 4)), name="seen")
    ring = Ring()
    held, spared = ref(ring), Spared(viewer)
    spared.begin()
    del ring
    viewer.layers.clear()
    assert is_found(held)
    spared.end()


@pytest.mark.gui
@pytest.mark.parametrize("is_aborted", [False, True])
def test_a_session_spares_what_is_there_while_its_job_is_at_work(
    make_napari_viewer: Callable[..., Any], compute: Child, qtbot: Any, *, is_aborted: bool
):
    session = Session(make_napari_viewer(), "Dock", compute)
    frozen: list[int] = []

    def work(_child: Child, _stop: Any) -> Generator[Any, None, None]:
        frozen.append(gc.get_freeze_count())
        yield Returned(None)

    session.submit(Job(text="a", doing="", work=work))
    if is_aborted:
        session._on_abort()
    qtbot.waitUntil(lambda: bool(frozen) and session.state.is_idle, timeout=MILLISECONDS)
    assert gc.get_freeze_count() == 0 and (is_aborted or frozen[0] > 100_000)
    session.close()
