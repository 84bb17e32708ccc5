"""The table of formats: each is one row, and whoever lists endings lists those."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
import yaml

from diffuscope.errors import InputError
from diffuscope.scans import open_scan
from diffuscope.scans.contents import Contents
from diffuscope.scans.formats.table import ENDINGS, SHOWN, SLIDES, VOLUMES, Format, ending_of, find_format, stem
from diffuscope.scans.qupath.annotations import GEOJSON
from diffuscope.scans.source import Source

MANIFEST = Path(__file__).parents[2] / "napari.yaml"


def test_napari_asks_our_reader_for_what_the_table_shows_and_for_nothing_else():
    [reader] = yaml.safe_load(MANIFEST.read_text())["contributions"]["readers"]
    patterns = reader["filename_patterns"]
    for ending in SHOWN:
        assert any(fnmatch(f"x{ending}", pattern) for pattern in patterns), ending
    assert {pattern.removeprefix("*") for pattern in patterns} <= {*SHOWN, GEOJSON}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_name_ends_with_all_of_its_ending(ending):
    assert ending_of(f"a.b{ending.upper()}") == ending and stem(f"a.b{ending.upper()}") == "a.b"


def test_what_has_no_ending_of_the_table_keeps_its_name():
    assert stem("notes.txt") == "notes.txt" and ending_of("0001.dcm") == ""


def test_content_decides_where_a_format_has_a_mark_and_the_name_where_it_has_none(tmp_path):
    named = tmp_path / "v.NII.gz"
    named.write_bytes(b"anything")
    (tmp_path / "picture.tif").write_bytes(b"\x89PNG\r\n\x1a\nand more")
    (tmp_path / "slice").write_bytes(bytes(128) + b"DICM")
    assert find_format(named, VOLUMES).name == "NIfTI" and find_format(named, SLIDES) is None
    assert find_format(tmp_path / "picture.tif", SLIDES).name == "PNG"
    assert find_format(tmp_path / "slice", VOLUMES).name == "DICOM" and find_format(tmp_path, VOLUMES).name == "DICOM"
    assert find_format(tmp_path / "none.nii", VOLUMES) is None


def test_a_row_is_all_that_a_new_format_needs(tmp_path, monkeypatch):
    class Grey(Source):
        def __init__(self, path: Path) -> None:
            super().__init__((5, 6, 1), "uint8", (5, 6))
            self._path = path

        def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
            return np.frombuffer(self._path.read_bytes()[4:], np.uint8).reshape(self.shape)[y0:y1, x0:x1]

    def read(path: Path) -> Contents:
        return Contents(format="Toy", levels=[Grey(path)], mpp=(2.0, 2.0), rgb=False)

    row = Format(name="Toy", open=read, endings=(".toy",), magic=(b"TOY!",))
    monkeypatch.setattr("diffuscope.scans.open.SLIDES", (*SLIDES, row))
    (tmp_path / "a.toy").write_bytes(b"TOY!" + bytes(range(30)))
    scan = open_scan(tmp_path / "a.toy")
    assert scan.format == "Toy" and scan.mpp == 2.0
    np.testing.assert_array_equal(scan.levels[0].compute()[..., 0], np.arange(30).reshape(5, 6))
    (tmp_path / "b.toy").write_bytes(b"none of these")
    with pytest.raises(InputError, match=r"no SVS, TIFF, NDPI, .*PNG, JPEG or Toy file"):
        open_scan(tmp_path / "b.toy")


def test_a_library_that_is_not_there_is_told_by_the_extra_that_brings_it(tmp_path, monkeypatch):
    row = Format(name="Toy", open=open_scan, endings=(".toy",), magic=(b"TOY!",), libraries=("no_such",), extra="toys")
    monkeypatch.setattr("diffuscope.scans.open.SLIDES", (row,))
    (tmp_path / "a.toy").write_bytes(b"TOY!")
    with pytest.raises(InputError, match=r'a slide; to open it install no_such: pip install "diffuscope\[toys\]"'):
        open_scan(tmp_path / "a.toy")
