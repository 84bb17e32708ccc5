"""OME-Zarr 0.5 read back by zarr, ome-zarr-py and our own reader, and checked by ome-zarr-models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.v05 import Image, ImageLabel, Labels
from scipy import ndimage
from skimage.measure import label
from stain_result import MPP, PORTS, write_stain
from volume_result import HU, write_result

from diffuscope.exports import export
from diffuscope.measurement.positives import find_positives, stains_counted
from diffuscope.measurement.stain_image import smallest_counted
from diffuscope.results.result import Result, is_result
from diffuscope.scans import open_scan


@pytest.fixture
def written(make_result: Callable[..., Result], tmp_path: Path) -> tuple[Result, Path]:
    result = make_result()
    return result, export(result, tmp_path / "r.v05.ome.zarr")


def test_every_layer_is_an_image_in_shards_of_the_right_size_and_place(written) -> None:
    result, out = written
    assert zarr.open_group(out, mode="r").metadata.zarr_format == 3 and not is_result(out)
    for place, port in (("", result.ports[0]), ("dab", result.ports[1]), ("pair", result.ports[2])):
        image = Image.from_zarr(zarr.open_group(out / place, mode="r"))
        assert image.ome_attributes.version == "0.5"
        omero = zarr.open_group(out / place, mode="r").attrs["ome"]["omero"]
        assert [one["label"] for one in omero["channels"]] == list(port.channels)
        node = next(iter(Reader(parse_url(out / place))()))
        for level, original in zip(node.data, result.images[port.key], strict=True):
            np.testing.assert_array_equal(np.moveaxis(level.compute(), 0, -1), original.compute())
        scale, translation = node.metadata["coordinateTransformations"][0]
        assert scale["scale"] == [1.0, result.mpp, result.mpp]
        assert translation["translation"] == [0.0, *result.origin]
        assert zarr.open_array(out / place / "0", mode="r").shards is not None
    files = sum(1 for one in out.rglob("*") if one.is_file())
    assert files < 60


def test_our_own_reader_opens_it_and_says_that_a_model_made_it(written) -> None:
    result, out = written
    scan = open_scan(out)
    assert (scan.format, scan.mpp, scan.rgb, scan.channels) == ("OME-Zarr 0.5", result.mpp, True, ("R", "G", "B"))
    np.testing.assert_array_equal(scan.levels[0].compute(), result.images["ihc"][0].compute())
    assert scan.notices == ("r.v05.ome.zarr is no scan: a model computed it.",)


def test_tissue_and_counted_objects_are_labels(written) -> None:
    result, out = written
    root = zarr.open_group(out, mode="r")
    names = Labels.from_zarr(root["labels"]).ome_attributes.labels
    [stain] = stains_counted(result)
    assert names == ["tissue", f"{stain.name} objects"]
    for name in names:
        ImageLabel.from_zarr(root["labels"][name])
    found = list(find_positives(result, stain, min_object_um2=smallest_counted(result)))
    drawn = root["labels"][names[1]]["0"][...]
    assert found and drawn.shape == (601, 733)
    counts = np.bincount(drawn.ravel(), minlength=len(found) + 1)[1:]
    assert counts.tolist() == [one.pixels for one in found]
    # Each is one piece, by corners too, and none touches another.
    assert ndimage.label(drawn > 0, np.ones((3, 3)))[1] == len(found)
    np.testing.assert_array_equal(root["labels"][names[1]]["1"][...], drawn[::2, ::2])
    for name, expected in ((names[0], result.tissue.read(0, 0, 601, 733)), (names[1], drawn > 0)):
        np.testing.assert_array_equal(root["labels"][name]["0"][...] > 0, expected)
        first = root["labels"][name].attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
        assert first[0]["scale"] == [result.mpp] * 2 and first[1]["translation"] == list(result.origin)


def test_of_a_volume_what_was_not_computed_is_nan(tmp_path: Path) -> None:
    source = tmp_path / "v.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((40, 36, 8), np.int16), np.diag([1.0, 1.0, 3.0, 1.0])), source)
    result = write_result(tmp_path / "v.ome.zarr", source, ports=(HU,), empty=(3,))
    new = zarr.open_group(export(result, tmp_path / "v.v05.ome.zarr"), mode="r")
    before = zarr.open_group(export(result, tmp_path / "old.ome.zarr"), mode="r")
    Image.from_zarr(new)
    assert np.isnan(new["0"][...]).any() and np.isfinite(new["0"][...]).any()
    for level in range(len(result.images["ct"])):
        np.testing.assert_array_equal(new[str(level)][...], before[str(level)][...])


def test_a_multiplex_has_the_objects_of_its_stains_as_labels_at_the_threshold_that_is_asked_for(tmp_path: Path) -> None:
    ihc, dab, _ = PORTS
    ports = (ihc, dab, replace(ihc, key="ihc_ck", name="virtual CK"), replace(dab, key="dab_ck"))
    result = write_stain(tmp_path, ports=ports)
    out = export(result, tmp_path / "m.v05.ome.zarr", layer="multiplex", threshold=0.31)
    labels = zarr.open_group(out / "labels", mode="r")
    names = labels.attrs["ome"]["labels"]
    assert names[0] == "tissue" and len(names) == 3
    tissue = result.tissue.read(0, 0, *result.window[2:])
    for name, key in zip(names[1:], ("dab", "dab_ck"), strict=True):
        touching = label((np.asarray(result.images[key][0])[..., 0] > 0.31) & tissue, connectivity=2)
        sizes = np.bincount(touching.ravel())
        kept = np.flatnonzero(sizes >= ceil(8 / MPP**2))[1:]  # without what is no object
        found = np.asarray(labels[name]["0"])
        assert found.max() == len(kept) > 10
        np.testing.assert_array_equal(found > 0, np.isin(touching, kept))
