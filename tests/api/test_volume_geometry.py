"""A voxel marked in a volume lies in every export of a run over it where it lay: by nibabel, SimpleITK and pydicom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_card import CARD
from scipy.spatial.transform import Rotation
from standins import SYSTEMS, row

import diffuscope as verbs
from diffuscope.errors import InputError
from diffuscope.model.folder import save_model
from diffuscope.systems import registry

sitk = pytest.importorskip("SimpleITK")
pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
MM = {"mm": 1.0, "micron": 1e-3, "meter": 1e3}
READERS = ("qform", "sform", "both", "apart", "unknown", "lps.nrrd", "ras.nrrd", "las.nrrd", "mha")
BRIGHT, DULL = 290, -150


@dataclass(frozen=True)
class Marked:
    """A file, its affine (voxel numbers x, y, z to RAS mm) and the number (x, y, z) of its one bright voxel."""

    path: Path
    affine: np.ndarray
    index: np.ndarray
    mm: float = 1.0

    @property
    def world(self) -> np.ndarray:
        """RAS mm."""
        return (self.affine @ (*self.index, 1.0))[:3]

    @property
    def as_shown(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `affine` and `index`, and the shape, in the order in which volumes are shown: by nibabel."""
        shape = np.zeros((9, 12, 10), np.uint8)
        shape[tuple(self.index)] = 1
        stored = nibabel.Nifti1Image(shape, self.affine)
        ends = nibabel.orientations.axcodes2ornt(("L", "P", "S"))
        turned = stored.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(self.affine), ends))
        return turned.affine, np.argwhere(np.asarray(turned.dataobj))[0], np.array(turned.shape)


@st.composite
def volumes(draw: Any) -> dict[str, Any]:
    """Draw a reader, a unit, and how the volume lies; in the plane it has the model's spacing or half of it."""
    fine = draw(st.sampled_from([1.0, 0.5]))
    turn = Rotation.from_rotvec(draw(st.tuples(*[st.floats(-0.3, 0.3)] * 3))).as_matrix()
    axes = np.eye(3)[:, draw(st.permutations(range(3)))] * draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    return {
        "reader": draw(st.sampled_from(READERS)),
        "unit": draw(st.sampled_from(sorted(MM))),
        "directions": turn @ axes,
        "spacing": np.array(draw(st.tuples(*[st.floats(0.97, 1.03)] * 3))) * fine,
        "origin": np.array(draw(st.tuples(*[st.floats(-300, 300)] * 3))),
        "index": np.array(draw(st.tuples(st.integers(2, 6), st.integers(2, 9), st.integers(2, 7)))),
        "window": draw(st.booleans()),
    }


