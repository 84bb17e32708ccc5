"""Landmark error against distances worked out by hand, and files that are refused."""

from __future__ import annotations

import numpy as np
import pytest
from known_pair import MPP

from diffuscope.errors import InputError
from diffuscope.registration import Transform, read_landmarks

HEADER = "x_fixed,y_fixed,x_moving,y_moving\n"


def write(path, text: str):
    path.write_text(text, encoding="utf-8")
    return path


def test_the_error_is_the_distance_on_the_fixed_slide(tmp_path, affine_pair):
    rows = "100,100,103,104\n200,300,200,300\n50,60,50,70\n"
    pairs = read_landmarks(write(tmp_path / "points.csv", HEADER + rows), affine_pair.fixed, affine_pair.moving)
    same = Transform(np.eye(2), np.zeros(2))
    np.testing.assert_allclose(pairs.errors(same), np.array([5, 0, 10]) * MPP)
    summary = pairs.summary(same)
    assert summary["median error (µm)"] == pytest.approx(5 * MPP)
    assert summary["mean error (µm)"] == pytest.approx(5 * MPP)
    assert summary["largest error (µm)"] == pytest.approx(10 * MPP)
    assert summary["median rTRE (%)"] == pytest.approx(100 * 5 / np.hypot(1200, 1200))
    # A slide scanned twice as large: the error is still told in µm of the fixed one.
    double = Transform(2 * np.eye(2), np.zeros(2))
    assert pairs.errors(double)[1] == pytest.approx(np.hypot(100, 150) * MPP)


def test_other_columns_and_a_byte_order_mark_are_no_matter(tmp_path, affine_pair):
    text = "﻿name,x_moving,y_moving,x_fixed,y_fixed\nvessel,1,2,3,4\n"
    pairs = read_landmarks(write(tmp_path / "points.csv", text), affine_pair.fixed, affine_pair.moving)
    np.testing.assert_allclose(pairs.fixed, [[3 * MPP, 4 * MPP]])
    np.testing.assert_allclose(pairs.moving, [[1 * MPP, 2 * MPP]])


def test_a_table_may_have_semicolons_and_decimal_commas(tmp_path, affine_pair):
    """As a German Excel writes it."""
    text = HEADER.replace(",", ";") + "400,5;60;3,25;4\n"
    pairs = read_landmarks(write(tmp_path / "points.csv", text), affine_pair.fixed, affine_pair.moving)
    np.testing.assert_allclose(pairs.fixed, [[400.5 * MPP, 60 * MPP]])
    np.testing.assert_allclose(pairs.moving, [[3.25 * MPP, 4 * MPP]])


def test_one_number_says_what_the_commas_of_a_table_are(tmp_path, affine_pair):
    text = HEADER.replace(",", ";") + "300;300;340,509;281,25\n"
    pairs = read_landmarks(write(tmp_path / "points.csv", text), affine_pair.fixed, affine_pair.moving)
    np.testing.assert_allclose(pairs.moving, [[340.509 * MPP, 281.25 * MPP]])
    assert pairs.notices == ("points.csv has decimal commas: 340,509 is read as 340.509.",)
    with pytest.raises(InputError, match="“340,509” may be 340509 or"):
        read_landmarks(
            write(tmp_path / "two.csv", text.replace("281,25", "281")), affine_pair.fixed, affine_pair.moving
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x_fixed,y_fixed,x_moving\n1,2,3\n", "has no column y_moving"),
        ("", "has no row"),
        (HEADER, "has no row"),
        (HEADER + "1,2,3,four\n", r"points\.csv, line 2: y_moving is a number of pixels, not “four”\."),
        (HEADER + "1,2,3\n", r"line 2: it has 3 values where the first line has 4 names"),
        (HEADER + "1,2,3,4\n1,2,3,nan\n", "line 3: y_moving is a number of pixels, not “nan”"),
        (HEADER + '1,2,3,4\n1,2,3,"1,234"\n', r"line 3: “1,234” may be 1234 or 1\.234: write one of the two\."),
        (
            HEADER.replace(",", ";") + "1.234;300;340,5;281,25\n",
            "line 2: “1.234” may be 1234 or 1,234: write one of the two",
        ),
        (HEADER + "1,2,3,4\n\n1300,2,3,4\n", r"line 4: \(1300, 2\) lies outside he.ome.tif"),
    ],
)
def test_bad_landmarks_are_refused(tmp_path, affine_pair, text, said):
    with pytest.raises(InputError, match=said):
        read_landmarks(write(tmp_path / "points.csv", text), affine_pair.fixed, affine_pair.moving)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path, affine_pair):
    with pytest.raises(InputError, match="cannot be read"):
        read_landmarks(tmp_path / "gone.csv", affine_pair.fixed, affine_pair.moving)
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(InputError, match="is no text"):
        read_landmarks(tmp_path / "picture.csv", affine_pair.fixed, affine_pair.moving)
