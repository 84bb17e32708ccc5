"""The verb `run` on a real slide with an untrained model: what it writes, what it refuses, what it leaves behind."""

from __future__ import annotations

import errno
import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

import diffuscope as verbs
from diffuscope.engine.events import Finished, Preview, Started, TileDone
from diffuscope.errors import InputError
from diffuscope.model.folder import save_model
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import is_result, open_result
from diffuscope.sample_data import sample_path
from diffuscope.systems.registry import build_system
from diffuscope.systems.staindiffuser.config import StainDiffuserConfig
from diffuscope.tiling.region import Region, parse_region

CARD = {
    "title": "untrained",
    "what_it_is": "A test.",
    "what_it_is_not": "Anything else.",
    "data": "none",
    "licence": "BSD-3-Clause",
    "trained_on": "nothing",
    "simulated": False,
    "figures": {},
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Keep small convolutions from waiting for each other on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """A tiny StainDiffuser with random weights, as a model folder."""
    import torch

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "untrained"
    config = {"stain": "CD3", "size": "tiny", "T": 20}
    save_model(folder, build_system("staindiffuser", config), "staindiffuser", config, CARD)
    return folder


@pytest.fixture
def slide() -> Path:
    return sample_path("CMU-1-Small-Region.svs")


def go(model, slide, out, **options) -> list:
    defaults = {"steps": 1, "device": "cpu", "precision": "fp32", "region": Region(600, 1000, 300, 200)}
    return list(verbs.run(model, slide, out, **{**defaults, **options}))


def write_image(path: Path, pixels: np.ndarray, *, mpp: float | None = 0.5) -> Path:
    size = {"PhysicalSizeX": mpp, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": mpp, "PhysicalSizeYUnit": "µm"}
    about = {"axes": "YXS" if pixels.ndim == 3 else "YX", **(size if mpp else {})}
    tifffile.imwrite(
        path, pixels, tile=(64, 64), photometric="rgb" if pixels.ndim == 3 else "minisblack", metadata=about
    )
    return path


def test_a_run_writes_images_tissue_table_and_record(tmp_path, model, slide):
    events = go(model, slide, tmp_path / "out.ome.zarr", seed=5)
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    assert events[-1].complete
    assert any(isinstance(event, Preview) for event in events)
    result = open_result(tmp_path / "out.ome.zarr")
    assert result.complete
    assert [port.key for port in result.ports] == ["ihc", "dab", "segmentation", "uncertainty"]
    assert {key: levels[0].shape for key, levels in result.images.items()} == {
        "ihc": (200, 300, 3),
        "dab": (200, 300, 1),
        "segmentation": (200, 300, 1),
        "uncertainty": (200, 300, 1),
    }
    # 0.499 µm/px is within 5 % of 0.5: the canvas has the slide's own pixels and says so.
    assert result.mpp == pytest.approx(0.499)
    assert result.origin == pytest.approx((1000 * 0.499, 600 * 0.499))
    assert any("within 5 %" in notice for notice in events[0].notices)
    [row] = result.table
    assert row["region"] == "600,1000,300,200"
    assert float(row["threshold_od"]) == StainDiffuserConfig(stain="CD3").dab_threshold
    assert 0 < float(row["tissue_area_mm2"]) <= 200 * 300 * 0.499**2 / 1e6
    assert result.tissue.read(0, 0, 200, 300).any()
    record = result.record
    assert record["inputs"]["he"]["name"] == slide.name
    assert record["model"]["name"] == "untrained"
    assert record["parameters"]["seed"] == 5
    assert "not for diagnosis" in record["note"]
    text = json.dumps(record)
    assert str(slide.parent) not in text
    assert str(tmp_path) not in text


def test_dab_is_the_density_of_the_virtual_stain(tmp_path, model, slide):
    from diffuscope.stains.deconvolution import dab_density

    go(model, slide, tmp_path / "out")
    images = {key: np.asarray(levels[0]) for key, levels in open_result(tmp_path / "out").images.items()}
    # One tile alone: no blending between the two, only the rounding of the colours.
    expected = dab_density(images["ihc"])
    assert np.abs(images["dab"][..., 0] - expected)[:20, :20].max() < 0.05


def test_a_region_run_equals_the_larger_run_inside(tmp_path, model, slide):
    go(model, slide, tmp_path / "large", region="500,900,500,400")
    go(model, slide, tmp_path / "small", region="600,1000,300,200")
    large, small = open_result(tmp_path / "large"), open_result(tmp_path / "small")
    for key in small.images:
        inside = np.asarray(large.images[key][0])[100:300, 100:400]
        np.testing.assert_array_equal(np.asarray(small.images[key][0]), inside, err_msg=key)


@pytest.mark.slow
def test_the_recorded_command_makes_the_same_pixels(tmp_path, model, slide):
    outline = Region.from_polygon([(600.5, 1000.0), (900.0, 1010.0), (700.0, 1190.25)])
    go(model, slide, tmp_path / "first", region=outline, samples=2, seed=9, sampler="ddim", steps=2)
    first = open_result(tmp_path / "first")
    words = shlex.split(first.record["command"])
    assert words[:6] == ["diffuscope", "run", "untrained", slide.name, "-o", "first"]
    flags = dict(word.removeprefix("--").split("=", 1) for word in words if word.startswith("--region="))
    rest = [word for word in words[6:] if not word.startswith("--region=")]
    flags |= dict(zip([word.removeprefix("--") for word in rest[::2]], rest[1::2], strict=True))
    numbers = {key: int(flags.pop(key)) for key in ("steps", "samples", "seed", "batch", "threads")}
    region = parse_region(flags.pop("region"))
    assert region == outline
    list(verbs.run(model, slide, tmp_path / "again", region=region, **numbers, **flags))
    again = open_result(tmp_path / "again")
    for key in first.images:
        np.testing.assert_array_equal(np.asarray(first.images[key][0]), np.asarray(again.images[key][0]))


def test_a_finer_slide_is_reduced_to_the_models_resolution(tmp_path, model):
    he = np.random.default_rng(0).integers(60, 200, (400, 500, 3), np.uint8)
    path = write_image(tmp_path / "fine.ome.tif", he, mpp=0.25)
    events = go(model, path, tmp_path / "out", region=Region(100, 80, 200, 120))
    result = open_result(tmp_path / "out")
    assert result.images["ihc"][0].shape == (60, 100, 3)
    assert (result.mpp, result.factor, result.window) == (0.5, 2.0, (40, 50, 60, 100))
    # A px of 2 × 2 level-0 px has its centre half a level-0 px further in.
    assert result.origin == pytest.approx(((80 + 0.5) * 0.25, (100 + 0.5) * 0.25))
    assert any("reduced 2 times" in notice for notice in events[0].notices)


def test_a_cancelled_run_is_kept_and_says_that_it_is_incomplete(tmp_path, model, slide):
    done = []

    def cancelled() -> bool:
        return len(done) >= 1

    for event in verbs.run(
        model, slide, tmp_path / "out", region="500,900,700,600", steps=1, device="cpu", cancelled=cancelled
    ):
        if isinstance(event, TileDone):
            done.append(event)
    # one that was on its way to the disk may come after it
    assert 1 <= len(done) < event.tiles
    assert (event.complete, event.done) == (False, len(done))
    result = open_result(tmp_path / "out")
    assert (result.complete, result.done, result.table) == (False, len(done), [])


def snapshot(folder: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime for path in folder.rglob("*")}


def refused(folder: Path, match: str, *arguments, **options) -> None:
    """Refused when called, in one sentence, without touching the disk."""
    before = snapshot(folder)
    with pytest.raises(InputError, match=match) as error:
        verbs.run(*arguments, **options)
    assert "\n" not in str(error.value)
    assert snapshot(folder) == before


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"region": "9000,9000,10,10"}, "outside"),
        ({"region": "1,2,3"}, "region"),
        ({"region": Region(0, 0, 0, 10)}, "empty"),
        ({"quality": "perfect"}, "quality.*fast"),
        ({"sampler": "euler"}, "sampler.*dpmsolver"),
        ({"steps": 0}, "steps"),
        ({"steps": 21}, "steps"),
        ({"sampler": "ddpm", "steps": 5}, "ddpm"),
        ({"samples": 0}, "samples"),
        ({"seed": -1}, "seed"),
        ({"batch": 0}, "batch"),
        ({"precision": "fp16"}, "precision"),
        ({"mpp": 499.0}, "µm/px"),
        ({"device": "abacus"}, "abacus"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_written(tmp_path, model, slide, options, match):
    refused(tmp_path, match, model, slide, tmp_path / "out", **options)


@pytest.mark.parametrize(
    ("shape", "dtype", "match"),
    [
        ((80, 90), "uint8", "1 channel.*RGB"),
        ((80, 90, 3), "uint16", "uint16.*8-bit RGB"),
        ((80, 90), "uint16", "8-bit RGB"),
    ],
)
def test_pixels_that_the_model_does_not_take_are_refused(tmp_path, model, shape, dtype, match):
    path = write_image(tmp_path / "odd.ome.tif", np.zeros(shape, dtype))
    refused(tmp_path, match, model, path, tmp_path / "out")


def test_an_unknown_resolution_and_an_empty_slide_are_refused(tmp_path, model):
    white = np.full((300, 300, 3), 250, np.uint8)
    unknown = write_image(tmp_path / "unknown.ome.tif", white, mpp=None)
    refused(tmp_path, "µm/px", model, unknown, tmp_path / "out")
    refused(tmp_path, "no tissue found in unknown", model, unknown, tmp_path / "out", mpp=0.5)
    go(model, unknown, tmp_path / "out", mpp=0.5, region="0,0,100,100")
    assert open_result(tmp_path / "out").complete


def test_a_result_is_replaced_only_when_told_and_nothing_else_ever(tmp_path, model, slide):
    go(model, slide, tmp_path / "out")
    refused(tmp_path, "--overwrite", model, slide, tmp_path / "out")
    go(model, slide, tmp_path / "out", seed=1, overwrite=True)
    assert open_result(tmp_path / "out").record["parameters"]["seed"] == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    refused(tmp_path, "not a Diffuscope result", model, slide, tmp_path / "mine", overwrite=True)
    refused(tmp_path, "not a Diffuscope result", model, slide, tmp_path / "mine" / "thesis.txt", overwrite=True)


def test_a_disk_that_is_too_small_is_refused_before_and_told_in_words_later(tmp_path, model, slide, monkeypatch):
    import shutil

    usage = type(shutil.disk_usage(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 10**5))
        refused(tmp_path, "needs about .* MB, but 100 kB are free", model, slide, tmp_path / "out")

    write = Canvas.write_tiles

    def full_at(number: int):
        def write_tiles(self, group):
            boxes = []
            for one in group:  # of which there are several where the disk is slow
                if self.count == number:
                    raise OSError(errno.ENOSPC, "No space left on device")
                boxes += write(self, [one])
            return boxes

        return write_tiles

    for number in (0, 1):
        out = tmp_path / f"out{number}"
        with monkeypatch.context() as patch:
            patch.setattr(Canvas, "write_tiles", full_at(number))
            with pytest.raises(InputError, match="disk is full"):
                go(model, slide, out, region="500,900,700,300")
        assert out.exists() == bool(number)
    kept = open_result(tmp_path / "out1")
    assert (kept.complete, kept.done) == (False, 1)


def test_open_tells_slides_from_results(tmp_path, model, slide):
    assert verbs.open(slide).name == slide.name
    go(model, slide, tmp_path / "out")
    assert verbs.info(tmp_path / "out").complete  # the older name
    assert not is_result(slide)


def test_a_finished_result_is_exported_and_an_incomplete_one_is_not(tmp_path, model, slide):
    go(model, slide, tmp_path / "out")
    path = verbs.finish(verbs.export(tmp_path / "out", tmp_path / "out.ome.tif", layer="ihc")).path
    assert tifffile.imread(path).shape == (200, 300, 3)
    list(verbs.run(model, slide, tmp_path / "part", steps=1, device="cpu", cancelled=lambda: True))
    with pytest.raises(InputError, match="incomplete"):
        verbs.finish(verbs.export(tmp_path / "part", tmp_path / "part.ome.tif"))


def test_tiles_near_the_view_come_first(tmp_path, model, slide):
    def first(place: tuple[float, float]) -> tuple[int, int]:
        events = verbs.run(model, slide, tmp_path / str(place), sampler="ddim", steps=2, focus=lambda: place)
        preview = next(event for event in events if isinstance(event, Preview))
        events.close()
        return preview.y, preview.x

    # 272 px tiles every 256 px of the 1000 x 1200 px around: the one whose middle is nearest.
    assert first((1024.0 + 136, 1280.0 + 136)) == (1024, 1280)
    assert first((256.0 + 150, 1024.0 + 130)) == (256, 1024)
