"""Stand-ins of what hostile files do to whoever opens them; imported by the fuzzer's children by its name."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path

from benchmarks.fuzz.kind import Kind
from diffuscope.errors import InputError


def warm() -> None:
    """Nothing is opened that takes imports."""


def make(folder: Path) -> Path:
    path = folder / "file"
    path.write_bytes(b"0123456789" * 20)
    return path


def refuse(path: Path) -> None:
    raise InputError(f"{path.name} is none: give another.")


def ramble(path: Path) -> None:
    raise InputError(f"{path.name} is\nnone")


def fill(path: Path) -> None:
    held = bytearray(1 << 31)
    # Until somebody has looked.
    time.sleep(60)
    assert held


def spin(path: Path) -> None:
    while True:
        pass


def wait(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.with_name("pipe").read_bytes()


def litter(path: Path) -> None:
    path.with_name("stray").touch()


def speak(path: Path) -> None:
    print("noise", file=sys.stderr)


KINDS = {
    "opened": Kind(make, lambda path: None),
    "refused": Kind(make, refuse),
    "unclear": Kind(make, ramble),
    "traceback": Kind(make, lambda path: 1 / 0),
    "crash": Kind(make, lambda path: ctypes.string_at(0)),
    "hang": Kind(make, spin),
    "wait": Kind(make, wait),
    "memory": Kind(make, fill),
    "stray": Kind(make, litter),
    "noise": Kind(make, speak),
}
