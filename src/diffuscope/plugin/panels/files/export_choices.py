"""What a dock offers to export: which image, in which formats, under which name."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path

from diffuscope.exports.table import ALL, Format, endings, formats_of
from diffuscope.results.result import Result


def default_layer(result: Result) -> str:
    """Return what is exported if nobody chooses: all, if the main image's likeliest format takes it, else this one.

    All of a result without images, of which there is a report.
    """
    if not result.ports:
        return ALL if result.scores else next(iter(result.texts), ALL)
    likeliest = formats_of(result, result.ports[0].key)[0]
    return ALL if likeliest.holds(result, ALL) else result.ports[0].key


def offered(result: Result, layer: str) -> tuple[Format, ...]:
    """Return the formats that hold a layer, the likeliest first: of a text files of text alone."""
    is_text = layer in result.texts
    return tuple(form for form in formats_of(result, layer) if not is_text or form.of == "text")


def file_filter(form: Format) -> str:
    """Return a format as file dialogs list it."""
    return f"{form.name} (*{form.endings[0]})"


def note(result: Result, layer: str) -> str:
    """Say which formats are not to be had, and why; empty where all are."""
    if layer in result.texts:
        return ""
    of_one = formats_of(result, result.ports[0].key) if result.ports else ()
    missing = [form.name for form in of_one if form not in offered(result, layer) and form.one_image]
    return f"{', '.join(missing)} hold one image: choose one to export it so." if missing else ""


def suggested(result: Result, layer: str, ending: str | None = None, *, anonymous: bool = False) -> Path:
    """Return a name beside the result that nothing has, with an ending or that of the likeliest format.

    A result is named after its case; what is `anonymous` is named after the model.
    """
    own = result.path.name.removesuffix(".ome.zarr")
    if anonymous:
        own = ".".join(filter(None, ["anonymous", Path(str(result.record.get("model", {}).get("name", ""))).name]))
    stem = own + ("" if layer == ALL else f".{layer}")
    return free_name(result.path.with_name(stem + (ending or offered(result, layer)[0].endings[0])))


def resolved(path: str, chosen: str, offered: tuple[Format, ...], suggestion: Path) -> Path:
    """Return the file that an answered dialog means.

    An ending that the user typed holds. The suggested one, or none, gives way to that of the chosen filter; what the
    dialog has not seen, and so not asked about, is not replaced but has a name that nothing has.

    Parameters
    ----------
    path, chosen : str
        As the dialog answers: file and filter.
    offered : tuple of Format
        What it listed.
    suggestion : Path
        What it proposed.
    """
    form = next((one for one in offered if file_filter(one) == chosen), offered[0])
    if path.lower().endswith((".tif", ".tiff", ".zarr", *endings())) and (
        Path(path) != suggestion or path.endswith(form.endings[0])
    ):
        return Path(path)
    fits = (ending for one in offered for ending in one.endings if path.endswith(ending))
    ending = max(fits, key=len, default="")
    return free_name(Path(path.removesuffix(ending) + form.endings[0]))


def free_name(path: Path) -> Path:
    """Return `path`, or the first of name-2, name-3, … that does not exist."""
    ending = max((one for one in endings() if path.name.endswith(one)), key=len, default="")
    stem = path.name.removesuffix(ending)
    names = chain([path], (path.with_name(f"{stem}-{number}{ending}") for number in count(2)))
    return next(one for one in names if not one.exists())
