"""A slide's result as a PDF of its layers side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.exports.ome_tiff import software
from diffuscope.exports.view.panels import LARGEST, NOTE, sheet_of

if TYPE_CHECKING:
    from diffuscope.exports.request import Request


def need(request: Request) -> int:  # noqa: ARG001  as of every format
    """Return an upper estimate of the file's size in bytes."""
    return LARGEST


def write(part: Path, request: Request) -> None:
    """Write the sheet, with what it is not for."""
    sheet_of(request).save(part, "PDF", resolution=200.0, title=request.ports[0].name, subject=NOTE, creator=software())
