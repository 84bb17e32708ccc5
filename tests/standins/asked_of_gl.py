"""What vispy asks of the graphics card."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vispy.gloo.glir import GlirQueue


@contextmanager
def asked_of_gl() -> Iterator[list[tuple[Any, ...]]]:
    """Collect its commands, as ``("DRAW", ...)``, in their order."""
    commands: list[tuple[Any, ...]] = []
    ask = GlirQueue.command

    def command(queue: Any, *what: Any) -> None:
        commands.append(what)
        ask(queue, *what)

    GlirQueue.command = command
    try:
        yield commands
    finally:
        GlirQueue.command = ask
