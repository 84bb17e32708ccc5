"""OME-Zarr folders that claim too much, lead elsewhere or lost chunks: opened lazily or refused in one sentence."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import shutil
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import zarr

from diffuscope.errors import InputError
from diffuscope.scans import open_scan

PIXELS = np.random.default_rng(5).integers(1, 255, (3, 100, 140), dtype=np.uint8)
GZIP = {"id": "gzip", "level": 1}


def folder(path: Path, *, image: dict[str, Any] | None = None, chunk: bytes | None = None, **about: Any) -> Path:
    """Write an OME-Zarr 0.4 by hand, of one level with at most one chunk."""
    shutil.rmtree(path, ignore_errors=True)
    (path / "0").mkdir(parents=True)
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}]}]
    found = {"version": "0.4", "axes": [{"name": axis} for axis in "cyx"], "datasets": datasets, **(image or {})}
    found = {key: value for key, value in found.items() if value is not None}
    (path / ".zattrs").write_text(json.dumps({"multiscales": [found]}))
    array = {"zarr_format": 2, "shape": [3, 64, 64], "chunks": [3, 64, 64], "dtype": "|u1", "compressor": None}
    (path / "0/.zarray").write_text(json.dumps({**array, "fill_value": 0, "filters": None, "order": "C", **about}))
    if chunk is not None:
        (path / "0/0.0.0").write_bytes(chunk)
    return path


def refused(path: Path, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        open_scan(path)
    assert str(caught.value).startswith(path.name) and "\n" not in str(caught.value)


def unread(path: Path, words: str) -> None:
    scan = open_scan(path)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=words) as caught:
            scan.sources[0].read(0, 64, 0, 64)
        assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
    finally:
        tracemalloc.stop()
    assert path.name in str(caught.value)


def test_sizes_that_metadata_claim(tmp_path):
    path = tmp_path / "a.ome.zarr"
    refused(folder(path, shape=[3, 10**9, 10**9], chunks=[3, 256, 256]), "more than any slide has")
    refused(folder(path, chunks=[3, 0, 0]), "chunks without any pixel")
    refused(folder(path, shape=[3, 40000, 40000], chunks=[3, 40000, 40000]), "need 4800 MB each")
    refused(folder(path, shape=[10**6, 64, 64], chunks=[1, 64, 64]), "claims 1000000 channels")
    refused(folder(path, shape=[3, 20000, 20000], chunks=[3, 1, 1]), "chunks of 3 × 1 × 1 values")


@pytest.mark.parametrize(
    ("compressor", "pack"),
    [
        (GZIP, gzip.compress),
        ({"id": "zlib", "level": 1}, zlib.compress),
        ({"id": "zstd", "level": 1}, imagecodecs.zstd_encode),
        (
            {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0},
            lambda data: imagecodecs.blosc_encode(data, typesize=1),
        ),
        ({"id": "bz2", "level": 1}, lambda data: __import__("bz2").compress(data)),
    ],
    ids=["gzip", "zlib", "zstd", "blosc", "bz2"],
)
def test_chunks_are_held_to_what_is_declared(tmp_path, compressor, pack):
    path = tmp_path / "a.ome.zarr"
    honest = np.random.default_rng(0).integers(0, 255, (3, 64, 64), dtype=np.uint8)
    scan = open_scan(folder(path, chunk=pack(honest.tobytes()), compressor=compressor))
    np.testing.assert_array_equal(scan.sources[0].read(0, 64, 0, 64), honest.transpose(1, 2, 0))
    # Larger than the chunk, in a file that is none the larger for it.
    unread(
        folder(path, chunk=pack(bytes(2**24)), compressor=compressor), "unpacks to more than 12288 bytes|has .* bytes"
    )


def test_a_chunk_without_compression_that_is_too_long_or_a_run_of_code(tmp_path):
    path = tmp_path / "a.ome.zarr"
    unread(folder(path, chunk=bytes(2**20)), "has 1048576 bytes, more than its metadata declare")

    class Runs:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    for about in ({"compressor": {"id": "pickle", "protocol": 5}}, {"filters": [{"id": "pickle", "protocol": 5}]}):
        refused(folder(path, chunk=pickle.dumps(Runs()), **about), "pickle")
    assert not (tmp_path / "ran").exists()
    refused(folder(path, filters=[GZIP], compressor=GZIP), "packed by gzip, gzip")


def test_nothing_outside_the_folder_is_read(tmp_path):
    path = tmp_path / "a.ome.zarr"
    other = folder(tmp_path / "b.zarr", chunk=PIXELS[:, :64, :64].tobytes())
    for away in ("../b.zarr/0", str(other / "0"), "0/../../b.zarr/0"):
        refused(folder(path, image={"datasets": [{"path": away}]}), "names a file outside its folder")
    shutil.rmtree(folder(path) / "0")
    (path / "0").symlink_to(other / "0")
    refused(path, "a link, which is not followed|a link or a pipe|has a link in it")
    (folder(path) / "0/0.0.0").symlink_to(other / "0/0.0.0")
    unread(path, "a link or a pipe in it")
    os.mkfifo(folder(path) / "0/0.0.0")
    unread(path, "a link or a pipe in it")
    (folder(path) / ".zattrs").unlink()
    (path / ".zattrs").symlink_to(other / ".zattrs")
    refused(path, "a link or a pipe in it")


def test_versions_before_axes_are_named(tmp_path):
    path = tmp_path / "a.ome.zarr"
    refused(
        folder(path, image={"axes": None, "version": "0.1"}), r"is OME-Zarr 0\.1, which is not read: convert it to 0\.4"
    )
    refused(folder(path, image={"axes": None, "version": "0.2"}), r"is OME-Zarr 0\.2, which")
    refused(folder(path, image={"axes": None, "version": None}), "does not say its axes")
    refused(folder(path, image={"axes": ["a", "y", "x"], "version": "0.9"}), r"is OME-Zarr 0\.9, of which")
    scan = open_scan(folder(path, image={"axes": ["c", "y", "x"], "version": "0.3"}))
    assert (scan.format, scan.mpp) == ("OME-Zarr 0.3", None)


@pytest.mark.parametrize("layout", [2, 3, "shards", "shards, index first"])
def test_sparse_images_open_at_once_and_say_so(tmp_path, layout):
    path = tmp_path / "a.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2 if layout == 2 else 3)
    options: dict[str, Any] = {"chunks": (3, 256, 256)}
    if layout == "shards":
        options["shards"] = (3, 1024, 1024)
    elif layout not in {2, 3}:
        options["serializer"] = zarr.codecs.ShardingCodec(chunk_shape=(3, 256, 256), index_location="start")
        options |= {"chunks": (3, 1024, 1024), "filters": None, "compressors": None}
    array = group.create_array("0", shape=(3, 200_000, 150_000), dtype="u1", fill_value=9, **options)
    array[:, 1024 * 100 : 1024 * 101, 1024 * 50 : 1024 * 51] = 200
    image = {"axes": [{"name": axis, "type": "space"} for axis in "cyx"], "datasets": [{"path": "0"}]}
    group.attrs.update({"multiscales": [image]} if layout == 2 else {"ome": {"version": "0.5", "multiscales": [image]}})
    start = time.perf_counter()
    scan = open_scan(path)
    assert "has no file for" in scan.notices[0] and "taken as empty" in scan.notices[0]
    coarse = scan.sources[-1]
    seen = coarse.read(0, coarse.shape[0], 0, coarse.shape[1])
    step = int(scan.downsamples[-1])
    right = np.full(coarse.shape, 9)
    right[1024 * 100 // step : 1024 * 101 // step, 1024 * 50 // step : 1024 * 51 // step] = 200
    np.testing.assert_array_equal(seen, right)
    assert time.perf_counter() - start < 30  # of 30 thousand million px


def test_chunks_of_a_shard_are_held_to_what_is_declared(tmp_path):
    path = tmp_path / "a.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=3)
    sharding = zarr.codecs.ShardingCodec(
        chunk_shape=(3, 64, 64),
        codecs=(zarr.codecs.BytesCodec(), zarr.codecs.GzipCodec()),
        index_codecs=(zarr.codecs.BytesCodec(),),
    )
    packed = {"chunks": (3, 128, 128), "serializer": sharding, "filters": None, "compressors": None}
    array = group.create_array("0", shape=(3, 128, 128), dtype="u1", **packed)
    array[:] = np.broadcast_to(PIXELS[:, :1, :1], (3, 128, 128)).copy()
    image = {"axes": [{"name": axis} for axis in "cyx"], "datasets": [{"path": "0"}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    read = open_scan(path).sources[0].read
    np.testing.assert_array_equal(read(0, 128, 0, 128), np.broadcast_to(PIXELS[:, 0, 0], (128, 128, 3)))
    np.testing.assert_array_equal(read(70, 90, 3, 9), np.broadcast_to(PIXELS[:, 0, 0], (20, 6, 3)))
    [shard] = [file for file in (path / "0/c").rglob("*") if file.is_file()]
    bomb = gzip.compress(bytes(2**24))
    places = np.full((4, 2), 2**64 - 1, "<u8")
    places[0] = 0, len(bomb)
    shard.write_bytes(bomb + places.tobytes())
    for window in ((0, 128, 0, 128), (0, 20, 0, 20)):
        with pytest.raises(InputError, match="unpacks to more than 12288 bytes"):
            open_scan(path).sources[0].read(*window)


def test_many_files_in_a_level_do_not_hold_up_the_opening(tmp_path):
    path = tmp_path / "a.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    array = group.create_array("0", shape=(3, 100, 140), dtype="u1", chunks=(3, 64, 64))
    array[:] = PIXELS
    image = {"axes": [{"name": axis} for axis in "cyx"], "datasets": [{"path": "0"}]}
    group.attrs["multiscales"] = [image]
    whole = open_scan(path)
    assert whole.notices == () and whole.sources[0].blank(0, 100, 0, 140) is None
    (path / "0/0.1.2").unlink()
    lost = open_scan(path)
    assert "has no file for 1 of the 6 chunks" in lost.notices[0]
    assert lost.fingerprint != whole.fingerprint
    assert lost.sources[0].blank(64, 100, 128, 140) == 0 and lost.sources[0].blank(60, 100, 128, 140) is None
    assert (lost.sources[0].read(64, 100, 128, 140) == 0).all()


def test_links_and_pipes_in_a_folder_are_no_part_of_its_fingerprint(tmp_path):
    path = folder(tmp_path / "a.ome.zarr", chunk=bytes(3 * 64 * 64))
    before = open_scan(path).fingerprint
    os.mkfifo(path / "0/0.0.1")
    (path / "0/up").symlink_to(path, target_is_directory=True)
    (path / "1").symlink_to(tmp_path, target_is_directory=True)
    assert open_scan(path).fingerprint == before
    for number in range(2100):
        (path / f"0/0.1.{number}").touch()
    after = open_scan(path).fingerprint
    (path / "0/0.0.1").unlink()
    (path / "0/up").unlink()
    (path / "1").unlink()
    assert open_scan(path).fingerprint == after != before


@pytest.mark.parametrize(
    ("shape", "dtype"), [((3, 50, 35), "u1"), ((0, 50, 70), "u1"), ((2, 50, 70), "u1"), ((3, 50, 70), "u2")]
)
def test_a_level_that_is_no_smaller_copy_is_left_out_and_told(tmp_path, shape, dtype):
    """Half as wide as it should be, of no or fewer channels, of another type: nothing is seen at a wrong place."""
    path = tmp_path / "slide.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", shape=(3, 100, 140), chunks=(3, 64, 64), dtype="u1")[:] = PIXELS
    group.create_array("1", shape=shape, chunks=(3, 64, 64), dtype=dtype)
    datasets = [{"path": key, "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}]} for key in "01"]
    axes = [{"name": axis} for axis in "cyx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    scan = open_scan(path)
    assert scan.downsamples == (1.0,) and any("1 level(s) that are no smaller copy" in one for one in scan.notices)
    assert np.array_equal(np.asarray(scan.levels[0]), np.moveaxis(PIXELS, 0, -1))
    assert dict(scan.describe())["size"]
