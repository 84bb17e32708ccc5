"""Compute the cells of a table that are missing; several processes may do so at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from filelock import Timeout

from benchmarks.shared.cells import Cell


class HasCell(Protocol):
    """What has one place in a table."""

    @property
    def cell(self) -> Cell:
        """Where its result is kept."""
        ...


T = TypeVar("T", bound=HasCell)


def fill(
    todo: Sequence[T],
    measure: Callable[[T, Path], Mapping[str, Any]],
    *,
    root: Path,
    write: Callable[[Sequence[tuple[T, Mapping[str, Any]]]], None],
) -> None:
    """Compute what is missing, in order; what another process computes meanwhile comes last.

    Parameters
    ----------
    todo : sequence
        All tasks of the table.
    measure : callable
        From a task and its cell's folder to what is found.
    root : Path
        Where the cells lie.
    write : callable
        Called with the complete ones, in the table's order, after every new one and at the end.
    """
    found: dict[int, Mapping[str, Any]] = {}

    def compute(i: int, *, wait: bool) -> None:
        cell = todo[i].cell
        is_new = cell.found(root) is None
        if is_new:
            print(f"cell {i + 1} of {len(todo)}: {cell.name}", flush=True)
        found[i] = cell.compute(root, partial(measure, todo[i]), wait=wait)
        if is_new:
            tell()

    def tell() -> None:
        write([(todo[i], found[i]) for i in sorted(found)])

    taken = []
    for i in range(len(todo)):
        try:
            compute(i, wait=False)
        except Timeout:
            print("  another process is at it", flush=True)
            taken.append(i)
    for i in taken:
        compute(i, wait=True)
    tell()
