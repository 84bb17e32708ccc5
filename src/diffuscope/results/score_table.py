"""Scores of many cases: rows that are on disk as they come, and the table that they make in the end."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO, Self

from diffuscope.files.claim import Claim
from diffuscope.files.durable import replacing
from diffuscope.files.place import Kind, parts_named
from diffuscope.files.read import read_bytes, read_json
from diffuscope.results.scores import Scored

#: What a row says. An interval is empty where there is none.
COLUMNS = (
    "patient_id",
    "score",
    "low",
    "high",
    "predictive_low",
    "predictive_high",
    "decision",
    "missing",
    "unlike",
    "error",
    "use",
    "threshold",
)
# Also of a table that was written before it had a threshold.
_BEGINNING = ",".join(COLUMNS[: COLUMNS.index("decision") + 1]).encode()
#: It travels with every score, also where the table is cut up.
USE = "research only, not for diagnosis"
#: In the folder of a table that is not whole yet; what is added to a table's name to be the folder's, and the record's.
RECORD, ROWS = "record.json", "rows.jsonl"
UNFINISHED_NAME, RECORD_NAME = ".unfinished", ".record.json"
# Millionths are far below what any score means.
_DIGITS = 6
# Seconds between two times that rows are waited for until they are on disk; a killed process loses none anyway.
_SYNC = 1.0
_MOST = 2_000_000_000

ScoreRow = dict[str, str | float | None]


def is_table(path: Path) -> bool:
    """Whether a file is a table of scores."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(200).startswith(_BEGINNING)
    return False


def is_record(path: Path) -> bool:
    """Whether a file is the record of one."""
    with suppress(Exception):
        return {"note", "model", "inputs"} <= set(read_json(path))
    return False


def is_unfinished(path: Path) -> bool:
    """Whether a folder is that of a table which is not whole yet."""
    return path.is_dir() and is_record(path / RECORD)


SCORE_TABLE = Kind("a table of scores", is_table, is_folder=False)
SCORE_RECORD = Kind("the record of a table of scores", is_record, is_folder=False)
UNFINISHED = Kind("an unfinished table of scores", is_unfinished, parts=parts_named(f"{RECORD}|{ROWS}"))


def scored_row(patient: str, found: Scored, missing: Sequence[str], unlike: str = "") -> ScoreRow:
    """Return the row of a case that has a score.

    Parameters
    ----------
    patient : str
        Its name.
    found : Scored
        What came out; NaN where it is not known.
    missing : sequence of str
        What was not there of it.
    unlike : str
        How it is unlike the cases that trained, in a sentence.
    """
    (low, high), (least, most) = (found.over_guides or (None, None)), (found.predictive or (None, None))
    intervals = {"low": low, "high": high, "predictive_low": least, "predictive_high": most}
    numbers = {"score": found.mean, **intervals, "threshold": found.port.threshold}
    rounded = {
        name: None if value is None or math.isnan(value) else round(value, _DIGITS) for name, value in numbers.items()
    }
    texts = {"decision": found.decision, "missing": ";".join(missing), "unlike": unlike, "error": "", "use": USE}
    return {"patient_id": patient, **rounded, **texts}


def failed_row(patient: str, error: str) -> ScoreRow:
    """Return the row of a case that has none, and why."""
    row: ScoreRow = dict.fromkeys(COLUMNS, "")
    return row | {"patient_id": patient, "error": error, "use": USE}


def table_text(rows: Iterable[Mapping[str, str | float | None]]) -> str:
    """Return a table as CSV."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in rows:
        table.writerow(["" if row.get(name) is None else row[name] for name in COLUMNS])
    return text.getvalue()


class ScoreLog:
    """The rows that are done, by number of their case, in a folder that this process holds.

    Parameters
    ----------
    folder : Path
        That of an unfinished table.
    claim : Claim
        What makes this process the one that writes there.

    Attributes
    ----------
    rows : dict of int to dict
        Those that are there.
    """

    def __init__(self, folder: Path, claim: Claim) -> None:
        self._path, self._claim = folder / ROWS, claim
        self._file: BinaryIO | None = None
        self._synced = monotonic()
        self.rows: dict[int, ScoreRow] = dict(_read(self._path))

    def __enter__(self) -> Self:
        """Write what is whole of the rows again, and go on behind it: a kill may have cut the last one short."""
        with replacing(self._path) as file:
            for number, row in self.rows.items():
                file.write(_line(number, row))
        self._file = self._path.open("ab")
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until all is on disk."""
        if self._file is not None:
            self._sync()
            self._file.close()

    def add(self, number: int, row: ScoreRow) -> None:
        """Add a row.

        Raises
        ------
        InputError
            Another process has taken the folder over.
        """
        assert self._file is not None
        self._file.write(_line(number, row))
        self._file.flush()
        self.rows[number] = row
        if monotonic() - self._synced > _SYNC:
            self._claim.check()
            self._sync()

    def _sync(self) -> None:
        assert self._file is not None
        os.fsync(self._file.fileno())
        self._synced = monotonic()


def _line(number: int, row: ScoreRow) -> bytes:
    return (json.dumps([number, row], ensure_ascii=False) + "\n").encode()


def _read(path: Path) -> Iterable[tuple[int, ScoreRow]]:
    """Yield the rows that are whole."""
    if not path.exists():
        return
    for line in read_bytes(path, most=_MOST).splitlines():
        with suppress(ValueError, TypeError):
            found: Any = json.loads(line)
            if isinstance(found, list) and len(found) == 2 and set(found[1]) == set(COLUMNS):
                yield int(found[0]), found[1]
