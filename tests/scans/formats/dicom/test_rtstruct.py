"""Structure sets as planning systems write them: what can be drawn is drawn right, the rest is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_dicom import box, write_ct, write_structures

from diffuscope.errors import InputError
from diffuscope.scans import open_volume
from diffuscope.scans.formats.dicom.outlines import fill
from diffuscope.scans.formats.dicom.rtstruct import Structures, read_rtstruct
from diffuscope.scans.formats.dicom.series import read_series

pydicom = pytest.importorskip("pydicom")

CLOSED, ODD, Z = "CLOSED_PLANAR", "CLOSEDPLANAR_XOR", 9.0
TUMOUR = ("tumour", [(CLOSED, box(0, 0, 10, Z))])


def drawn(found: Structures) -> dict[str, int]:
    """Voxels of each structure by its name."""
    return {name: int((labels == n).sum()) for labels, names in found.layers for n, name in names.items()}


def read(folder: Path) -> Structures:
    [path] = read_series(folder).structures
    return read_rtstruct(path, read_series(folder))


@pytest.fixture
def of(tmp_path):
    """Write structures on a CT and read them."""

    def make(rois: Any, tweak: Any = None) -> Structures:
        folder = tmp_path / "ct"
        if not folder.exists():
            write_ct(folder)
        write_structures(folder, rois, tweak)
        return read(folder)

    return make


KEYHOLE = [
    (-10, -10),
    (10, -10),
    (10, 0),
    (4, 0),
    (4, -4),
    (-4, -4),
    (-4, 4),
    (4, 4),
    (4, 0),
    (10, 0),
    (10, 10),
    (-10, 10),
]
SLIT = 21 * 21 - 7 * 7
"""Of the keyhole: 21 x 21 voxels, without the inner 7 x 7 whose centres do not lie on its edge."""


@pytest.mark.parametrize(
    ("outlines", "count"),
    [
        ([(CLOSED, box(0, 0, 10, Z))], 21 * 21),
        ([(CLOSED, box(0, 0, 10.5, Z))], 21 * 21),
        ([(CLOSED, box(0, 0, 10, Z)), (CLOSED, box(0, 0, 4, Z))], 21 * 21 - 9 * 9),
        ([(CLOSED, box(0, 0, 4, Z)), (CLOSED, box(0, 0, 10, Z))], 21 * 21 - 9 * 9),
        ([(CLOSED, box(0, 0, 10, Z)), (CLOSED, box(0, 0, 6, Z)), (CLOSED, box(0, 0, 2, Z))], 21**2 - 13**2 + 5**2),
        ([(CLOSED, box(0, 0, 10, Z))] * 2, 21 * 21),
        ([(CLOSED, box(0, 0, 10, Z))] * 3, 21 * 21),
        ([(CLOSED, box(0, 0, 10, Z)), (CLOSED, box(0.03, 0.02, 10.01, Z))], 21 * 21),
        ([(CLOSED, box(0, 0, 10, Z)), (CLOSED, box(0, 0, 10, Z)[6:] + box(0, 0, 10, Z)[:6])], 21 * 21),
        ([(CLOSED, box(0, 0, 10, Z)), (CLOSED, box(0, 0, 4, Z)), (CLOSED, box(0, 0, 4, Z))], 21 * 21 - 9 * 9),
        ([(CLOSED, box(-3, 0, 6, Z)), (CLOSED, box(3, 0, 6, Z))], 19 * 13),
        ([(CLOSED, box(-3, 0, 6, Z)), (CLOSED, box(3, 0, 6, Z)), (CLOSED, box(0, 0, 2, Z))], 19 * 13 - 5 * 5),
        ([(CLOSED, box(-6, 0, 4, Z)), (CLOSED, box(6, 0, 4, Z))], 2 * 9 * 9),
        ([(CLOSED, box(0, 0, 10, Z)), (CLOSED, box(0, 0, 10, Z + 3))], 2 * 21 * 21),
        ([(CLOSED, [n for x, y in KEYHOLE for n in (x, y, Z)])], SLIT),
        ([(ODD, box(0, 0, 10, Z)), (ODD, box(0, 0, 4, Z))], 21 * 21 - 9 * 9),
        ([(ODD, box(-3, 0, 6, Z)), (ODD, box(3, 0, 6, Z))], 2 * 13 * 13 - 2 * 7 * 13),
        ([(CLOSED, box(-30, 0, 6, Z))], 9 * 13),  # reaches beyond the first column, at x = -32
    ],
)
def test_areas_by_closed_forms(of, outlines, count):
    found = of([("tumour", outlines)])
    assert drawn(found) == {"tumour": count} and found.notices == ()


BAD = {
    "a point or an open line has no area": [
        ("POINT", [1.0, 2.0, 10.4]),
        ("OPEN_NONPLANAR", [0.0, 0, 0, 0, 1, 6, 0, 2, 15]),
        ("OPEN_PLANAR", [-10.0, -10, 9, 10, -10, 9, 10, 10, 9]),
    ],
    "not in a slice": [(CLOSED, box(0, 0, 10, 10.4)), (CLOSED, [0.0, 0, 9, 5, 0, 9, 0, 5, 12])],
    "no points": [(CLOSED, [])],
    "points that enclose nothing": [
        (CLOSED, [0.0, 0, 9]),
        (CLOSED, [0.0, 0, 9, 5, 5, 9]),
        (CLOSED, [0.0, 0, 9, 5, 5, 9, 10, 10, 9]),
        (CLOSED, [0.0, 0, 9] * 5),
    ],
    "beyond the first or last slice": [(CLOSED, box(0, 0, 10, 24.0)), (CLOSED, box(0, 0, 10, -3.0))],
    "not as many numbers as it states": [(CLOSED, [0.0, 0, 9, 5, 0, 9, 0])],
    "more points, or further away, than an outline has": [(CLOSED, box(0, 0, 1e9, 9.0))],
}


@pytest.mark.parametrize(("why", "outline"), [(why, one) for why, some in BAD.items() for one in some])
def test_what_cannot_be_drawn_is_named_and_keeps_nothing_else_away(of, why, outline):
    found = of([("odd one", [outline]), TUMOUR, ("both", [(CLOSED, box(20, 20, 2, Z)), outline])])
    assert drawn(found) == {"tumour": 441, "both": 25}
    assert found.notices == (
        f"rs.dcm: odd one is not drawn ({why}).",
        f"rs.dcm: 1 of 2 outlines of both are left out ({why}).",
    )


@pytest.mark.parametrize("words", ["text\\1\\9\\5\\0\\9\\0\\5\\9", "nan\\1\\9\\5\\0\\9\\0\\5\\9"])
def test_points_that_are_no_numbers(of, words):
    def spoil(one):
        contour = one.ROIContourSequence[0].ContourSequence[0]
        contour.add_new("ContourData", "LO", words)
        contour.NumberOfContourPoints = 3

    found = of([("odd one", TUMOUR[1]), TUMOUR], spoil)
    assert drawn(found) == {"tumour": 441} and "odd one is not drawn (not " in found.notices[0]


def test_structures_without_outlines_names_or_frame(of):
    def spoil(one):
        one.ROIContourSequence[1].ContourSequence = []
        del one.ROIContourSequence[2].ContourSequence
        del one.ROIContourSequence[3]
        del one.StructureSetROISequence[4].ROIName
        one.StructureSetROISequence[5].ReferencedFrameOfReferenceUID = "1.2.3"

    found = of([TUMOUR, *((name, TUMOUR[1]) for name in ("empty", "bare", "listed", "nameless", "elsewhere"))], spoil)
    assert drawn(found) == {"tumour": 441, "structure 4": 441}
    assert found.notices == (
        "rs.dcm: empty is not drawn (it has no outlines).",
        "rs.dcm: bare is not drawn (it has no outlines).",
        "rs.dcm: elsewhere is not drawn (it lies in another frame of reference).",
        "rs.dcm: listed is not drawn (it has no outlines).",
    )


def test_a_structure_between_the_middles_of_voxels_is_named(of):
    found = of([("speck", [(CLOSED, box(0.5, 0.5, 0.2, Z))])])
    assert found.layers == () and found.notices == ("rs.dcm: speck is not drawn (no voxel lies in it).",)


def test_structures_that_overlap_are_all_whole(of):
    found = of([("body", [(CLOSED, box(0, 0, 20, Z))]), TUMOUR, ("node", [(CLOSED, box(15, 15, 2, Z))])])
    assert drawn(found) == {"body": 41 * 41, "tumour": 441, "node": 25}
    assert [list(names) for _, names in found.layers] == [[1], [2, 3]]


def test_a_set_of_another_series_is_refused_and_one_of_the_same_frame_is_not(of):
    def other(one):
        study = one.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
        study.RTReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"

    with pytest.raises(InputError, match=r"^rs\.dcm was drawn on another series"):
        of([TUMOUR], other)

    def second(one):
        study = one.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
        first = pydicom.Dataset()
        first.SeriesInstanceUID = "1.2.3"
        study.RTReferencedSeriesSequence.insert(0, first)

    assert drawn(of([TUMOUR], second)) == {"tumour": 441}

    def frame_alone(one):
        del one.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence

    assert drawn(of([TUMOUR], frame_alone)) == {"tumour": 441}

    def nothing(one):
        del one.ReferencedFrameOfReferenceSequence

    with pytest.raises(InputError, match="another series"):
        of([TUMOUR], nothing)


def test_a_set_that_lost_its_end_keeps_the_series_from_nothing(tmp_path, of):
    of([TUMOUR] * 20)
    folder = tmp_path / "ct"
    whole = (folder / "rs.dcm").read_bytes()
    for cut in (100, 200, 300, 500, 700, 1000, len(whole) // 2, len(whole) - 50):
        (folder / "rs.dcm").write_bytes(whole[:cut])
        assert open_volume(folder).shape == (8, 56, 64)


def test_outlines_on_sagittal_slices_lie_in_the_patient(tmp_path):
    """Slices along x: the axes of the file are not those in which the volume is shown."""

    def sagittal(one, k):
        one.ImageOrientationPatient, one.ImagePositionPatient = [0, 1, 0, 0, 0, -1], [3.0 * k, -32, 28]

    folder = write_ct(tmp_path / "ct", sagittal)
    square = [n for y, z in ((-5, -5), (5, -5), (5, 5), (-5, 5)) for n in (9.0, y, z)]
    write_structures(folder, [("cord", [(CLOSED, square)])])
    [(labels, _)] = read(folder).layers
    volume = open_volume(folder)
    shown = volume.storage.show(labels)
    places = np.array([volume.lattice.place(tuple(index)) for index in np.argwhere(shown)])
    assert len(places) == 121
    np.testing.assert_allclose(places.min(0), (9, -5, -5))
    np.testing.assert_allclose(places.max(0), (9, 5, 5))


@pytest.mark.parametrize("seed", range(30))
def test_any_outline_has_the_voxels_that_scikit_image_finds(seed):
    """Paths that cross themselves, whose corners lie on no middle of a voxel, where the two may differ."""
    from skimage.draw import polygon

    random = np.random.default_rng(seed)
    outline = random.uniform(-3, 43, (random.integers(3, 12), 2))
    expected = np.zeros((40, 40), bool)
    expected[polygon(outline[:, 0], outline[:, 1], (40, 40))] = True
    np.testing.assert_array_equal(fill([outline], (40, 40)), expected)
