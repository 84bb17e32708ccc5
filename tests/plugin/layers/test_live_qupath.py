"""From the QuPath that runs into a viewer, and a result's objects back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stain_result
from live_qupath import FakeQuPath, running

from diffuscope.errors import InputError
from diffuscope.measurement.measurements import measure
from diffuscope.sample_data import sample_path

pytest.importorskip("napari")
pytest.importorskip("py4j")
from diffuscope.plugin.layers.drawn import qupath as ours
from diffuscope.plugin.layers.objects.threshold import set_threshold

RING = [[800, 640], [1312, 660], [1300, 1100], [800, 640]]


@pytest.fixture
def viewer(make_napari_viewer: Any) -> Any:
    return make_napari_viewer()


def outlined(name: str) -> dict[str, Any]:
    about = {"objectType": "annotation", "name": name, "classification": {"name": "Tumour", "color": [200, 0, 10]}}
    geometry = {"type": "Polygon", "coordinates": [RING]}
    return {"type": "Feature", "id": name, "geometry": geometry, "properties": about}


def test_the_slide_and_what_is_selected(viewer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slide = sample_path("CMU-1-Small-Region.svs")
    qupath = FakeQuPath(Path(slide).as_uri(), (2967, 2220))
    told: list[str] = []
    monkeypatch.setattr(ours, "show_info", told.append)
    with running(qupath) as port:
        monkeypatch.setattr(ours, "LIVE", f"qupath:{port}")
        ours.from_qupath(viewer)
        assert told == ["Nothing with an area is selected in QuPath: CMU-1-Small-Region.svs is here without outlines."]
        qupath.selected = [outlined("Core")]
        ours.from_qupath(viewer)
        # The slide is there already.
        assert [type(one).__name__ for one in viewer.layers] == ["Image", "Shapes"]
        shapes = viewer.layers[1]
        assert shapes.features["name"].tolist() == ["Core"] and shapes.features["class"].tolist() == ["Tumour"]
        np.testing.assert_allclose(shapes.data[0], np.array(RING)[:-1, ::-1] - 0.5)
        np.testing.assert_allclose(shapes.scale, viewer.layers[0].scale)
        qupath.shape = (2220, 2967)
        with pytest.raises(InputError, match="its outlines would lie elsewhere"):
            ours.from_qupath(viewer)


def test_objects_go_back(viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: Any) -> None:
    result = stain_result.write_stain(tmp_path)
    counted = int(result.table[0]["positive_objects"])
    qupath = FakeQuPath("file:/elsewhere/patient-7.svs", stain_result.SHAPE)
    told: list[str] = []
    monkeypatch.setattr(ours, "show_info", told.append)
    with pytest.raises(InputError, match="select one of its layers first"):
        ours.to_qupath(viewer)
    viewer.open(str(result.path), plugin="diffuscope")
    with running(qupath) as port:
        monkeypatch.setattr(ours, "LIVE", f"qupath:{port}")
        worker = ours.to_qupath(viewer)
        qtbot.waitUntil(lambda: bool(told), timeout=60_000)
        qtbot.waitUntil(lambda: not worker.is_running, timeout=60_000)
    assert told == [f"patient-7.svs in QuPath: {counted + 1} objects added."]
    assert len(qupath.objects) == counted + 1

    # another threshold that was set in the window
    higher = measure(result, threshold=0.4)[0]["positive_objects"]
    set_threshold(viewer, str(result.path), 0.4)
    again = FakeQuPath("file:/elsewhere/patient-7.svs", stain_result.SHAPE)
    with running(again) as port:
        monkeypatch.setattr(ours, "LIVE", f"qupath:{port}")
        worker = ours.to_qupath(viewer)
        qtbot.waitUntil(lambda: len(told) == 2, timeout=60_000)
        qtbot.waitUntil(lambda: not worker.is_running, timeout=60_000)
    assert len(again.objects) == higher + 1 != counted + 1
