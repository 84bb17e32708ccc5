"""However a volume lies and whatever of it was computed: each format gives values, size and place of voxels back.

Each is read by a library of others: nibabel, SimpleITK, pydicom, tifffile and ome-types, ome-zarr-models and zarr.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ome_types
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ome_zarr_models import v04, v05
from volume_result import BYTES, FREE, HU, TILE, expected, write_result

from diffuscope.exports import export
from diffuscope.results.result import Result

sitk = pytest.importorskip("SimpleITK")
pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")


@dataclass(frozen=True)
class Drawn:
    """A volume in a NIfTI file (its axes in any order and direction), and which slices of it are computed."""

    shape: tuple[int, int, int]
    order: tuple[int, int, int]
    signs: tuple[float, float, float]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    slices: tuple[int, int]
    empty: tuple[int, ...]

    @property
    def corner(self) -> list[float]:
        """The middle of the voxel that lies the farthest to the right, front and feet, as DICOM counts."""
        ends = []
        for of, turned in enumerate((-1, -1, 1)):
            length = self.signs[self.order.index(of)] * self.spacing[of] * (self.shape[of] - 1)
            ends.append(min(turned * self.origin[of], turned * (self.origin[of] + length)))
        return ends

    def write(self, folder: Path) -> Result:
        """Write it and a result of it; `shape` and `spacing` are those along the patient's x, y and z."""
        affine = np.diag([0.0, 0.0, 0.0, 1.0])
        for axis, of in enumerate(self.order):
            affine[of, axis] = self.signs[axis] * self.spacing[of]
        affine[:3, 3] = self.origin
        voxels = np.zeros([self.shape[of] for of in self.order], np.int16)
        nibabel.save(nibabel.Nifti1Image(voxels, affine), folder / "v.nii")
        return write_result(folder / "r.ome.zarr", folder / "v.nii", slices=self.slices, empty=self.empty)


@st.composite
def volumes(draw: st.DrawFn) -> Drawn:
    depth = draw(st.integers(4, 7))
    first = draw(st.integers(0, depth - 2))
    last = draw(st.integers(first + 2, depth))
    floats = st.floats(0.8, 1.2)
    return Drawn(
        shape=(draw(st.integers(TILE, 30)), draw(st.integers(TILE, 30)), depth),
        order=tuple(draw(st.permutations(range(3)))),
        signs=draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3)),
        spacing=draw(st.tuples(floats, floats, floats)),
        origin=draw(st.tuples(*[st.floats(-300, 300)] * 3)),
        slices=(first, last),
        empty=draw(st.sampled_from([(), (first,)])),
    )


@given(volumes())
@settings(max_examples=4, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_every_format_of_a_volume_gives_back_what_it_was_given(drawn: Drawn) -> None:
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        result = drawn.write(folder)
        for port in (HU, FREE, BYTES):
            told = expected(port, drawn.shape[::-1], drawn.slices, drawn.empty)
            for ending in (".nii", ".nii.gz"):
                check_nifti(export(result, folder / f"{port.key}{ending}", layer=port.key), folder / "v.nii", told)
            for ending in (".nrrd", ".mha"):
                check_itk(export(result, folder / f"{port.key}{ending}", layer=port.key), drawn, told)
            check_dicom(export(result, folder / f"{port.key}.dicom", layer=port.key), drawn, told, port)
        canvas = {
            port.key: expected(port, drawn.shape[::-1], drawn.slices, drawn.empty)[slice(*drawn.slices)]
            for port in (HU, FREE, BYTES)
        }
        check_tiff(export(result, folder / "a.ome.tif"), result, canvas)
        for ending, models in ((".ome.zarr", v04), (".v05.ome.zarr", v05)):
            check_zarr(export(result, folder / f"a{ending}"), models, result, canvas)


def check_nifti(path: Path, source: Path, told: np.ndarray) -> None:
    found, given = nibabel.load(path), nibabel.load(source)
    np.testing.assert_allclose(found.affine, given.affine, rtol=1e-6, atol=1e-4)
    ends = nibabel.orientations.axcodes2ornt(("L", "P", "S"))
    turned = found.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(found.affine), ends))
    np.testing.assert_allclose(np.asarray(turned.dataobj).T, told, atol=1e-4)


