"""Slides, volumes, results and files of QuPath's as lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import yaml

from diffuscope.cli.columns import aligned
from diffuscope.measurement.table import readable, with_density
from diffuscope.results.result import Result
from diffuscope.scans import Image
from diffuscope.scans.qupath.annotations import Annotations
from diffuscope.scans.qupath.project import OBJECTS_NOT_READ, Project, ProjectImage


def describe(found: Image | Result | Annotations | Project) -> Iterator[str]:
    """Yield what is known of a slide, a volume, a result, annotations or a project."""
    if isinstance(found, Result):
        yield from _result(found)
    elif isinstance(found, Annotations):
        yield from _annotations(found)
    elif isinstance(found, Project):
        yield from _project(found)
    else:
        yield found.name
        yield from aligned(found.describe(), indent=2)


def table(result: Result) -> Iterator[str]:
    """Yield the measurements of a result, one line a quantity, its scores and its texts."""
    for name, words in result.summaries:
        yield f"{name}: {words}"
    header, lines = readable(with_density(result.table))
    if header:
        yield from aligned([("Region", "  ".join(header)), *((name, "  ".join(values)) for name, *values in lines)])


def _annotations(found: Annotations) -> Iterator[str]:
    count = Counter(one.kind for one in found.found)
    yield f"{found.path.name}: {', '.join(f'{number} × {kind}' for kind, number in count.items()) or 'nothing drawn'}"
    rows = []
    for one in (one for one in found.found if one.kind == "annotation"):
        left, top, right, bottom = one.outline.bounds
        of = f" ({one.category})" if one.name and one.category else ""
        size = f"{right - left:,.0f} × {bottom - top:,.0f} px at ({left:,.0f}, {top:,.0f})"
        rows.append((f"{one.number}: {one.title}{of}", size))
    if rows:
        yield from aligned(rows, indent=2)
    yield from found.notices


def _project(found: Project) -> Iterator[str]:
    yield f"{found.path.name}: a QuPath project of {len(found.images)} images"
    if found.images:
        yield from aligned([(one.name, _place(one)) for one in found.images], indent=2)
    if any(one.has_objects for one in found.images):
        yield OBJECTS_NOT_READ


def _place(image: ProjectImage) -> str:
    parts = [str(image.path) if image.path is not None else f"{image.uri or 'no file'}, which is not on a disk"]
    if image.path is not None and not image.is_there:
        parts.append("not there")
    if image.mpp is not None:
        parts.append(f"{image.mpp:.4g} µm/px")
    if image.changed:
        parts.append(f"{image.changed} in QuPath")
    return ", ".join(parts)


def _result(result: Result) -> Iterator[str]:
    state = "complete" if result.complete else "incomplete"
    lines = [("state", f"{state}, {result.done} of {result.tiles} {result.unit}")]
    if result.ports:
        lines += [("size", result.place.size), result.place.scale]
        lines.append(("layers", ", ".join(f"{port.key} ({port.name})" for port in result.ports)))
    yield f"{result.path.name}: a Diffuscope result"
    yield from aligned(lines, indent=2)
    yield ""
    yield from table(result)
    yield ""
    yield yaml.safe_dump({"record": result.record}, sort_keys=False, allow_unicode=True, width=110).rstrip()
