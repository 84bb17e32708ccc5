"""What an export carries of its input, and what an anonymous one does not: by the bytes of what was written."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import numpy as np
import ome_types
import pytest
import tifffile
from made_dicom import write_ct
from volume_result import HU, write_result

from diffuscope.errors import InputError
from diffuscope.exports import export
from diffuscope.exports.table import FORMATS
from diffuscope.registration import Transform, write_warped
from diffuscope.results.result import Result, open_result
from diffuscope.scans import open_scan, open_volume
from diffuscope.stains import StainStatistics

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("SimpleITK")

NAME = "Mustermann-CT"
VOLUMES = sorted({ending for form in FORMATS if form.of in {None, "volume"} for ending in form.endings})


def words(path: Path) -> bytes:
    """Return all bytes of a file or folder, those packed by gzip unpacked."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    found = [file.read_bytes() for file in files if file.is_file()]
    return b"".join(gzip.decompress(one) if one[:2] == b"\x1f\x8b" else one for one in found)


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ct(
        tmp_path_factory.mktemp("series") / NAME,
        SeriesInstanceUID="1.2.826.0.4711",
        StudyInstanceUID="1.2.826.0.4712",
        AccessionNumber="A-4713",
        PatientBirthDate="19700101",
    )


@pytest.fixture(scope="module")
def result(series: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    record = {
        "command": f"diffuscope run m {NAME} -o out --input report=Mustermann",
        "notices": [f"{NAME} is odd."],
        "started": "2026-01-01T00:00:00",
        "inputs": {
            "source": open_volume(series).to_json(),
            "report": {"text": "Mr Mustermann coughs"},
            "patient": {"row": {"name": "Mustermann"}},
        },
    }
    return write_result(tmp_path_factory.mktemp("result") / "r.ome.zarr", series, ports=(HU,), record=record)


@pytest.mark.parametrize("ending", VOLUMES)
def test_an_anonymous_export_holds_nothing_of_the_input(result, tmp_path, ending):
    path = export(result, tmp_path / f"out{ending}", anonymous=True)
    held = words(path)
    secrets = ["Mustermann", "1.2.826.0.471", "M-4711", "Made", "A-4713", "19700101", "coughs"]
    secrets.append(result.record["inputs"]["source"]["fingerprint"])
    assert [secret for secret in secrets if secret.encode() in held] == []


@pytest.mark.parametrize("ending", [".ome.zarr", ".ome.tif"])
def test_a_plain_export_carries_the_record(result, tmp_path, ending):
    held = words(export(result, tmp_path / f"out{ending}"))
    for secret in (NAME, "1.2.826.0.4711", "coughs"):
        assert secret.encode() in held


def test_a_source_gives_what_the_docs_list_and_is_no_anonymous_one(result, series, tmp_path):
    one = pydicom.dcmread(next(export(result, tmp_path / "out.dicom", source=series).iterdir()))
    assert (one.PatientID, one.AccessionNumber, one.PatientBirthDate) == ("M-4711", "A-4713", "19700101")
    listed = Path("docs/volumes.md").read_text(encoding="utf-8")
    from diffuscope.exports.dicom import _KEPT

    assert [name for name in _KEPT if name not in listed] == []
    with pytest.raises(InputError, match="give one of the two"):
        export(result, tmp_path / "no.dicom", source=series, anonymous=True)


@pytest.mark.parametrize("names_its_set", [True, False])
def test_letters_of_a_source_and_of_the_model_are_both_kept(result, tmp_path, recwarn, names_its_set):
    latin = {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Jörg", "StudyDescription": "Schädel"}
    folder = write_ct(tmp_path / "ct", **latin)
    for file in () if names_its_set else folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"ISO_IR 100", b" " * 10))
    port = replace(HU, name="Dichte µ 肺")
    record = {**result.record, "inputs": {"source": open_volume(folder).to_json()}}
    own = write_result(tmp_path / "r.ome.zarr", folder, ports=(port,), record=record)
    recwarn.clear()
    first = next(export(own, tmp_path / "out.dicom", source=folder).iterdir())
    assert [one for one in recwarn if "pydicom" in one.filename] == []
    one = pydicom.dcmread(first)
    assert one.SpecificCharacterSet == "ISO_IR 192"
    assert (str(one.PatientName), one.StudyDescription) == ("Müller^Jörg", "Schädel")
    assert one.SeriesDescription.startswith("Dichte µ 肺: derived") and "Dichte µ 肺" in one.DerivationDescription


