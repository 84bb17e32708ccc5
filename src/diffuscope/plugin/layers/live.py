"""Layers that show a job at work: the outputs as they fill, and the tile that is being computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.engine.events import Preview
from diffuscope.plugin.layers.facts import KEY, own_metadata
from diffuscope.plugin.layers.placement import Placement, canvas_place
from diffuscope.plugin.layers.reading.ranges import fit
from diffuscope.plugin.layers.results import LayerTuple, layer_metadata
from diffuscope.results.coverage import Coverage
from diffuscope.results.result import Result

PREVIEW = "being computed"


class LiveLayers:
    """The layers of one job. Main thread only.

    Parameters
    ----------
    viewer : napari.Viewer
        Where they are shown.
    layers : list of LayerTuple
        The outputs, reading from the canvas on disk; who fills the canvas renews them.
    """

    def __init__(self, viewer: Any, layers: list[LayerTuple]) -> None:
        self._viewer = viewer
        self._preview: Any = None
        first, self._about, _ = layers[0]
        finest = first[0] if self._about["multiscale"] else first
        self._coverage: Coverage | None = getattr(finest, "coverage", None)
        self.outputs: list[Any] = []
        # napari reads the coarsest level once and keeps it; an array can be brought up to date under its hands
        self._coarsest: list[tuple[Any, Any]] = []
        with keep_active(viewer):
            for data, about, _ in layers:
                if about["multiscale"]:
                    memory = np.array(data[-1])
                    self._coarsest.append((memory, data[-1]))
                    data = [*data[:-1], memory]
                else:
                    self._coarsest.append((None, None))
                self.outputs.append(viewer.add_image(data, **about))

    def show_preview(self, event: Preview) -> None:
        """Show the current clean estimate of a tile at its place."""
        canvas = Placement.of(self._about)
        axes = len(canvas.scale)
        place = canvas_place(canvas, 1.0, (event.z, event.y, event.x)[-axes:])
        image = self._cut(event) if self._coverage is not None else event.image
        image = image if self._about["rgb"] else image[..., 0]
        if image.ndim < axes:
            image = image[None]  # one slice of a volume
        if self._preview is None or self._preview not in self._viewer.layers:
            with keep_active(self._viewer):
                self._preview = self._viewer.add_image(
                    image,
                    name=PREVIEW,
                    rgb=self._about["rgb"],
                    contrast_limits=self._about["contrast_limits"],
                    metadata={KEY: {"preview": True, "result": self._about["metadata"][KEY]["result"]}},
                    **place,
                )
        else:
            self._preview.data = image
            # only where it is another: napari draws for each
            if not np.array_equal(self._preview.translate, place["translate"]):
                self._preview.translate = place["translate"]

    def _cut(self, event: Preview) -> NDArray[np.generic]:
        """Return a preview that is not seen beyond the canvas and the drawn outline, as the result will not be."""
        assert self._coverage is not None
        height, width = event.image.shape[:2]
        inside = self._coverage.inside((range(event.y, event.y + height), range(event.x, event.x + width)))
        if self._about["rgb"]:
            return np.concatenate([event.image, np.where(inside, np.uint8(255), np.uint8(0))[..., None]], axis=-1)
        is_float = np.issubdtype(event.image.dtype, np.floating)
        return np.where(inside[..., None], event.image, np.nan) if is_float else event.image

    def refresh(self) -> None:
        """Show what was renewed, in the layers that are seen."""
        for _ in self.refresh_each():
            pass

    def refresh_each(self) -> Iterator[None]:
        """Show what was renewed, in one of the layers that are seen each time that the next is asked for."""
        for layer, (memory, level) in zip(self.outputs, self._coarsest, strict=True):
            if layer.visible and layer in self._viewer.layers:
                if memory is not None:
                    memory[...] = level
                layer.refresh()
                yield
        # what is told of the place under the cursor is of before, and the cursor may rest there
        self._viewer.update_status_from_cursor()

    def end(self, result: Result | None, *, keep: bool = False) -> None:
        """Take the preview away; leave the outputs with the record of the run.

        Without a result they go too, unless `keep`: then the folder is still being written.
        """
        self._remove(self._preview)
        for layer in self.outputs:
            if result is None and not keep:
                self._remove(layer)
            elif result is not None:
                layer.metadata[KEY] = own_metadata(layer) | layer_metadata(result, own_metadata(layer)["port"])
                fit(layer)
        for memory, level in self._coarsest if result is not None else ():
            if memory is not None:
                memory[...] = level
        self.refresh()

    def _remove(self, layer: Any) -> None:
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)


def add_layers(viewer: Any, layers: list[LayerTuple]) -> None:
    """Add image layers without taking the user away from the one at work on."""
    with keep_active(viewer):
        for data, about, _ in layers:
            viewer.add_image(data, **about)


@contextmanager
def keep_active(viewer: Any) -> Iterator[None]:
    """Add layers without taking the user away from the one at work on."""
    active = viewer.layers.selection.active
    try:
        yield
    finally:
        viewer.layers.selection.active = active
