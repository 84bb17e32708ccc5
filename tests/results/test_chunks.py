"""Boxes written as chunk files, read back by zarr."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuscope.ports.raster import Raster
from diffuscope.results.chunks import write_box
from diffuscope.results.layout import create_images
from diffuscope.tiling.boxes import box_slices

PORTS = {
    "uint8": Raster(name="a", key="a", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0)),
    "float32": Raster(
        name="a", key="a", kind="map", channels=("v",), mpp=0.5, range=(0.0, 1.0), dtype="float32", fill=float("nan")
    ),
}


def make(folder: Path, dtype: str, shape: tuple[int, ...]) -> zarr.Array:
    root = zarr.create_group(store=folder, zarr_format=2)
    spacing = (0.5,) * len(shape)
    return create_images(root, (PORTS[dtype],), shape=shape, spacing=spacing, origin=spacing)["a"][0]


@settings(max_examples=15)
@given(data=st.data(), dtype=st.sampled_from(["uint8", "float32"]), axes=st.sampled_from([2, 3]))
def test_zarr_reads_what_was_written_and_as_zarr_would_have(tmp_path_factory, data, dtype, axes):
    shape = (2, 600, 300)[-axes:]
    ours = make(tmp_path_factory.mktemp("ours") / "g", dtype, shape)
    expected = np.full((ours.shape[0], *shape), ours.fill_value, ours.dtype)
    rng = np.random.default_rng(0)
    for _ in range(data.draw(st.integers(1, 4))):
        starts = [data.draw(st.integers(0, side - 1)) for side in shape]
        lengths = [data.draw(st.integers(0, side - start)) for start, side in zip(starts, shape, strict=True)]
        box = (*starts, *lengths)
        # Some boxes hold the fill value only: their chunks lose their files.
        fill = data.draw(st.booleans())
        block = rng.integers(0, 200, (ours.shape[0], *lengths)).astype(ours.dtype)
        block = np.full_like(block, ours.fill_value) if fill else block
        write_box(ours, box, block)
        expected[:, *box_slices(box)] = block
    np.testing.assert_array_equal(ours[:], expected)
    files = sorted(path for path in Path(ours.store.root).rglob("*") if path.is_file() and path.name[0] != ".")
    assert all(path.name.isdigit() for path in files)
    theirs = make(tmp_path_factory.mktemp("theirs") / "g", dtype, shape)
    theirs[:] = expected
    written = {path.relative_to(theirs.store.root) for path in Path(theirs.store.root).rglob("*") if path.is_file()}
    assert {path.relative_to(ours.store.root) for path in files} == {path for path in written if path.name[0] != "."}


def test_a_disk_that_is_full_leaves_the_old_chunk(tmp_path, monkeypatch):
    array = make(tmp_path / "g", "uint8", (300, 300))
    write_box(array, (0, 0, 300, 300), np.full((3, 300, 300), 7, np.uint8))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            write_box(array, (10, 10, 20, 20), np.full((3, 20, 20), 9, np.uint8))
    assert (array[:] == 7).all()
    assert not list(tmp_path.rglob("*.part"))
