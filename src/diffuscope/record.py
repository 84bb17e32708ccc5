"""The run record: everything that makes a result again, and nothing that tells where files lie."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

NOT_FOR_DIAGNOSIS = "Research use only; not for diagnosis."
_PACKAGES = ("diffuscope", "torch", "diffusers", "numpy", "zarr", "tifffile", "imagecodecs")


def command_line(
    *, model: str, source: str, out: str, flags: Mapping[str, object], shape: str | None, mpp: float | None
) -> str:
    """Return the shell line that makes a run again in the folder of the slide.

    Parameters
    ----------
    model, source, out : str
        Names without folders.
    flags : mapping
        Long options without dashes to their values.
    shape : str or None
        The region as `parse_region` reads it.
    mpp : float or None
        µm/px that the user gave.
    """
    words = ["diffuscope", "run", model, source, "-o", out]
    if shape is not None:
        words.append(f"--region={shape}")
    if mpp is not None:
        words += ["--mpp", repr(mpp)]
    for flag, value in flags.items():
        words += [f"--{flag}", str(value)]
    return shlex.join(words)


def make_record(
    *,
    model: Mapping[str, Any],
    inputs: Mapping[str, Mapping[str, Any]],
    parameters: Mapping[str, Any],
    compute: Mapping[str, Any],
    command: str,
    notices: tuple[str, ...],
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
        From `command_line`.
    notices : tuple of str
        What the user was told.
    """
    return {
        "note": NOT_FOR_DIAGNOSIS,
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": dict(model),
        "inputs": {key: dict(value) for key, value in inputs.items()},
        "parameters": dict(parameters),
        "compute": dict(compute),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "notices": list(notices),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
