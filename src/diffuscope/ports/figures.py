"""A number as people and programs write it: read where there is one way to read it, refused where there are two."""

from __future__ import annotations

import re

from diffuscope.errors import InputError

# What people, R, SAS and spreadsheets write where nothing is known. "none" is not among them: it may mean 0.
_MISSING = frozenset(
    {"", "na", "n/a", "#n/a", "nan", "null", "unknown", "not known", "missing", "-", "--", "–", "—", "?", "."}
)
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
# Thousands apart by a space, one that does not break, a thin one or an apostrophe: no country reads those otherwise.
_SPACED = re.compile(r"[+-]?[1-9]\d{0,2}([ \u00a0\u2009\u202f'’])\d{3}(\1\d{3})*([.,]\d+)?", re.ASCII)
_POINT_LAST = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+\.\d*", re.ASCII)
_COMMA_LAST = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+,\d*", re.ASCII)
_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3}){2,}|[+-]?[1-9]\d{0,2}(\.\d{3}){2,}", re.ASCII)
_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
# 1,234 is a thousand to some and a little more than one to others.
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
# So is 1.234 where commas are decimal.
_EITHER_POINT = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}", re.ASCII)


def is_missing(text: str) -> bool:
    """Whether a cell is empty or has one of the usual words for what is not known."""
    return text.strip().casefold() in _MISSING


def read_figure(text: str, *, decimal_commas: bool = False) -> float | None:
    """Return a number as it was written; None of what is no number.

    Taken are a point or a comma before the decimals, and thousands set apart, wherever that can be read in one way.

    Parameters
    ----------
    text : str
        What was written.
    decimal_commas : bool
        Whether what it stands among shows that commas are decimal there: 1,234 is a little more than one then, and
        1.234 may be a thousand.

    Raises
    ------
    InputError
        It can be read in two ways, or says only that a value lies beyond what could be measured.
    """
    text = text.strip().replace("−", "-")
    if text[:1] in "<>≤≥" and text:
        raise InputError(f"“{text}” is a bound and no value: write a number, or leave it empty")
    if decimal_commas and _EITHER_POINT.fullmatch(text):
        raise InputError(f"“{text}” may be {text.replace('.', '')} or {text.replace('.', ',')}: write one of the two")
    if _PLAIN.fullmatch(text):
        return float(text)
    if not decimal_commas and _EITHER.fullmatch(text):
        raise InputError(f"“{text}” may be {text.replace(',', '')} or {text.replace(',', '.')}: write one of the two")
    if _SPACED.fullmatch(text):
        return float(re.sub(r"[^\d.,+-]", "", text).replace(",", "."))
    if _POINT_LAST.fullmatch(text):
        return float(text.replace(",", ""))
    if _COMMA_LAST.fullmatch(text):
        return float(text.replace(".", "").replace(",", "."))
    if _GROUPS.fullmatch(text):
        return float(re.sub(r"[.,]", "", text))
    return float(text.replace(",", ".")) if _COMMA.fullmatch(text) else None
