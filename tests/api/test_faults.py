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
from patience import SECONDS

from diffuscope import open_result, run
from diffuscope.cli import app
from diffuscope.engine.events import Notice, TileDone
from diffuscope.errors import InputError
from diffuscope.sample_data import sample_path

STEPS = 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, small_slide: Path) -> Path:
    """Return the result of a run that nothing went wrong with."""
    out = tmp_path_factory.mktemp("whole") / "out.ome.zarr"
    list(run(tiny_model, small_slide, out, steps=STEPS, threads=1))
    return out


SMALL = 24 * 2**20


@pytest.fixture
def small_disk(tmp_path: Path):
    """Return an empty disk of 24 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is not None and sys.platform == "linux":
        line = [mount, "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(place)]
        subprocess.run(line, capture_output=True, check=False, timeout=SECONDS)
    # What mount answers is not enough: sandboxes say yes and do nothing, and then the machine's own disk would fill up.
    if shutil.disk_usage(place).total > SMALL:
        pytest.skip("mounting a small disk needs Linux and root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True, timeout=SECONDS)


def test_a_disk_that_fills_up_ends_in_one_sentence_and_the_run_goes_on_later(
    small_disk, tiny_model, small_slide, whole, assert_same
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


def fill(path: Path) -> None:
    """Write until the small disk is full."""
    with path.open("wb", buffering=0) as file:
        for size in (2**20, 2**12):
            with suppress(OSError):
                while file.tell() <= SMALL:
                    file.write(bytes(size))
    assert shutil.disk_usage(path.parent).free < 2**12


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a slide of 3 MB."""
    pixels = tifffile.imread(sample_path("CMU-1-Small-Region.svs"))[600:1624, 600:1624]
    path = tmp_path_factory.mktemp("slides") / "slide.ome.tif"
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}
    with tifffile.TiffWriter(path) as file:
        options = {"tile": (128, 128), "photometric": "rgb", "compression": "zlib", "compressionargs": {"level": 0}}
        file.write(pixels, subifds=1, metadata={"axes": "YXS", **size}, **options)
        file.write(pixels[::4, ::4], subfiletype=1, **options)
    return path


def damage(slide: Path, copy: Path) -> None:
    """Copy a slide with noise over the compressed data of the tile at y 512, x 512."""
    shutil.copy(slide, copy)
    with tifffile.TiffFile(slide) as file:
        offset, size = (values[4 * 8 + 4] for values in (file.pages[0].dataoffsets, file.pages[0].databytecounts))
    with copy.open("r+b") as file:
        file.seek(offset)
        file.write(np.random.default_rng(0).integers(0, 255, size, np.uint8).tobytes())


AROUND = "300,300,500,500"


@pytest.mark.slow
def test_a_damaged_spot_of_a_slide_costs_only_the_tiles_that_read_it(tmp_path, tiny_model, slide, assert_same):
    whole, out, copy = tmp_path / "whole.ome.zarr", tmp_path / "out.ome.zarr", tmp_path / slide.name
    options = {"region": AROUND, "steps": STEPS, "threads": 1}
    list(run(tiny_model, slide, whole, **options))
    damage(slide, copy)
    events = list(run(tiny_model, copy, out, **options))
    [notice] = [event for event in events if isinstance(event, Notice)]
    assert "could not be read" in notice.sentence
    end = events[-1]
    assert not end.complete
    assert 0 < end.unread < end.tiles
    assert end.done == end.tiles - end.unread
    # A good copy in its place is another file, and its pixels might be others throughout.
    shutil.copy(slide, copy)
    with pytest.raises(InputError, match=r"was begun with input slide\.ome\.tif"):
        run(tiny_model, copy, out, resume=True, **options)
    list(run(tiny_model, copy, out, overwrite=True, **options))
    assert_same(out, whole)


def test_the_shell_says_what_could_not_be_read(tmp_path, tiny_model, slide):
    from typer.testing import CliRunner

    copy = tmp_path / slide.name
    damage(slide, copy)
    line = ["run", str(tiny_model), str(copy), "-o", str(tmp_path / "out.ome.zarr"), "--steps", str(STEPS)]
    answer = CliRunner().invoke(app, [*line, f"--region={AROUND}"])
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
