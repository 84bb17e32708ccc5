"""Table: a row of named values of one case."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from diffuscope.errors import InputError

# What float32 holds: networks take no more, and NaN is what is not known.
_MOST = 3.4e38
#: A row as systems get it: numbers, names of categories, or None where nothing is known.
Row = dict[str, float | str | None]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : str
        As it heads the column of a file.
    title : str
        What the user sees; the name where it is left out.
    unit : str
        Of a number.
    range : tuple of float, optional
        Lowest and highest value that a number may have.
    categories : tuple of str
        What it may be, where it is no number.
    """

    name: str
    title: str = ""
    unit: str = ""
    range: tuple[float, float] | None = None
    categories: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What the user sees, with the unit."""
        return f"{self.title or self.name}{f' ({self.unit})' if self.unit else ''}"

    def read(self, text: str) -> float | str | None:
        """Return a value as it was written or typed; None of an empty one.

        Raises
        ------
        InputError
            It is no number, lies outside the range, or is none of the categories.
        """
        text = text.strip()
        if not text:
            return None
        if self.categories:
            if text not in self.categories:
                raise InputError(f"{self.label} is one of {', '.join(self.categories)}, not “{text}”.")
            return text
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= _MOST:
            raise InputError(f"{self.label} is a number, not “{text}”; leave it empty where it is not known.")
        if self.range is not None and not self.range[0] <= value <= self.range[1]:
            raise InputError(f"{self.label} lies between {self.range[0]:g} and {self.range[1]:g}, not at {value:g}.")
        return value


@dataclass(frozen=True, kw_only=True)
class Table:
    """One row of named values.

    Attributes
    ----------
    name, key : str
        As of `Raster`.
    columns : tuple of Column
        In the order in which a form shows them.
    required : bool
        Whether a system cannot do without.
    """

    kind: ClassVar[str] = "table"
    name: str
    key: str
    columns: tuple[Column, ...]
    required: bool = True

    def encode(self, row: Row) -> tuple[float, ...]:
        """Return a row as networks take it: numbers as they are, categories by their index, NaN where nothing is known.

        Parameters
        ----------
        row : dict
            From `read`.
        """
        return tuple(_number(column, row[column.name]) for column in self.columns)

    def read(self, given: Mapping[str, str]) -> Row:
        """Return a row as it was written or typed; columns that are left out are not known.

        Raises
        ------
        InputError
            A column is unknown, or a value is not what its column takes.
        """
        known = {column.name for column in self.columns}
        if unknown := [name for name in given if name not in known]:
            raise InputError(f"{self.name} has no column “{unknown[0]}”: it has {', '.join(sorted(known))}.")
        return {column.name: column.read(given.get(column.name, "")) for column in self.columns}


def _number(column: Column, value: float | str | None) -> float:
    if value is None:
        return math.nan
    return float(column.categories.index(value)) if isinstance(value, str) else value
