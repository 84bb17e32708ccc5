"""The engine over volumes, slice by slice and in 3D patches: the guarantees that slides have."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter
from torch import Tensor

from diffuscope.diffusion.noise import normal
from diffuscope.engine.batch import to_input
from diffuscope.engine.compute import LocalCompute
from diffuscope.engine.events import Preview, TileDone
from diffuscope.engine.tiles import run_tiles
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import open_result
from diffuscope.scans.box import read_volume
from diffuscope.systems.base import Estimate, Noise, System, Tiled
from diffuscope.tiling.plan import Plan, make_plan
from diffuscope.tiling.region import Region

SPACING = (3.0, 1.0, 1.0)


def mri(key: str) -> Raster:
    return Raster(
        name=key, key=key, kind="map", channels=(key,), mpp=1000.0, range=(0.0, 1.0), dtype="float32", fill=-1.0
    )


class Slices(Tiled):
    """Of slices z - 1, z, z + 1 the sum weighted 1, 2, 4, plus its share of the tile's mean, plus noise."""

    inputs, outputs = (mri("t1"),), (mri("t2"),)
    tile, overlap, context = 16, 4, 1
    presets: ClassVar = {"fast": SampleSettings(sampler="ddim", steps=2)}

    def __init__(self, *, drift: float = 0.1, noise: float = 1.0) -> None:
        super().__init__()
        self.drift, self.noise = drift, noise
        self.shapes: set[tuple[int, ...]] = set()

    def function(self, image: Tensor) -> Tensor:
        return (image * torch.tensor([1.0, 2.0, 4.0])[:, None, None]).sum(dim=1, keepdim=True)

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        image = inputs["t1"]
        self.shapes.add(tuple(image.shape))
        axes = tuple(range(1, image.ndim))
        t2 = self.function(image) + self.drift * image.mean(dim=axes, keepdim=True)
        for step in range(settings.steps):
            t2 = t2 + self.noise * noise("t2", sample=0, step=step, channels=1)
            yield Estimate(step + 1, settings.steps, {"t2": t2})
        return {"t2": t2}

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        raise NotImplementedError


class Patches(Slices):
    """The 3 × 3 × 3 box filter."""

    depth, overlap_depth, context = 6, 2, 0

    def function(self, image: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool3d(image, 3, stride=1, padding=1)


KINDS = pytest.mark.parametrize("kind", [Slices, Patches])


@pytest.fixture
def volume() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, (11, 30, 25)).astype(np.float32)


def plan_of(system: System | type[System], shape: tuple[int, ...], **options: object) -> Plan:
    of_system = {name: getattr(system, name) for name in ("tile", "overlap", "depth", "overlap_depth")}
    return make_plan(**{"shape": shape, "spacing": SPACING, "factors": (1.0, 1.0, 1.0), **of_system, **options})


def part_of(box: tuple[int, ...]) -> dict[str, object]:
    """A box (z, y, x, depth, height, width) as `make_plan` takes it."""
    z, y, x, depth, height, width = box
    return {"region": Region(x, y, width, height), "slices": (z, z + depth)}


def reader(system: System, volume: np.ndarray, plan: Plan) -> Callable[..., dict[str, np.ndarray]]:
    factors = tuple(axis.factor for axis in plan.axes)
    size = {"depth": plan.depth + 2 * system.context, "height": plan.tile, "width": plan.tile}

    def read(tile):
        return {
            "t1": read_volume(volume, z=tile.z - system.context, y=tile.y, x=tile.x, **size, factors=factors, fill=0)
        }

    return read


def run(system: System, volume: np.ndarray, plan: Plan, path: Path, *, canvas=None, **options: object) -> list:
    canvas = canvas or Canvas(path, plan=plan, ports=system.outputs, record={})
    defaults = {"seed": 3, "batch": 1, "device": torch.device("cpu"), "precision": "fp32"}
    of_plan = {"system": system, "read": reader(system, volume, plan), "plan": plan, "settings": system.presets["fast"]}
    return list(run_tiles(LocalCompute(**of_plan, **{**defaults, **options}), canvas))


def image(path: Path) -> np.ndarray:
    return np.asarray(open_result(path).images["t2"][0])[..., 0]


