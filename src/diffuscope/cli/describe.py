"""Slides, results and models as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import yaml

from diffuscope.evaluation.table import readable
from diffuscope.scans import Scan, tissue_mask

if TYPE_CHECKING:
    from diffuscope.tiling.result import Result
    from diffuscope.zoo import ModelInfo


def describe(found: Scan | Result) -> Iterator[str]:
    """Yield what is known of a slide or of a result."""
    return _scan(found) if isinstance(found, Scan) else _result(found)


def describe_model(model: ModelInfo) -> Iterator[str]:
    """Yield a model's name and what its card says first."""
    card = model.card
    yield f"{model.name}: {card.title}"
    yield from _aligned(
        [
            ("what it is", card.what_it_is),
            ("what it is not", card.what_it_is_not),
            ("trained on", card.trained_on),
            ("licence", card.licence),
            *((name.replace("_", " "), f"{value:g}") for name, value in card.figures.items()),
            ("folder", str(model.path)),
        ],
        indent=2,
    )


def table(result: Result) -> Iterator[str]:
    """Yield the measurements of a result, one line a quantity."""
    header, lines = readable(result.table)
    if header:
        yield from _aligned([("Region", "  ".join(header)), *((name, "  ".join(values)) for name, *values in lines)])


def _scan(scan: Scan) -> Iterator[str]:
    height, width = scan.shape
    size = f"{width} x {height} px"
    if scan.mpp is not None:
        size += f", {width * scan.mpp / 1000:.3g} x {height * scan.mpp / 1000:.3g} mm"
    levels = (
        f"{level.shape[1]} x {level.shape[0]} (1:{down:.4g})"
        for level, down in zip(scan.levels, scan.downsamples, strict=True)
    )
    tissue = tissue_mask(scan)
    lines = [
        ("format", scan.format),
        ("size", size),
        ("levels", ", ".join(levels)),
        ("µm/px", "unknown: give --mpp to run a model" if scan.mpp is None else f"{scan.mpp:.4g}"),
        ("channels", f"{', '.join(scan.channels)} ({scan.dtype})"),
        ("tissue", f"{100 * tissue.fraction_in(0, 0, height, width):.1f} %"),
        ("fingerprint", scan.fingerprint),
    ]
    if scan.associated:
        lines.append(("other images", ", ".join(scan.associated)))
    lines += [("notice", notice) for notice in scan.notices]
    yield scan.name
    yield from _aligned(lines, indent=2)


def _result(result: Result) -> Iterator[str]:
    height, width = result.images[result.ports[0].key][0].shape[:2]
    state = "complete" if result.complete else "incomplete"
    yield f"{result.path.name}: a Diffuscope result"
    yield from _aligned(
        [
            ("state", f"{state}, {result.done} of {result.tiles} tiles"),
            ("size", f"{width} x {height} px"),
            ("µm/px", f"{result.mpp:.4g}"),
            ("layers", ", ".join(f"{port.key} ({port.name})" for port in result.ports)),
        ],
        indent=2,
    )
    yield ""
    yield from table(result)
    yield ""
    yield yaml.safe_dump({"record": result.record}, sort_keys=False, allow_unicode=True, width=110).rstrip()


def _aligned(lines: Iterable[tuple[str, str]], indent: int = 0) -> Iterator[str]:
    """Yield two columns."""
    lines = list(lines)
    wide = max(len(name) for name, _ in lines)
    for name, text in lines:
        yield f"{' ' * indent}{name:<{wide}}  {text}".rstrip()
