"""What a run is given, divided into images, and what there is beside them, by what the model declares."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import any_toys
import pytest

from diffuscope.errors import InputError
from diffuscope.jobs.given import given_rasters, read_given_text, split_source
from diffuscope.jobs.input_text import parse_inputs
from diffuscope.jobs.rows import check_files_of_row
from diffuscope.ports.port import rasters
from diffuscope.ports.table import Column, Table
from diffuscope.ports.text import Text


def test_a_file_alone_is_that_of_the_one_image_there_may_be():
    text, ct, _ = any_toys.ANY.inputs
    declared = replace(any_toys.ANY, inputs=(text, ct), any_of=(("report", "ct"),))
    source, given = split_source("ct.tif", declared, "toy")
    assert source == {"ct": "ct.tif"} and not given.keys
    assert given_rasters(source, declared) == (ct,)


def test_images_and_texts_are_told_apart_by_their_keys():
    source, given = split_source({"xray": "x.tif", "text": "good"}, any_toys.ANY, "toy")
    assert source == {"xray": "x.tif"} and given.texts == {"report": "good"} and given.keys == {"report"}
    assert given_rasters(source, any_toys.ANY) == rasters(any_toys.ANY.inputs)[1:]
    assert given.flags == [("input", "report=good")] and given.to_json() == {"report": {"text": "good"}}


@pytest.mark.parametrize(
    ("row", "flags"),
    [
        ({"age": "63", "sex": "f"}, [("input", "patient=age=63.0,sex=f")]),
        ({"age": None, "sex": "NA"}, [("input", "patient=age=")]),
        ({"sex": "m, or f"}, None),
    ],
)
def test_a_row_is_read_again_as_it_is_recorded(row: dict[str, str], flags: list[tuple[str, str]] | None):
    table = Table(
        name="patient", key="patient", columns=(Column(name="age"), Column(name="sex", categories=("f", "m, or f")))
    )
    declared = replace(any_toys.ANY, inputs=(table,), any_of=())
    _, given = split_source({"patient": row}, declared, "toy")
    assert given.flags == flags
    if flags:
        _, again = split_source(parse_inputs([value for _, value in flags]), declared, "toy")
        assert again == given


def test_a_column_that_cannot_be_typed_has_no_flags():
    table = Table(name="patient", key="patient", columns=(Column(name="Hb, arterial"),))
    declared = replace(any_toys.ANY, inputs=(table,), any_of=())
    assert split_source({"patient": {"Hb, arterial": 1}}, declared, "toy")[1].flags is None


def test_images_alone_are_not_made_of_texts_where_there_is_no_canvas():
    declared = replace(any_toys.ANY, canvas=None)
    with pytest.raises(InputError, match="generated CT lies on an image, and none is given"):
        split_source({"report": "good"}, declared, "toy", ["ct"])
    assert split_source({"report": "good"}, any_toys.ANY, "toy", ["ct"])[1].texts == {"report": "good"}


def test_a_text_is_its_own_or_that_of_a_file(tmp_path: Path):
    port = Text(name="report", key="report", longest=20)
    file = tmp_path / "said.md"
    file.write_text("as written", encoding="utf-8")
    for given in (file, f"@{file}", "as written"):
        assert read_given_text(given, port) == ("as written", ())
    # A sentence may end as a file's name does.
    assert read_given_text("see notes.txt", port)[0] == "see notes.txt"
    with pytest.raises(InputError, match="has 21 characters and may have 20"):
        read_given_text("a" * 21, port)


@pytest.mark.parametrize(
    ("ct", "patient", "words"),
    [
        ("P1/ct.nii.gz", "P1", ""),
        ("P2/ct.nii.gz", "P1", "The row of P1 names ct.nii.gz, and ct.nii.gz is given: take that file, or another row"),
        ("P1/ct.nii.gz", "P2", "The row of P2 names other.nii.gz, and ct.nii.gz is given"),
        ("P1/ct.nii.gz", "P3", ""),
    ],
)
def test_a_patient_s_row_goes_with_the_image_that_it_names(tmp_path: Path, ct: str, patient: str, words: str):
    for name in ("P1/ct.nii.gz", "P2/ct.nii.gz"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    table = tmp_path / "cohort.csv"
    table.write_text("id,age,ct\nP1,63,P1/ct.nii.gz\nP2,50,P2/other.nii.gz\nP3,51,\n")
    with pytest.raises(InputError, match=words) if words else nullcontext():
        check_files_of_row(f"{table}#{patient}", {"ct": tmp_path / ct})
    check_files_of_row({"age": 63}, {"ct": tmp_path / ct})
    check_files_of_row("age=63", {"ct": tmp_path / ct})
