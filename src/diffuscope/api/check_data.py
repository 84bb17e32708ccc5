"""The verb `check_data`: a data set looked over before hours are spent on it."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from pathlib import Path

from diffuscope.api.events import Checked
from diffuscope.api.forms import checked
from diffuscope.cases import PARTS, Case, find_cases, split
from diffuscope.cases.report import SHIFT_LIMIT_UM, DataReport, data_report
from diffuscope.cases.volumes import VolumeReport, volume_report
from diffuscope.errors import InputError
from diffuscope.events import Progress
from diffuscope.jobs.settings import check_number
from diffuscope.model.folder import load_model
from diffuscope.scans.open_volume import is_volume
from diffuscope.scans.physical import check_given_mpp
from diffuscope.systems.bounds import SIDE

MASK = "mask"


@checked
def check_data(
    data: str | Path,
    *,
    model: str | Path | None = None,
    keys: Sequence[str] = (),
    mpp: float | None = None,
    assumed_mpp: float | None = None,
    validation: float = 0.2,
    test: float = 0.0,
    seed: int = 0,
    patch: int | None = None,
    shift_limit_um: float = SHIFT_LIMIT_UM,
) -> Generator[Progress | Checked, None, None]:
    """Find a data set's cases, split them unless all state their part, and report on them.

    The cases are found and split when this is called; they are opened while the returned generator is iterated.

    Parameters
    ----------
    data : str or Path
        As in `diffuscope.cases.find_cases`.
    model : str or Path, optional
        Whose ports and µm/px count: what it is trained on must be there, masks and its other outputs may be.
    keys : sequence of str, optional
        Port keys, instead of a model's; those must be there, masks may be.
    mpp : float, optional
        µm/px to compare at; default the model's, else `assumed_mpp`, else every picture as it is.
    assumed_mpp : float, optional
        µm/px of the files that do not say it.
    validation, test, seed : optional
        As in `diffuscope.cases.split`.
    patch, shift_limit_um : optional
        As in `diffuscope.cases.report.data_report`.

    Returns
    -------
    generator of Progress and Checked
        A `Progress` after each case; last what was found.

    Raises
    ------
    InputError
        Neither model nor keys are given, a number makes no sense, or the data cannot be found or split. Files that
        cannot be read are problems in the report.
    """
    check_number("seed", seed, least=0, most=2**63 - 1)
    check_number("patch", patch, most=SIDE)
    for given in (mpp, assumed_mpp):
        check_given_mpp(given)
    if not (math.isfinite(shift_limit_um) and shift_limit_um >= 0):
        raise InputError(f"the limit of a shift is {shift_limit_um:g} µm: give a number from 0 on.")
    optional: tuple[str, ...] = (MASK,)
    if model is not None:
        loaded = load_model(model)
        system = loaded.system
        system.check_images(loaded.name, "what is looked over is images")
        needed, more = system.training_keys()
        keys = keys or needed
        optional = tuple(dict.fromkeys((MASK, *more, *(port.key for port in system.output_rasters[1:]))))
        mpp = mpp or system.input_rasters[0].mpp
    if not keys:
        raise InputError("say what the data is for: --model, or --keys such as he,ihc.")
    cases = find_cases(data, keys, optional=[key for key in optional if key not in keys])
    parts = _parts(cases, validation=validation, test=test, seed=seed)
    if is_volume(next(iter(cases[0].files.values()))):
        return _check(volume_report(parts))
    return _check(
        data_report(parts, mpp=mpp or assumed_mpp, assumed_mpp=assumed_mpp, patch=patch, shift_limit_um=shift_limit_um)
    )


def _parts(cases: Sequence[Case], *, validation: float, test: float, seed: int) -> dict[str, Sequence[Case]]:
    """Return the cases by part: as they state it, else split; no part is empty."""
    if all(case.part for case in cases):  # perhaps all for testing: there is nothing to be split
        parts = {part: [case for case in cases if case.part == part] for part in PARTS}
    else:
        parts = split(cases, validation=validation, test=test, seed=seed)
    return {part: chosen for part, chosen in parts.items() if chosen}


def _check(looks: Generator[Progress, None, DataReport | VolumeReport]) -> Generator[Progress | Checked, None, None]:
    yield Checked(report=(yield from looks))
