"""The slices through what is outlined that a result keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from scored_case import save_scorer, write_case

import diffuscope
from diffuscope.errors import InputError
from diffuscope.files.place import check_place
from diffuscope.files.put import remove
from diffuscope.results.result import RESULT
from diffuscope.results.sections import PATH, save_sections

sitk = pytest.importorskip("SimpleITK")


@pytest.fixture
def scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    out = tmp_path / "case.ome.zarr"
    model = save_scorer(tmp_path / "scorer", monkeypatch)
    diffuscope.finish(diffuscope.run(model, write_case(tmp_path), out, device="cpu"))
    return out


def test_the_largest_section_of_each_thing_is_kept(scored: Path):
    tumour, node = diffuscope.open_result(scored).sections
    assert (tumour.role, tumour.z, tumour.slices, node.role, node.z) == ("tumour", 4, 12, "node 1", 9)
    assert tumour.inside.sum() == 34 * 40 and node.inside.sum() == 10 * 6
    assert set(np.unique(tumour.picture[tumour.inside])) == {100} and set(np.unique(node.picture[~node.inside])) == {40}
    assert tumour.millilitres == pytest.approx((3 * 30 * 40 + 34 * 40) * 0.5 * 0.5 * 3 / 1000)
    assert tumour.spacing == (0.5, 0.5) and tumour.limits == (-160, 240)


def test_a_picture_shows_what_lies_around_as_far_as_the_slice_goes(scored: Path):
    tumour, node = diffuscope.open_result(scored).sections
    # 80 mm at least, along each axis; the slice has 100 mm of rows.
    assert tumour.picture.shape == (160, 160)
    assert tumour.start == (25, 40)
    # It is shifted at the edge, and not cut.
    assert node.picture.shape == (160, 160) and node.start == (0, 0)


def test_they_are_the_results_own_and_go_with_a_copy(scored: Path, tmp_path: Path):
    assert check_place(scored, RESULT, overwrite=True) == "replaced"
    diffuscope.finish(diffuscope.export(scored, tmp_path / "copy.ome.zarr"))
    assert [one.role for one in diffuscope.open_result(tmp_path / "copy.ome.zarr").sections] == ["tumour", "node 1"]


def test_who_opens_a_result_while_they_are_written_finds_all_of_them_or_none(
    scored: Path, monkeypatch: pytest.MonkeyPatch
):
    sections = diffuscope.open_result(scored).sections
    remove(scored / PATH)
    seen = []

    def create(group, name, **options):
        array = plain(group, name, **options)
        seen.append(diffuscope.open_result(scored).sections)
        return array

    plain = zarr.Group.create_array
    monkeypatch.setattr(zarr.Group, "create_array", create)
    save_sections(scored, sections)
    assert seen == [(), ()]
    assert [one.role for one in diffuscope.open_result(scored).sections] == ["tumour", "node 1"]


@pytest.mark.parametrize(
    "wrong", [{"limits": [1, 0]}, {"spacing": [0, 1]}, {"z": 99}, {"start": [0.5, 1]}, {"role": None}]
)
def test_a_damaged_one_is_refused_in_a_sentence(scored: Path, wrong: dict):
    array = zarr.open_group(scored, mode="r+", zarr_format=2)["sections/0"]
    array.attrs.update(wrong)
    with pytest.raises(InputError, match="is damaged"):
        diffuscope.open_result(scored)
