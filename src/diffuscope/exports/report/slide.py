"""What the report of a slide's result, or of a case's images and texts, says, whatever it is written as."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffuscope.errors import InputError
from diffuscope.exports.report.contents import about_model, model_warnings
from diffuscope.exports.view.panels import gaps_told, panels_of
from diffuscope.exports.view.sheet import Panel, draw_sheet
from diffuscope.measurement.table import readable, with_density
from diffuscope.measurement.threshold import told_threshold
from diffuscope.scans import open_scan, read_region
from diffuscope.scans.fingerprint import is_same
from diffuscope.tiling.region import parse_region

if TYPE_CHECKING:
    from diffuscope.exports.request import Request
    from diffuscope.results.result import Result

# Pictures in a row.
_ACROSS = 3
# µm/px of a slide; what is coarser is a flat image of a body.
_COARSEST = 50.0
_NO_SLIDE = "The slide that this was made from was not at hand, and is not shown."
_GENERATED = "Every picture and number here comes from a model. It is a guess of what a stain or map might look like."
_OF_CASE = "Every generated picture and text comes from a model. It is a guess of what a scan or report might be."
_GIVEN = "This is what was given to the model."
_SAMPLES = (
    "“Each sample”: the lowest and the highest of what the model's own draws give, each by itself. It says how far "
    "they differ, not how far they are from the truth; the figure above it is of their mean picture."
)
_OBJECTS = (
    "Positive objects are sets of positive px that touch: cells that touch are one. How many cells there are is not "
    "known."
)


@dataclass(frozen=True, kw_only=True)
class SlideReport:
    """All that stands on the page.

    Attributes
    ----------
    title, under : str
        What was made; of which slide, where and when.
    warnings : tuple of str
        What not to believe, the most important first.
    texts : tuple of (str, str, str)
        What was written: its name, the text, and who wrote it.
    sheet : Image
        The pictures, with bars of colours and a scale bar.
    pictured : str
        What is not among them, and why; empty where nothing is missing.
    header : tuple of str
        What each column of figures is of.
    lines : tuple of tuple of str
        Name of a figure, and its values.
    is_measured : bool
        Whether there are figures, or might be: of a case none are measured.
    about : tuple of (str, str)
        Model and run: name and text.
    notices : tuple of str
        What the run told, and how figures are to be read.
    """

    title: str
    under: str
    warnings: tuple[str, ...]
    texts: tuple[tuple[str, str, str], ...]
    sheet: Image.Image
    pictured: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    is_measured: bool
    about: tuple[tuple[str, str], ...]
    notices: tuple[str, ...]

    @property
    def jpeg(self) -> bytes:
        """The pictures as a file."""
        file = io.BytesIO()
        self.sheet.save(file, "JPEG", quality=90)
        return file.getvalue()

    @property
    def uri(self) -> str:
        """The pictures as a page holds them."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode()}"


def slide_report(request: Request) -> SlideReport:
    """Gather what the report of a result says.

    Parameters
    ----------
    request : Request
        Of a slide; its source is the slide that the run took in, which stands beside what was made of it.

    Raises
    ------
    InputError
        The source is another file.
    """
    result, record = request.result, request.record
    panels, level = panels_of(request)
    if request.source is not None:
        image = _input(result, request.source, level, panels[0].image.shape[:2])
        panels.insert(0, Panel("the slide" if request.is_anonymous else request.source.name, image))
    gaps = filter(None, [gaps_told(result, panels)])
    header, lines = readable(with_density(_figures(request)))
    own = "" if request.is_anonymous else result.path.name.removesuffix(".ome.zarr")
    date = str(record.get("started", "")).replace("T", " ").removesuffix("+00:00")
    return SlideReport(
        title=request.ports[0].name,
        under=", ".join(filter(None, [own, date])) or "anonymous",
        warnings=tuple(_warnings(result)),
        texts=tuple(_texts(request)),
        sheet=draw_sheet(panels, um_per_px=result.mpp * 2**level, across=_ACROSS),
        pictured="" if request.source is not None or _is_of_case(result) else _NO_SLIDE,
        header=tuple(header),
        lines=tuple(map(tuple, lines)),
        is_measured=bool(lines) or not _is_of_case(result),
        about=(*_about(request), *about_model(record)),
        notices=(*_told(result), *gaps, *map(str, record.get("notices", ()))),
    )


