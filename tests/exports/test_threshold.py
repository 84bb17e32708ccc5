"""Another threshold than a run's: what counts is exported as it, and every file says which it was."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import stain_result
import zarr
from typer.testing import CliRunner

import diffuscope
from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.exports import export
from diffuscope.measurement.measurements import measure
from diffuscope.results.result import Result, open_result

CHOSEN = 0.4
TOLD = "Positive is DAB above 0.4 OD, as was chosen; the result itself was measured at 0.25 OD."


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return stain_result.write_stain(tmp_path_factory.mktemp("stain"))


@pytest.fixture(scope="module")
def counted(result: Result) -> int:
    [own], [row] = measure(result), measure(result, threshold=CHOSEN)
    assert 0 < row["positive_objects"] != own["positive_objects"]
    return int(row["positive_objects"])


def test_objects_for_qupath_from_a_shell(result: Result, counted: int, tmp_path: Path):
    said = [
        "export",
        str(result.path),
        "-o",
        str(tmp_path / "out.qupath"),
        "--threshold",
        str(CHOSEN),
        "--layer",
        "dab",
    ]
    done = CliRunner().invoke(app, said)
    assert done.exit_code == 0, done.output
    region, *objects = json.loads((tmp_path / "out.qupath" / "objects.geojson").read_text())["features"]
    assert len(objects) == counted
    told = region["properties"]["measurements"]
    assert (told["Positive objects"], told["Threshold (OD)"]) == (counted, CHOSEN)
    assert TOLD in (tmp_path / "out.qupath" / "README.txt").read_text(encoding="utf-8")
    export(result, tmp_path / "own.qupath", layer="dab")
    said = (tmp_path / "own.qupath" / "README.txt").read_text(encoding="utf-8")
    assert "Positive is DAB above 0.25 OD, as the result was measured." in said


def test_a_report_and_ome_zarr(result: Result, counted: int, tmp_path: Path):
    before = (result.path / "table.csv").read_bytes()
    page = export(result, tmp_path / "r.report.html", threshold=CHOSEN).read_text(encoding="utf-8")
    assert TOLD in page and "0.400" in page and f"<td>{counted:,}" in page.replace('<td class="number">', "<td>")
    copied = export(result, tmp_path / "copy.ome.zarr", threshold=CHOSEN, anonymous=True)
    with (copied / "table.csv").open(encoding="utf-8") as file:
        [row] = csv.DictReader(file)
    assert (int(row["positive_objects"]), float(row["threshold_od"])) == (counted, CHOSEN)
    # what it says of the run stays, and who opens the copy counts as it was counted
    record = open_result(copied).record
    assert record["counted"] == {"dab_threshold": CHOSEN} and record["parameters"]["dab_threshold"] == 0.25
    assert measure(open_result(copied))[0]["positive_objects"] == counted
    labels = zarr.open_group(export(result, tmp_path / "l.v05.ome.zarr", threshold=CHOSEN), mode="r")
    assert labels["labels/CD3 objects/0"][:].max() == counted
    assert (result.path / "table.csv").read_bytes() == before


def test_where_nothing_is_counted_it_is_refused(result: Result, tmp_path: Path):
    with pytest.raises(InputError, match=r"^r\.ome\.tif holds nothing that is counted: leave the threshold out\."):
        export(result, tmp_path / "r.ome.tif", threshold=CHOSEN)
    with pytest.raises(InputError, match=r"^the threshold is -1: give a number from 0 on\."):
        diffuscope.export(result.path, tmp_path / "r.qupath", threshold=-1)
    bare = stain_result.write_stain(tmp_path, ports=stain_result.PORTS[2:])
    with pytest.raises(InputError, match=r"^r\.ome\.zarr holds no virtual stain to count: leave the threshold out\."):
        diffuscope.export(bare.path, "qupath:", threshold=CHOSEN)
    assert sorted(tmp_path.iterdir()) == [bare.path]
