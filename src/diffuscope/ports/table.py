"""Table: a row of named values of one case."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from diffuscope.errors import InputError, choice
from diffuscope.ports.figures import is_missing, read_figure
from diffuscope.ports.units import conversion

# What float32 holds: networks take no more, and NaN is what is not known.
_MOST = 3.4e38
_SWITCH = {"false": 0.0, "true": 1.0}
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
    known : {"before", "after"}
        Whether it is known before surgery, or only after it.
    """

    name: str
    title: str = ""
    unit: str = ""
    range: tuple[float, float] | None = None
    categories: tuple[str, ...] = ()
    known: Literal["before", "after"] = "before"

    @property
    def label(self) -> str:
        """What the user sees, with the unit."""
        return f"{self.title or self.name}{f' ({self.unit})' if self.unit else ''}"

    def read(self, text: str, unit: str = "", *, decimal_commas: bool = False) -> float | str | None:
        """Return a value as it was written or typed; None where it is empty, or says that nothing is known.

        A category may have other capitals, and one that is a number any other way of writing it: 1.0 for 1, or true.
        Behind a number may stand %, where the column has a unit that percent are converted to.

        Parameters
        ----------
        text : str
            See `diffuscope.ports.figures`.
        unit : str
            In which a number is written; empty: the column's own.
        decimal_commas : bool
            See `diffuscope.ports.figures.read_figure`.

        Raises
        ------
        InputError
            It is no number, lies outside the range, or is none of the categories.
        """
        text = text.strip()
        if self.categories:
            return self._category(text)
        if is_missing(text):
            return None
        number = text
        if text.endswith("%") and self.unit and unit in ("", "%"):
            number, unit = text[:-1], "%"
        try:
            value = read_figure(number, decimal_commas=decimal_commas)
        except InputError as error:
            raise InputError(f"{self.label}: {error}.") from error
        change = conversion(unit, self.unit) if unit else None
        if value is None or not abs(value) <= _MOST:
            raise InputError(f"{self.label} is a number, not “{text}”; leave it empty where it is not known.")
        written = f"{value:g}"
        if unit and change is None:
            raise InputError(f"{self.label} cannot be made of {unit}: convert it.")
        if change is not None and change.changes:
            value = change(value)
            written = f"{value:g} ({written} {unit})"
        if self.range is not None and not self.range[0] <= value <= self.range[1]:
            raise InputError(f"{self.label} lies between {self.range[0]:g} and {self.range[1]:g}, not at {written}.")
        return value

    def _category(self, text: str) -> str | None:
        if text in self.categories:
            return text
        alike = [one for one in self.categories if one.casefold() == text.casefold()]
        if len(alike) == 1:
            return alike[0]
        if is_missing(text):
            return None
        same = [one for one in self.categories if _code(one) == _code(text) is not None]
        if len(same) == 1:
            return same[0]
        raise InputError(f"{self.label} is one of {', '.join(self.categories)}, not “{text}”.")


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
    measured : bool
        Whether a system measures it itself, of what else it is given, where it is not given.
    """

    kind: ClassVar[str] = "table"
    name: str
    key: str
    columns: tuple[Column, ...]
    required: bool = True
    measured: bool = False

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
        known = [column.name for column in self.columns]
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean “{near[0]}”?" if near else f"{choice(name, known)}."
                raise InputError(f"{self.name} has no column “{name}”: {hint}")
        return {column.name: column.read(given.get(column.name, "")) for column in self.columns}


def _number(column: Column, value: float | str | None) -> float:
    if value is None:
        return math.nan
    return float(column.categories.index(value)) if isinstance(value, str) else value


def _code(text: str) -> float | None:
    """Return the number that a category is a code of; of true and false 1 and 0, as spreadsheets have it."""
    if text.casefold() in _SWITCH:
        return _SWITCH[text.casefold()]
    try:
        return read_figure(text)
    except InputError:
        return None