def test_a_3d_filter_in_patches_is_the_filter_of_the_whole_volume(tmp_path, volume):
    system = Patches(drift=0.0, noise=0.0)
    plan = plan_of(system, volume.shape)
    run(system, volume, plan, tmp_path / "out")
    found = image(tmp_path / "out")
    # The last tiles reach beyond the last slice, and see it again.
    expected = uniform_filter(np.concatenate([volume, volume[-1:]]), 3, mode="constant")[:-1]
    # Where no tile ends within the filter's reach nothing sees a tile's zero padding.
    clean = np.ones(volume.shape, bool)
    for tile in plan.tiles():
        inner = np.zeros(volume.shape, bool)
        over = [slice(c, c + side) for c, side in zip(tile.corner, plan.shape, strict=True)]
        # At the volume's own edge both see the same.
        core = [
            slice(c + (c > 0), c + side - (c + side < n))
            for c, side, n in zip(tile.corner, plan.shape, volume.shape, strict=True)
        ]
        inner[tuple(core)] = True
        clean[tuple(over)] &= inner[tuple(over)]
    assert clean.mean() > 0.2
    np.testing.assert_allclose(found[clean], expected[clean], atol=1e-5)
    # Beside a tile's face that tile weighs at most sin²(π / 8) along the axis, and misses at most 9 of 27 terms.
    assert np.abs(found - expected).max() < 0.3
    assert system.shapes == {(1, 1, 6, 16, 16)}


def test_slice_by_slice_each_slice_sees_its_neighbours(tmp_path, volume):
    system = Slices(drift=0.0, noise=0.0)
    run(system, volume, plan_of(system, volume.shape), tmp_path / "out", batch=2)
    repeated = np.pad(volume, ((1, 1), (0, 0), (0, 0)), mode="edge")
    expected = repeated[:-2] + 2 * repeated[1:-1] + 4 * repeated[2:]
    np.testing.assert_allclose(image(tmp_path / "out"), expected, atol=1e-5)
    assert system.shapes == {(2, 3, 16, 16)}


@KINDS
def test_the_noise_of_a_tile_is_the_window_of_the_volume_s(tmp_path, volume, kind):
    system = kind(drift=0.0, noise=1.0)
    region = (2, 7, 3, 8, 20, 21)
    run(system, 0 * volume, plan_of(system, volume.shape, **part_of(region)), tmp_path / "out")
    z, y, x, depth, height, width = region
    place = {"z": z, "y": y, "x": x, "depth": depth, "height": height, "width": width, "channels": 1}
    expected = sum(normal(seed=3, port="t2", sample=0, step=step, **place) for step in range(2))[0]
    # Overlapping tiles saw one noise, or their mean would be another.
    np.testing.assert_allclose(image(tmp_path / "out"), expected, atol=1e-5)


@pytest.mark.parametrize("factors", [(0.5, 1.0, 1.0), (2.0, 1.5, 1.5), (1.0, 2.0, 1.0)])
def test_a_volume_of_another_spacing_is_computed_at_the_model_s(tmp_path, volume, factors):
    system = Slices(drift=0.0, noise=0.0)
    plan = plan_of(system, volume.shape, factors=factors)
    run(system, volume, plan, tmp_path / "out")
    depth, height, width = plan.window[3:]
    size = {"depth": depth, "height": height, "width": width}
    resampled = read_volume(volume, z=0, y=0, x=0, **size, factors=factors)[..., 0]
    repeated = np.pad(resampled, ((1, 1), (0, 0), (0, 0)), mode="edge")
    expected = repeated[:-2] + 2 * repeated[1:-1] + 4 * repeated[2:]
    np.testing.assert_allclose(image(tmp_path / "out"), expected, atol=1e-5)


@settings(max_examples=15)
@given(
    kind=st.sampled_from([Slices, Patches]),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 40), st.integers(1, 40)),
    factors=st.sampled_from([(1.0, 1.0, 1.0), (0.5, 1.25, 1.25)]),
    corner=st.tuples(*[st.floats(0, 0.99)] * 3),
    extent=st.tuples(st.integers(1, 8), st.integers(1, 20), st.integers(1, 20)),
)
def test_a_region_is_what_the_whole_volume_has_there(kind, shape, factors, corner, extent):
    volume = np.random.default_rng(1).uniform(0, 1, shape).astype(np.float32)
    starts = [int(part * side) for part, side in zip(corner, shape, strict=True)]
    system = kind()
    part = plan_of(system, shape, factors=factors, **part_of((*starts, *extent)))
    with tempfile.TemporaryDirectory() as folder:
        run(system, volume, plan_of(system, shape, factors=factors), Path(folder) / "whole")
        run(system, volume, part, Path(folder) / "part")
        whole, found = image(Path(folder) / "whole"), image(Path(folder) / "part")
    z, y, x, depth, height, width = part.window
    np.testing.assert_array_equal(found, whole[z : z + depth, y : y + height, x : x + width])


