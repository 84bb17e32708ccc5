"""Plots of a report as SVG text: dots of cases with the mean and its interval, and sparsification curves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

_MODEL, _INPUT, _GREY = "#1b6ca8", "#b3541e", "#888"
_WIDTH, _HEIGHT = 190, 170
_LEFT, _TOP, _BOTTOM = 46, 10, 24

Summary = Mapping[str, float | int | None]


def dots(columns: Mapping[str, Sequence[float]], summaries: Mapping[str, Summary], *, digits: int, name: str) -> str:
    """Draw one metric: a dot a case, a column a model, with mean and interval beside it.

    Parameters
    ----------
    columns : mapping of str to sequence of float
        Figures of the cases by what a column is called.
    summaries : mapping of str to Summary
        ``value``, ``low``, ``high`` by column.
    digits : int
        Of the axis.
    name : str
        For those who cannot see it.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    ends = [end for one in summaries.values() for end in (one["low"], one["high"]) if end is not None]
    values = [*(value for column in columns.values() for value in column), *ends]
    low, high = min(values), max(values)
    pad = 0.06 * (high - low) or 0.5 * 10**-digits
    low, high = low - pad, high + pad
    bottom = _HEIGHT - _BOTTOM

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - _TOP)

    parts = _axis(y, [low + pad, (low + high) / 2, high - pad], digits)
    step = (_WIDTH - _LEFT) / len(columns)
    for number, ((column, own), colour) in enumerate(zip(columns.items(), (_MODEL, _INPUT), strict=False)):
        middle = _LEFT + (number + 0.5) * step
        parts += [
            f'<circle cx="{middle + 24 * (_chance(column, case) - 0.5):.1f}" cy="{y(value):.1f}" r="2.6" '
            f'fill="{colour}" fill-opacity="0.55"/>'
            for case, value in enumerate(own)
        ]
        one = summaries[column]
        if one["value"] is not None:
            parts.append(_line(middle + 16, y(one["value"]), middle + 26, y(one["value"]), colour, 3))
        if one["low"] is not None and one["high"] is not None:
            parts.append(_line(middle + 21, y(one["low"]), middle + 21, y(one["high"]), colour, 1.5))
        parts.append(_text(middle, _HEIGHT - 6, column))
    return _svg(parts, _WIDTH, _HEIGHT, name)


def curves(removed: Sequence[float], own: Sequence[float], best: Sequence[float]) -> str:
    """Draw sparsification curves: what the uncertainty achieves, what is best, and what chance does.

    Parameters
    ----------
    removed : sequence of float
        Fractions of the pixels, 0–1.
    own, best : sequence of float
        Error that is left, over that of all.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    width, height = 420, 260
    bottom, top = height - 40, max(1.05, *own)

    def y(value: float) -> float:
        return bottom - value / top * (bottom - _TOP)

    def x(fraction: float) -> float:
        return _LEFT + fraction * (width - _LEFT - 90)

    parts = _axis(y, [0.0, 0.5, 1.0], 1)
    for fraction in (0.0, 0.5, 1.0):
        parts.append(
            f'<text x="{x(fraction):.1f}" y="{bottom + 14}" text-anchor="middle">{100 * fraction:.0f} %</text>'
        )
    parts.append(_text(x(0.5), bottom + 30, "most uncertain pixels removed"))
    for values, colour, label in (
        ([1.0] * len(removed), _GREY, "at random"),
        (own, _MODEL, "by uncertainty"),
        (best, _INPUT, "by error (best)"),
    ):
        points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(removed, values, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x(1) + 4:.1f}" y="{y(values[-1]) + 4:.1f}" fill="{colour}">{label}</text>')
    return _svg(parts, width, height, "sparsification curves")


def _axis(y: Callable[[float], float], ticks: Sequence[float], digits: int) -> list[str]:
    return [
        f'<text x="{_LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.{digits}f}</text>'
        + _line(_LEFT - 3, y(tick), _LEFT, y(tick), _GREY, 1)
        for tick in ticks
    ] + [_line(_LEFT, y(ticks[0]), _LEFT, y(ticks[-1]), _GREY, 1)]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, wide: float) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{wide}"/>'


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{words}</text>'


def _chance(column: str, case: int) -> float:
    """Return a number in [0, 1) that is always the same: dots are spread, but a report does not change."""
    return hashlib.blake2b(f"{column}/{case}".encode(), digest_size=1).digest()[0] / 256


def _svg(parts: Sequence[str], width: int, height: int, name: str) -> str:
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg {size} role="img" aria-label="{name}">{"".join(parts)}</svg>'
