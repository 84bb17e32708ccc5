"""Slides, volumes and results as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from diffuscope.cli.columns import aligned
from diffuscope.measurement.table import readable
from diffuscope.results.result import Result
from diffuscope.scans import Image


def describe(found: Image | Result) -> Iterator[str]:
    """Yield what is known of a slide, a volume or a result."""
    if isinstance(found, Result):
        yield from _result(found)
    else:
        yield found.name
        yield from aligned(found.describe(), indent=2)


def table(result: Result) -> Iterator[str]:
    """Yield the measurements of a result, one line a quantity, its scores and its texts."""
    for name, words in result.summaries:
        yield f"{name}: {words}"
    header, lines = readable(result.table)
    if header:
        yield from aligned([("Region", "  ".join(header)), *((name, "  ".join(values)) for name, *values in lines)])


def _result(result: Result) -> Iterator[str]:
    state = "complete" if result.complete else "incomplete"
    lines = [("state", f"{state}, {result.done} of {result.tiles} tiles")]
    if result.ports:
        lines += [("size", result.place.size), result.place.scale]
        lines.append(("layers", ", ".join(f"{port.key} ({port.name})" for port in result.ports)))
    yield f"{result.path.name}: a Diffuscope result"
    yield from aligned(lines, indent=2)
    yield ""
    yield from table(result)
    yield ""
    yield yaml.safe_dump({"record": result.record}, sort_keys=False, allow_unicode=True, width=110).rstrip()
