"""Labels, tables and texts that a run is given beside its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.files.read import is_file, read_text
from diffuscope.jobs.masks import GivenMask
from diffuscope.jobs.rows import read_row
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.mask import Mask
from diffuscope.ports.raster import Raster
from diffuscope.ports.table import Row, Table
from diffuscope.ports.text import Text


@dataclass(frozen=True)
class Given:
    """Labels, rows and texts by port key.

    Attributes
    ----------
    masks : dict of str to str, Path or sequence of these
        Files.
    rows : dict of str to (Table, dict)
        The port, and the row as `Table.read` returns it.
    texts : dict of str to str
        As they were given.
    notices : tuple of str
        What the user should know of how they were read.
    """

    masks: Mapping[str, GivenMask] = field(default_factory=dict)
    rows: Mapping[str, tuple[Table, Row]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    @property
    def numbers(self) -> dict[str, NDArray[np.float32]]:
        """Rows by port key as networks take them (see `Table.encode`), (columns,)."""
        return {key: np.asarray(table.encode(row), np.float32) for key, (table, row) in self.rows.items()}

    def to_json(self) -> dict[str, Any]:
        """Return what the run record tells of them."""
        rows = {key: {"row": dict(row)} for key, (_, row) in self.rows.items()}
        return rows | {key: {"text": text} for key, text in self.texts.items()}

    @property
    def flags(self) -> list[tuple[str, str]]:
        """How a command line gives them again."""
        rows = {
            key: ",".join(f"{name}={value}" for name, value in row.items() if value is not None)
            for key, (_, row) in self.rows.items()
        }
        return [("input", f"{key}={text}") for key, text in (rows | dict(self.texts)).items()]


def split_source(source: Any, declared: Declaration, model: str, wanted: Sequence[str] = ()) -> tuple[Any, Given]:
    """Divide what a run is given into images, and what there is beside them.

    Parameters
    ----------
    source : str, Path or mapping
        See `diffuscope.run`.
    declared : Declaration
        Of the system.
    model : str
        Its name, for messages.
    wanted : sequence of str
        Keys of the outputs that are asked for; empty: all.

    Returns
    -------
    source : str, Path or mapping
        Of the images alone.
    given : Given

    Raises
    ------
    InputError
        A table cannot be read, or something is missing.
    """
    if not isinstance(source, Mapping):
        source_keys = {port.key for port in declared.input_rasters}
        if missing := declared.accepts(source_keys, wanted):
            raise InputError(f"model {model}: {missing}")
        return source, Given()
    ports = {port.key: port for port in declared.inputs}
    rows: dict[str, tuple[Table, Row]] = {}
    texts: dict[str, str] = {}
    masks: dict[str, GivenMask] = {}
    images = {}
    notices: list[str] = []
    elsewhere = {column.name for port in declared.inputs if isinstance(port, Table) for column in port.columns}
    for key, value in source.items():
        if isinstance(value, list | tuple) and not isinstance(ports.get(key), Mask):
            raise InputError(f"input {key} is given twice: give it once.")
        match ports.get(key):
            case Table() as table:
                row, told = read_row(value, table, elsewhere)
                rows[key] = table, row
                notices += told
            case Text() as port:
                texts[key] = _text(value, port)
            case Mask():
                masks[key] = value
            case _:
                images[key] = value
    # What images are missing is said where they are opened.
    there = {*source, *(port.key for port in declared.input_rasters if port.required)} & ports.keys()
    if missing := declared.accepts(there, wanted):
        raise InputError(f"model {model}: {missing}")
    drawn = [port.name for port in declared.output_rasters if port.key in wanted]
    if wanted and len(drawn) == len(set(wanted)) and not there & {port.key for port in declared.input_rasters}:
        raise InputError(f"{', '.join(drawn)} lies on an image, and none is given: give one, or leave out --want.")
    return images, Given(masks, rows, texts, tuple(notices))


def given_rasters(source: Any, declared: Declaration) -> tuple[Raster, ...]:
    """Return the images that a run takes: those that are required, and those that it is given besides."""
    given = set(source) if isinstance(source, Mapping) else set()
    return tuple(port for port in declared.input_rasters if port.required or port.key in given)


def _text(value: object, port: Text) -> str:
    """Return a text, or that of the file that is named."""
    text = str(value)
    if "\n" not in text and len(text) < 1000 and is_file(Path(text)):
        try:
            text = read_text(Path(text))
        except OSError as error:
            raise InputError(f"{value} cannot be read ({error.strerror or error}): check the path.") from error
    if len(text) > port.longest:
        raise InputError(f"{port.name} has {len(text)} characters and may have {port.longest}: shorten it.")
    return text
