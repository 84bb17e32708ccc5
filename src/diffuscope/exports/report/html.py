"""The report of a case as one HTML file that needs no other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from diffuscope.exports.report import hues
from diffuscope.exports.report.contents import Report, contents_of
from diffuscope.exports.report.page import NOT_FOR_DIAGNOSIS

if TYPE_CHECKING:
    from diffuscope.exports.request import Request

_TEMPLATE = "case.html.j2"


def need(request: Request) -> int:  # noqa: ARG001  it has a few pictures of one size
    """Return how many bytes a report has at most."""
    return 8 * 2**20


def write(part: Path, request: Request) -> None:
    """Write the report."""
    part.write_text(render(contents_of(request)), encoding="utf-8")


def render(report: Report) -> str:
    """Return the page."""
    return fill(_TEMPLATE, report)


def fill(template: str, report: object) -> str:
    """Fill a template of this folder with a report; every text from outside is escaped."""
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(template)
    named = {name: hues.web(getattr(hues, name)) for name in ("FOR", "AGAINST", "NEITHER", "SPAN")}
    return page.render(report=report, note=NOT_FOR_DIAGNOSIS, hues=named)
