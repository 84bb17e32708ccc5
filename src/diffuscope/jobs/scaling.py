"""How files are brought to the scales of their ports: by numbers of the whole slide or volume, never tile by tile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from diffuscope.jobs.inputs import PortInput, Values
from diffuscope.scans import Scan
from diffuscope.scans.foreground import VolumeMask
from diffuscope.scans.intensity import slide_range, volume_range
from diffuscope.scans.tissue import TissueMask
from diffuscope.scans.windows import foreground_windows
from diffuscope.stains import StainStatistics, measure_stains

#: By port key, the stains that an input is known to have; None leaves it as it is.
Stains = Mapping[str, StainStatistics | None]


def with_statistics(
    inputs: Sequence[PortInput],
    mask: TissueMask | VolumeMask,
    ranges: Mapping[str, Values] | None = None,
    stains: Stains | None = None,
    *,
    factor: float = 1.0,
) -> tuple[PortInput, ...]:
    """Return the inputs with what brings them to their ports: by numbers of the whole slide or volume.

    Parameters
    ----------
    inputs : sequence of PortInput
        All of one lattice.
    mask : TissueMask or VolumeMask
        Their foreground, of which percentiles are taken and stains measured.
    ranges, stains : mapping, optional
        By port key, what is given and not measured.
    factor : float
        Of a slide, level-0 px per px of the model.
    """
    return tuple(_with_statistics(one, mask, ranges or {}, stains or {}, factor) for one in inputs)


def slide_stains(scan: Scan, mask: TissueMask, *, factor: float) -> StainStatistics | None:
    """Measure the stains of an H&E; None where it shows no nucleus.

    Parameters
    ----------
    scan : Scan
        Of 8-bit RGB and known µm/px.
    mask : TissueMask
        Its tissue.
    factor : float
        Level-0 px per px of the model.
    """
    assert scan.mpp is not None
    fields = [pixels.astype(np.uint8) for pixels, _ in foreground_windows(scan, mask, factor=factor, fill=255)]
    return measure_stains(fields, mpp=scan.mpp * factor)


def _with_statistics(
    one: PortInput, mask: TissueMask | VolumeMask, ranges: Mapping[str, Values], stains: Stains, factor: float
) -> PortInput:
    key, scan = one.port.key, one.scan
    if one.port.scale == "stain":
        assert isinstance(scan, Scan) and isinstance(mask, TissueMask)  # check_port refuses a volume
        return replace(one, stains=stains[key] if key in stains else slide_stains(scan, mask, factor=factor))
    if one.port.scale != "percentile":
        return one
    if key in ranges:
        return replace(one, values=ranges[key])
    if isinstance(scan, Scan):
        assert isinstance(mask, TissueMask)
        return replace(one, values=slide_range(scan, mask, factor=factor))
    assert isinstance(mask, VolumeMask)
    return replace(one, values=volume_range(scan, mask))
