"""From the QuPath that runs to results, and their objects back onto its slide."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import stain_result
import tifffile
from live_qupath import FakeQuPath, running
from model_card import CARD
from standins import SYSTEMS, row
from typer.testing import CliRunner

from diffuscope import open_result
from diffuscope.cli import app
from diffuscope.measurement.measurements import measure
from diffuscope.model.folder import save_model
from diffuscope.sample_data import sample_path
from diffuscope.systems import registry

pytest.importorskip("py4j")


def outlined(name: str, *corners: tuple[int, int]) -> dict:
    ring = [list(one) for one in (*corners, corners[0])]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "id": name, "geometry": geometry, "properties": {"name": name}}


def shell(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(one) for one in words])
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    tissue = tifffile.imread(sample_path("CMU-1-Small-Region.svs"))[900:1028, 900:1060]
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}
    file = tmp_path / "a slide.ome.tif"
    tifffile.imwrite(file, tissue, tile=(64, 64), photometric="rgb", metadata={"axes": "YXS", **size})
    return file


def test_what_is_selected_is_run_over(slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._ROWS, "echo", row(SYSTEMS["echo"]))
    model = save_model(tmp_path / "echo", SYSTEMS["echo"](), "echo", {}, CARD)
    qupath = FakeQuPath(slide.as_uri(), (128, 160))
    qupath.selected = [
        outlined("Tumour/1", (8, 16), (72, 16), (72, 80), (8, 80)),
        outlined("Tumour/1", (80, 8), (140, 20), (100, 90)),
    ]
    how = ("--device", "cpu", "--threads", 1, "--no-normalise")
    with running(qupath) as port:
        code, said = shell("run", model, f"qupath:{port}", "-o", tmp_path / "out", *how)
        assert code == 0, said
        asked = [
            open_result(tmp_path / "out" / f"a slide Tumour_1{more}.ome.zarr").record["parameters"]["region"]
            for more in ("", " (2)")
        ]
        assert asked[0] == "8,16,64,64"
        assert asked[1].startswith("80") and "140" in asked[1]
        qupath.selected = []
        code, said = shell("run", model, f"qupath:{port}", "-o", tmp_path / "whole", *how)
        assert code == 0, said
        assert "Nothing with an area is selected in QuPath: the whole of a slide.ome.tif is meant." in said
        assert open_result(tmp_path / "whole" / "a slide.ome.zarr").record["parameters"]["region"] is None
        qupath.shape = (160, 128)
        code, said = shell("run", model, f"qupath:{port}", "-o", tmp_path / "other", *how)
    assert (code, (tmp_path / "other").exists()) == (2, False)
    assert "with 128 × 160 px and not 160 × 128 px as a slide.ome.tif has" in said


def test_objects_go_onto_the_slide_that_is_open(tmp_path: Path) -> None:
    result = stain_result.write_stain(tmp_path)
    counted = int(result.table[0]["positive_objects"])
    qupath = FakeQuPath("file:/elsewhere/patient-7.svs", stain_result.SHAPE)
    with running(qupath) as port:
        code, said = shell("export", result.path, "-o", f"qupath:{port}")
        assert code == 0
        assert said.endswith(f"patient-7.svs in QuPath: {counted + 1} objects added.")
        kinds = [one["properties"]["objectType"] for one in qupath.objects]
        assert kinds == ["annotation"] + ["detection"] * counted
        assert {len(one["properties"]["classification"]["color"]) for one in qupath.objects} == {3}
        code, said = shell("export", result.path, "-o", f"qupath:{port}")
        assert code == 0
        assert said.endswith(f"patient-7.svs in QuPath: 0 objects added, {counted + 1} were there.")
        # From another threshold on they come in the stead of those.
        higher = int(measure(result, threshold=0.4)[0]["positive_objects"])
        code, said = shell("export", result.path, "-o", f"qupath:{port}", "--threshold", 0.4)
        assert code == 0 and 0 < higher != counted
        kinds = [one["properties"]["objectType"] for one in qupath.objects]
        assert sorted(kinds) == ["annotation"] + ["detection"] * higher
        region = next(one for one in qupath.objects if one["properties"]["objectType"] == "annotation")
        assert region["properties"]["measurements"]["Threshold (OD)"] == 0.4
        assert re.search(r"patient-7.svs in QuPath: \d+ objects added,.* \d+ of an earlier count removed\.$", said)
        code, said = shell("export", result.path, "-o", f"qupath:{port}")
        assert code == 0 and len(qupath.objects) == counted + 1
        code, said = shell("export", result.path, "-o", f"qupath:{port}", "--anonymous")
        assert code == 2 and "leave out what is said of files" in said
        qupath.uris = ["file:/elsewhere/patient-8.svs"]
        code, said = shell("export", result.path, "-o", f"qupath:{port}")
    assert code == 2
    assert f"QuPath shows patient-8.svs, and {result.path.name} is of patient-7.svs: open that there." in said
    assert len(qupath.objects) == counted + 1
