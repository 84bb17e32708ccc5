"""From and to the QuPath that runs beside napari."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.qt.threading import create_worker
from napari.utils.notifications import show_info, show_warning

from diffuscope.errors import InputError
from diffuscope.exports.qupath.live import send
from diffuscope.plugin.layers.drawn.annotations import annotation_layers
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.objects.threshold import threshold_set
from diffuscope.plugin.widgets.last_resort import told
from diffuscope.results.result import open_result
from diffuscope.scans.qupath.live import LIVE, connected, read_selected, read_shown
from diffuscope.scans.qupath.size import check_size

if TYPE_CHECKING:
    import napari


@told
def from_qupath(viewer: napari.Viewer) -> None:
    """Open the slide that QuPath shows, unless it is open, and draw on it what is selected there.

    Raises
    ------
    InputError
        QuPath does not answer, or shows nothing that can be opened.
    """
    with connected(LIVE) as gateway:
        shown, selected = read_shown(gateway), read_selected(gateway)
    check_size(shown.name, shown.path, shown.shape)
    there = [one for one in viewer.layers if own_metadata(one).get("source") == str(shown.path)]
    slide = there[0] if there else viewer.open(str(shown.path), plugin="diffuscope")[0]
    viewer.layers.selection.active = slide
    if not selected.found:
        show_info(f"Nothing with an area is selected in QuPath: {shown.name} is here without outlines.")
        return
    layers, notices = annotation_layers(selected, viewer)
    for data, about, _ in layers:
        viewer.add_shapes(data, **about)
    if notices:
        show_warning("\n".join(notices))


@told
def to_qupath(viewer: napari.Viewer) -> Any:
    """Put the objects of the active layer's result onto its slide in QuPath, in a thread; tells when they are there.

    Raises
    ------
    InputError
        The active layer is of no result; in the thread, where it is shown: as of `diffuscope.exports.qupath.live.send`.
    """
    layer = viewer.layers.selection.active
    path = own_metadata(layer).get("result") if layer is not None else None
    if not path:
        raise InputError("The selected layer is no Diffuscope result: select one of its layers first.")
    threshold = threshold_set(viewer, path)
    worker = create_worker(lambda: send(open_result(Path(path)), LIVE, threshold=threshold))
    worker.returned.connect(_tell)
    worker.start()
    return worker


def _tell(sent: str) -> None:
    show_info(sent)
