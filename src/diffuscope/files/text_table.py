"""Tables as text, as reports of a data set show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table, columns one below the other."""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for first, *others in cells:
        yield "  ".join(
            [first.ljust(widths[0]), *(text.rjust(width) for text, width in zip(others, widths[1:], strict=True))]
        ).rstrip()


def number(value: float | None) -> str:
    """Return a number as tables show it."""
    return "–" if value is None else f"{value:.4g}"


def span(values: tuple[float, float] | None) -> str:
    """Return lowest and highest as tables show them."""
    if values is None:
        return "–"
    low, high = (f"{value:.4g}" for value in values)
    return low if low == high else f"{low} – {high}"
