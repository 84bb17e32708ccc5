"""Layers seen right of a line on the screen only: their pixels are left out as they are drawn, nothing is read anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vispy.visuals.filters import Clipper

# Px that no screen has.
_FAR = 1e6


class Curtain:
    """Hides layers of a viewer left of a line. napari has no public way to clip an image in two dimensions.

    Attributes
    ----------
    drawn : dict of object to Clipper
        What is hidden now, by what draws it.
    """

    def __init__(self) -> None:
        self.drawn: dict[Any, Clipper] = {}

    def draw(self, canvas: Any, layers: Sequence[Any], edge: float) -> None:
        """Let layers be seen right of a line only, and all others everywhere.

        Parameters
        ----------
        canvas : napari's canvas
            That draws them.
        layers : sequence of layers
            Which.
        edge : float
            Where the line is, from 0 (left) to 1 (right) of the canvas.
        """
        left = edge * canvas._scene_canvas.physical_size[0]  # noqa: SLF001  in px of the screen, as shaders count
        nodes = [node for layer in layers if layer in canvas.layer_to_visual for node in _drawing(canvas, layer)]
        for node in [node for node in self.drawn if node not in nodes]:
            node.detach(self.drawn.pop(node))
        for node in nodes:
            if node not in self.drawn:
                self.drawn[node] = Clipper()
                node.attach(self.drawn[node])
            self.drawn[node].bounds = (left, -_FAR, _FAR, 2 * _FAR)
            node.update()

    def lift(self) -> None:
        """Let everything be seen."""
        for node, clipper in self.drawn.items():
            node.detach(clipper)
            node.update()
        self.drawn.clear()


def _drawing(canvas: Any, layer: Any) -> list[Any]:
    """Return what draws a layer; of one that is larger than a texture it is several."""
    node = canvas.layer_to_visual[layer].node
    return [node] if hasattr(node, "attach") else [child for child in node.children if hasattr(child, "attach")]
