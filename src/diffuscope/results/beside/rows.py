"""Rows of tables that came out of a case: one small file beside its images."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from diffuscope.files.durable import replacing
from diffuscope.ports.port import Port
from diffuscope.ports.table import Column, Table

ROWS = "rows.json"


@dataclass(frozen=True)
class RowFound:
    """What came out at a table port.

    Attributes
    ----------
    port : Table
        Which.
    values : tuple of float or None
        One a column; None where it is not known.
    """

    port: Table
    values: tuple[float | None, ...]

    @property
    def by_name(self) -> dict[str, float | None]:
        """Values by the name of their column."""
        return {column.name: value for column, value in zip(self.port.columns, self.values, strict=True)}

    @property
    def summary(self) -> str:
        """In words, e.g. ``"tumour +0.12, blood −0.03"``: what is not known is left out."""
        known = [
            _words(column, value)
            for column, value in zip(self.port.columns, self.values, strict=True)
            if value is not None
        ]
        return ", ".join(known) or "nothing known"


def _words(column: Column, value: float) -> str:
    """Return a number with its column, signed where it may be negative."""
    signed = column.range is not None and column.range[0] < 0
    number = f"{value:{'+' if signed else ''}{'.2f' if abs(value) < 10 else '.4g'}}".replace("-", "−")
    return f"{column.title or column.name} {number}{f' {column.unit}' if column.unit else ''}"


def write_rows(folder: Path, rows: Mapping[str, Sequence[float]]) -> None:
    """Write rows by key of their port into a result folder: numbers, NaN of what is not known."""
    told = {key: [None if math.isnan(one) else one for one in row] for key, row in rows.items()}
    with replacing(folder / ROWS) as opened:
        opened.write(json.dumps(told, allow_nan=False).encode())


def read_rows(folder: Path, others: Sequence[Port]) -> dict[str, RowFound]:
    """Read what `write_rows` wrote; none before a run has ended.

    Raises
    ------
    ValueError
        A row has more or fewer values than its table has columns, or one is no number.
    """
    path = folder / ROWS
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    ports = [port for port in others if isinstance(port, Table) and port.key in found]
    for port in ports:
        row = found[port.key]
        if len(row) != len(port.columns) or not all(one is None or _is_number(one) for one in row):
            raise ValueError(f"{ROWS} holds no row of {port.key}")
    return {port.key: RowFound(port, tuple(found[port.key])) for port in ports}


def _is_number(one: object) -> bool:
    return isinstance(one, float | int) and math.isfinite(one)
