"""A slide's result as a PNG of its layers side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL.PngImagePlugin import PngInfo

from diffuscope.exports.ome_tiff import software
from diffuscope.exports.view.panels import LARGEST, NOTE, sheet_of

if TYPE_CHECKING:
    from diffuscope.exports.request import Request


def need(request: Request) -> int:  # noqa: ARG001  as of every format
    """Return an upper estimate of the file's size in bytes."""
    return LARGEST


def write(part: Path, request: Request) -> None:
    """Write the sheet, with what it is not for."""
    about = PngInfo()
    about.add_text("Description", NOTE)
    about.add_text("Software", software())
    sheet_of(request).save(part, "PNG", pnginfo=about)
