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
from diffuscope.jobs.masks import AnyMask, MaskInput
from diffuscope.jobs.rows import check_files_of_row, read_row, typed
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.mask import Mask
from diffuscope.ports.port import Port
from diffuscope.ports.raster import Raster
from diffuscope.ports.table import Row, Table
from diffuscope.ports.text import Text
from diffuscope.results.beside.mark import EDITED, unsigned


@dataclass(frozen=True)
class Given:
    """Labels, rows and texts by port key.

    Attributes
    ----------
    masks : dict of str to str, Path, LayerCopy or sequence of files
        Outlines.
    rows : dict of str to (Table, dict)
        The port, and the row as `Table.read` returns it.
    texts : dict of str to str
        As they were given.
    notices : tuple of str
        What the user should know of how they were read.
    """

    masks: Mapping[str, AnyMask] = field(default_factory=dict)
    rows: Mapping[str, tuple[Table, Row]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    @property
    def keys(self) -> set[str]:
        """Of all of them."""
        return {*self.masks, *self.rows, *self.texts}

    @property
    def numbers(self) -> dict[str, NDArray[np.float32]]:
        """Rows by port key as networks take them (see `Table.encode`), (columns,)."""
        return {key: np.asarray(table.encode(row), np.float32) for key, (table, row) in self.rows.items()}

    def to_json(self) -> dict[str, Any]:
        """Return what the run record tells of them."""
        rows = {key: {"row": dict(row)} for key, (_, row) in self.rows.items()}
        return rows | {key: {"text": text} for key, text in self.texts.items()}

    @property
    def flags(self) -> list[tuple[str, str]] | None:
        """How a command line gives them again; None where it cannot (see `diffuscope.jobs.rows.typed`)."""
        rows = {key: typed(row) for key, (_, row) in self.rows.items()}
        if None in rows.values():
            return None
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
        Keys of the outputs that are asked for; empty: all that is not given.

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
    source = by_key(source, declared, model)
    if not isinstance(source, Mapping):
        source_keys = {port.key for port in declared.input_rasters if port.required}
        if missing := declared.accepts(source_keys, wanted):
            raise InputError(f"model {model}: {missing}")
        return source, Given()
    ports = {port.key: port for port in declared.inputs}
    rows: dict[str, tuple[Table, Row]] = {}
    texts: dict[str, str] = {}
    masks: dict[str, AnyMask] = {}
    images = {}
    notices: list[str] = []
    elsewhere = {column.name for port in declared.inputs if isinstance(port, Table) for column in port.columns}
    files = {key: value for key, value in source.items() if not isinstance(ports.get(key), Table | Text)}
    for key, value in source.items():
        if isinstance(value, list | tuple) and not isinstance(ports.get(key), Mask):
            raise InputError(f"input {key} is given twice: give it once.")
        match ports.get(key):
            case Table() as table:
                row, told = read_row(value, table, elsewhere)
                check_files_of_row(value, files)
                rows[key] = table, row
                notices += told
            case Text() as port:
                texts[key], told = read_given_text(value, port)
                notices += told
            case Mask():
                masks[key] = value
            case _:
                images[key] = value
    # What images are missing is said where they are opened.
    there = {*source, *(port.key for port in declared.input_rasters if port.required)}
    if missing := declared.accepts(there, wanted):
        raise InputError(f"model {model}: {missing}")
    drawn = [port.name for port in declared.output_rasters if port.key in wanted]
    blank = declared.canvas is None and not there & {port.key for port in declared.input_rasters}
    if wanted and len(drawn) == len(set(wanted)) and blank:
        raise InputError(f"{', '.join(drawn)} lies on an image, and none is given: give one, or leave out --want.")
    return images, Given(masks, rows, texts, tuple(dict.fromkeys(notices)))


def given_rasters(source: Any, declared: Declaration) -> tuple[Raster, ...]:
    """Return the images that a run takes: those that are required, and those that it is given besides."""
    given = set(source) if isinstance(source, Mapping) else set()
    return tuple(port for port in declared.input_rasters if port.required or port.key in given)


def state_case(
    inputs: Sequence[Port], opened: Sequence[Port], masks: Sequence[MaskInput], given: Given
) -> dict[str, Any]:
    """Return what a report says of a case besides: inputs and outlines that it lacks, and what its tables' values are.

    Parameters
    ----------
    inputs : sequence of Port
        Of the system.
    opened : sequence of Port
        Those at which files were opened.
    masks : sequence of MaskInput
        Labels that were opened.
    given : Given
        What there is beside them.
    """
    known = {key for key, (_, row) in given.rows.items() if any(value is not None for value in row.values())}
    there = {*(port.key for port in opened), *known, *given.texts}
    outlined = {one.port.key: one.outlined for one in masks}
    missing = []
    for port in inputs:
        if port.key not in there:
            missing.append(port.name)
        elif isinstance(port, Mask):
            missing += [role for role in port.roles if role not in outlined[port.key]]
    tables = {
        key: {"name": table.name, "columns": {column.name: column.label for column in table.columns}}
        for key, (table, _) in given.rows.items()
    }
    return ({"missing": missing} if missing else {}) | ({"tables": tables} if tables else {})


def read_given_text(value: object, port: Text) -> tuple[str, tuple[str, ...]]:
    """Return a text, or that of a file, and what the user should know of it.

    A file is named as ``"@report.txt"``, or by its path alone. The line that says that a model made it is not read.

    Raises
    ------
    InputError
        The file cannot be read, or the text is empty or too long.
    """
    text = str(value)
    path = Path(text.removeprefix("@"))
    named = "\n" not in text and len(text) < 1000
    if named and is_file(path):
        try:
            text = read_text(path)
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror or error}): check the path.") from error
    elif named and (text.startswith("@") or (path.suffix.lower() == ".txt" and " " not in text)):
        raise InputError(f"there is no file {path} to read {port.name} from: check the path, or write the text itself.")
    if not text.strip():
        raise InputError(f"{port.name} is empty: write it, or leave {port.key} out.")
    text, mark = unsigned(text)
    if long := port.too_long(text):
        raise InputError(long)
    is_said = "was" if mark == EDITED else "is no observation:"
    told = f"{port.name} {is_said} {mark[0].lower()}{mark[1:]}" if mark else ""
    return text, tuple(sentence for sentence in (told, port.doubt(text)) if sentence)


def by_key(source: Any, declared: Declaration, model: str) -> Any:
    """Return a source by the keys of the ports: of one that is no mapping where only one image can be meant.

    Raises
    ------
    InputError
        The model has no such input, or nobody says which it is.
    """
    known = [port.key for port in declared.inputs]
    if isinstance(source, Mapping):
        texts = [port.key for port in declared.inputs if isinstance(port, Text)]
        # Of one text its name need not be known.
        called = {texts[0] if key == "text" not in known and len(texts) == 1 else key: key for key in source}
        if len(called) < len(source):
            raise InputError(f"input {texts[0]} is given twice, once as text: give it once.")
        if unknown := [key for key in called if key not in known]:
            names = ", ".join(f"{port.key} ({port.name})" for port in declared.inputs)
            raise InputError(f"model {model} has no input “{unknown[0]}”: its inputs are {names}.")
        return {key: source[given] for key, given in called.items()}
    images = declared.input_rasters
    if not images or any(port.required for port in images):
        return source
    if len(images) == 1:
        return {images[0].key: source}
    names = ", ".join(f"{port.key} ({port.name})" for port in images)
    raise InputError(f"model {model} takes any of {names}: say which it is, --input {images[0].key}={source}.")
