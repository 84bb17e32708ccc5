"""May something be written here: one answer for everything that Diffuscope writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from diffuscope.errors import InputError
from diffuscope.files.place import FILE, FOLDER, Kind, check_place, parts_named

OURS = Kind("a thing of ours", lambda path: (path / "ours").is_file())


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """Return a folder of our kind, with something in it."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "ours").touch()
    (folder / "data").mkdir()
    return folder


def test_what_becomes_of_a_place(tmp_path: Path, ours: Path) -> None:
    assert check_place(tmp_path / "far" / "off" / "out", OURS) == "new"
    assert check_place(ours, OURS, overwrite=True) == "replaced"
    assert check_place(ours, OURS, resume=True) == "resumed"
    assert check_place(tmp_path / "none", OURS, resume=True) == "new"
    (tmp_path / "empty").mkdir()
    assert check_place(tmp_path / "empty", OURS) == "new"
    assert not (tmp_path / "far").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "exists already: choose another name, or say --overwrite"),
        ({"resume": False}, "exists already: say --resume to go on with it, --overwrite to begin again"),
        ({"way_out": "tick the box"}, r"exists already: tick the box\.$"),
        ({"overwrite": True, "resume": True}, "--resume .* and --overwrite .*: choose one"),
    ],
)
def test_one_of_its_kind_in_the_way(ours: Path, options: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check_place(ours, OURS, **options)


@pytest.mark.parametrize("name", ["file", "folder", "link", "broken", "round"])
@pytest.mark.parametrize("options", [{}, {"overwrite": True}, {"resume": True}])
def test_nothing_else_is_ever_replaced(tmp_path: Path, ours: Path, name: str, options: dict) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").touch()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(InputError, match=r"exists already, is (a link|not a thing of ours) and is never overwritten"):
        check_place(tmp_path / name, OURS, **options)


def test_a_link_to_one_is_gone_on_with_but_not_replaced(tmp_path: Path, ours: Path) -> None:
    (tmp_path / "link").symlink_to(ours)
    assert check_place(tmp_path / "link", OURS, resume=True) == "resumed"
    with pytest.raises(InputError, match="is a link and is never overwritten"):
        check_place(tmp_path / "link", OURS, overwrite=True)


def test_a_folder_is_no_file_and_a_file_no_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is not a file and is never overwritten"):
        check_place(tmp_path / "empty", FILE, overwrite=True)
    with pytest.raises(InputError, match="is not a folder and is never overwritten"):
        check_place(tmp_path / "file", FOLDER, overwrite=True)
    assert check_place(tmp_path / "file", FILE, overwrite=True) == "replaced"
    with pytest.raises(InputError, match="file is no folder: choose another place for out"):
        check_place(tmp_path / "file" / "out", FOLDER)


def test_what_is_read_is_kept(tmp_path: Path, ours: Path) -> None:
    (tmp_path / "link").symlink_to(ours / "data")
    for read in (ours, ours / "data", ours / "data" / ".." / "ours", tmp_path / "link"):
        with pytest.raises(InputError, match=r"is, or holds, .* which is read for it"):
            check_place(ours, OURS, overwrite=True, keep=[read])
    assert check_place(ours, OURS, overwrite=True, keep=[tmp_path / "output"]) == "replaced"
    for out in (ours / "data", ours / "new", tmp_path / "link" / "new"):
        with pytest.raises(InputError, match=r"lies in .*out, which is only read"):
            check_place(out, FOLDER, overwrite=True, outside=[ours])


def test_another_name_of_the_same_file_is_the_same_file(
    tmp_path: Path, ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slide, other = tmp_path / "slide.tif", tmp_path / "other.tif"
    slide.touch()
    os.link(slide, other)
    with pytest.raises(InputError, match=r"other.tif is, or holds, .*slide.tif"):
        check_place(other, FILE, overwrite=True, keep=[slide])
    # As on a disk that does not tell capitals apart, or where a folder is mounted a second time.
    stat = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **options: stat(Path(str(path).replace("OUT", "out")), **options))
    with pytest.raises(InputError, match=r"OUT is, or holds, .*data"):
        check_place(tmp_path / "OUT", OURS, overwrite=True, keep=[ours / "data"])
    with pytest.raises(InputError, match=r"new lies in .*out, which is only read"):
        check_place(tmp_path / "OUT" / "new", OURS, outside=[ours])


def test_what_is_no_part_of_it_is_never_removed_with_it(ours: Path) -> None:
    known = Kind("a thing of ours", OURS.is_one, parts=parts_named(r"ours|data/\d+"))
    (ours / "data" / "1").touch()
    (ours / "data" / "2.part").touch()
    assert check_place(ours, known, overwrite=True) == "replaced"
    (ours / "data" / "3").symlink_to(ours.parent, target_is_directory=True)
    assert check_place(ours, known, overwrite=True) == "replaced"
    (ours / "data" / "notes").symlink_to(ours.parent, target_is_directory=True)
    with pytest.raises(InputError, match="out holds data/notes, which is no part of a thing of ours and would go"):
        check_place(ours, known, overwrite=True)
    assert check_place(ours, known, resume=True) == "resumed"


def test_where_a_disk_begins_nothing_is_written(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == ours)
    for options in ({}, {"overwrite": True}):
        with pytest.raises(InputError, match="out is where a disk begins: choose a name for a folder in it"):
            check_place(ours, OURS, **options)
    assert check_place(ours / "new", OURS) == "new"


def test_a_path_may_end_in_a_slash_or_be_here(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_place(Path(f"{ours}/"), OURS, overwrite=True) == "replaced"
    monkeypatch.chdir(ours)
    assert check_place(Path(), OURS, overwrite=True) == "replaced"
    with pytest.raises(InputError, match="is not a thing of ours"):
        check_place(Path(".."), OURS, overwrite=True)


def test_a_name_may_be_as_long_as_names_can_be_and_no_longer(tmp_path: Path) -> None:
    assert check_place(tmp_path / ("n" * 255), OURS) == "new"
    with pytest.raises(InputError, match=r"cannot be written .*: choose another name"):
        check_place(tmp_path / ("n" * 256), OURS)


def test_a_folder_that_may_only_be_read(tmp_path: Path, ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda folder, _: Path(folder) != tmp_path)
    for target, options in ((tmp_path / "new", {}), (tmp_path / "a" / "b", {}), (ours, {"overwrite": True})):
        with pytest.raises(InputError, match=f"nothing can be written into {tmp_path}: choose another place"):
            check_place(target, OURS, **options)
    assert check_place(ours, OURS, resume=True) == "resumed"
