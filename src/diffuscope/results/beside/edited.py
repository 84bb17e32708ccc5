"""What a user has made of a text of a result, kept beside what the model wrote, which stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.files.durable import replacing
from diffuscope.ports.text import Written
from diffuscope.results.beside.mark import EDITED, generated_by
from diffuscope.results.beside.texts import TEXTS


def write_edited(folder: Path, key: str, text: str | None) -> None:
    """Keep a text in a result folder in the place of the one that was kept before; None: none.

    Raises
    ------
    InputError
        It cannot be written.
    """
    path = _path(folder, key)
    try:
        if text is None:
            path.unlink(missing_ok=True)
            return
        with replacing(path) as opened:
            opened.write(f"{text}\n\n{EDITED}\n".encode())
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}): copy the text instead.") from error


def read_edited(folder: Path, key: str) -> str | None:
    """Return the text that is kept; None where there is none."""
    path = _path(folder, key)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return text.removesuffix(f"\n\n{EDITED}\n")


def told_texts(folder: Path, texts: Mapping[str, Written], record: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return texts as they go out, by key, each with the line that says who wrote it.

    Parameters
    ----------
    folder : Path
        The result folder.
    texts : mapping of str to Written
        What the model wrote, by key; what a user has made of it goes out in its place.
    record : mapping
        The run record.
    """
    edited = {key: read_edited(folder, key) for key in texts}
    return {
        key: (written.text.strip(), generated_by(record)) if (own := edited[key]) is None else (own, EDITED)
        for key, written in texts.items()
    }


def _path(folder: Path, key: str) -> Path:
    return folder / TEXTS / f"{key}.edited.txt"
