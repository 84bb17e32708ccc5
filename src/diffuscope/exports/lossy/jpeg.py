"""OME-TIFF with colours as JPEG, which every viewer reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.exports import ome_tiff
from diffuscope.exports.ome_tiff import Codec

if TYPE_CHECKING:
    from diffuscope.exports.request import Request

# Red, green and blue of all px as they are. Y, Cb and Cr of every second px, as JPEG has them by habit, smear DAB; of
# every px Bio-Formats takes them for red, green and blue that are to be converted once more.
_JPEG = Codec(
    name="JPEG, quality 90",
    options={"compression": "jpeg", "compressionargs": {"level": 90, "outcolorspace": "rgb"}},
)

need = ome_tiff.need


def write(part: Path, request: Request) -> None:
    """Write as `diffuscope.exports.ome_tiff.write`, colours with loss."""
    ome_tiff.write(part, request, codec=_JPEG)
