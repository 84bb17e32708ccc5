"""What a dock offers to export: which image, in which formats, under which name."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path

from diffuscope.exports.table import ALL, RESULT_ENDING, Format, endings, formats_named, formats_of
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


def stem_of(result: Result, layer: str, *, anonymous: bool = False) -> str:
    """Return what an export is called before its ending: after the result's case, or what is `anonymous` its model."""
    own = result.path.name.removesuffix(RESULT_ENDING)
    if anonymous:
        own = ".".join(filter(None, ["anonymous", Path(str(result.record.get("model", {}).get("name", ""))).name]))
    return own + ("" if layer == ALL else f".{layer}")


def bare_name(name: str) -> str:
    """Return a name without an ending that says a format, whole or as a file dialog cuts one: k of k.ome.pdf, too."""
    wholes = (*endings(), ".tif", ".tiff", ".zarr")
    # Qt, and dialogs of systems, put the last part of another type's ending in the place of the last part
    heads = (ending.rpartition(".")[0] for ending in endings())
    return _without(_without(name, wholes), tuple(filter(None, heads)))


def resolved(path: Path, form: Format, own: Path) -> Path:
    """Return the file that an answered dialog means: the chosen type decides, whatever ending was typed.

    What the dialog has not seen, and so not asked about, is not replaced but has a name that nothing has.

    Parameters
    ----------
    path : Path
        As the dialog answers.
    form : Format
        Its chosen type.
    own : Path
        The result that is exported.
    """
    if form in formats_named(path.name):
        return path
    return free_name(path.with_name(bare_name(path.name) + form.endings[0]), own)


def free_name(path: Path, own: Path) -> Path:
    """Return `path`, or the first of name-2, name-3, … that does not exist; of the result `own` itself name.export."""
    ending = max((one for one in endings() if path.name.endswith(one)), key=len, default="")
    # out-2.ome.zarr is what the next run is called
    stem = path.name.removesuffix(ending) + (".export" if path == own else "")
    names = chain([f"{stem}{ending}"], (f"{stem}-{number}{ending}" for number in count(2)))
    return next(one for one in map(path.with_name, names) if not one.exists())


def _without(name: str, of: tuple[str, ...]) -> str:
    longest = max((ending for ending in of if name.lower().endswith(ending)), key=len, default="")
    return name[: len(name) - len(longest)]
