"""Layers seen right of a line on the screen only: nothing of them is drawn left of it, and nothing is read anew."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import ceil
from typing import Any

from vispy import gloo


class Curtain:
    """Hides layers of a viewer left of a line. napari has no public way to clip an image in two dimensions.

    By scissors and not by a vispy Clipper: that works px by px in the shader, which takes a processor as long as to
    draw them where there is no graphics card.

    Attributes
    ----------
    drawn : list of object
        What draws the layers that are hidden now.
    """

    def __init__(self) -> None:
        self.drawn: list[Any] = []

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
        self.lift()
        self.drawn = [node for layer in layers if layer in canvas.layer_to_visual for node in _drawing(canvas, layer)]
        for node in self.drawn:
            node.draw = partial(_draw_right, node, canvas._scene_canvas, edge)  # noqa: SLF001

    def lift(self) -> None:
        """Let everything be seen."""
        for node in self.drawn:
            del node.draw
            node.update()
        self.drawn = []


def _draw_right(node: Any, canvas: Any, edge: float) -> None:
    """Draw what a node of a scene draws, right of a line of the canvas."""
    width, height = canvas.physical_size  # px of the screen, of which those are drawn whose middle is
    left = ceil(edge * width - 0.5)
    gloo.set_state(scissor_test=True, scissor=(left, 0, max(0, width - left), height))
    type(node).draw(node)
    gloo.set_state(scissor_test=False)


def _drawing(canvas: Any, layer: Any) -> list[Any]:
    """Return what draws a layer; of one that is larger than a texture it is several."""
    node = canvas.layer_to_visual[layer].node
    return [node] if hasattr(node, "draw") else [child for child in node.children if hasattr(child, "draw")]
