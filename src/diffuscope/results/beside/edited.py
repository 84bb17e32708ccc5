"""What a user has made of a text of a result, kept beside what the model wrote, which stays as it is."""

from __future__ import annotations

from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.files.durable import replacing
from diffuscope.results.beside.texts import TEXTS

#: Last line of such a file.
EDITED = "Written by hand over a text that a model generated; research use only, not for diagnosis."


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


def _path(folder: Path, key: str) -> Path:
    return folder / TEXTS / f"{key}.edited.txt"
