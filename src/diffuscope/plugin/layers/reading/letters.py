"""The letters over a canvas, whose table lies where it is drawn from and is not brought there at each drawing."""

from __future__ import annotations

from typing import Any

import numpy as np
from vispy.gloo import Texture2D


def keep_table(canvas: Any) -> None:
    """Let the fonts of a canvas, those to come too, bring the table by which letters are drawn there only once.

    vispy (0.17) brings it whenever a text is drawn, five times a picture with two colour bars and a scale bar. Each
    time the window waits until all is drawn that was asked for before.

    Parameters
    ----------
    canvas : napari's canvas
        Before 0.9 it has no fonts of its own.
    """
    if not hasattr(canvas, "font_info"):
        return
    manager = canvas.font_info().font_manager
    get_font = manager.get_font

    def get(*args: Any, **options: Any) -> Any:
        return _with_texture(get_font(*args, **options))

    for font in manager._fonts.values():  # noqa: SLF001  napari has no public way to them
        _with_texture(font)
    manager.get_font = get


def _with_texture(font: Any) -> Any:
    if isinstance(font._kernel, np.ndarray):  # noqa: SLF001
        font._kernel = Texture2D(font._kernel)  # noqa: SLF001
    return font
