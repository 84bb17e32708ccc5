"""Which outputs show one virtual immunostain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from diffuscope.ports.port import Port, rasters
from diffuscope.ports.raster import Raster

#: Samples that are kept, at most: more tell an interval little better, and each takes disk. 16 with their mean.
MOST_SAMPLES = 15
SAMPLES = "samples"


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


def each_sample(port: Raster, samples: int) -> Raster:
    """Return the image that keeps each of several samples beside their mean, `port`: a channel each.

    It is a result's own and no output: nobody asks for it, and it is not shown.
    """
    channels = tuple(f"sample {number}" for number in range(1, min(samples, MOST_SAMPLES) + 1))
    return replace(port, name=f"{port.name} of each sample", key=port.samples, channels=channels, samples="")


def samples_kept(ports: Iterable[Port], samples: int) -> tuple[Raster, ...]:
    """Return the images that a run with so many samples keeps beside its outputs, `ports`; none with one."""
    return tuple(each_sample(port, samples) for port in rasters(ports) if port.samples and samples > 1)


def is_of_samples(port: Raster) -> bool:
    """Whether an image of a result keeps samples, as `each_sample` makes it."""
    return port.key.partition("_")[0] == SAMPLES and port.channels[0] == "sample 1"


def samples_of(stain: Stain) -> str:
    """Return the key of the image that keeps the samples of a stain, where there is one."""
    return SAMPLES + stain.dab.key.removeprefix("dab") if stain.dab else ""
