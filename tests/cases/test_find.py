from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuscope.cases import find_cases
from diffuscope.errors import InputError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for key, ending in (("he", ".png"), ("ihc", ".jpg")):
        (tmp_path / key).mkdir()
        for name in ("b", "a.1"):
            Image.fromarray(np.full((8, 9, 3), 200, np.uint8)).save(tmp_path / key / f"{name}{ending}")
    return tmp_path


def table(folder: Path, text: str) -> Path:
    (folder / "cases.csv").write_text(text, encoding="utf-8")
    return folder


def test_folders_are_paired_by_name_whatever_the_format(data: Path):
    (data / "he" / "Thumbs.db").write_bytes(b"x")
    (data / "he" / ".hidden.png").write_bytes(b"x")
    cases = find_cases(data, ["he", "ihc"], optional=["mask"])
    assert [case.name for case in cases] == ["a.1", "b"]
    assert cases[1].files == {"he": data / "he/b.png", "ihc": data / "ihc/b.jpg"}
    assert cases[1].group == "b" and cases[1].part is None


def test_an_optional_key_is_taken_where_it_is(data: Path):
    (data / "mask").mkdir()
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(data / "mask" / "b.png")
    cases = find_cases(data, ["he", "ihc"], optional=["mask"])
    assert "mask" not in cases[0].files and cases[1].files["mask"] == data / "mask/b.png"
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(data / "mask" / "c.png")
    with pytest.raises(InputError, match=r"mask/c\.png .* there is no he/c"):
        find_cases(data, ["he", "ihc"], optional=["mask"])


def test_an_ome_zarr_folder_is_a_picture(data: Path):
    (data / "he" / "z.ome.zarr").mkdir()
    (data / "ihc" / "z.ome.tif").write_bytes(b"x")
    assert find_cases(data, ["he", "ihc"])[-1].files["he"] == data / "he/z.ome.zarr"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["HE2", "ihc"], r"has no folder HE2 \(did you mean he\?\)"),
        (["dapi", "ihc"], r"has no folder dapi \(there are he, ihc\)"),
    ],
)
def test_a_key_without_a_folder_names_the_nearest(data: Path, keys: list[str], said: str):
    with pytest.raises(InputError, match=said):
        find_cases(data, keys)


def test_a_picture_without_its_partner_is_named(data: Path):
    (data / "ihc" / "b.jpg").rename(data / "ihc" / "bb.jpg")
    with pytest.raises(InputError, match=r"he/b\.png has no partner in .*ihc \(did you mean bb\?\)"):
        find_cases(data, ["he", "ihc"])
    (data / "he" / "b.png").unlink()
    with pytest.raises(InputError, match=r"ihc/bb\.jpg has no partner"):
        find_cases(data, ["he", "ihc"])


def test_two_pictures_of_one_name_and_no_picture_are_refused(data: Path, tmp_path_factory: pytest.TempPathFactory):
    (data / "he" / "b.tif").write_bytes(b"x")
    with pytest.raises(InputError, match=r"b\.png and b\.tif .* have one name"):
        find_cases(data, ["he", "ihc"])
    empty = tmp_path_factory.mktemp("empty")
    (empty / "he").mkdir()
    with pytest.raises(InputError, match="holds no case"):
        find_cases(empty, ["he"])
    with pytest.raises(InputError, match="does not exist"):
        find_cases(empty / "no", ["he"])
    (empty / "notes.txt").touch()
    with pytest.raises(InputError, match="no folder of cases"):
        find_cases(empty / "notes.txt", ["he"])


