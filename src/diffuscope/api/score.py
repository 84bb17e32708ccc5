"""The verb `score`: a model's score of every patient of some tables, or of one case."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from diffuscope.api.events import CohortScored
from diffuscope.api.forms import checked
from diffuscope.api.prediction import Settings
from diffuscope.api.scoring import Scoring, make_scoring, score_cases
from diffuscope.cases.to_score import ToScore, read_cohort_to_score, read_one_to_score
from diffuscope.errors import InputError
from diffuscope.events import Notice, Progress
from diffuscope.files.claim import Claim
from diffuscope.files.place import Standing, check_place
from diffuscope.files.put import clear, in_place_of, put_text, remove
from diffuscope.files.room import full_disk_in_words
from diffuscope.jobs.inputs import split_channel
from diffuscope.jobs.masks import GivenMask
from diffuscope.jobs.resume import check_resumed, version_notice
from diffuscope.jobs.rows import GivenRow
from diffuscope.jobs.settings import check_number
from diffuscope.model.find import model_info
from diffuscope.model.folder import load_model
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.score import Score
from diffuscope.results.score_table import (
    RECORD,
    RECORD_NAME,
    SCORE_RECORD,
    SCORE_TABLE,
    UNFINISHED,
    UNFINISHED_NAME,
    ScoreLog,
    ScoreRow,
    is_unfinished,
    table_text,
)

Events = Generator[Progress | Notice | CohortScored, None, None]


@checked
def score(
    model: str | Path,
    cohort: Sequence[str | Path] = (),
    out: str | Path | None = None,
    *,
    files: Mapping[str, GivenMask] | None = None,
    rows: Sequence[GivenRow] = (),
    settings: Settings | None = None,
    overwrite: bool = False,
    cancelled: Callable[[], bool] | None = None,
) -> Events:
    """Score patients: those of some tables, or one case.

    What can be checked is checked when this is called; the work is done while the returned generator is iterated. A
    patient's score does not depend on the others, and is that of `diffuscope.run`. Rows are kept beside `out` as they
    come: where it was cancelled or killed, the same call goes on.

    Parameters
    ----------
    model : str or Path
        As in `diffuscope.api.run.run`; one that takes whole cases and gives a score.
    cohort : sequence of str or Path
        Tables, CSV or XLSX, whose first column is the patient; columns of the model are looked for in all of them, and
        those named like its images and outlines hold files, relative to the table.
    out : str or Path, optional
        CSV file to write, a row a patient, with a record beside it; needed for a cohort.
    files : mapping of str to str, Path or sequence of these, optional
        Instead of a cohort, images and outlines of one case by port key.
    rows : sequence of str, Path or mapping
        And of one case what is known besides: ``"FILE.csv#ROW"``, ``"NAME=VALUE,NAME=VALUE"`` or a mapping.
    settings : Settings, optional
        How to run.
    overwrite : bool
        Replace a table of scores in the way.
    cancelled : callable, optional
        Looked at before every network evaluation.

    Returns
    -------
    generator of Progress, Notice and CohortScored
        A `Progress` after each patient; last what came out.

    Raises
    ------
    InputError
        What was given cannot be used. What is wrong with one patient is told in its row.
    """
    info, settings = model_info(model), settings or Settings()
    paths = [Path(one) for one in cohort]
    if bool(paths) == bool(files or rows):
        raise InputError("give tables of patients, or what there is of one case: one of the two.")
    if paths and out is None:
        raise InputError("say where the scores of a cohort are to be written: -o scores.csv.")
    port = _score_port(info.declared, info.name)
    found = read_cohort_to_score(paths, info.declared, info.name) if paths else None
    cases = found or read_one_to_score(files or {}, rows, info.declared)
    check_number("seed", settings.seed, least=0, most=2**63 - 1)
    standing: Standing = "new"
    if out is not None:
        images = _files(cases.cases)
        read = [*paths, *images]
        standing = check_place(Path(out), SCORE_TABLE, overwrite=overwrite, keep=read, outside=images)
        check_place(_beside(Path(out), RECORD_NAME), SCORE_RECORD, overwrite=True, keep=read)
        if Path(out).suffix.lower() != ".csv":
            raise InputError(f"{Path(out).name}: the scores are CSV; call it {Path(out).stem}.csv.")
    begun = _begun(_beside(Path(out), UNFINISHED_NAME)) if out is not None else None
    loaded = load_model(model)
    work = make_scoring(loaded, port, cases, settings, paths, out, begun)
    if begun is not None:
        try:
            check_resumed(_beside(Path(str(out)), UNFINISHED_NAME), begun, work.record)
        except InputError:
            if not overwrite:
                raise
            begun = None
    return _to_file(work, Path(out), standing, begun, cancelled) if out is not None else _here(work, cancelled)


def _here(work: Scoring, cancelled: Callable[[], bool] | None) -> Events:
    """Score without writing anything."""
    rows: dict[int, ScoreRow] = {}
    yield from score_cases(work, rows.__setitem__, rows, cancelled)
    yield CohortScored(path=None, rows=[*rows.values()], complete=len(rows) == len(work.cases.cases))


def _to_file(
    work: Scoring, out: Path, standing: Standing, begun: Mapping[str, Any] | None, cancelled: Callable[[], bool] | None
) -> Events:
    """Keep rows in a folder beside the table until all are there."""
    folder, count = _beside(out, UNFINISHED_NAME), len(work.cases.cases)
    with Claim(folder) as claim, full_disk_in_words(out):
        if begun is not None:
            claim.take(folder)
            clear(folder)
            for notice in version_notice(begun, work.record):
                yield Notice(notice)
        else:
            with in_place_of(folder, replace=is_unfinished(folder), claim=claim) as part:
                part.mkdir()
                (part / RECORD).write_text(_json(work.record), encoding="utf-8")
        rows: list[ScoreRow] = []
        log: ScoreLog | None = None
        try:
            with ScoreLog(folder, claim) as log:
                yield from score_cases(work, log.add, log.rows, cancelled)
                rows = [log.rows[number] for number in sorted(log.rows)]
        finally:
            if begun is None and claim.holds and (log is None or not log.rows):
                with suppress(OSError, InputError):
                    remove(folder, claim)
        if len(rows) == count:
            claim.check()
            put_text(_beside(out, RECORD_NAME), _json(work.record), replace=True)
            put_text(out, table_text(rows), replace=standing == "replaced")
            remove(folder, claim)
    done = len(rows) == count
    yield CohortScored(path=out if done else folder, rows=rows, complete=done)


def _score_port(declared: Declaration, name: str) -> Score:
    port = next((port for port in declared.outputs if isinstance(port, Score)), None)
    if port is None or not declared.whole:
        raise InputError(f"{name} gives no score of a case: run it, or choose another model (diffuscope models).")
    return port


def _begun(folder: Path) -> dict[str, Any] | None:
    """Return the record of the rows that are there; None where there are none."""
    # What is not ours in it would go with it in the end.
    if check_place(folder, UNFINISHED, overwrite=True) == "new":
        return None
    record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    return record


def _files(cases: Sequence[ToScore]) -> list[Path]:
    given = [one for case in cases for one in case.files.values()]
    flat = [one for files in given for one in ([files] if isinstance(files, str | Path) else files)]
    return [split_channel(one)[0] for one in flat]


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(out.name + ending)


def _json(record: Mapping[str, Any]) -> str:
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"
