"""Batches that replay what one of them recorded, with operations that are logged and done again for a CUDA graph."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from diffuscope.engine import recorded
from diffuscope.engine.batch import Loaded, sample_tiles
from diffuscope.engine.recorded import RecordedSampling
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.staindiffuser.bidirectional import BidirectionalStainDiffuser
from diffuscope.systems.staindiffuser.config import BidirectionalConfig, MultiStainDiffuserConfig, StainDiffuserConfig
from diffuscope.systems.staindiffuser.multi import MultiStainDiffuser
from diffuscope.systems.staindiffuser.system import StainDiffuser
from diffuscope.tiling.plan import Tile

CPU = torch.device("cpu")


class Log(TorchDispatchMode):
    """Logs what is done while it is on."""

    def __init__(self) -> None:
        super().__init__()
        self.done = []

    def __torch_dispatch__(self, function, _types, given=(), named=None):
        left = function(*given, **(named or {}))
        self.done.append((function, given, named or {}, left))
        return left


class Graph:
    """Stands for a `torch.cuda.CUDAGraph`: does logged operations again, and leaves results where they were."""

    made = 0

    def __init__(self) -> None:
        self._log = Log()

    def capture_begin(self, **_) -> None:
        Graph.made += 1
        self._log.__enter__()

    def capture_end(self) -> None:
        self._log.__exit__(None, None, None)

    def replay(self) -> None:
        for function, given, named, left in self._log.done:
            again = function(*given, **named)
            for there, value in zip(tree_leaves(left), tree_leaves(again), strict=True):
                if isinstance(there, torch.Tensor):
                    there.copy_(value)


@pytest.fixture(autouse=True)
def no_device(monkeypatch) -> None:
    monkeypatch.setattr(Graph, "made", 0)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: None)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)


def batches(number: int, tiles: int) -> list[Loaded]:
    rng = np.random.default_rng(0)
    found = []
    for i in range(number):
        corners = [(24 * i, 24 * j) for j in range(tiles)]
        images = tuple({"he": rng.integers(0, 255, (32, 32, 3), np.uint8)} for _ in corners)
        found.append(Loaded(tuple(Tile(corner, corner) for corner in corners), images, ()))
    return found


def drain(steps):
    seen = []
    while True:
        try:
            with torch.inference_mode():
                estimate = next(steps)
        except StopIteration as end:
            return end.value, seen
        values = {key: value.clone() for key, value in estimate.values.items()}
        shown = {key: value[:1].clone() for key, value in estimate.clean.items()}
        seen.append((estimate.step, estimate.steps, shown, values))


def test_replayed_batches_are_those_that_are_sampled_one_by_one(telling):
    settings = telling.presets["fast"]
    sampler = RecordedSampling(telling, (32, 32), settings, 3, 4, CPU, report=print)
    for number, loaded in enumerate([*batches(4, 4), *batches(1, 3)]):  # the last one is padded
        found, seen = drain(sampler.sample(loaded, loaded.stacked(4)))
        expected, steps = drain(sample_tiles(telling, loaded, (32, 32), settings, 3, 4, CPU))
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert torch.equal(found[key], value), (number, key)
        for one, other in zip(seen, steps, strict=True):
            assert one[:2] == other[:2]
            for told, wanted in zip(one[2:], other[2:], strict=True):
                assert told.keys() == wanted.keys()
                assert all(torch.equal(value, wanted[key]) for key, value in told.items())
    # Three evaluations and the end, once.
    assert Graph.made == settings.steps + 1


STAINS = (
    StainDiffuser(StainDiffuserConfig(size="tiny", mpp=0.5, stain="CD3")),
    MultiStainDiffuser(MultiStainDiffuserConfig(size="tiny", mpp=0.5, stains=("CD3", "CK8/18"))),
    BidirectionalStainDiffuser(BidirectionalConfig(size="tiny", mpp=0.5, stain="CD3")),
)


@pytest.mark.parametrize("system", STAINS, ids=lambda system: type(system).__name__)
def test_what_says_that_it_is_recordable_never_looks_at_what_comes_out(monkeypatch, system):
    # On a GPU a kernel fills rims, which has no twin on this device.
    monkeypatch.setattr("diffuscope.systems.staindiffuser.system.filled", lambda density: density * 2)
    # Nor has autocast.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    assert system.recordable
    # Tensors of this device have no content: whoever looks at it, or fetches it, fails.
    system.eval().to("meta")

    def noise(port: str, *, channels: int, **_) -> torch.Tensor:
        return torch.zeros(2, channels, 32, 32, device="meta")

    inputs = {port.key: torch.zeros(2, 3, 32, 32, device="meta") for port in system.inputs}
    for sampler, samples in (("sde-dpmsolver++", 1), ("unipc", 2), ("ddim", 1)):
        settings = SampleSettings(sampler=sampler, steps=3, samples=samples)
        found, seen = drain(system.sample(inputs, noise, settings))
        assert seen and all(value.device.type == "meta" for value in found.values())


def test_outputs_of_a_batch_stay_when_the_next_is_replayed(make_toy):
    toy = make_toy()
    sampler = RecordedSampling(toy, (32, 32), toy.presets["fast"], 3, 2, CPU, report=print)
    found = [drain(sampler.sample(loaded, loaded.stacked(2)))[0]["ihc"] for loaded in batches(4, 2)]
    kept = [value.clone() for value in found]
    drain(sampler.sample(batches(1, 2)[0], batches(1, 2)[0].stacked(2)))
    assert all(torch.equal(one, other) for one, other in zip(found, kept, strict=True))
    assert not torch.equal(found[2], found[3])


def test_a_batch_that_was_dropped_while_it_was_recorded_is_recorded_anew(make_toy):
    toy = make_toy()
    sampler = RecordedSampling(toy, (32, 32), toy.presets["fast"], 3, 2, CPU, report=print)
    first, second, third = batches(3, 2)
    drain(sampler.sample(first, first.stacked(2)))
    steps = sampler.sample(second, second.stacked(2))
    with torch.inference_mode():
        next(steps)
    steps.close()
    found, _ = drain(sampler.sample(third, third.stacked(2)))
    expected, _ = drain(sample_tiles(toy, third, (32, 32), toy.presets["fast"], 3, 2, CPU))
    assert torch.equal(found["ihc"], expected["ihc"])
    assert Graph.made == 1 + toy.presets["fast"].steps + 1


def test_many_evaluations_are_not_recorded(make_toy, monkeypatch):
    monkeypatch.setattr(recorded, "MOST", 2)
    toy = make_toy()
    sampler = RecordedSampling(toy, (32, 32), toy.presets["fast"], 3, 2, CPU, report=print)
    for loaded in batches(3, 2):
        drain(sampler.sample(loaded, loaded.stacked(2)))
    assert Graph.made == 0


def test_what_cannot_be_recorded_is_sampled_plainly_and_told_once(telling, monkeypatch):
    def refuse(graph: Graph) -> None:
        graph._log.__exit__(None, None, None)
        raise RuntimeError("operation not permitted when stream is capturing")

    settings, told = telling.presets["fast"], []
    sampler = RecordedSampling(telling, (32, 32), settings, 3, 4, CPU, report=told.append)
    for number, loaded in enumerate(batches(4, 4)):
        if number == 1:
            # The first batch is never recorded, and of the second its first evaluation still is.
            monkeypatch.setattr(Graph, "capture_end", refuse)
        found, _ = drain(sampler.sample(loaded, loaded.stacked(4)))
        expected, _ = drain(sample_tiles(telling, loaded, (32, 32), settings, 3, 4, CPU))
        assert all(torch.equal(found[key], value) for key, value in expected.items()), number
    assert len(told) == 1 and "not permitted" in told[0]
