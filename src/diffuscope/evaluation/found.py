"""What a model found for a case, window by window: a run's result, or finished pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffuscope.cases import Case, OpenCase, open_case
from diffuscope.cases.find import pictures_in
from diffuscope.errors import InputError
from diffuscope.jobs.port_checks import check_port
from diffuscope.ports.raster import Raster
from diffuscope.results.result import Result
from diffuscope.scans.region import in_memory

_PREFIX = "found "


@dataclass(frozen=True, eq=False)
class Found:
    """The outputs that there are and how to read a window of one, (y, x, height, width) in px of the model's grid."""

    keys: frozenset[str]
    read: Callable[[str, int, int, int, int], NDArray[np.generic]]


def of_result(result: Result) -> Found:
    """Return what a run found; where it computed nothing its ports' fill stands."""
    top, left, _, _ = result.window
    fill = {port.key: port.fill for port in result.ports}

    def read(key: str, y: int, x: int, height: int, width: int) -> NDArray[np.generic]:
        level = result.images[key][0]
        out = np.full((height, width, level.shape[2]), fill[key], dtype=level.dtype)
        y0, x0 = max(y - top, 0), max(x - left, 0)
        there = level[y0 : max(y - top + height, 0), x0 : max(x - left + width, 0)]
        part = in_memory(there)
        down, right = y0 + top - y, x0 + left - x
        out[down : down + part.shape[0], right : right + part.shape[1]] = part
        return out

    return Found(frozenset(result.images), read)


def finished(folder: Path, cases: Sequence[str], ports: Sequence[Raster]) -> dict[str, dict[str, Path]]:
    """Find the finished pictures of cases.

    Parameters
    ----------
    folder : Path
        With a picture a case, named as it is; or with a folder an output key, of which the main one must be there.
    cases : sequence of str
        Their names.
    ports : sequence of Raster
        The outputs, the main one first.

    Returns
    -------
    dict of str to dict of str to Path
        By case and output key.

    Raises
    ------
    InputError
        There is no such folder, or it lacks a case.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: give one with a picture a case.")
    main = ports[0].key
    places = {port.key: folder / port.key for port in ports if (folder / port.key).is_dir()}
    found = {key: pictures_in(place) for key, place in (places if main in places else {main: folder}).items()}
    for case in cases:
        if case not in found[main]:
            raise InputError(
                f"{places.get(main, folder)} has no picture of case {case}: name the pictures as the cases."
            )
    return {case: {key: pictures[case] for key, pictures in found.items() if case in pictures} for case in cases}


def of_pictures(
    case: Case,
    files: Mapping[str, Path],
    ports: Sequence[Raster],
    model: str,
    *,
    mpp: float,
    assumed_mpp: float | None,
) -> tuple[OpenCase, Found]:
    """Open finished pictures together with their case, so that all lie on one grid.

    Parameters
    ----------
    case : Case
        With its truth.
    files : mapping of str to Path
        Pictures by output key.
    ports : sequence of Raster
        The outputs.
    model : str
        Whose, for messages.
    mpp, assumed_mpp : float
        As in `diffuscope.cases.open_case`.

    Returns
    -------
    OpenCase
        The case; its shape is that of what all pictures show.
    Found

    Raises
    ------
    InputError
        As `open_case` does, also where a picture shows another field than the case, or is not what its port declares.
    """
    both = replace(case, files={**case.files, **{_PREFIX + key: path for key, path in files.items()}})
    opened = open_case(both, mpp=mpp, assumed_mpp=assumed_mpp)
    for port in ports:
        if port.key in files:
            check_port(opened.scans[_PREFIX + port.key], port, model)
    return opened, Found(frozenset(files), lambda key, *window: opened.read(_PREFIX + key, *window))
