"""Headers of lines, as NRRD and MetaImage have them: a name and a text each, nothing said twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.formats.volumes.beside import shown
from diffuscope.scans.physical import MICROMETRES

# A header is text of a page or two; with the gradients of a diffusion scan, or a list of slices, of some hundred kB.
_LONGEST = 2**20


class Header(dict[str, str]):
    """The fields of a header by name, and the messages that name its file.

    Parameters
    ----------
    path : Path
        Of the file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.name = path, path.name

    def add(self, key: str, text: str) -> None:
        """Add a field.

        Raises
        ------
        InputError
            It is there already, and says something else.
        """
        if self.setdefault(key, text) != text:
            raise self.damaged(f"says its {shown(key)} twice, and not the same")

    def whole(self, key: str) -> tuple[int, ...]:
        """Return whole numbers; none where the field is not there."""
        try:
            return tuple(int(word) for word in self.get(key, "").split())
        except ValueError as error:
            raise self.damaged(f"has a {key} that is no whole number: {shown(self[key])}") from error

    def one(self, key: str, otherwise: int | None = None) -> int:
        """Return a whole number, or another where the field is not there."""
        found = self.whole(key)
        if len(found) == 1:
            return found[0]
        if otherwise is None or key in self:
            raise self.damaged(f"does not state its {key} as one number")
        return otherwise

    def numbers(self, key: str, count: int) -> NDArray[np.float64] | None:
        """Return so many numbers; None where the field is not there."""
        if key not in self:
            return None
        return self.parse(self[key], key, count)

    def parse(self, text: str, key: str, count: int) -> NDArray[np.float64]:
        """Return so many numbers of a text, between which stand blanks or commas."""
        try:
            found = np.array([float(word) for word in text.strip(" ()").replace(",", " ").split()])
        except ValueError as error:
            raise self.damaged(f"has a {key} that is no number: {shown(text)}") from error
        if len(found) != count:
            raise self.damaged(f"has a {key} of {len(found)} numbers instead of {count}")
        return found

    def millimetres(self, unit: str) -> float | None:
        """Return the mm of a unit of length; None where a text says none.

        Raises
        ------
        InputError
            It is no unit of length.
        """
        if unit.strip().strip('"?').strip().lower() in {"", "none", "unknown"}:
            return None
        scale = MICROMETRES.get(unit.strip().strip('"').strip().lower())
        if scale is None:
            raise InputError(
                f"{self.name} measures its voxels in {shown(unit)}, which is no unit of length that is known: state it "
                "in mm."
            )
        return scale / 1000

    def damaged(self, what: str) -> InputError:
        """Return the error that tells what is wrong with the header."""
        return InputError(f"{self.name} {what}: its header is damaged; save it again.")


def header_lines(file: BinaryIO, name: str) -> Iterator[str]:
    """Yield the lines of a header, without their ends, until the caller has enough.

    Raises
    ------
    InputError
        The file ends, or goes on without an end.
    """
    read = 0
    while line := file.readline(_LONGEST):
        read += len(line)
        if read >= _LONGEST:
            raise InputError(f"{name} has a header without an end: it is damaged, or no volume; copy it again.")
        yield _text(line).rstrip("\r\n")


def _text(line: bytes) -> str:
    """Return a line as text: names are UTF-8 today, and were latin-1, in which umlauts are no UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def is_list(named: str) -> bool:
    """Whether a header says that it lists files, ``LIST`` or ``LIST 2``, and names none that begins so."""
    return re.fullmatch(r"LIST(\s+\d+)?", named, re.IGNORECASE) is not None


def by_name(table: Mapping[str, str]) -> dict[str, np.dtype]:
    """Return NumPy's types by every name of a table, of which each row has several with a | between them."""
    return {name: np.dtype(kind) for names, kind in table.items() for name in names.split("|")}
