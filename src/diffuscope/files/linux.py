"""Two calls of Linux that Python does not have; elsewhere, and where a disk cannot, they answer False."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD, RENAME_EXCHANGE


def exchange(one: Path, other: Path) -> bool:
    """Exchange what two names mean, in one step; False where that cannot be done and nothing was."""
    call = _call("renameat2")
    names = os.fsencode(one), os.fsencode(other)
    return call is not None and call(_HERE, names[0], _HERE, names[1], ctypes.c_uint(_EXCHANGE)) == 0


def sync_disk(path: Path) -> bool:
    """Wait until all that was written to the disk of a path is on it; False where that cannot be done."""
    call = _call("syncfs")
    if call is None:
        return False
    handle = os.open(path, os.O_RDONLY)
    try:
        return bool(call(handle) == 0)
    finally:
        os.close(handle)


@cache
def _call(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
