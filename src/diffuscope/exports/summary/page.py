"""One page over many slides, an HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from diffuscope.exports.summary.rows import Row, figures
from diffuscope.measurement.table import readable

if TYPE_CHECKING:
    from diffuscope.exports.summary.thumbnails import Thumbnail

_TEMPLATE = "page.html.j2"


def render(rows: Sequence[Row], record: Mapping[str, Any], pictures: Mapping[str, Sequence[Thumbnail]]) -> str:
    """Write the page.

    Parameters
    ----------
    rows : sequence of dict
        Of the table, those of a slide one after the other.
    record : mapping
        Of the run over all of them.
    pictures : mapping of str to sequence of Thumbnail
        By name of the slide.

    Returns
    -------
    str
        HTML 5 without any link; every text from outside is escaped.
    """
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(_TEMPLATE)
    slides = [_slide([*own], pictures.get(name, ())) for name, own in groupby(rows, key=lambda row: str(row["slide"]))]
    by = {status: [one["slide"] for one in slides if one["status"] == status] for status in ("done", "failed")}
    return page.render(slides=slides, record=record, done=len(by["done"]), failed=by["failed"])


def _slide(rows: Sequence[Row], pictures: Sequence[Thumbnail]) -> dict[str, Any]:
    first = rows[0]
    header, lines = readable([{"region": row["region"] or "all tissue", **figures(row)} for row in rows])
    about = {key: first[key] for key in ("slide", "files", "status", "error", "notices")}
    return {**about, "pictures": pictures, "header": header, "lines": lines if len(lines) else []}
