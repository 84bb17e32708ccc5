"""Small files from elsewhere: right ones are read, and nothing is waited for, filled with, or followed out."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from diffuscope.errors import InputError
from diffuscope.files.read import YAML, read_bytes, read_json, read_rows, read_text, read_yaml


def put(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_right_files_are_read(tmp_path: Path):
    assert read_bytes(put(tmp_path / "a", b"\0\1"), most=2) == b"\0\1"
    assert read_text(put(tmp_path / "b", "\ufeffä")) == "ä"
    assert read_json(put(tmp_path / "c", '{"a": [1]}')) == {"a": [1]}
    assert read_yaml(put(tmp_path / "d", "x: &a {b: 1}\ny: *a\n")) == {"x": {"b": 1}, "y": {"b": 1}}
    rows = read_rows(put(tmp_path / "e", '\ufeffcase,"a\nb"\nP1,"x\ny"\nP2\nP3,1,2\n'))
    assert rows == [
        {"case": "P1", "a\nb": "x\ny"},
        {"case": "P2", "a\nb": None},
        {"case": "P3", "a\nb": "1", None: ["2"]},
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: {c: 1}\na: 2\n", "has 'a' twice, at lines 1 and 3: keep one of them"),
        ("a: 1\nb:\n  - {steps: 3, steps: 7}\n", "has 'steps' twice, in line 3"),
        ('{"name": "x",\n "name": "y"}', "has 'name' twice, at lines 1 and 2"),
        ("1: a\n1: b\n", "has '1' twice"),
    ],
)
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, text: str, said: str):
    with pytest.raises(InputError, match=f"d.yaml {said}"):
        read_yaml(put(tmp_path / "d.yaml", text))


def test_a_key_may_stand_in_several_places_and_write_over_what_an_alias_brings_in(tmp_path: Path):
    text = "x: &x {k: 1, l: 1}\ny: &y {<<: *x, k: 2}\nz: {<<: *y, k: 3, m: 1}\n1: a\n'1': b\n"
    found = read_yaml(put(tmp_path / "d.yaml", text))
    assert (
        found["y"] == {"k": 2, "l": 1}
        and found["z"] == {"k": 3, "l": 1, "m": 1}
        and (found[1], found["1"]) == ("a", "b")
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system here")
def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name, said in (("pipe", "no plain file"), ("zero", "no plain file"), (".", "is a folder")):
        with pytest.raises(InputError, match=said):
            read_text(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "nothing")


def test_a_link_out_of_a_folder_is_not_followed_but_one_inside_and_the_folder_s_own_are(tmp_path: Path):
    folder = tmp_path / "folder"
    folder.mkdir()
    put(tmp_path / "outside", "mine")
    put(folder / "inside", "theirs")
    (folder / "out").symlink_to("../outside")
    (folder / "in").symlink_to("inside")
    (tmp_path / "link").symlink_to(folder)
    assert read_text(folder / "in", inside=folder) == read_text(tmp_path / "link" / "in", inside=tmp_path / "link")
    with pytest.raises(InputError, match="out is a link out of"):
        read_text(folder / "out", inside=folder)


def test_links_of_the_hub_s_cache_are_followed(tmp_path: Path):
    version = tmp_path / "models--a--b" / "snapshots" / "0a1b"
    version.mkdir(parents=True)
    blobs = tmp_path / "models--a--b" / "blobs"
    blobs.mkdir()
    put(blobs / "1234", "theirs")
    (version / "config.json").symlink_to("../../blobs/1234")
    assert read_text(version / "config.json", inside=version) == "theirs"


def test_what_is_too_long_is_refused_before_it_is_read(tmp_path: Path):
    with (tmp_path / "long").open("wb") as file:
        file.truncate(1 << 40)
    tracemalloc.start()
    with pytest.raises(InputError, match="more than the 32 MB"):
        read_text(tmp_path / "long")
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()
    with pytest.raises(InputError, match=r"more than the 0\.5 MB"):
        read_yaml(put(tmp_path / "yaml", "x" * (YAML + 1)))


@pytest.mark.parametrize(
    "content", ["name: ä".encode("latin-1"), "name: x".encode("utf-16"), b"name: \0"], ids=["latin-1", "utf-16", "nul"]
)
def test_other_encodings_are_refused(tmp_path: Path, content: bytes):
    path = put(tmp_path / "text", content)
    for read in (read_text, read_json, read_yaml, read_rows):
        with pytest.raises(InputError, match=r"is no text.*save it again"):
            read(path)


NINE = "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    "content",
    [
        "a: &a [x, x]\n" + NINE,
        "&a [*a]",
        "[" * 20_000,
        "- " * 5_000,
        "!!timestamp x",
        "a: !!int x",
        "2026-99-99",
        "!!python/object/apply:os.getcwd []",
        "a: [",
        "x: *nothing",
        "1" * 5_000 + ": 1",
    ],
)
def test_yaml_that_is_none_is_refused_in_one_sentence(tmp_path: Path, content: str):
    with pytest.raises(InputError) as caught:
        read_yaml(put(tmp_path / "recipe.yaml", content))
    assert "recipe.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_json_that_is_nested_without_end_is_no_json(tmp_path: Path):
    for content in ("[" * 100_000, '{"a":' * 5_000, "nul", ""):
        with pytest.raises(ValueError):  # noqa: PT011  json's own, or ours
            read_json(put(tmp_path / "x.json", content))


@pytest.mark.parametrize(
    "content", ["a,b\n" + "x" * 200_000 + "\n", "," * 1_000_000, "a\n" + ",".join("x" * 2_100_000)]
)
def test_tables_without_end_are_refused(tmp_path: Path, content: str):
    with pytest.raises(InputError, match=r"x\.csv (has more than|cannot be read as a table)"):
        read_rows(put(tmp_path / "x.csv", content))
