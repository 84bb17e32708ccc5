"""Which outputs show one virtual immunostain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from diffuscope.ports.raster import Raster


@dataclass(frozen=True, kw_only=True)
class Stain:
    """The outputs that show one virtual immunostain.

    Attributes
    ----------
    name : str
        The marker, e.g. ``"CD3"``.
    colour : Raster or None
        Colour image: ``ihc``, or ``ihc_…`` where there are several stains.
    dab : Raster or None
        DAB optical density: ``dab``, or ``dab_…``.
    """

    name: str
    colour: Raster | None
    dab: Raster | None


def find_stains(ports: Sequence[Raster]) -> list[Stain]:
    """Return the virtual immunostains among output ports, in order, by the keys that `Stain` tells."""
    by_key = {port.key: port for port in ports}
    endings = dict.fromkeys(key[3:] for key in by_key if key[:3] in {"ihc", "dab"} and key[3:4] in {"", "_"})
    found = []
    for ending in endings:
        colour, dab = by_key.get(f"ihc{ending}"), by_key.get(f"dab{ending}")
        name = colour.name.removeprefix("virtual ") if colour else dab.name.removesuffix(" DAB") if dab else ""
        found.append(Stain(name=name, colour=colour, dab=dab))
    return found
