"""What a viewer shows of a run at work, drawn a little at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from napari.components import ViewerModel

from diffuscope.engine.events import Preview
from diffuscope.plugin.jobs.run_view import RunView
from diffuscope.plugin.layers.results import result_layers
from diffuscope.results.result import open_result


def test_at_a_beat_one_layer_is_drawn_and_after_some_all_that_is_new(
    qapp: Any, result_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    drawn: list[str] = []
    viewer = ViewerModel()
    view = RunView(viewer, None, lambda *_: None)
    view.open(str(result_folder), result_layers(open_result(result_folder)))
    for layer in viewer.layers:
        layer.visible = True
        monkeypatch.setattr(layer, "refresh", lambda name=layer.name: drawn.append(name))
    monkeypatch.setattr(view._live, "show_preview", lambda _: drawn.append("preview"))
    view.preview(Preview(y=0, x=0, image=np.zeros((288, 288, 3), np.uint8), step=1, steps=8))
    view.renew()
    counts = []
    for _ in range(5):
        view._draw()
        counts.append(len(drawn))
    assert counts == [1, 2, 3, 3, 3]
    assert drawn == ["preview", *(layer.name for layer in viewer.layers)]
