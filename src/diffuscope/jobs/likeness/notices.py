"""What to tell a user whose image does not look like those that the model is known to take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.jobs.inputs import PortInput, open_inputs
from diffuscope.jobs.likeness.looks import look
from diffuscope.jobs.scaling import find_foreground, with_statistics
from diffuscope.model.find import model_info
from diffuscope.ports.raster import Raster
from diffuscope.ports.seen import Seen, unlike
from diffuscope.scans import Foreground, Volume

#: A run looks at its inputs for so long, and at two windows of each at least: a slow disk must not keep it.
SECONDS = 1.0
#: What every sentence of `unlike_notices` says.
UNLIKE = "does not look like what this model is for"


def unlike_notices(
    inputs: Sequence[PortInput], inside: Foreground | None, seen: Mapping[str, Seen], *, factors: Sequence[float]
) -> tuple[str, ...]:
    """Return a sentence for each input that is unlike those of training, and one on all of which nobody knows.

    Never a reason to refuse a run: what is unlike may still be what the user wants, and what looks alike may be wrong.

    Parameters
    ----------
    inputs : sequence of PortInput
        With the values that become their ports' ranges.
    inside : Foreground or None
        Theirs.
    seen : mapping of str to Seen
        What the model's config.json states, by key of an input; one that is not there is told and not looked at.
    factors : sequence of float
        Px of the inputs per px of the model along their axes.
    """
    told = list(unknown_looks([one.port for one in inputs], seen))
    for one in inputs:
        known = seen.get(one.port.key)
        if known is None or inside is None:
            continue
        found = look(one, inside, factors, seconds=SECONDS / len(inputs))
        if why := unlike(found.traits, known, few=found.few):
            told.append(f"{one.port.name} ({one.scan.name}) {UNLIKE} ({known.of}): {why}.")
    return tuple(told)


def unknown_looks(ports: Sequence[Raster], seen: Mapping[str, Seen]) -> tuple[str, ...]:
    """Return a sentence on the inputs of which a model does not state how they look; none where it states all.

    Parameters
    ----------
    ports : sequence of Raster
        Of what it is given.
    seen : mapping of str to Seen
        As of `unlike_notices`.
    """
    names = " and ".join(port.name for port in ports if port.key not in seen)
    said = (
        f"This model does not state how {names} looked in its training, so a run cannot tell whether yours is like it."
    )
    return (said,) if names else ()


def unlike_files(
    model: str | Path, files: Mapping[str, str | Path], *, mpp: float | None = None, voxels: float = math.inf
) -> tuple[str, ...]:
    """Return the sentences of `unlike_notices` for files that a model may be given; nothing is loaded or refused.

    What a run would refuse is left for the run to say.

    Parameters
    ----------
    model : str or Path
        As of `diffuscope.model.find.find_model`.
    files : mapping of str to (str or Path)
        By port key, ``"path"`` or ``"path#channel"``.
    mpp : float, optional
        µm/px that the user gave.
    voxels : float
        A volume of more is not looked at, which would read all of it.
    """
    with suppress(InputError):
        info = model_info(model)
        seen = info.stated.seen
        ports = [port for port in info.declared.input_rasters if port.key in files]
        if not any(port.key in seen for port in ports):
            return unknown_looks(ports, seen)
        opened = open_inputs({port.key: files[port.key] for port in ports}, ports, info.name, mpp=mpp)
        if any(isinstance(one.scan, Volume) and math.prod(one.scan.shape) > voxels for one in opened):
            return unknown_looks(ports, seen)
        inside, factors = find_foreground(opened), opened[0].scan.factors(ports[0])
        inputs = with_statistics(opened, inside, factors=factors)
        return unlike_notices(inputs, inside, seen, factors=factors)
    return ()
