"""A result before its first tile: empty images, what is known of them, and the run record, put in place at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from diffuscope.files.claim import Claim
from diffuscope.files.put import in_place_of
from diffuscope.ports.state import state_port
from diffuscope.results.beside.mark import generated_by
from diffuscope.results.cache import FOLDER, LEDGER, CachedParts
from diffuscope.results.coverage import keep_coverage
from diffuscope.results.layout import ATTRS, CASE_FORMAT, SLIDE_FORMAT, VOLUME_FORMAT, create_images
from diffuscope.results.ledger import Ledger
from diffuscope.results.place import NOWHERE, Place
from diffuscope.results.tissue import TissueMap, save_tissue
from diffuscope.results.values import ValueStore
from diffuscope.tiling.boxes import halves
from diffuscope.tiling.plan import Plan

if TYPE_CHECKING:
    from diffuscope.ports.numbers import Value
    from diffuscope.ports.port import Port
    from diffuscope.ports.raster import Raster

#: By the number of axes.
_FORMATS = {2: SLIDE_FORMAT, 3: VOLUME_FORMAT}


def begin_result(
    path: Path,
    *,
    plan: Plan,
    ports: Sequence[Raster],
    record: Mapping[str, Any],
    others: Sequence[Port],
    values: Sequence[Value],
    tissue: TissueMap | None,
    replace: bool,
    claim: Claim | None = None,
) -> None:
    """Write a result of which nothing is computed yet (parameters as of `Canvas`).

    A result in its place is there until this one is, whole: whoever is killed meanwhile leaves one that opens.

    Raises
    ------
    InputError
        It could not be written.
    """
    place = Place.of(plan) if ports else NOWHERE
    _, shape = halves(plan.window)
    with in_place_of(path, replace=replace, claim=claim) as part:
        root = zarr.create_group(store=part, zarr_format=2)
        CachedParts(part / FOLDER, len(plan.axes)).create()
        Ledger(part / FOLDER / LEDGER, len(plan.axes)).write()
        about = generated_by(record)
        create_images(root, ports, shape=shape, spacing=place.spacing, origin=place.origin, about=about)
        if ports:
            keep_coverage(root, plan, np.zeros_like(plan.selected))
        ValueStore(root, values, plan)
        if tissue is not None:
            save_tissue(root, tissue)
        root.attrs[ATTRS] = {
            "version": CASE_FORMAT if others else _FORMATS[len(plan.axes)],
            "tiles": plan.count,
            "ports": [state_port(port) for port in ports],
            **({"others": [state_port(port) for port in others]} if others else {}),
            **(place.to_json() if ports else {}),
            "record": dict(record),
            "complete": False,
            "done": 0,
        }