def test_an_id_of_a_file_is_drawn_and_tells_no_machine(result, make_result, tmp_path):
    slide = make_result()
    for one, ending in ((result, ".ome.tif"), (slide, ".ome.tif"), (slide, ".jpeg.ome.tif")):
        ids = []
        for name in "ab":
            with tifffile.TiffFile(export(one, tmp_path / f"{name}{ending}", anonymous=True, overwrite=True)) as file:
                ids.append(ome_types.from_xml(file.ome_metadata, validate=True).uuid)
        assert ids[0] != ids[1]
        assert [UUID(found).version for found in ids] == [4, 4]  # 1 would be of the network card and the clock


def test_an_anonymous_result_opens_and_is_exported_again(result, tmp_path):
    again = open_result(export(result, tmp_path / "out.ome.zarr", anonymous=True))
    assert again.record["anonymous"] and again.record["model"] == result.record["model"]
    plain, twice = (export(one, tmp_path / f"{name}.nii") for one, name in ((result, "a"), (again, "b")))
    assert plain.read_bytes() == twice.read_bytes()


def test_a_slide_s_export_is_anonymous_too(make_result, tmp_path):
    slide = make_result()
    name = "a <b> & "
    assert b"svs" in words(export(slide, tmp_path / "out.ome.tif"))
    for form in FORMATS:
        if form.of not in {None, "slide"}:
            continue
        layer = "ihc" if form.of_colours else "all"
        held = words(export(slide, tmp_path / f"anonymous{form.endings[0]}", layer=layer, anonymous=True))
        assert b".svs" not in held and name.encode() not in held


def test_a_registered_slide_is_not_called_after_its_file(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    scans = []
    for name in ("HE.tif", "Mustermann CD3.tif"):
        cm = {"resolution": (20000, 20000), "resolutionunit": "CENTIMETER"}
        tifffile.imwrite(tmp_path / name, pixels, photometric="rgb", **cm)
        scans.append(open_scan(tmp_path / name))
    fixed, moving = scans
    record = {"inputs": {"fixed": fixed.to_json(), "moving": moving.to_json()}, "parameters": {}}
    same = Transform(np.eye(2), np.zeros(2))
    list(write_warped(tmp_path / "reg.ome.zarr", moving, same, fixed=fixed, record=record))
    registered = open_result(tmp_path / "reg.ome.zarr")
    assert registered.ports[0].name == "registered Mustermann CD3.tif"
    for form in FORMATS:
        if form.of in {None, "slide"}:
            path = export(registered, tmp_path / f"out{form.endings[0]}", anonymous=True)
            assert b"Mustermann" not in words(path), form.name
    named = export(registered, tmp_path / "named.ome.zarr", layer="registered Mustermann CD3.tif")
    assert open_result(named).ports == registered.ports
    again = open_result(tmp_path / "out.ome.zarr")
    assert again.ports[0].name == "registered slide"
    np.testing.assert_array_equal(np.asarray(again.images["registered"][0]), pixels)


def test_the_pictures_of_the_stains_are_counted_and_not_named(make_result, tmp_path):
    slide = make_result()
    stains = {"haematoxylin": [0.65, 0.7, 0.29], "eosin": [0.07, 0.99, 0.11], "nucleus": 0.6, "tissue": 0.4}
    stains["measured_on"] = ["Mustermann 7.tif", "Mustermann 8.tif"]
    inputs = {"he": {**slide.record["inputs"]["he"], "shape": [2967, 2220], "stains": stains}}
    named = replace(slide, record={**slide.record, "inputs": inputs})
    for form in FORMATS:
        if form.of in {None, "slide"}:
            layer = "ihc" if form.of_colours else "all"
            path = export(named, tmp_path / f"out{form.endings[0]}", layer=layer, anonymous=True)
            assert b"Mustermann" not in words(path), form.name
    told = StainStatistics.from_json(open_result(tmp_path / "out.ome.zarr").record["inputs"]["he"]["stains"])
    # None would say that they were measured on the slide itself.
    assert told == StainStatistics.from_json({**stains, "measured_on": ["another picture"] * 2})


def test_the_command_line_leaves_it_out(result, tmp_path):
    from typer.testing import CliRunner

    from diffuscope.cli import app

    line = ["export", str(result.path), "-o", str(tmp_path / "out.ome.tif"), "--anonymous"]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 0, done.output
    assert NAME.encode() not in words(tmp_path / "out.ome.tif")