def write(folder: Path, drawn: dict[str, Any]) -> Marked:
    """Write the volume that was drawn, its voxels in the file's order (9, 12, 10)."""
    reader, mm = drawn["reader"], MM[drawn["unit"]]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = drawn["directions"] * drawn["spacing"], drawn["origin"]
    voxels = np.full((9, 12, 10), DULL, np.int16)
    voxels[tuple(drawn["index"])] = BRIGHT
    name = "v." + (reader.split(".")[-1] if "." in reader or reader == "mha" else "nii.gz")
    path = folder / name
    if name == "v.nrrd":
        signs = {"lps": (-1, -1, 1), "ras": (1, 1, 1), "las": (-1, 1, 1)}[reader[:3]]
        own = np.array(signs)[:, None] * affine[:3] / mm
        unit = {"mm": "mm", "micron": "um", "meter": "m"}[drawn["unit"]]
        steps = [f"({','.join(repr(float(one)) for one in column)})" for column in own.T]
        words = {"lps": "left-posterior-superior", "ras": "right-anterior-superior", "las": "LAS"}[reader[:3]]
        text = (
            f"NRRD0005\ntype: int16\ndimension: 3\nspace: {words}\nsizes: 9 12 10\n"
            f"space directions: {' '.join(steps[:3])}\n"
            f'space origin: {steps[3]}\nspace units: "{unit}" "{unit}" "{unit}"\nendian: little\nencoding: raw\n\n'
        )
        path.write_bytes(text.encode() + voxels.T.astype("<i2").tobytes())
    elif name == "v.mha":
        own = LPS @ affine
        matrix = " ".join(repr(float(one)) for one in (own[:3, :3] / drawn["spacing"]).T.ravel())
        sizes, offset = (" ".join(repr(float(one)) for one in many) for many in (drawn["spacing"], own[:3, 3]))
        text = (
            f"ObjectType = Image\nNDims = 3\nBinaryData = True\nTransformMatrix = {matrix}\nOffset = {offset}\n"
            f"ElementSpacing = {sizes}\nDimSize = 9 12 10\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
        )
        path.write_bytes(text.encode() + voxels.T.astype("<i2").tobytes())
    else:
        own = affine.copy()
        own[:3] /= mm
        other = own @ np.diag([-1.0, 1.0, 1.0, 1.0])
        other[:3, 3] += 40 / mm
        if reader == "unknown":  # what stands there counts for nothing, and is taken as running to the left and back
            affine = LPS @ np.diag([*drawn["spacing"], 1.0])
        image = nibabel.Nifti1Image(voxels, None)
        image.header.set_xyzt_units(drawn["unit"])
        image.set_qform(other if reader == "apart" else own, 0 if reader in ("sform", "unknown") else 1)
        image.set_sform(own, 0 if reader in ("qform", "unknown") else 2)
        nibabel.save(image, path)
    return Marked(path, affine, drawn["index"], mm if name == "v.nii.gz" else 1.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """CT to itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._ROWS, "hounsfield", row(SYSTEMS["hounsfield"]))
        yield save_model(tmp_path_factory.mktemp("model") / "m", SYSTEMS["hounsfield"](), "hounsfield", {}, CARD)


def run(model: Path, marked: Marked, out: Path, *, window: bool) -> list[str]:
    """Compute all of the volume, or of it a box around the mark; return what was told of the file."""
    _, (x, y, z), _ = marked.as_shown
    factor = round(1 / np.linalg.norm(marked.as_shown[0][:3, :2], axis=0).mean())  # px of the file a px of the model
    region = f"{max(0, x // factor - 1) * factor},{max(0, y // factor - 1) * factor},{3 * factor},{3 * factor}"
    part = {"region": region, "slices": f"{max(0, z - 1)}:{z + 1}"} if window else {"slices": ":"}
    events = list(verbs.run(model, marked.path, out, device="cpu", threads=1, **part))
    told = [notice for event in events for notice in getattr(event, "notices", ())]
    return [notice for notice in told if not notice.startswith("This model does not state how")]


def brightest(voxels: np.ndarray) -> np.ndarray:
    """Return the number of the brightest voxel; there is one."""
    best = np.argwhere(voxels == np.nanmax(voxels))
    assert len(best) == 1
    return best[0]


@pytest.mark.slow
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=volumes())
def test_a_marked_voxel_lies_in_every_export_where_it_lay(tmp_path_factory, model, drawn):
    folder = tmp_path_factory.mktemp("marked")
    marked = write(folder, drawn)
    notices = run(model, marked, folder / "out.ome.zarr", window=drawn["window"])
    assert bool(notices) == (drawn["reader"] in ("apart", "unknown") or drawn["spacing"].max() < 0.6)
    # To half a voxel of the result, along each of its axes: none is longer than 1.1 mm.
    near = {"atol": 0.5 * max(1.05, drawn["spacing"].max()) * 3**0.5, "rtol": 0}

    def exported(ending: str) -> Path:
        return verbs.finish(verbs.export(folder / "out.ome.zarr", folder / f"e.{ending}")).path

    for ending in ("nii", "nii.gz"):
        after = nibabel.load(exported(ending))
        at = np.array([*brightest(np.asarray(after.dataobj)), 1.0])
        before = nibabel.load(marked.path) if marked.path.name == "v.nii.gz" else None
        for form in ("get_qform", "get_sform"):
            code = f"{form[4:]}_code"
            if before is None:
                np.testing.assert_allclose((getattr(after, form)() @ at)[:3], marked.world, **near)
                assert after.header[code] == 1
                continue
            assert after.header[code] == before.header[code]
            assert after.header.get_xyzt_units() == before.header.get_xyzt_units()
            there = getattr(before, form)() @ (*marked.index, 1.0)
            np.testing.assert_allclose(((getattr(after, form)() @ at) * marked.mm)[:3], (there * marked.mm)[:3], **near)
        if before is not None and before.shape == after.shape:
            np.testing.assert_allclose(after.affine, before.affine, rtol=1e-6, atol=1e-6 / marked.mm)

    for ending in ("nrrd", "mha"):
        image = sitk.ReadImage(str(exported(ending)))
        at = brightest(sitk.GetArrayFromImage(image))
        there = np.array(image.TransformIndexToPhysicalPoint([int(one) for one in at[::-1]])) * (-1, -1, 1)
        np.testing.assert_allclose(there, marked.world, **near)

    shown, _, _ = marked.as_shown
    group = zarr.open_group(exported("ome.zarr"), mode="r")
    [about] = group.attrs["multiscales"]
    assert [axis["name"] for axis in about["axes"]] == ["c", "z", "y", "x"]
    assert {axis.get("unit") for axis in about["axes"][1:]} == {"millimeter"}
    scale, shift = (one[kind] for one, kind in zip(about["datasets"][0]["coordinateTransformations"],
                                                    ("scale", "translation"), strict=True))  # fmt: skip
    from_first = brightest(np.asarray(group["0"])) * scale + shift  # mm along c, z, y and x
    units = shown[:3, :3] / np.linalg.norm(shown[:3, :3], axis=0)
    np.testing.assert_allclose(shown[:3, 3] + units @ from_first[:0:-1], marked.world, **near)

    with tifffile.TiffFile(exported("ome.tif")) as tif:
        at = brightest(tif.series[0].asarray().reshape(group["0"].shape[1:]))
        stated = ET.fromstring(tif.ome_metadata).find(".//{*}Pixels")
        planes = [one.attrib for one in stated.findall("{*}Plane") if int(one.get("TheZ")) == at[0]]
    sizes = np.array([0.0, *(float(stated.get(f"PhysicalSize{axis}")) for axis in "YX")])  # a plane says its own z
    firsts = np.array([float(planes[0][f"Position{axis}"]) for axis in "ZYX"])
    assert {planes[0][f"Position{axis}Unit"] for axis in "ZYX"} == {"mm"}
    np.testing.assert_allclose(shown[:3, 3] + units @ (firsts + sizes * at)[::-1], marked.world, **near)

    slices = [pydicom.dcmread(file) for file in exported("dicom").iterdir()]
    one = max(slices, key=lambda plane: plane.pixel_array.max())
    row_number, column = brightest(one.pixel_array)
    along = np.array(one.ImageOrientationPatient, float).reshape(2, 3)
    place = np.array(one.ImagePositionPatient, float)
    place += along[0] * column * float(one.PixelSpacing[1]) + along[1] * row_number * float(one.PixelSpacing[0])
    np.testing.assert_allclose(place * (-1, -1, 1), marked.world, **near)


def test_a_result_carries_the_forms_of_its_input_to_the_last_bit(tmp_path, model):
    drawn = {
        "reader": "apart", "unit": "micron", "directions": Rotation.from_rotvec([0.1, 0.2, 0.3]).as_matrix(),
        "spacing": np.array([1.0, 1.01, 0.99]), "origin": np.array([1.0, 2.0, 3.0]), "index": np.array([4, 5, 6]),
    }  # fmt: skip
    marked = write(tmp_path, drawn)
    [notice] = run(model, marked, tmp_path / "out.ome.zarr", window=False)
    assert "mirror images" in notice
    before = nibabel.load(marked.path).header
    after = nibabel.load(verbs.finish(verbs.export(tmp_path / "out.ome.zarr", tmp_path / "e.nii")).path).header
    for key in (
        *("qform_code", "sform_code", "xyzt_units", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y"),
        *("qoffset_z", "srow_x", "srow_y", "srow_z"),
    ):
        np.testing.assert_array_equal(after[key], before[key])
    np.testing.assert_array_equal(after["pixdim"][:4], before["pixdim"][:4])


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_a_file_says_that_a_model_made_it(tmp_path, model, ending):
    drawn = {
        "reader": "both", "unit": "mm", "directions": np.eye(3), "spacing": np.ones(3), "origin": np.zeros(3),
        "index": np.array([4, 5, 6]),
    }  # fmt: skip
    run(model, write(tmp_path, drawn), tmp_path / "out.ome.zarr", window=False)
    path = verbs.finish(verbs.export(tmp_path / "out.ome.zarr", tmp_path / f"e{ending}")).path
    told = b"COPY: computed by a model, not for diagnosis"
    assert told == nibabel.load(path).header["descrip"] if ending == ".nii.gz" else told in path.read_bytes()[:900]
    assert verbs.open(path).shape == (10, 12, 9)


def test_what_is_no_number_is_background_of_a_run_and_told(tmp_path, model):
    disc = np.hypot(*(np.mgrid[:40, :36] - np.array([20, 18])[:, None, None]))
    for dtype, empty in ((np.float32, np.nan), (np.float64, np.inf)):
        ct = np.full((40, 36, 5), -1000, dtype)
        ct[disc < 12], ct[disc > 16] = 40, empty
        path = tmp_path / f"{empty}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(ct, np.diag([-1.0, -1.0, 3.0, 1.0])), path)
        out = tmp_path / f"{empty}.ome.zarr"
        events = list(verbs.run(model, path, out, device="cpu", threads=1, slices=":"))
        notices = [notice for event in events for notice in getattr(event, "notices", ())]
        assert any("no number" in notice and "background" in notice for notice in notices)
        result = verbs.open_result(out)
        assert notices[0] in result.record["notices"]
        image = np.rint(np.asarray(result.images["copy"][0])[..., 0])
        known = image[np.isfinite(image)]
        assert set(np.unique(known)) <= {-1000.0, -200.0, 40.0}  # not computed, air as the port has it, tissue
        np.testing.assert_array_equal(image[2] == 40, (disc < 12).T)
        np.testing.assert_array_equal(np.isnan(image[2]), (disc > 16).T)
    nothing = tmp_path / "nothing.nii"
    nibabel.save(nibabel.Nifti1Image(np.full((40, 36, 5), np.nan, np.float32), np.eye(4)), nothing)
    with pytest.raises(InputError, match="holds no number at all"):
        list(verbs.run(model, nothing, tmp_path / "no.ome.zarr", device="cpu"))
    assert not (tmp_path / "no.ome.zarr").exists()
