"""Several slides at once, found in a folder, by a pattern or in a table, and what is no several slides."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import made_dicom
import numpy as np
import pytest
import tifffile
from standins import SYSTEMS
from toy_tiles import Toy

from diffuscope.cases.slides import Slide, are_many, check_names, find_slides
from diffuscope.errors import InputError

DECLARED = Toy().declared
TWO = SYSTEMS["fluorescence"]().declared


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of two slides, one of them bad, two CTs, a note and a folder of no image."""
    folder = tmp_path / "slides"
    folder.mkdir()
    tifffile.imwrite(folder / "b.ome.tif", np.zeros((32, 32, 3), np.uint8))
    (folder / "a.svs").write_text("no slide")
    (folder / "notes.txt").write_text("of mine")
    (folder / "more").mkdir()
    tifffile.imwrite(folder / "more" / "c.tif", np.zeros((32, 32, 3), np.uint8))
    for number in (1, 2):
        made_dicom.write_ct(folder / f"CT{number}")
    return folder


def test_a_folder_is_every_image_in_it_and_what_is_left_out_is_told(folder: Path):
    found = find_slides(folder, DECLARED)
    assert [(one.name, one.files) for one in found.slides] == [
        ("CT1", "CT1"), ("CT2", "CT2"), ("a", "a.svs"), ("b", "b.ome.tif"),
    ]  # fmt: skip
    assert found.notices == (f"2 in {folder} are left out, being no images: more, notes.txt.",)


def test_a_pattern_reaches_into_folders(folder: Path):
    found = find_slides(f"{folder}/**/*.tif", DECLARED)
    assert [one.source for one in found.slides] == [folder / "b.ome.tif", folder / "more" / "c.tif"]


def test_an_image_is_not_many(folder: Path):
    one, several = [folder / "CT1", folder / "a.svs", "gone.svs", "case.ome.zarr"], [folder, f"{folder}/*.svs", "t.csv"]
    assert [are_many(path) for path in one] == [False] * 4
    assert [are_many(path) for path in several] == [True] * 3
    # A patient's folder, in which only one study lies.
    shutil.move(folder / "CT1", folder / "more")
    assert not are_many(folder / "more")
    # A file whose own name looks like a pattern is that file.
    (folder / "a[1].svs").write_text("")
    assert not are_many(folder / "a[1].svs")


def write_dicom_slide(folder: Path, number: int) -> None:
    """Write two levels of a slide into a folder, as files of one series."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    series = generate_uid()
    for level in range(2):
        one = Dataset()
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        one.SeriesInstanceUID, one.StudyInstanceUID = series, "1.2.3"
        one.save_as(folder / f"{number}-{level}.dcm", enforce_file_format=True)


def test_files_of_a_dicom_slide_are_one_slide(tmp_path: Path, folder: Path):
    write_dicom_slide(tmp_path, 1)
    shutil.rmtree(folder)
    assert not are_many(tmp_path)
    write_dicom_slide(tmp_path, 2)
    assert are_many(tmp_path)
    assert [one.name for one in find_slides(tmp_path, DECLARED).slides] == ["1-0.dcm", "2-0.dcm"]
    for left in tmp_path.glob("2-*"):
        left.unlink()
    (tmp_path / "a.svs").write_text("no slide")
    assert are_many(tmp_path)
    assert [one.name for one in find_slides(tmp_path, DECLARED).slides] == ["1-0.dcm", "a"]


def test_a_table_has_a_row_a_slide(tmp_path: Path):
    table = tmp_path / "some.csv"
    table.write_text(
        'name,file,region,patient\nleft,sub/a.svs,"1,2,3,4",P1\n,/there/b.ome.tif#CD31,drawn.geojson#Tumour,P2\n'
    )
    found = find_slides(table, DECLARED)
    left, b = found.slides
    assert left == Slide(name="left", source=str(tmp_path / "sub/a.svs"), region="1,2,3,4")
    assert b == Slide(name="b", source="/there/b.ome.tif#CD31", region=str(tmp_path / "drawn.geojson#Tumour"))
    assert found.notices == ("Columns of some.csv that are not used: patient.",)


def test_a_row_may_state_the_um_per_px(tmp_path: Path):
    (tmp_path / "some.csv").write_text("file;mpp\na.svs;0,25\nb.svs;\n")
    assert [slide.mpp for slide in find_slides(tmp_path / "some.csv", DECLARED).slides] == [0.25, None]


def test_a_table_may_name_every_input(tmp_path: Path):
    table = tmp_path / "some.csv"
    table.write_text("name;vessels;nuclei\none;a.tif#0;b.tif\n")
    (one,) = find_slides(table, TWO).slides
    assert one.source == {"vessels": str(tmp_path / "a.tif#0"), "nuclei": str(tmp_path / "b.tif")}
    assert one.files == "vessels=a.tif#0; nuclei=b.tif"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,mpp\na.svs,half\n", "some.csv, line 2: mpp is µm per pixel, a number above 0, not “half”"),
        ("file,mpp\na.svs,0\n", "not “0”"),
        ("file;mpp\na.svs;<0,5\n", "line 2: “<0,5” is a bound"),
        ("file;mpp\na.svs;0,5\na.svs;1.234\n", "line 3: “1.234” may be 1234 or 1,234"),
        ("name,slide\na,a.svs\n", r"needs a column file, or columns named like the model's inputs \(he\)"),
        ("file,he\na.svs,a.svs\n", "and not both"),
        ("name,file\na,\n", "some.csv, line 2 names no file"),
        ("file\na.svs,b.svs\n", "line 2: it has more values than the first line has names"),
        ("file\nx/a.svs\ny/A.tif\n", r"x/a\.svs and .*y/A\.tif would both become A\.ome\.zarr: give each a name"),
        ("name,file\n../a,a.svs\n", '"../a" cannot be the name of a result'),
    ],
)
def test_a_table_that_cannot_be_used_is_one_sentence(tmp_path: Path, text: str, words: str):
    (tmp_path / "some.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        find_slides(tmp_path / "some.csv", DECLARED)


def test_a_project_is_its_images(tmp_path: Path):
    (tmp_path / "a.svs").write_text("no slide")
    builder = {"builderType": "uri", "uri": (tmp_path / "a.svs").as_uri(), "args": []}
    images = [{"serverBuilder": builder, "entryID": 1, "imageName": "left.svs"}]
    project = tmp_path / "project.qpproj"
    project.write_text(json.dumps({"version": "0.5.1", "uri": project.as_uri(), "images": images}))
    assert are_many(project)
    assert find_slides(project, DECLARED).slides == (Slide(name="left", source=tmp_path / "a.svs", in_qupath=True),)


def test_no_slide_is_a_sentence(tmp_path: Path):
    for source in (tmp_path, f"{tmp_path}/*.svs"):
        with pytest.raises(InputError, match="there is no slide and no volume in"):
            find_slides(source, DECLARED)
    with pytest.raises(InputError, match="no slide to run over"):
        check_names([])
