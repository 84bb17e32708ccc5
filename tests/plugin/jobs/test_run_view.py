"""What a viewer shows of a run at work, drawn a little at a time."""

from __future__ import annotations

from collections.abc import Callable
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
from diffuscope.plugin.layers.views.canvas import is_drawn_in_software
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


@pytest.mark.gui
def test_who_draws_is_what_opengl_says(make_napari_viewer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch):
    from vispy.gloo import gl

    viewer = make_napari_viewer()
    assert not is_drawn_in_software(ViewerModel())
    for name, expected in (("llvmpipe (LLVM 15.0.6, 256 bits)", True), ("NVIDIA RTX A4000/PCIe/SSE2", False)):
        with monkeypatch.context() as patch:  # vispy asks, too, when the viewer goes
            patch.setattr(gl, "glGetParameter", lambda _, name=name: name)
            assert is_drawn_in_software(viewer) is expected
