"""Heads of a file's columns, and which of them are columns that a table knows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from diffuscope.errors import InputError
from diffuscope.ports.table import Column
from diffuscope.ports.units import conversion

# A name, and in brackets behind it the unit: "hemoglobin [g/l]", "age (years)".
_WITH_UNIT = re.compile(r"(.+?)\s*[\[(]([^\[\]()]+)[\])]")
# From this likeness on (see difflib) one name is taken for another one misspelt.
_ALIKE = 0.85
_SHOWN = 8


@dataclass(frozen=True)
class Heads:
    """What the heads of a file are.

    Attributes
    ----------
    taken : mapping of str to (str, str)
        By name of a column its head, and the unit that the head states; empty where it states none.
    unused : tuple of str
        Heads that are no column.
    notices : tuple of str
        What the user should know of how they were taken.
    """

    taken: Mapping[str, tuple[str, str]]
    unused: tuple[str, ...]
    notices: tuple[str, ...]


def match_heads(heads: Sequence[str], columns: Iterable[Column], file: str) -> Heads:
    """Find columns among the heads of a file; a head that is a column's own name, brackets and all, is that column.

    Parameters
    ----------
    heads : sequence of str
        As they stand in the file.
    columns : iterable of Column
        Of all tables, by names that differ.
    file : str
        Its name, for messages.

    Raises
    ------
    InputError
        Two heads are one column, or a head states a unit that its column's cannot be made of.
    """
    known = {column.name: column for column in columns}
    taken: dict[str, tuple[str, str]] = {}
    unused, notices = [], []
    for head in heads:
        name, unit = _divided(head, known)
        if name not in known:
            unused.append(head)
            continue
        if name in taken:
            raise InputError(f"{file}: “{taken[name][0]}” and “{head}” are one column: leave one of the two out.")
        taken[name] = head, unit
        if unit:
            change = conversion(unit, known[name].unit)
            if change is None:
                raise InputError(
                    f"{file}: “{head}” cannot be converted to {known[name].unit}, in which {name} is taken: convert "
                    "it, or take the column out."
                )
            if change.changes:
                notices.append(f"{file}: {name} was converted from {unit} to {known[name].unit}.")
    return Heads(taken, tuple(unused), tuple(notices))


def misspelt(unused: Iterable[str], missing: Sequence[str]) -> tuple[str, str] | None:
    """Return the first head that nobody knows but for a slip, and the column that is missing and was meant."""
    by_fold = {name.casefold(): name for name in missing}
    for head in unused:
        with_unit = _WITH_UNIT.fullmatch(head)
        plain = {head.casefold(), with_unit[1].casefold() if with_unit else head.casefold()}
        for one in sorted(plain):
            if near := difflib.get_close_matches(one, by_fold, n=1, cutoff=_ALIKE):
                return head, by_fold[near[0]]
    return None


def check_spelling(unused: Iterable[str], missing: Sequence[str], file: str) -> None:
    """Refuse a head that is a column but for a slip, where nothing else is that column.

    Raises
    ------
    InputError
        It names both.
    """
    if slip := misspelt(unused, missing):
        raise InputError(f"{file} has a column “{slip[0]}”; if that is “{slip[1]}”, call it so, else leave it out.")


def not_used(heads: Sequence[str], file: str) -> tuple[str, ...]:
    """Say which heads of a file nobody reads; nothing where there are none."""
    return (f"{file}: not used {'is' if len(heads) == 1 else 'are'} {listed(heads)}.",) if heads else ()


def listed(names: Sequence[str]) -> str:
    """Return some names in words, the first of them where there are many."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _divided(head: str, known: Mapping[str, Column]) -> tuple[str, str]:
    """Return the name in a head, and the unit behind it."""
    if head in known:
        return head, ""
    found = _WITH_UNIT.fullmatch(head)
    if found and found[1] in known and known[found[1]].unit:
        return found[1], found[2].strip()
    return head, ""
