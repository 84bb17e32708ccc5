"""Simulated chests and heads on disk: an image a key, a report and the hidden truth of each subject.

**Simulated** (`diffuscope.simulation.thorax_brain`): no figure from it says how a model does on a patient.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from diffuscope.cases.find import SIMULATED, TABLE
from diffuscope.errors import InputError
from diffuscope.files.place import FOLDER, check_place
from diffuscope.files.put import in_place_of
from diffuscope.simulation.thorax_brain.findings import REGIONS, Finding, Findings, Region, check_region
from diffuscope.simulation.thorax_brain.reports.write import reports
from diffuscope.simulation.thorax_brain.subject import KEYS, MPP, REPORT, Subject, simulate

#: The table of the hidden truth, a line a finding.
TRUTH = "findings.csv"
#: The table with reports of others.
REPORTS = "reports.csv"
# Their seed is so much further than that of the subjects.
_OTHERS = 100
_ATTRIBUTES = ("kind", "side", "zone", "size")

_NOTE = (
    "SIMULATED by diffuscope.simulation.thorax_brain: bodies of ellipsoids, images by textbook physics, reports by "
    "templates. Not for diagnosis. findings.csv holds what no real data set knows; no model may read it."
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a folder is to hold.

    Attributes
    ----------
    patients : int
        Subjects, at least one.
    seed : int
        Of everything.
    regions : tuple of {"chest", "head"}
        Subjects take turns.
    reports : int
        Reports of other subjects without images, for a second table.
    """

    patients: int = 100
    seed: int = 0
    regions: tuple[Region, ...] = REGIONS
    reports: int = 0


def subjects(plan: Plan) -> Iterator[Subject]:
    """Simulate what a plan says, one by one; more patients begin with the fewer.

    Raises
    ------
    InputError
        There is nobody to simulate, or no such region.
    """
    if plan.patients < 1 or not plan.regions:
        raise InputError(f"{plan.patients} patients of {len(plan.regions)} regions: give at least one of each.")
    regions = [check_region(region) for region in plan.regions]
    return (simulate(number, seed=plan.seed, region=regions[number % len(regions)]) for number in range(plan.patients))


def write_cohort(folder: Path, plan: Plan) -> int:
    """Simulate subjects and write them.

    Parameters
    ----------
    folder : Path
        Is made, whole or not at all: ``cases.csv`` (``case``, a path for each image key, and ``report``, the text
        itself), a folder an image key with a TIFF a subject (float32, µm/px; CT in HU), ``findings.csv`` (``case``,
        ``region``, ``findings``, ``kind``, ``side``, ``zone``, ``size``: a line a finding, and one without for a
        subject that has none), and ``SIMULATED.txt``. With reports of others also ``reports.csv``, which is
        ``cases.csv`` and a line for each of them.
    plan : Plan
        How many of what.

    Returns
    -------
    int
        Subjects written.

    Raises
    ------
    InputError
        The folder exists, or the plan cannot be simulated.
    """
    check_place(folder, FOLDER, way_out="choose another folder")
    made = subjects(plan)
    cases, truths = [], []
    with in_place_of(folder, replace=False) as part:
        for key in KEYS:
            (part / key).mkdir(parents=True)
        for subject in made:
            names = {key: f"{key}/{subject.name}.ome.tif" for key in KEYS}
            for key, name in names.items():
                write_plane(part / name, subject.images[key], key)
            cases.append({"case": subject.name, **names, REPORT: subject.report})
            truths += list(_rows(subject.name, subject.findings))
        _write_rows(part / TABLE, cases)
        if plan.reports:
            texts = reports(plan.reports, seed=plan.seed + _OTHERS, regions=plan.regions)
            none = dict.fromkeys(KEYS, "")
            alone = [{"case": f"report-{n:05d}", **none, REPORT: text} for n, text in enumerate(texts)]
            _write_rows(part / REPORTS, [*cases, *alone])
        _write_rows(part / TRUTH, truths)
        (part / SIMULATED).write_text(f"{_NOTE} {plan}\n", encoding="utf-8")
    return len(cases)


def read_truth(folder: Path) -> dict[str, Findings]:
    """Return the hidden findings of each case of a folder that `write_cohort` wrote."""
    truth: dict[str, Findings] = {}
    with (folder / TRUTH).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            known = truth.get(row["case"], Findings(check_region(row["region"])))
            more = tuple(Finding(*_values(row)) for _ in range(bool(row["kind"])))
            truth[row["case"]] = Findings(known.region, (*known.items, *more))
    return truth


def write_plane(path: Path, plane: NDArray[np.float32], key: str) -> None:
    """Write an image as an OME-TIFF that says its key, its µm/px, and that it is simulated."""
    tifffile.imwrite(
        path,
        plane,
        photometric="minisblack",
        compression="adobe_deflate",
        compressionargs={"level": 9},
        resolution=(1e4 / MPP, 1e4 / MPP),
        resolutionunit="CENTIMETER",
        ome=True,
        metadata={
            "axes": "YX",
            "Name": f"simulated {key}",
            "Description": _NOTE,
            "PhysicalSizeX": MPP,
            "PhysicalSizeY": MPP,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeYUnit": "µm",
            "Channel": {"Name": [key]},
        },
    )


def _values(row: Mapping[str, str]) -> list[Any]:
    return [row[name] for name in _ATTRIBUTES]


def _rows(case: str, findings: Findings) -> Iterator[Mapping[str, str | int | None]]:
    start = {"case": case, "region": findings.region, "findings": len(findings.items)}
    for item in findings.items or (Finding(None, None, None, None),):
        yield {**start, **{name: getattr(item, name) for name in _ATTRIBUTES}}


def _write_rows(path: Path, rows: Sequence[Mapping[str, str | int | None]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)
