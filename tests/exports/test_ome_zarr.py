"""OME-Zarr read back by ome-zarr-py, checked by ome-zarr-models, and opened as a result again."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.v04 import Image

from diffuscope.errors import InputError
from diffuscope.exports import export
from diffuscope.results.result import Result, open_result


def read(path: Path) -> tuple[list, dict]:
    """Return levels and metadata as ome-zarr-py reads them."""
    location = parse_url(path)
    assert location is not None
    node = next(iter(Reader(location)()))
    return node.data, node.metadata


def test_every_layer_is_an_image_of_its_own(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = make_result()
    out = export(result, tmp_path / "copy.ome.zarr")
    for place, port in (("", result.ports[0]), ("dab", result.ports[1]), ("pair", result.ports[2])):
        Image.from_zarr(zarr.open_group(out / place, mode="r"))
        levels, metadata = read(out / place)
        assert [axis["name"] for axis in metadata["axes"]] == ["c", "y", "x"]
        assert len(levels) == 3
        for level, original in zip(levels, result.images[port.key], strict=True):
            np.testing.assert_array_equal(np.moveaxis(level.compute(), 0, -1), original.compute())
        scale, translation = metadata["coordinateTransformations"][0]
        assert scale["scale"] == [1.0, result.mpp, result.mpp]
        assert translation["translation"] == [0.0, *result.origin]


def test_it_opens_as_a_result_with_record_tissue_and_table(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = make_result()
    again = open_result(export(result, tmp_path / "copy.ome.zarr"))
    assert again.ports == result.ports
    assert again.record == result.record
    assert again.table == result.table == list(csv.DictReader(["region,positive_objects", "all tissue,3"]))
    assert again.tissue is not None
    np.testing.assert_array_equal(again.tissue.read(0, 0, 601, 733), result.tissue.read(0, 0, 601, 733))


def test_one_layer_becomes_the_root(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = make_result()
    out = export(result, tmp_path / "dab.ome.zarr", layer="dab")
    levels, _ = read(out)
    np.testing.assert_array_equal(levels[0][0].compute(), result.images["dab"][0][..., 0].compute())
    assert list(open_result(out).images) == ["dab"]
    assert not (out / "dab").exists()


def test_scratch_of_an_unfinished_run_is_left_out(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = make_result(done=7)
    assert (result.path / "tiles").is_dir()
    with pytest.raises(InputError, match=r"is incomplete \(7 of"):
        export(result, tmp_path / "copy.ome.zarr")
    out = export(result, tmp_path / "copy.ome.zarr", allow_incomplete=True)
    assert not (out / "tiles").exists()
    assert not open_result(out).complete


def test_overwriting_replaces_a_result_and_nothing_else(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = make_result()
    out = export(result, tmp_path / "copy.ome.zarr")
    with pytest.raises(InputError, match=r"copy\.ome\.zarr exists already"):
        export(result, out)
    export(result, out, layer="dab", overwrite=True)
    assert list(open_result(out).images) == ["dab"]
    other = tmp_path / "other.ome.zarr"
    other.mkdir()
    (other / "mine").write_text("kept", encoding="utf-8")
    with pytest.raises(InputError, match="is not a Diffuscope result and is never overwritten"):
        export(result, other, overwrite=True)
    assert (other / "mine").read_text(encoding="utf-8") == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.ome.zarr", "other.ome.zarr", "r.ome.zarr"]
