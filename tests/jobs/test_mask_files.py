"""Outlines as people have them: a structure set, labels by other numbers, a file a role; and what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_dicom import box, write_ct, write_structures

from diffuscope.errors import InputError
from diffuscope.jobs.inputs import PortInput
from diffuscope.jobs.masks import MaskInput, mask_paths, open_masks
from diffuscope.ports.mask import Mask
from diffuscope.ports.raster import Raster
from diffuscope.scans import open_volume

sitk = pytest.importorskip("SimpleITK")
pytest.importorskip("pydicom")

CLOSED = "CLOSED_PLANAR"
MASK = Mask(name="outlines", key="mask", on="ct", roles=("tumour", "node 1", "node 2", "node 3"))
CT = Raster(
    name="CT",
    key="ct",
    kind="map",
    channels=("CT",),
    mpp=1000.0,
    range=(-1000.0, 3000.0),
    dtype="float32",
    spacing=(None, 1.0, 1.0),
)


def outline(x: float, y: float, half: float, *slices: int) -> list[tuple[str, list[float]]]:
    return [(CLOSED, box(x, y, half, 3.0 * z)) for z in slices]


def opened(ct: Path, given: object) -> MaskInput:
    [found] = open_masks({"mask": given}, [MASK], [PortInput(port=CT, scan=open_volume(ct))])
    return found


def counts(found: MaskInput) -> list[int]:
    return np.bincount(found.labels.ravel(), minlength=5)[1:].tolist()


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    return write_ct(tmp_path / "ct")


@pytest.fixture
def structures(ct: Path) -> Path:
    return write_structures(
        ct,
        [
            ("BODY", outline(0, 0, 20, *range(8))),
            ("GTVp", outline(0, 0, 5, 2, 3)),
            ("LN", outline(12, 0, 1, 4)),
            ("LN left", outline(-12, 0, 2, 4)),
            ("LN low", outline(12, 10, 3, 1)),
            ("LN high", outline(-12, 10, 1.5, 6)),
        ],
    )


def test_structures_have_the_roles_of_their_names_and_what_is_left_out_is_told(ct: Path, structures: Path):
    found = opened(ct, structures)
    assert found.labels.dtype == np.uint8
    # 11 x 11 voxels in two slices; nodes by size, of which the smallest two are equal and the first is taken
    assert counts(found) == [242, 49, 25, 9]
    z, y, x = np.argwhere(found.labels == 3).mean(axis=0)
    volume = open_volume(ct)
    assert volume.lattice.place((z, y, x)) == pytest.approx((-12.0, 0.0, 12.0))
    told = " ".join(found.notices)
    assert "LN high left out" in told
    assert "GTVp is tumour, LN is node 3, LN left is node 2, LN low is node 1 (rs.dcm, by their names)" in told
    assert "BODY" not in told
    assert found.to_json()["taken"] == {
        "rs.dcm#GTVp": "tumour",
        "rs.dcm#LN": "node 3",
        "rs.dcm#LN left": "node 2",
        "rs.dcm#LN low": "node 1",
    }
    assert found.flags == [("input", "mask=rs.dcm#GTVp=tumour,LN=node 3,LN left=node 2,LN low=node 1")]
    # and so given again it is the same
    again = opened(ct, f"{structures}#GTVp=tumour,LN=node 3,LN left=node 2,LN low=node 1")
    np.testing.assert_array_equal(again.labels, found.labels)


def test_roles_can_be_said_and_structures_of_one_role_are_joined(ct: Path, structures: Path):
    found = opened(ct, f"{structures}#LN low=tumour,LN left=tumour,GTVp=node1")
    assert counts(found) == [49 + 25, 242, 0, 0]
    assert "(rs.dcm, as given)" in found.notices[-1]


def test_of_structures_that_overlap_the_earlier_role_has_the_voxels(ct: Path):
    structures = write_structures(ct, [("LN", outline(5, 0, 5, 2)), ("GTVp", outline(0, 0, 5, 2))])
    found = opened(ct, structures)
    assert counts(found)[:2] == [121, 121 - 66]
    assert any("66 voxels of LN lie in another structure" in notice for notice in found.notices)


def test_on_sagittal_slices_outlines_lie_where_they_were_drawn(tmp_path: Path):
    def place(one, z):
        one.ImagePositionPatient = [3.0 * z, -32, 28]

    ct = write_ct(tmp_path / "ct", place, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    square = [n for y, z in ((-9, -7), (1, -7), (1, 3), (-9, 3)) for n in (6.0, y, z)]
    found = opened(ct, write_structures(ct, [("GTVp", [(CLOSED, square)])]))
    lattice = open_volume(ct).lattice
    assert found.labels.shape == lattice.shape == (56, 64, 8)
    assert counts(found) == [121, 0, 0, 0]
    z, y, x = np.argwhere(found.labels == 1).mean(axis=0)
    assert lattice.place((z, y, x)) == pytest.approx((6.0, -4.0, -2.0))


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ("#GTVx=tumour", "rs.dcm has no “GTVx”: it has BODY, GTVp, LN,"),
        ("#GTVp=primary", "no role “primary”: choose among tumour, node 1, node 2, node 3"),
        ("#tumour", "say which of them is tumour, rs.dcm#BODY=tumour"),
    ],
)
def test_roles_that_are_none_are_refused(ct: Path, structures: Path, roles: str, message: str):
    with pytest.raises(InputError, match=message):
        opened(ct, f"{structures}{roles}")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("BODY", "Heart"), r"goes by the name of tumour or node 1 \(it has BODY, Heart\): say .*rs.dcm#BODY=tumour"),
        (("GTVp", "GTVp old"), "GTVp old and GTVp may each be the tumour"),
    ],
)
def test_structures_whose_names_do_not_tell_are_asked_for(ct: Path, names: tuple[str, ...], message: str):
    structures = write_structures(ct, [(name, outline(0, 0, 5, 2)) for name in names])
    with pytest.raises(InputError, match=message):
        opened(ct, structures)


def test_structures_of_another_series_or_on_no_series_are_refused(ct: Path, structures: Path, tmp_path: Path):
    other = write_ct(tmp_path / "other")
    with pytest.raises(InputError, match="drawn on another series"):
        opened(other, structures)
    labels = write_labels(tmp_path / "ct.nii.gz", ct, [])
    with pytest.raises(InputError, match=r"was drawn on a DICOM series, and ct.nii.gz is none"):
        opened(labels, structures)


def test_of_a_folder_that_holds_an_rtstruct_alone_the_file_is_asked_for(ct: Path, structures: Path, tmp_path: Path):
    folder = tmp_path / "mask"
    folder.mkdir()
    (folder / "RS.dcm").write_bytes(structures.read_bytes())
    with pytest.raises(InputError, match=r"^mask holds RS\.dcm, an RTSTRUCT, and no series of slices: give that file"):
        opened(ct, folder)


def write_labels(path: Path, ct: Path, boxes: list[tuple[int, tuple[slice, slice, slice]]], shift: float = 0.0) -> Path:
    """Write labels on the lattice of a CT, which our reader shows as it is stored."""
    lattice = open_volume(ct).lattice
    labels = np.zeros(lattice.shape, np.uint8)
    for label, where in boxes:
        labels[where] = label
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(lattice.spacing[::-1])
    image.SetOrigin([lattice.origin[0] + shift, *lattice.origin[1:]])
    sitk.WriteImage(image, str(path))
    return path


ONE, TWO = (slice(1, 3), slice(10, 20), slice(10, 20)), (slice(4, 5), slice(30, 36), slice(30, 36))


def test_labels_by_other_numbers_are_given_roles(ct: Path, tmp_path: Path):
    labels = write_labels(tmp_path / "labels.nrrd", ct, [(9, ONE), (4, TWO)])
    with pytest.raises(InputError, match=r"has the label 9 without a role; .*say which is which, labels.nrrd#9=tumour"):
        opened(ct, labels)
    found = opened(ct, f"{labels}#9=tumour")
    assert counts(found) == [200, 0, 0, 0]
    assert "the label 4 left out, as given" in found.notices[-1]
    assert found.flags == [("input", "mask=labels.nrrd#9=tumour")]


def test_a_file_a_role_by_name_or_as_said(ct: Path, tmp_path: Path):
    tumour = write_labels(tmp_path / "GTV-T.nii.gz", ct, [(1, ONE)])
    node = write_labels(tmp_path / "b.nii.gz", ct, [(1, TWO)])
    found = opened(ct, [tumour, f"{node}#node 2"])
    assert counts(found) == [200, 0, 36, 0]
    assert found.flags == [("input", "mask=GTV-T.nii.gz#1=tumour"), ("input", "mask=b.nii.gz#1=node 2")]
    assert mask_paths({"mask": [tumour, f"{node}#node 2"]}) == [tumour, node]
    assert found.to_json()["name"] == "GTV-T.nii.gz, b.nii.gz"
    with pytest.raises(InputError, match=r"which role b.nii.gz has cannot be told by its name: say b.nii.gz#tumour"):
        opened(ct, [tumour, node])
    with pytest.raises(InputError, match=r"GTV-T.nii.gz and b.nii.gz both have the tumour"):
        opened(ct, [tumour, f"{node}#tumour"])


def test_labels_elsewhere_and_without_their_image_are_refused(ct: Path, tmp_path: Path):
    beside = write_labels(tmp_path / "beside.nii.gz", ct, [(1, ONE)], shift=2000.0)
    with pytest.raises(InputError, match=r"from 1968, .* does not lie on ct \(.*from -32, .*\) and nowhere near it"):
        opened(ct, beside)
    with pytest.raises(InputError, match="lies on ct, which is not given"):
        open_masks({"mask": beside}, [MASK], [])


def test_a_picture_is_no_mask_of_a_volume(ct: Path, tmp_path: Path):
    from PIL import Image

    Image.new("L", (8, 8)).save(tmp_path / "mask.png")
    with pytest.raises(InputError, match=r"mask.png is an image of 1 channel\(s\) and ct is a volume"):
        opened(ct, tmp_path / "mask.png")