def _figures(request: Request) -> list[dict[str, str]]:
    """Return the figures of the result, or of the regions that were measured of it."""
    result = request.result
    rows, name = (result.table, "region_name") if result.table else (result.regions, "region")
    # A name that somebody gave a region may tell whose it is.
    return [{k: v for k, v in row.items() if k != name or not request.is_anonymous} for row in rows]


def check_source(result: Result, source: Path) -> None:
    """Refuse a slide that is not what a result was made from.

    Raises
    ------
    InputError
        It is another file, or none.
    """
    stated: dict[str, Any] = next(iter(result.record["inputs"].values()), {})
    if "mpp" not in stated:
        raise InputError(f"{result.path.name} was made from no slide: leave out --source.")
    if not is_same(stated.get("fingerprint", ""), open_scan(source, mpp=stated["mpp"]).fingerprint):
        raise InputError(
            f"{source.name} is not the slide that {result.path.name} was made from: give {stated.get('name', 'that')}."
        )


def _input(result: Result, source: Path, level: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the slide where the result lies, as its other panels are."""
    check_source(result, source)
    stated = next(iter(result.record["inputs"].values()))
    scan = open_scan(source, mpp=stated["mpp"])
    if len(scan.channels) != 3:
        raise InputError(f"{source.name} is no colour image, which a report could show: leave out --source.")
    step = 2**level
    y, x = (round(start / step) for start in result.window[:2])
    return read_region(scan, y=y, x=x, height=shape[0], width=shape[1], factor=result.factor * step)


def _is_of_case(result: Result) -> bool:
    """Whether a result is of a case's texts or flat images, and of no slide: there is no tissue and no region."""
    is_written = bool(result.texts) or any("text" in one for one in result.record.get("inputs", {}).values())
    return is_written or result.mpp > _COARSEST


def _texts(request: Request) -> Iterator[tuple[str, str, str]]:
    names = {port.key: port.name for port in request.result.others}
    for key, (text, mark) in request.result.told.items():
        yield names[key], text, mark
    for key, one in request.record.get("inputs", {}).items():
        if "text" in one:
            yield key, one["text"], _GIVEN


def _warnings(result: Result) -> Iterator[str]:
    yield _OF_CASE if _is_of_case(result) else _GENERATED
    yield from model_warnings(result.record)
    if not result.complete:
        yield f"Incomplete: {result.done} of {result.tiles} {result.unit}."


def _told(result: Result) -> Iterator[str]:
    columns = result.table[0] if result.table else {}
    if "positive_objects" in columns:
        yield told_threshold(result.record)
        yield _OBJECTS
    if "samples" in columns:
        yield _SAMPLES


def _about(request: Request) -> list[tuple[str, str]]:
    """Return of which slide, where, and how it was sampled."""
    record = request.record
    asked, drawn = record.get("parameters", {}), record.get("drawn", {})
    # of a slide of several channels each is an input
    files = dict.fromkeys(str(one.get("name", "")) for one in record.get("inputs", {}).values())
    slides, of_case = ", ".join(filter(None, files)), _is_of_case(request.result)
    named = " ".join(filter(None, [drawn.get("name"), f"({drawn['class']})" if drawn.get("class") else ""]))
    steps, samples = asked.get("steps"), asked.get("samples")
    sampled = [asked.get("sampler"), f"{steps} steps" if steps else "", f"samples: {samples}" if samples else ""]
    lines = [
        ("made from" if of_case else "slide", slides),
        ("region", "" if of_case else ": ".join(filter(None, [named, _place(asked.get("region"))]))),
        ("scale", f"{request.result.mpp:.4g} µm/px"),
        ("sampling", ", ".join(filter(None, map(str, filter(None, sampled))))),
    ]
    return [(name, text) for name, text in lines if text]


def _place(region: str | None) -> str:
    if not region:
        return "all tissue"
    box = parse_region(region)
    drawn = f"an outline of {len(box.polygon)} corners in " if box.polygon is not None else ""
    return f"{drawn}{box.width:,} × {box.height:,} px at x {box.x}, y {box.y} of the slide"
