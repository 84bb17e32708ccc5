"""Where a result goes: a folder beside the input that nothing is in yet."""

from __future__ import annotations

import os
from collections.abc import Callable
from html import escape
from pathlib import Path

import platformdirs

from diffuscope.plugin.layers.facts import SlideFacts
from diffuscope.plugin.settings.preferences import preferences
from diffuscope.sample_data import sample_path
from diffuscope.scans.formats.table import stem as without_ending


def suggest_out(slide: SlideFacts | None, model_name: str, patient: str = "") -> Path:
    """Return a result folder that does not exist yet: beside the slide, or where all go.

    That is what the user prefers, or `results_folder`.

    Samples that came with the package are never written beside.
    """
    path = slide and (slide.path or slide.file)
    name = patient or "case" if slide is None else path.name if path else slide.name
    stem = without_ending(name)
    stem = "".join(c if c.isalnum() or c in "-_." else "_" for c in stem) or "slide"
    base = f"{stem}.{Path(model_name).name}"
    preferred = preferences()
    folder = path.parent if path and preferred.beside else None
    if folder is None or folder.is_relative_to(sample_path()) or not os.access(folder, os.W_OK):
        folder = Path(preferred.results.strip()).expanduser() if preferred.results.strip() else results_folder()
    return unused(folder / f"{base}.ome.zarr")


def folder_text(out: str) -> str:
    """Say in which folder a result goes, as rich text that may break at each folder; empty where nobody chose one."""
    if not out.strip():
        return ""
    folder = str(Path(out.strip()).expanduser().parent)
    home = str(Path.home())
    short = f"~{folder[len(home) :]}" if folder == home or folder.startswith(home + os.sep) else folder
    return f"in {escape(short).replace(os.sep, os.sep + chr(0x200B))}"


def results_folder() -> Path:
    """Return where results go whose input has no folder of its own: the user's documents, which last."""
    return platformdirs.user_documents_path() / "Diffuscope"


def named(path: Path, name: str) -> Path:
    """Return the result folder of one region of several: with its name in what it is called."""
    part = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
    return path.with_name(f"{path.name.removesuffix('.ome.zarr')}.{part}.ome.zarr")


def beside(data: Path, what: str) -> Path:
    """Return a folder that does not exist yet for what is made of data: beside that, named after it."""
    number, name = 1, f"{data.stem}-{what}"
    while (found := data.with_name(name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return found


def unused(path: Path, is_taken: Callable[[Path], bool] = Path.exists) -> Path:
    """Return `path`, or the first of name-2, name-3, … that is not taken: does not exist, if not told otherwise."""
    stem = path.name.removesuffix(".ome.zarr")
    number, candidate = 1, path
    before, mark, last = stem.rpartition("-")
    if mark and last.isdigit() and is_taken(path.with_name(f"{before}.ome.zarr")):
        stem, number = before, int(last)  # the third is -3, not -2-2
    while is_taken(candidate):
        number += 1
        candidate = path.with_name(f"{stem}-{number}.ome.zarr")
    return candidate
