"""The kinds of ports, and what of them is an image."""

from __future__ import annotations

from collections.abc import Iterable

from diffuscope.ports.mask import Mask
from diffuscope.ports.raster import Raster
from diffuscope.ports.score import Score
from diffuscope.ports.table import Table
from diffuscope.ports.text import Text

Port = Raster | Mask | Table | Text | Score


def rasters(ports: Iterable[Port]) -> tuple[Raster, ...]:
    """Return the images among ports, in order."""
    return tuple(port for port in ports if isinstance(port, Raster))