@KINDS
@pytest.mark.slow
def test_in_any_order_twice_or_after_a_break_the_bits_are_the_same(tmp_path, volume, kind):
    system = kind()
    plan = plan_of(system, volume.shape)
    outputs = {}

    class Tap(Canvas):
        def write_tiles(self, group):
            for item in group:
                outputs[item.tile] = {key: value.copy() for key, value in item.outputs.items()}
            return super().write_tiles(group)

    tap = Tap(tmp_path / "rows", plan=plan, ports=system.outputs, record={})
    run(system, volume, plan, tap.path, canvas=tap)
    expected = image(tap.path)
    assert (expected != -1).all()
    rng = np.random.default_rng(5)
    for attempt in range(3):
        order = list(outputs)
        rng.shuffle(order)
        order = [t for tile in order for t in ([tile, tile] if rng.random() < 0.3 else [tile])] + order[:3]
        canvas = Canvas(tmp_path / f"shuffled{attempt}", plan=plan, ports=system.outputs, record={})
        for index, tile in enumerate(order):
            canvas.write_tile(tile, outputs[tile])
            if index % 7 == 0:  # killed here, and gone on with
                canvas = Canvas(canvas.path, plan=plan, ports=system.outputs, record={}, resume=True)
        assert canvas.finish()
        np.testing.assert_array_equal(image(canvas.path), expected)


@KINDS
def test_a_cancelled_run_is_marked_and_goes_on_to_the_same_bits(tmp_path, volume, kind):
    volume = volume[:6, :20, :14]
    plan = plan_of(kind, volume.shape)
    run(kind(), volume, plan, tmp_path / "whole")
    for cut in range(0, plan.count, 3):
        path = tmp_path / f"cut{cut}"
        looks = itertools.count()
        # Two evaluations and the generator's return a tile.
        events = run(kind(), volume, plan, path, cancelled=lambda looks=looks, cut=cut: next(looks) >= 3 * cut)
        result = open_result(path)
        assert (events[-1].complete, result.complete, result.done, result.tiles) == (False, False, cut, plan.count)
        canvas = Canvas(path, plan=plan, ports=kind.outputs, record={}, resume=True)
        events = run(kind(), volume, plan, path, canvas=canvas)
        assert sum(isinstance(event, TileDone) for event in events) == plan.count - cut
        assert open_result(path).complete
        np.testing.assert_array_equal(image(path), image(tmp_path / "whole"))


@KINDS
def test_events_say_where_on_the_volume_work_goes_on(tmp_path, volume, kind, monkeypatch):
    monkeypatch.setattr("diffuscope.engine.compute.PREVIEW_SECONDS", 0.0)
    region = (2, 7, 3, 8, 20, 21)
    plan = plan_of(kind, volume.shape, **part_of(region))
    events = run(kind(), volume, plan, tmp_path / "out")
    previews = [event for event in events if isinstance(event, Preview)][::2]
    assert [(p.z + 2, p.y + 7, p.x + 3) for p in previews] == [tile.corner for tile in plan.tiles()]
    assert {p.image.shape for p in previews} == {(16, 16, 1) if kind is Slices else (6, 16, 16, 1)}
    painted = np.zeros(region[3:], bool)
    for event in events:
        if isinstance(event, TileDone):
            z, y, x, depth, height, width = event.box
            painted[z : z + depth, y : y + height, x : x + width] = True
    assert painted.all()


def test_channels_and_slices_go_in_as_the_contract_says():
    tile = np.random.default_rng(0).random((3, 4, 5, 2)).astype(np.float32)  # (slices, h, w, c)
    device = torch.device("cpu")
    slices = to_input(torch.from_numpy(np.stack([tile, tile + 1])), device)
    assert slices.shape == (2, 6, 4, 5)
    for channel in range(2):
        for number in range(3):
            np.testing.assert_array_equal(slices[1, 3 * channel + number], tile[number, ..., channel] + 1)
    patches = to_input(torch.from_numpy(np.stack([tile, tile + 1])), device, patches=True)
    np.testing.assert_array_equal(patches[0], np.moveaxis(tile, -1, 0))
