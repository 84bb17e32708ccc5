"""A result before its first tile takes the place of an older one at once."""

from __future__ import annotations

import errno
import os
from dataclasses import replace

import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.results import begin
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import open_result
from diffuscope.results.tissue import crop_tissue
from diffuscope.tiling.plan import Plan, Region, make_plan


@pytest.fixture
def plan() -> Plan:
    return make_plan(shape=(400, 400), factors=(1.0, 1.0), tile=128, overlap=16, region=Region(0, 0, 300, 300))


def test_whoever_opens_it_after_a_kill_finds_the_tissue_and_the_record(tmp_path, plan, ports):
    tissue = crop_tissue(np.ones((40, 40), np.bool_), 10.0, factor=1.0, window=plan.window, region=None)
    Canvas(tmp_path / "out", plan=replace(plan, spacing=(0.5, 0.5)), ports=ports, record={"seed": 3}, tissue=tissue)
    begun = open_result(tmp_path / "out")
    assert begun.tissue is not None and begun.record == {"seed": 3}
    assert (begun.complete, begun.done, begun.tiles) == (False, 0, plan.count)


def test_the_old_result_stays_until_the_new_one_is_there(tmp_path, plan, ports, monkeypatch):
    def canvas(seed: int, **options: bool) -> Canvas:
        return Canvas(
            tmp_path / "out", plan=replace(plan, spacing=(0.5, 0.5)), ports=ports, record={"seed": seed}, **options
        )

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    canvas(1)
    with pytest.raises(InputError, match="came into being meanwhile"):
        canvas(2)
    with monkeypatch.context() as patch:
        patch.setattr(begin, "create_images", full)
        with pytest.raises(InputError, match="the disk is full"):
            canvas(3, replace=True)
    assert open_result(tmp_path / "out").record == {"seed": 1}
    canvas(4, replace=True)
    assert open_result(tmp_path / "out").record == {"seed": 4}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