def check_itk(path: Path, drawn: Drawn, told: np.ndarray) -> None:
    found = sitk.ReadImage(str(path))
    turned = sitk.DICOMOrient(found, "LPS")
    np.testing.assert_allclose(sitk.GetArrayFromImage(turned), told, atol=1e-4)
    np.testing.assert_allclose(turned.GetSpacing(), drawn.spacing, rtol=1e-6)
    np.testing.assert_allclose(found.GetOrigin(), np.array(drawn.origin) * (-1, -1, 1), atol=1e-4)


def check_dicom(folder: Path, drawn: Drawn, told: np.ndarray, port: Any) -> None:
    files = sorted((pydicom.dcmread(file) for file in folder.iterdir()), key=lambda one: one.ImagePositionPatient[2])
    assert len(files) == drawn.slices[1] - drawn.slices[0]
    for one, plane in zip(files, told[slice(*drawn.slices)], strict=True):
        stored = one.pixel_array.astype(float)
        values = stored * float(one.RescaleSlope) + float(one.RescaleIntercept)
        values[stored == one.get("PixelPaddingValue", np.nan)] = np.nan
        np.testing.assert_allclose(values, plane, atol=0.5 if port is HU else float(one.RescaleSlope))
        np.testing.assert_allclose(one.PixelSpacing, drawn.spacing[1::-1], rtol=1e-6)
        assert list(one.ImageOrientationPatient) == [1, 0, 0, 0, 1, 0]
        np.testing.assert_allclose(one.ImagePositionPatient[:2], drawn.corner[:2], atol=1e-3)
    np.testing.assert_allclose(
        files[0].ImagePositionPatient[2], drawn.corner[2] + drawn.slices[0] * drawn.spacing[2], atol=1e-3
    )
    heights = np.diff([one.ImagePositionPatient[2] for one in files])
    np.testing.assert_allclose(heights, drawn.spacing[2], rtol=1e-5)


def check_tiff(path: Path, result: Result, canvas: dict[str, np.ndarray]) -> None:
    with tifffile.TiffFile(path) as file:
        for series, told in zip(file.series, canvas.values(), strict=True):
            np.testing.assert_allclose(series.asarray().reshape(told.shape), told, atol=1e-4)
        images = ome_types.from_xml(file.ome_metadata, validate=True).images
    assert [image.name for image in images] == [port.name for port in result.ports]
    for image in images:
        sizes = [getattr(image.pixels, f"physical_size_{axis}") for axis in "zyx"]
        assert sizes == pytest.approx(list(result.place.spacing), rel=1e-6)
        first = image.pixels.planes[0]
        assert [first.position_z, first.position_y, first.position_x] == pytest.approx(
            list(result.place.origin), abs=1e-6
        )


def check_zarr(path: Path, models: Any, result: Result, canvas: dict[str, np.ndarray]) -> None:
    for place, (key, told) in zip(("", "flair", "bytes"), canvas.items(), strict=True):
        group = zarr.open_group(path / place, mode="r")
        models.Image.from_zarr(group)
        about = group.attrs.get("ome", group.attrs)["multiscales"][0]
        scale, move = about["datasets"][0]["coordinateTransformations"]
        assert scale["scale"][1:] == pytest.approx(list(result.place.spacing))
        assert move["translation"][1:] == pytest.approx(list(result.place.origin))
        stored = group["0"][0].astype(float)
        known = ~np.isnan(told)
        assert key in ("ct", "flair", "bytes")
        np.testing.assert_allclose(stored[known], told[known], atol=1e-4)
