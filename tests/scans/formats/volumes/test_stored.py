"""Voxels in their files: large ones are opened at once, and what a file may claim, or hide behind them, has an end."""

from __future__ import annotations

import gzip
import resource
import time
from pathlib import Path

import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.files.memory import free_memory
from diffuscope.scans import open_volume
from diffuscope.scans.formats.volumes import packing, stored

nibabel = pytest.importorskip("nibabel")


def header(shape: tuple[int, int, int], dtype: type = np.int16) -> bytes:
    about = nibabel.Nifti1Header()
    about.set_data_dtype(dtype)
    about.set_data_shape(shape)
    about.set_sform(np.eye(4), 1)
    about["vox_offset"], about["magic"] = 352, b"n+1"
    return about.binaryblock + bytes(4)


def sparse(path: Path, shape: tuple[int, int, int], dtype: type = np.int16) -> Path:
    """Write a volume whose voxels, all 0, take no room on the disk."""
    with path.open("wb") as file:
        file.write(header(shape, dtype))
        file.truncate(352 + int(np.prod(shape)) * np.dtype(dtype).itemsize)
    return path


def test_many_gigabytes_are_opened_and_described_at_once_and_read_in_part(tmp_path):
    path = sparse(tmp_path / "large.nii", (1400, 1000, 1000))
    used, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    volume = open_volume(path)
    assert ("values", "not looked at: 2.8 GB are read when it is computed") in volume.describe()
    assert volume.voxels[500:502, 7, 9].tolist() == [0, 0]
    assert time.process_time() - began < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < 500 * 1024  # kB


def test_what_the_memory_cannot_hold_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = sparse(tmp_path / "v.nii", (10, 10, 10), np.float64)  # which becomes float32: it cannot be mapped
    monkeypatch.setattr(stored, "free_memory", lambda: 3999)
    with pytest.raises(InputError, match=r"v\.nii needs 4e-06 GB of memory, and 4e-06 GB are free"):
        open_volume(path).voxels[:]
    monkeypatch.setattr(stored, "free_memory", lambda: None)  # a system that does not say
    assert open_volume(path).voxels[:].shape == (10, 10, 10)


def test_the_memory_that_is_free_is_some_of_what_there_is():
    there = Path("/proc/meminfo")
    if not there.exists():
        assert free_memory() is None
        return
    total = int(there.read_text().split()[1]) * 1024
    assert 0 < free_memory() < total


@pytest.mark.parametrize("extra", [0, 5000, 3 * 10**6])
def test_what_follows_the_last_voxel_has_an_end(tmp_path, monkeypatch, extra):
    monkeypatch.setattr(packing, "_TRAILING", 2 * 10**6)
    path = tmp_path / "v.nii.gz"
    path.write_bytes(gzip.compress(header((5, 6, 7)) + bytes(2 * 5 * 6 * 7 + extra), 1))
    if extra > packing._TRAILING:
        with pytest.raises(InputError, match=r"v\.nii\.gz holds far more than its header says"):
            open_volume(path)
        return
    volume = open_volume(path)
    assert volume.notices == (
        (f"v.nii.gz holds {extra:,} bytes more than its header says: they are left out.",) if extra else ()
    )
    assert volume.voxels[:].shape == (7, 6, 5)


def test_a_packed_file_in_several_parts_is_one(tmp_path):
    numbers = np.random.default_rng(0).integers(0, 99, (7, 6, 5)).astype(np.int16)
    whole = header((5, 6, 7)) + numbers.tobytes()
    path = tmp_path / "v.nii.gz"
    path.write_bytes(gzip.compress(whole[:400]) + gzip.compress(whole[400:]) + gzip.compress(b""))  # as bgzip does
    volume = open_volume(path)
    assert volume.notices == ()
    np.testing.assert_array_equal(volume.storage.store(volume.voxels[:]), numbers)


def test_what_is_large_packed_and_unpacked_is_never_in_memory_twice(tmp_path, monkeypatch):
    values = np.random.default_rng(0).integers(-1000, 1000, 5 * 6 * 7, np.int16)  # which no packing makes smaller
    path = tmp_path / "v.nii.gz"
    path.write_bytes(gzip.compress(header((5, 6, 7)) + values.tobytes(), 1))
    need, plain = 352 + values.nbytes, open_volume(path).voxels[:]
    assert sorted(plain.ravel()) == sorted(values)
    seen: set[int] = set()
    monkeypatch.setattr(stored, "inflate", lambda _file, _packing, count: seen.add(count))
    for most, at_once in ((need + path.stat().st_size, {need}), (need + path.stat().st_size - 1, set())):
        monkeypatch.setattr(stored, "_BESIDE", most)
        assert (open_volume(path).voxels[:] == plain).all()
        assert seen == at_once
        seen.clear()
