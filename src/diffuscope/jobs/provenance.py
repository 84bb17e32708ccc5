"""The run record: everything that makes a result again, and nothing that tells where files lie."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffuscope.model.folder import Model

NOT_FOR_DIAGNOSIS = "Research use only; not for diagnosis."
_PACKAGES = ("diffuscope", "torch", "diffusers", "numpy", "zarr", "tifffile", "imagecodecs")
_REGISTRATION_PACKAGES = ("diffuscope", "SimpleITK", "numpy", "scipy", "zarr", "tifffile", "imagecodecs")


def command_line(
    *,
    model: str,
    source: str | None,
    out: str,
    flags: Mapping[str, object],
    shape: str | None,
    mpp: float | None,
    options: Mapping[str, float] | None = None,
    inputs: Sequence[tuple[str, str]] = (),
    switches: Sequence[str] = (),
) -> str:
    """Return the shell line that makes a run again in the folder of the slide.

    Parameters
    ----------
    model, source, out : str
        Names without folders; source None where `inputs` name the files.
    flags : mapping
        Long options without dashes to their values.
    shape : str or None
        The region as `parse_region` reads it.
    mpp : float or None
        µm/px that the user gave.
    options : mapping of str to float, optional
        The system's own numbers that the user set.
    inputs : sequence of (str, str)
        Long options without dashes, and their values, that may be there more than once.
    switches : sequence of str
        Long options without dashes that take no value.
    """
    words = ["diffuscope", "run", model, *([source] if source else []), "-o", out]
    for flag, file in inputs:
        words += [f"--{flag}", file]
    if shape is not None:
        words.append(f"--region={shape}")
    if mpp is not None:
        words += ["--mpp", repr(mpp)]
    for flag, value in flags.items():
        words += [f"--{flag}", str(value)]
    for key, number in (options or {}).items():
        words += ["--option", f"{key}={number!r}"]
    return shlex.join([*words, *(f"--{switch}" for switch in switches)])


def state_model(model: Model) -> dict[str, str]:
    """Return what a record says of a model, with what its card warns of."""
    card = model.card
    return {
        "name": model.name,
        "hash": model.hash,
        "title": card.title,
        "trained_on": card.trained_on,
        "simulated": "yes" if card.simulated else "no",
        "what_it_is_not": card.what_it_is_not,
    }


def make_record(
    *,
    model: Mapping[str, Any],
    inputs: Mapping[str, Mapping[str, Any]],
    parameters: Mapping[str, Any],
    compute: Mapping[str, Any],
    command: str,
    notices: tuple[str, ...],
    generated: Sequence[str] = (),
    case: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Put a run record together; all values JSON.

    Parameters
    ----------
    model : mapping
        Name, hash, title.
    inputs : mapping of str to mapping
        By input port key: name, fingerprint, µm/px found and used.
    parameters : mapping
        What determines the pixels: region, sampler, steps, samples, seed, tile, overlap, factor.
    compute : mapping
        What determines their last bits: device, precision, batch, threads.
    command : str
        From `command_line`; empty where none makes the run again.
    notices : tuple of str
        What the user was told.
    generated : sequence of str, optional
        Keys of what the model makes: an input may have the same.
    case : mapping, optional
        What a report says of a case besides: ``"missing"``, names of inputs; ``"tables"``, by key name and columns.
    """
    return {
        "note": NOT_FOR_DIAGNOSIS,
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": dict(model),
        "inputs": {key: dict(value) for key, value in inputs.items()},
        "parameters": dict(parameters),
        "compute": dict(compute),
        "versions": _versions(_PACKAGES),
        "notices": list(notices),
        **({"generated": list(generated)} if generated else {}),
        **({"case": dict(case)} if case else {}),
    }


def registration_command(*, fixed: str, moving: str, out: str, affine_only: bool, flags: Mapping[str, object]) -> str:
    """Return the shell line that makes a registration again in the folder of the slides.

    Parameters
    ----------
    fixed, moving, out : str
        Names without folders.
    affine_only : bool
        Whether the B-spline was left out.
    flags : mapping
        Long options without dashes to their values; those that are None were not given.
    """
    words = ["diffuscope", "register", fixed, moving, "-o", out]
    for flag, value in flags.items():
        if value is not None:
            words += [f"--{flag}", str(value)]
    return shlex.join([*words, *(["--affine-only"] if affine_only else [])])


def make_registration_record(
    *,
    inputs: Mapping[str, Mapping[str, Any]],
    parameters: Mapping[str, Any],
    figures: Mapping[str, Any],
    command: str,
    notices: tuple[str, ...],
) -> dict[str, Any]:
    """Put the record of a registration together; all values JSON.

    Parameters
    ----------
    inputs : mapping of str to mapping
        Of the fixed slide, then of the moving one: name, fingerprint, µm/px found and used.
    parameters : mapping
        What determines the transform.
    figures : mapping
        How well the slides match, before and after.
    command : str
        From `registration_command`.
    notices : tuple of str
        What the user was told.
    """
    return {
        "note": NOT_FOR_DIAGNOSIS,
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": {key: dict(value) for key, value in inputs.items()},
        "parameters": dict(parameters),
        "figures": dict(figures),
        "versions": _versions(_REGISTRATION_PACKAGES),
        "notices": list(notices),
    }


def evaluation_command(*, model: str, data: str, out: str, flags: Mapping[str, object]) -> str:
    """Return the shell line that makes an evaluation again in the folder of the data.

    Parameters
    ----------
    model, data, out : str
        Names without folders.
    flags : mapping
        Long options without dashes to their values; those that are None were not given.
    """
    words = ["diffuscope", "evaluate", model, data, "-o", out]
    for flag, value in flags.items():
        if value is not None:
            words += [f"--{flag}", str(value)]
    return shlex.join(words)


def score_command(
    *, model: str, cohort: Sequence[str], case: Sequence[tuple[str, str]], out: str | None, flags: Mapping[str, object]
) -> str:
    """Return the shell line that scores a cohort, or one case, again in the folder of its files.

    Parameters
    ----------
    model, out : str
        Names without folders; out None where nothing is written.
    cohort : sequence of str
        Tables, without folders but those that tell them apart.
    case : sequence of (str, str)
        Long options without dashes, and their values, of one case.
    flags : mapping
        Long options without dashes to their values.
    """
    words = ["diffuscope", "score", model, *cohort, *(["-o", out] if out else [])]
    for flag, value in (*case, *flags.items()):
        words += [f"--{flag}", str(value)]
    return shlex.join(words)


def make_evaluation_record(*, command: str) -> dict[str, Any]:
    """Return what every evaluation report states: that it is not for diagnosis, how, when and with what it was made."""
    return {
        "note": NOT_FOR_DIAGNOSIS,
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(_PACKAGES),
    }


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    return {"python": platform.python_version(), **{name: _version(name) for name in packages}}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
