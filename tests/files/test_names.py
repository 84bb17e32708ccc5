"""What files are called where their folders are not told."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffuscope.files.names import names_apart


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/a/one.csv", "/b/two.csv"], ["one.csv", "two.csv"]),
        (["/a/t.csv", "/b/t.csv", "/b/u.csv"], ["a/t.csv", "b/t.csv", "u.csv"]),
        (["/x/he/t.csv", "/y/he/t.csv", "/y/ihc/t.csv"], ["x/he/t.csv", "y/he/t.csv", "ihc/t.csv"]),
        (["/a/b/../t.csv", "/a/t.csv"], ["t.csv", "t.csv"]),
    ],
)
def test_a_name_has_the_folders_that_tell_it_apart_and_no_more(paths: list[str], names: list[str]):
    assert names_apart([Path(one) for one in paths]) == names
