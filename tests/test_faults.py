"""Faults rehearsed from the outside: a disk that fills up, a slide with a damaged spot, memory that is too small."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.run import open_result, run
from diffuscope.tiling.events import Notice, TileDone

STEPS = 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, small_slide: Path) -> Path:
    """Return the result of a run that nothing went wrong with."""
    out = tmp_path_factory.mktemp("whole") / "out.ome.zarr"
    list(run(tiny_model, small_slide, out, steps=STEPS, threads=1))
    return out


@pytest.fixture
def small_disk(tmp_path: Path):
    """Return an empty disk of 24 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    line = [mount or "mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)]
    if mount is None or sys.platform != "linux" or subprocess.run(line, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs Linux and root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_fills_up_ends_in_one_sentence_and_the_run_goes_on_later(
    small_disk, tiny_model, small_slide, whole
):
    out, other = small_disk / "out.ome.zarr", small_disk / "somebody-elses"
    events = run(tiny_model, small_slide, out, steps=STEPS, threads=1)
    assert any(isinstance(event, TileDone) for event in events)  # stops at the first
    fill(other)
    with pytest.raises(InputError, match=r"the disk is full.*--resume"):
        list(events)
    assert not open_result(out).complete
    other.unlink()
    [started, *_] = run(tiny_model, small_slide, out, steps=STEPS, resume=True)
    assert 1 <= started.done < started.tiles
    assert_same(out, whole)


def assert_same(out: Path, expected: Path) -> None:
    got, want = open_result(out), open_result(expected)
    assert got.complete
    for key, levels in want.images.items():
        for level, other in zip(levels, got.images[key], strict=True):
            np.testing.assert_array_equal(np.asarray(other), np.asarray(level), err_msg=key)
    assert got.table == want.table


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        for size in (2**20, 2**12):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    assert shutil.disk_usage(path.parent).free < 2**12


def damage(slide: Path, copy: Path) -> None:
    """Copy a slide with noise over the compressed data of one of its tiles, in the middle of the file."""
    shutil.copy(slide, copy)
    with tifffile.TiffFile(slide) as file:
        page = file.pages[0]
        offset, size = page.dataoffsets[5], page.databytecounts[5]
    with copy.open("r+b") as file:
        file.seek(offset)
        file.write(np.random.default_rng(0).integers(0, 255, size, np.uint8).tobytes())


def test_a_damaged_spot_of_a_slide_costs_only_the_tiles_that_read_it(tmp_path, tiny_model, whole, small_slide):
    slide, out = tmp_path / small_slide.name, tmp_path / "out.ome.zarr"
    damage(small_slide, slide)
    events = list(run(tiny_model, slide, out, steps=STEPS, threads=1))
    [notice] = [event for event in events if isinstance(event, Notice)]
    assert "could not be read" in notice.sentence
    end = events[-1]
    assert not end.complete
    assert 0 < end.unread < end.tiles
    assert end.done == end.tiles - end.unread
    # A good copy in its place: the missing tiles are computed, and nothing else differs.
    shutil.copy(small_slide, slide)
    list(run(tiny_model, slide, out, steps=STEPS, resume=True))
    assert_same(out, whole)


def test_the_shell_says_what_could_not_be_read(tmp_path, tiny_model, small_slide):
    from typer.testing import CliRunner

    slide = tmp_path / small_slide.name
    damage(small_slide, slide)
    line = ["run", str(tiny_model), str(slide), "-o", str(tmp_path / "out.ome.zarr"), "--steps", str(STEPS)]
    answer = CliRunner().invoke(app, line)
    assert answer.exit_code == 2
    assert "tiles could not be read" in answer.stderr
    assert "--resume" in answer.stderr


def test_memory_that_is_too_small_halves_the_batch_of_a_real_run(tmp_path, tiny_model, small_slide, monkeypatch):
    from diffuscope.systems.staindiffuser.system import StainDiffuser

    sample = StainDiffuser.sample

    def narrow(self, inputs, noise, settings):
        if len(inputs["he"]) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return (yield from sample(self, inputs, noise, settings))

    monkeypatch.setattr(StainDiffuser, "sample", narrow)
    out = tmp_path / "out.ome.zarr"
    done: list[TileDone] = []
    options = {"steps": STEPS, "threads": 1}
    events = run(tiny_model, small_slide, out, batch=4, cancelled=lambda: len(done) >= 1, **options)
    done.extend(event for event in events if isinstance(event, TileDone))
    assert open_result(out).record["compute"]["batches"] == [4, 2, 1]
    # What goes on with it begins with the batch that fitted.
    events = list(run(tiny_model, small_slide, out, resume=True, **options))
    assert events[-1].complete
    assert not any(isinstance(event, Notice) for event in events)
