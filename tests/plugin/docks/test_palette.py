"""Commands of the palette act on the dock in front; an empty dock offers its sample; an error leads to its field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import MILLISECONDS

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from fake_models import MODELS
from npe2 import PluginManifest

from diffuscope.errors import InputError
from diffuscope.plugin.docks import palette
from diffuscope.plugin.docks.register import RegisterDock
from diffuscope.plugin.docks.stain import StainDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.reader import read_layers

pytestmark = [pytest.mark.gui, pytest.mark.slow]

MANIFEST = PluginManifest.from_distribution("diffuscope")


@pytest.fixture
def docks(make_napari_viewer: Any, qtbot: Any, tmp_path: Path) -> Iterator[tuple[StainDock, RegisterDock]]:
    """Two docks of a window on the screen, the second in front."""
    viewer = make_napari_viewer()
    viewer.window.show()
    child = Child("fake_verbs")
    both = (StainDock(viewer, child), RegisterDock(viewer))
    for dock, name in zip(both, ("Virtual staining", "Register"), strict=True):
        viewer.window.add_dock_widget(dock, name=name, area="right")
    both[0].form.out = str(tmp_path / "out.ome.zarr")
    qtbot.waitUntil(lambda: not both[1].visibleRegion().isEmpty(), timeout=MILLISECONDS)
    yield both
    viewer.close()
    qtbot.waitUntil(lambda: child.pid is None, timeout=MILLISECONDS)


def front(dock: Any, qtbot: Any) -> None:
    dock.parent().raise_()
    qtbot.waitUntil(lambda: not dock.visibleRegion().isEmpty(), timeout=MILLISECONDS)


def test_commands_go_to_the_dock_in_front(docks: Any, qtbot: Any, result_folder: Path):
    stain, register = docks
    viewer, state = stain.viewer, stain.session.state
    palette.run(viewer)
    assert register.session.state.failed and not state.failed  # no slide is chosen
    with pytest.raises(InputError, match="no preview of a tile"):
        palette.preview(viewer)
    front(stain, qtbot)
    with pytest.raises(InputError, match="nothing is at work"):
        palette.cancel(viewer)
    with pytest.raises(InputError, match="No result is shown"):
        palette.export(viewer)

    # nothing is open: the sample is offered, and is the input then
    assert stain.fields.sample.isVisible()
    stain.fields.sample.click()
    assert stain.form.slide.name == "CMU-1-Small-Region.svs" and not stain.fields.sample.isVisible()

    # an error leads to its field
    stain.form.model, stain.form.region = MODELS[1], "shape"
    palette.run(viewer)
    assert state.failed and stain.window().focusWidget() is stain.fields.draw

    stain.form.region = "tissue"
    palette.run(viewer)
    qtbot.waitUntil(lambda: state.phase == "running", timeout=MILLISECONDS)
    palette.cancel(viewer)
    qtbot.waitUntil(lambda: state.is_idle, timeout=MILLISECONDS)
    assert state.message.startswith("Cancelled")

    # one result after the other
    for folder in (result_folder, Path(stain.form.out)):
        for data, about, _ in read_layers(str(folder)):
            viewer.add_image(data, **about)
    seen = []
    for _ in range(2):
        palette.next_result(viewer)
        active = viewer.layers.selection.active
        seen.append(own_metadata(active)["result"])
        shown = {own_metadata(layer).get("result") for layer in viewer.layers if layer.visible} - {None}
        assert shown == {seen[-1]}
    assert len(set(seen)) == 2


def test_without_a_dock_a_command_says_so(make_napari_viewer: Any):
    with pytest.raises(InputError, match="No dock of Diffuscope is open"):
        palette.run(make_napari_viewer())


def test_a_command_hides_the_stain_and_shows_it_again(make_napari_viewer: Any, result_folder: Path):
    command = next(one for one in MANIFEST.contributions.commands if one.python_name.endswith(":toggle"))
    assert command.id == "diffuscope.toggle"
    viewer = make_napari_viewer()
    with pytest.raises(InputError, match="No result is in sight"):
        palette.toggle(viewer)
    for data, about, _ in read_layers(str(result_folder)):
        viewer.add_image(data, **about)
    seen = [layer.visible for layer in viewer.layers]
    palette.toggle(viewer)
    assert not any(layer.visible for layer in viewer.layers)
    palette.toggle(viewer)
    assert [layer.visible for layer in viewer.layers] == seen