def test_a_table_names_files_groups_and_parts(data: Path):
    table(
        data, "\ufeffcase,group,part,he,ihc,mask\nx,p1,test,he/b.png,ihc/b.jpg,he/b.png\ny,,,he/a.1.png,ihc/a.1.jpg,\n"
    )
    x, y = find_cases(data, ["he", "ihc"], optional=["mask"])
    assert (x.name, x.group, x.part) == ("x", "p1", "test") and x.files["mask"] == data / "he/b.png"
    assert (y.name, y.group, y.part) == ("y", "y", None) and set(y.files) == {"he", "ihc"}
    assert find_cases(data / "cases.csv", ["he", "ihc"]) == find_cases(data, ["he", "ihc"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no case"),
        ("case,he,ich\nx,he/b.png,ihc/b.jpg\n", r"no column ihc \(did you mean ich\?\)"),
        ("he,ihc\nhe/b.png,ihc/b.jpg\n", "no column case"),
        ("case,he,ihc\n,he/b.png,ihc/b.jpg\n", "line 2, names no case"),
        ("case,he,ihc\n../x,he/b.png,ihc/b.jpg\n", 'line 2: "../x" cannot be the name of a file'),
        ("case,he,ihc\nx,he/b.png,\n", "line 2: case x has no ihc"),
        ("case,he,ihc\nx,he/b.png\n", "line 2: case x has no ihc"),
        ("case,he,ihc\nx,he/b.png,ihc/no.jpg\n", r"line 2: ihc of case x is .*no\.jpg, which does not exist"),
        ("case,part,he,ihc\nx,dev,he/b.png,ihc/b.jpg\n", 'no part "dev"; say train, validation or test'),
        ("case,he,ihc\nx,he/b.png,ihc/b.jpg\nx,he/b.png,ihc/b.jpg\n", "2 lines for case x"),
    ],
)
def test_a_table_that_cannot_be_used_says_where(data: Path, text: str, said: str):
    with pytest.raises(InputError, match=said):
        find_cases(table(data, text), ["he", "ihc"])


def test_a_table_in_another_encoding_is_told(data: Path):
    (data / "cases.csv").write_bytes("case,he\nMüller,he/b.png\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        find_cases(data, ["he"])


def test_an_empty_group_is_the_slide_and_an_empty_slide_the_group(data: Path):
    text = "case,group,slide,he,ihc\nx,p,,he/a.1.png,ihc/a.1.jpg\ny,,s,he/b.png,ihc/b.jpg\nz,p,t,he/b.png,ihc/b.jpg\n"
    found = find_cases(table(data, text), ["he", "ihc"])
    assert [(case.group, case.slide) for case in found] == [("p", "p"), ("s", "s"), ("p", "t")]
    text = "case,he,ihc\nx,he/b.png,ihc/b.jpg\n"
    assert [(case.group, case.slide) for case in find_cases(table(data, text), ["he", "ihc"])] == [("x", "")]


@pytest.mark.parametrize(
    ("column", "meant"),
    [("Slide", "slide"), ("slides", "slide"), ("patient", "group"), ("Group", "group"), ("prt", "part")],
)
def test_a_column_that_is_nearly_known_is_not_passed_over(data: Path, column: str, meant: str):
    text = f"case,{column},he,ihc\nx,1,he/b.png,ihc/b.jpg\n"
    with pytest.raises(InputError, match=f"has a column {column}, which is not known: call it {meant}"):
        find_cases(table(data, text), ["he", "ihc"])
    text = "case,patient_age,he,ihc\nx,63,he/b.png,ihc/b.jpg\n"
    assert len(find_cases(table(data, text), ["he", "ihc"])) == 1
    text = f"case,{meant},{column},stainer,he,ihc\nx,train,1,2,he/b.png,ihc/b.jpg\n"
    assert len(find_cases(table(data, text), ["he", "ihc"])) == 1


def test_a_table_may_be_divided_by_semicolons(data: Path):
    text = "case;part;he;ihc\nx;test;he/b.png;ihc/b.jpg\n"
    assert [case.part for case in find_cases(table(data, text), ["he", "ihc"])] == ["test"]


@pytest.mark.parametrize(("row", "how"), [("x,he/b.png,ihc/b.jpg", "fewer"), ("x,he/b.png,ihc/b.jpg,test,1", "more")])
def test_a_row_that_was_broken_off_loses_no_part_without_a_word(data: Path, row: str, how: str):
    with pytest.raises(InputError, match=f"line 2, has {how} values than the first line has names"):
        find_cases(table(data, f"case,he,ihc,part\n{row}\n"), ["he", "ihc"])
