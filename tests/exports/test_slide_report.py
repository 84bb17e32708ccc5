"""The report of a slide's result: what it says, what it shows, and of which slide."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from nano_result import write_nano
from PIL import Image
from stain_result import DRAWN, FACTOR, PORTS, RECORD, write_stain
from typer.testing import CliRunner

from diffuscope.api.measure import measure
from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.events import finish
from diffuscope.exports import export
from diffuscope.exports.report.slide import SlideReport, slide_report
from diffuscope.exports.request import Request
from diffuscope.exports.view.sheet import PANEL
from diffuscope.measurement.table import readable
from diffuscope.results.own import own_parts
from diffuscope.results.result import Result, open_result
from diffuscope.scans import open_scan
from diffuscope.tiling.region import Region

PINK = (230, 120, 180)
MODEL = {"name": "m", "simulated": "yes", "trained_on": "a <rule>", "what_it_is_not": "An antibody."}


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    import tifffile

    path = tmp_path / "patient-7.tif"
    pixels = np.broadcast_to(np.uint8(PINK), (*RECORD["inputs"]["he"]["shape"], 3))
    tifffile.imwrite(path, pixels, photometric="rgb", resolution=(4e4, 4e4), resolutionunit="CENTIMETER")
    return path


@pytest.fixture
def result(tmp_path: Path, slide: Path) -> Result:
    stated = {**RECORD["inputs"]["he"], "name": slide.name, "fingerprint": open_scan(slide).fingerprint}
    drawn = {"name": "hot spot", "class": "Tumor"}
    return write_stain(tmp_path, record={**RECORD, "model": MODEL, "inputs": {"he": stated}, "drawn": drawn})


def report_of(result: Result, **more) -> SlideReport:
    return slide_report(Request(result=result, ports=result.ports, **more))


def test_it_says_whose_what_where_and_what_not_to_believe(result: Result):
    report = report_of(result)
    assert report.title == "virtual CD3" and report.under.startswith("r")
    assert "It is a guess" in report.warnings[0] and "a <rule>" in report.warnings[1]
    assert "An antibody." in report.warnings[2]
    assert (list(report.header), [list(line) for line in report.lines]) == readable(result.table)
    assert report.header == ("hot spot (Tumor)",)
    about = dict(report.about)
    assert about["slide"] == "patient-7.tif" and "4 corners" in about["region"] and "hot spot" in about["region"]
    assert any("cells that touch are one" in one for one in report.notices)
    assert "patient-7.svs is odd." in report.notices


def test_the_slide_stands_beside_what_was_made_of_it_and_no_other(result: Result, slide: Path, tmp_path: Path):
    without, shown = report_of(result), report_of(result, source=slide)
    assert "not at hand" in without.pictured and not shown.pictured
    height, width = result.images["ihc"][0].shape[:2]
    assert shown.sheet.width == 20 + 3 * (PANEL + 20) > without.sheet.height
    pixels = np.asarray(shown.sheet)
    assert pixels[34 + round(PANEL * height / width) // 2, 20 + PANEL // 2].tolist() == list(PINK)
    # A map is paper outside the drawn shape, where nothing was computed: its box has a corner there.
    top, left = result.window[:2]
    assert (left * FACTOR, top * FACTOR) < DRAWN.polygon[0]
    assert pixels[34 + 6, 20 + 2 * (PANEL + 20) + 6].tolist() == [255, 255, 255]
    assert len(PORTS) == 3 and shown.sheet.height > without.sheet.height  # four panels are two rows
    other = tmp_path / "other.png"
    Image.fromarray(np.zeros((50, 50, 3), np.uint8)).save(other)
    with pytest.raises(InputError, match=r"other.png is not the slide that r.ome.zarr was made from"):
        export(result, tmp_path / "o.report.html", source=other)
    assert not (tmp_path / "o.report.html").exists()


def test_a_page_and_a_pdf_by_shell_escape_what_is_strange_and_hold_all_they_need(
    result: Result, slide: Path, tmp_path: Path
):
    pytest.importorskip("fpdf")
    for name in ("r.report.html", "r.report.pdf", "s.html"):
        words = ["export", str(result.path), "-o", str(tmp_path / name), "--source", str(slide)]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    page = (tmp_path / "r.report.html").read_text(encoding="utf-8")
    assert "Research use, not for diagnosis" in page and "a &lt;rule&gt;" in page and "<rule>" not in page
    assert "http" not in page and "hot spot (Tumor)" in page
    [source] = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    with Image.open(io.BytesIO(base64.b64decode(source))) as picture:
        assert picture.size == report_of(result, source=slide).sheet.size
    data = (tmp_path / "r.report.pdf").read_bytes()
    assert data.startswith(b"%PDF") and len(re.findall(rb"/Type /Page\b", data)) == 1


def test_an_anonymous_one_names_nobody(result: Result, slide: Path, tmp_path: Path):
    export(result, tmp_path / "a.report.html", source=slide, anonymous=True)
    page = (tmp_path / "a.report.html").read_text(encoding="utf-8")
    assert not re.search("patient-7|hot spot", page) and "Tumor" in page and "anonymous" in page


def test_regions_of_a_load_that_were_measured_are_its_figures_and_its_slide_is_named_once(tmp_path: Path):
    pytest.importorskip("fpdf")
    slide, load = write_nano(tmp_path)
    export(load, tmp_path / "before.report.html")
    assert "None were measured" in (tmp_path / "before.report.html").read_text(encoding="utf-8")
    regions = {"Mrs Miller": Region(20, 20, 100, 80), "rim": Region(120, 10, 80, 100)}
    rows = finish(measure(load.path, slide, regions=regions)).rows
    measured = open_result(load.path)
    report = report_of(measured)
    assert report.header == ("Mrs Miller", "rim")
    assert ("Mean load", "7.00", "7.00") in report.lines and rows[0]["mean_load"] == pytest.approx(7)
    assert dict(report.about)["slide"] == slide.name  # which has two channels that went in
    export(measured, tmp_path / "r.report.pdf")
    assert (tmp_path / "r.report.pdf").stat().st_size > 0
    # a copy has them, too, and of an anonymous one nobody's name
    copy = open_result(export(measured, tmp_path / "copy.ome.zarr"))
    assert copy.regions == measured.regions and [one["region"] for one in copy.regions] == list(regions)
    blind = open_result(export(measured, tmp_path / "blind.ome.zarr", anonymous=True))
    assert "region" not in blind.regions[0] and blind.regions[0]["mean_load"] == "7"
    assert report_of(measured, is_anonymous=True).header == ("region 1", "region 2")
    assert own_parts(load.path)("regions.csv")
