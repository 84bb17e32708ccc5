"""MIDiffusion: zero-shot is real, guidance is what it says, and tiles keep to the contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from model_card import CARD
from pydantic import ValidationError

from diffuscope import run
from diffuscope.diffusion.noise import TileNoise
from diffuscope.diffusion.score_samplers import SCORE_SAMPLERS
from diffuscope.engine.compute import LocalCompute
from diffuscope.engine.tiles import run_tiles
from diffuscope.errors import InputError
from diffuscope.jobs.settings import choose_settings
from diffuscope.model.folder import load_model, save_model
from diffuscope.ports.settings import SampleSettings
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import open_result
from diffuscope.scans.box import read_volume
from diffuscope.systems.midiffusion.condition import DROPPED, Condition, smooth
from diffuscope.systems.midiffusion.config import GuidanceConfig, MIDiffusionConfig
from diffuscope.systems.midiffusion.consistency import BINS, Consistency
from diffuscope.systems.midiffusion.support import level_support, support
from diffuscope.systems.midiffusion.system import MIDiffusion
from diffuscope.systems.registry import build_system
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.recipe import Optimisation
from diffuscope.training.trainer import fit

SIDE = 32
CONFIG = {
    "target": {"name": "CT", "low": -200.0, "high": 300.0, "unit": "HU"},
    "source": {"name": "T1 MR"},
    "size": "tiny",
    "tile": SIDE,
    "overlap": 16,
    "patch": SIDE,
}


def make(**changes: object) -> MIDiffusion:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        system = build_system("midiffusion", CONFIG | changes)
        for parameter in system.parameters():
            if not parameter.any():
                parameter.data.normal_(0.0, 0.1)
    assert isinstance(system, MIDiffusion)
    return system.eval()


def slices(seed: int, n: int = 2, side: int = SIDE) -> torch.Tensor:
    """Something with structure in [0, 1]."""
    rough = torch.rand(n, 1, side // 4, side // 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(rough, scale_factor=4.0, mode="bilinear")


def drain(system: MIDiffusion, source: torch.Tensor, *, seed: int = 0, places=((3, 0, 0), (4, 0, 0)), **settings):
    """Of slices alone, (n, 1, h, w): neighbours are as they are."""
    source = source if source.shape[1] == 3 else source.repeat(1, 3, 1, 1)
    asked = SampleSettings(**{"sampler": "ancestral", "steps": 4} | settings)
    run = system.sample({"t1mr": source}, TileNoise(seed, places, *source.shape[2:]), asked)
    estimates = []
    with torch.inference_mode():
        while True:
            try:
                estimates.append(next(run))
            except StopIteration as end:
                return estimates, end.value


def test_the_loss_reads_the_target_and_nothing_else():
    """Zero-shot: a batch that holds the target alone, and one whose source would break whoever looked."""
    system = make()
    target = 500 * slices(1) - 200
    with torch.no_grad():
        alone = system.loss({"ct": target}, torch.Generator().manual_seed(3))["loss"]
        beside = system.loss({"ct": target, "t1mr": None}, torch.Generator().manual_seed(3))["loss"]
    assert float(alone) == float(beside)
    assert system.training_keys() == (["ct"], [])


@pytest.mark.parametrize(("process", "weighting"), [("ve", "velocity"), ("ve", "epsilon"), ("vp", "epsilon")])
def test_the_loss_is_that_of_the_score(process: str, weighting: str):
    """A network that answers 0 says x̂_0 = √ᾱ x_t: σ²‖s − ∂ ln q / ∂x‖² of Eq. 12, written out."""
    system = make(process=process, loss_weighting=weighting, T=40)
    system.network.forward = lambda x, time, condition: torch.zeros_like(x)
    target = 500 * slices(2, n=3) - 200
    found = system.loss({"ct": target}, torch.Generator().manual_seed(7))["loss"]
    generator = torch.Generator().manual_seed(7)
    _, sigma = system.levels.draw(3, generator)
    z = torch.randn(target.shape, generator=generator).double()
    clean, sigma = (target.double() + 200) / 250 - 1, sigma.double()[:, None, None, None]
    x = clean + sigma * z
    estimate = x / (1 + sigma**2)
    score, truth = (estimate - x) / sigma**2, -z / sigma
    expected = (sigma * (score - truth)) ** 2
    if weighting == "velocity":
        expected = expected * (1 + sigma**2)
    assert float(found) == pytest.approx(float(expected.mean()), rel=1e-4)


def test_lmi_is_dropped_from_a_tenth_of_the_examples():
    system, seen = make(), []
    system.network.forward = lambda x, time, condition: seen.append(condition) or torch.zeros_like(x)
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        system.loss({"ct": 500 * slices(3, n=16, side=16) - 200}, generator)
    dropped = torch.cat(seen).eq(DROPPED).flatten(1)
    assert (dropped.all(dim=1) == dropped.any(dim=1)).all()
    # 640 draws of 0.1: sd 0.012
    assert 0.06 < float(dropped.all(dim=1).double().mean()) < 0.14


def test_outputs_keep_to_their_ports():
    system = make()
    estimates, found = drain(system, slices(4), samples=3)
    assert list(found) == [port.key for port in system.outputs] == ["ct", "mean", "uncertainty", "support"]
    for port in system.outputs:
        assert found[port.key].shape == (2, 1, SIDE, SIDE) and found[port.key].dtype == torch.float32
    assert found["ct"].min() >= -200 and found["ct"].max() <= 300
    assert found["support"].min() >= 0 and found["support"].max() <= 1
    assert [one.step for one in estimates] == list(range(1, 13)) and {one.steps for one in estimates} == {12}
    torch.testing.assert_close(estimates[3].clean["ct"], found["ct"])
    assert not any(one.clean for one in estimates[4:])


def test_mean_and_uncertainty_are_those_of_the_samples():
    system, source = make(), slices(4)
    _, found = drain(system, source, samples=3)
    assert drain(system, source)[1]["uncertainty"].isnan().all()
    assert drain(system, source, steps=1, samples=3)[1]["uncertainty"].isnan().all()  # posterior means, no samples
    drawn = []
    for k in range(3):
        noise = TileNoise(0, [(3, 0, 0), (4, 0, 0)], SIDE, SIDE)
        moved = lambda port, *, sample, k=k, noise=noise, **key: noise(port, sample=k, **key)  # noqa: E731
        run = system.sample({"t1mr": source.repeat(1, 3, 1, 1)}, moved, SampleSettings(sampler="ancestral", steps=4))
        with torch.inference_mode():
            drawn.append([one.clean["ct"] for one in run][-1].double().numpy())
    np.testing.assert_allclose(found["mean"], np.mean(drawn, axis=0), atol=1e-3)
    np.testing.assert_allclose(found["uncertainty"], np.std(drawn, axis=0, ddof=1), atol=1e-2)


def test_guidance_is_s_0_plus_w_times_what_lmi_adds():
    """One step from pure noise with an unbounded network: the result is affine in w."""
    system, source = make(), slices(5)
    system.network.forward = lambda x, time, condition: 0.1 * condition[:, :1] + 0.01 * condition[:, 1:]
    results = {}
    for w in (0.0, 0.5, 1.0, 3.0):
        found = drain(system, source, steps=1, options={"guidance": w})[1]["ct"]
        results[w] = ((found + 200) / 250 - 1).double()
    for w in (0.5, 3.0):
        torch.testing.assert_close(results[w], results[0.0] + w * (results[1.0] - results[0.0]), atol=1e-5, rtol=0)


def test_without_guidance_the_source_does_not_matter_and_with_it_it_does():
    system = make()
    one, other = slices(6), slices(7)
    free = [drain(system, source, options={"guidance": 0.0})[1]["ct"] for source in (one, other)]
    assert torch.equal(*free)
    guided = [drain(system, source)[1]["ct"] for source in (one, other)]
    assert not torch.equal(*guided)
    begun = [drain(system, source, options={"guidance": 0.0, "t0": 0.4})[1]["ct"] for source in (one, other)]
    assert not torch.equal(*begun)


def test_what_of_lmi_is_the_source_s_is_computed_once(monkeypatch: pytest.MonkeyPatch):
    made, asked = [], []
    original = Condition.__init__, Condition.__call__
    monkeypatch.setattr(Condition, "__init__", lambda *a: made.append(1) or original[0](*a))
    monkeypatch.setattr(Condition, "__call__", lambda *a: asked.append(1) or original[1](*a))
    drain(make(), slices(8), samples=2, options={"neighbours": 0.0})
    assert (len(made), len(asked)) == (1, 8)


@pytest.mark.parametrize("w", [1.0, 2.5])
def test_neighbours_guide_as_much_as_they_are_let(w: float):
    """One step from pure noise with an unbounded network: the mean of what each slice guides to, weighted 1 : v : v."""
    system = make()
    system.network.forward = lambda x, time, condition: 0.1 * condition[:, :1] + 0.01 * condition[:, 1:]
    stack = torch.cat([slices(seed) for seed in (20, 21, 22)], dim=1)

    def asked(source: torch.Tensor, near: float) -> torch.Tensor:
        return drain(system, source, steps=1, options={"guidance": w, "neighbours": near})[1]["ct"].double()

    before, own, after = (asked(one, 0.0) for one in stack.split(1, dim=1))
    assert torch.equal(asked(stack, 0.0), own)
    for near in (0.5, 1.0):
        expected = (own + near * (before + after)) / (1 + 2 * near)
        torch.testing.assert_close(asked(stack, near), expected, atol=1e-3, rtol=0)


def test_a_slice_s_details_are_its_own():
    """Begun at the source, under the noise that neighbours are heard above."""
    system, one = make(), slices(23)
    other = torch.cat([slices(24), one, slices(25)], dim=1)
    low = {"t0": 0.45}
    assert float(system.levels.sigma(0.45)) < 1.0 < float(system.levels.sigma(0.6))
    assert torch.equal(drain(system, one, options=low)[1]["ct"], drain(system, other, options=low)[1]["ct"])
    high = {"t0": 0.6}
    assert not torch.equal(drain(system, one, options=high)[1]["ct"], drain(system, other, options=high)[1]["ct"])


def test_consistent_levels_are_means_over_pixels_of_like_intensity():
    """Against a loop in float64, and as a projection: what is consistent already stays as it is."""
    source = torch.tensor([-1.0, 1.0])[:, None, None, None] * slices(30)
    clean = 2 * slices(31) - 1
    found = Consistency(source)(clean, 0.7)
    for image, picture, made in zip(source.double(), clean.double(), found, strict=True):
        bins = np.clip(np.floor((image.numpy() + 1) * BINS / 2), 0, BINS - 1)
        expected = picture.numpy().copy()
        for level in np.unique(bins):
            expected[bins == level] += 0.7 * (expected[bins == level].mean() - expected[bins == level])
        np.testing.assert_allclose(made.numpy(), expected, atol=1e-5)
    whole = Consistency(source)(clean, 1.0)
    torch.testing.assert_close(Consistency(source)(whole, 1.0), whole, atol=1e-5, rtol=0)


def test_levels_are_made_consistent_above_the_noise_that_decides_them_and_never_below():
    system, source = make(), slices(32)
    plain, drawn = (drain(system, source, steps=1, options={"consistency": c})[1]["ct"] for c in (0.0, 1.0))
    torch.testing.assert_close(drawn, 250 * Consistency(2 * source - 1)((plain + 200) / 250 - 1, 1.0) + 50)
    low = [drain(system, source, options={"consistency": c, "t0": 0.45})[1]["ct"] for c in (0.0, 1.0)]
    assert torch.equal(*low)


def test_a_model_says_how_consistent_its_levels_are_made():
    system, source = make(consistency=0.5), slices(33)
    assert {option.key: option.default for option in system.options}["consistency"] == 0.5
    told = drain(make(), source, options={"consistency": 0.5})[1]["ct"]
    assert torch.equal(drain(system, source)[1]["ct"], told)


def test_the_reference_is_the_paper_s_algorithm_and_the_mean_one_evaluation():
    system = make(consistency=0.5)
    reference = choose_settings(system, quality="reference")
    assert (reference.sampler, reference.steps) == ("euler-maruyama", 1000)
    assert reference.options == {"along_z": 0.0, "neighbours": 0.0, "consistency": 0.0}
    assert choose_settings(system, quality="reference", options={"neighbours": 1.0}).options["neighbours"] == 1.0
    source = slices(34)
    mean = choose_settings(system, quality="mean")
    estimates, found = drain(system, source, sampler=mean.sampler, steps=mean.steps)
    assert len(estimates) == 1
    torch.testing.assert_close(drain(system, source, steps=25)[0][0].clean["ct"], found["ct"], atol=0, rtol=0)


def test_the_condition_keeps_theorem_1():
    guide, noisy = 2 * slices(9) - 1, torch.randn(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    for config in (
        GuidanceConfig(),
        GuidanceConfig(patch=5, reduce=2),
        GuidanceConfig(smooth=1.5, measure="normalised"),
    ):
        with_noise, itself = Condition(guide, config)(noisy).split(1, dim=1)
        assert (with_noise <= itself + 1e-6).all()
        assert itself.min() >= 0 and itself.max() <= 1 and itself.std() > 0


def test_an_inverted_source_guides_as_the_source_does():
    """What makes zero-shot possible: LMI does not see which way contrast goes."""
    guide, noisy = 2 * slices(10) - 1, torch.randn(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    config = GuidanceConfig()
    torch.testing.assert_close(Condition(guide, config)(noisy), Condition(-guide, config)(noisy), atol=1e-4, rtol=0)


def test_smoothing_is_a_gaussian_filter():
    from scipy.ndimage import gaussian_filter

    image = slices(11).double()
    expected = gaussian_filter(image[1, 0].numpy(), 1.5, mode="nearest", radius=5)
    np.testing.assert_allclose(smooth(image, 1.5)[1, 0].numpy(), expected, atol=1e-12)


def test_support_is_low_where_something_was_painted_in_or_left_out():
    source = 2 * slices(12, n=1, side=96) - 1
    source[..., :40, :40] = 0.2
    result = -0.7 * source
    result[..., 8:14, 8:14] = 1.0
    result[..., 64:80, 64:80] = result[..., 64:80, 64:80].mean()
    found = support(source, result)[0, 0]
    assert found[8:14, 8:14].max() < 0.3
    assert found[70:74, 70:74].mean() < 0.4
    # Flat in both, and translated with the contrast turned over.
    assert found[24:30, 3:30].min() > 0.99
    assert found[48:56, 48:90].mean() > 0.7


def test_support_of_levels_falls_where_a_region_was_turned_over():
    """Two regions of one level in the source: the result has one of them as air, and the other as it should be."""
    source = torch.full((1, 1, 64, 96), -1.0)
    source[..., 10:54, 10:40] = source[..., 10:54, 56:86] = 0.3
    expected = torch.where(source > -1, 0.1, -1.0)
    result = expected.clone()
    assert level_support(source, result, expected).min() > 0.9
    result[..., 10:54, 10:40] = -1.0
    flipped, kept = (np.s_[0, 0, 20:44, 18:32], np.s_[0, 0, 20:44, 64:78])
    by_mean, by_source = level_support(source, result, expected), level_support(source, result)
    assert by_mean[flipped].max() < 0.1 and by_source[flipped].max() < 0.5
    # Which of the two is wrong the source alone does not tell.
    assert by_source[kept].max() < 0.5
    # Both regions turned over: nothing but the posterior mean tells.
    torch.testing.assert_close(level_support(source, -source), torch.ones_like(source))
    assert level_support(source, torch.full_like(source, -1.0), expected)[flipped].max() < 0.1


@pytest.mark.parametrize("sampler", SCORE_SAMPLERS)
@pytest.mark.parametrize("process", ["ve", "vp"])
def test_every_sampler_runs_both_processes(sampler: str, process: str):
    system = make(process=process, T=6)
    if sampler == "ddpm" and process == "ve":
        with pytest.raises(InputError, match="discrete"):
            drain(system, slices(13), sampler=sampler, steps=6)
        return
    estimates, found = drain(system, slices(13), sampler=sampler, steps=6)
    assert len(estimates) == 6 and found["ct"].isfinite().all()


def test_a_run_chooses_among_the_system_s_own_samplers_and_options():
    system = make()
    chosen = choose_settings(system, quality="fast", sampler="probability-flow", steps=31, options={"guidance": 2.0})
    assert (chosen.sampler, chosen.steps, chosen.options) == ("probability-flow", 31, {"guidance": 2.0})
    with pytest.raises(InputError, match="sampler"):
        choose_settings(system, quality="fast", sampler="unipc")
    with pytest.raises(InputError, match="t0"):
        choose_settings(system, quality="fast", options={"t0": 0.0})


def test_noise_shared_along_z_makes_equal_slices_equal():
    system, source = make(), slices(14, n=1).repeat(2, 1, 1, 1)
    apart = {
        share: float((pair[0] - pair[1]).abs().mean())
        for share in (0.0, 0.5, 1.0)
        for pair in (drain(system, source, options={"along_z": share})[1]["ct"],)
    }
    assert apart[0.0] > apart[0.5] > 1.0 > 100 * apart[1.0]


def run_volume(system: MIDiffusion, volume: np.ndarray, path: Path, **part: object) -> np.ndarray:
    plan = make_plan(
        shape=volume.shape,
        spacing=(3.0, 1.0, 1.0),
        factors=(1.0, 1.0, 1.0),
        tile=system.tile,
        overlap=system.overlap,
        **part,
    )

    def read(tile):
        place = {"z": tile.z - 1, "y": tile.y, "x": tile.x, "depth": 3, "height": plan.tile, "width": plan.tile}
        return {"t1mr": read_volume(volume, **place, factors=(1.0, 1.0, 1.0), fill=0)}

    canvas = Canvas(path, plan=plan, ports=system.outputs, record={})
    compute = LocalCompute(
        system=system,
        read=read,
        plan=plan,
        settings=SampleSettings(sampler="ancestral", steps=2),
        seed=1,
        batch=1,
        device=torch.device("cpu"),
        precision="fp32",
    )
    list(run_tiles(compute, canvas))
    return np.asarray(open_result(path).images["ct"][0])[..., 0]


@pytest.mark.slow
def test_a_volume_is_translated_slice_by_slice_and_a_region_of_it_the_same(tmp_path: Path):
    volume = slices(15, n=3, side=48)[:, 0].numpy()
    system = make()
    whole = run_volume(system, volume, tmp_path / "whole")
    assert whole.shape == (3, 48, 48) and whole.min() >= -200 and whole.std() > 0
    part = run_volume(system, volume, tmp_path / "part", region=Region(4, 20, 30, 20), slices=(1, 3))
    np.testing.assert_array_equal(part, whole[1:3, 20:40, 4:34])


def test_a_slice_that_one_tile_holds_is_the_same_in_a_region(tmp_path: Path):
    """Body, place, means over levels and attention are those of the whole slice, whatever part is wanted."""
    volume = slices(35, n=3, side=48)[:, 0].numpy()
    system = make(size="medium", place=True, consistency=0.7, tile=64, overlap=16)
    whole = run_volume(system, volume, tmp_path / "whole")
    part = run_volume(system, volume, tmp_path / "part", region=Region(4, 20, 30, 20), slices=(1, 3))
    np.testing.assert_array_equal(part, whole[1:3, 20:40, 4:34])
    plain = run_volume(make(size="medium", tile=64, overlap=16), volume, tmp_path / "plain")
    assert np.abs(whole - plain).max() > 1.0


@pytest.mark.slow
def test_training_learns_and_a_folder_holds_the_model(tmp_path: Path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        system = build_system("midiffusion", CONFIG)
    target = {"ct": 500 * slices(16, n=4) - 200}

    def judged() -> float:
        with torch.no_grad():
            many = {"ct": target["ct"].repeat(8, 1, 1, 1)}
            return float(system.loss(many, torch.Generator().manual_seed(1))["loss"])

    before = judged()
    plan = Optimisation(steps=60, batch=4, learning_rate=3e-3, warmup=5, ema=0.9)
    data = TrainingData(lambda _: target, [])
    fit(system, data, plan, folder=tmp_path, device=torch.device("cpu"), precision="fp32")
    assert judged() < 0.7 * before
    loaded = load_model(save_model(tmp_path / "m", system, "midiffusion", CONFIG, CARD)).system
    for key, value in system.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[key], value.half().float(), atol=0, rtol=0)


def test_the_paper_s_size_attends_at_16_px():
    system = make(size="paper")
    sides = []
    system.network.unet.middle.register_forward_pre_hook(lambda _, args: sides.append(args[0].shape))
    with torch.no_grad():
        system.network(torch.zeros(1, 1, 128, 128), torch.ones(1), torch.zeros(1, 2, 128, 128))
    assert sides == [(1, 128, 16, 16)]
    assert [port.key for port in system.outputs] == [port.key for port in make().outputs]


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": {"name": "CT"}},
        {"target": {"name": "mean"}},
        {"target": {"name": "CT", "low": 3.0, "high": 2.0}},
        {"overlap": 24},
        {"lmi": {"patch": 4}},
        {"lmi": {"reduce": 3}},
        {"beta": 1},
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong: dict):
    with pytest.raises((ValidationError, InputError)):
        MIDiffusionConfig(**CONFIG | wrong)


def test_inputs_without_a_unit_have_a_scale_of_their_own():
    mr, ct = make().inputs[0], make(source={"name": "CBCT", "low": -500, "high": 500, "unit": "HU"}).inputs[0]
    assert (mr.scale, mr.range, ct.scale, ct.range) == ("percentile", (0.0, 1.0), "stored", (-500.0, 500.0))
    assert mr.spacing == ct.spacing == (None, 1.0, 1.0)


def test_a_volume_s_file_becomes_another_modality(tmp_path: Path, shared: Path):
    """From NIfTI, by the verbs of every face, with an untrained network: real slices, the source's own grid."""
    pytest.importorskip("SimpleITK")
    folder = save_model(tmp_path / "m", make(), "midiffusion", CONFIG, CARD)
    source = shared / "data/ms-brain/patient07/T1.nii.gz"
    asked = {"slices": "80:82", "region": "60,70,40,40", "device": "cpu", "threads": 1, "steps": 2}
    list(run(folder, source, tmp_path / "out", options={"along_z": 0.5}, **asked))
    result = open_result(tmp_path / "out")
    assert result.complete and result.place.spacing == (1.0, 1.0, 1.0)
    image, held = (np.asarray(result.images[key][0])[..., 0] for key in ("ct", "support"))
    assert image.shape == held.shape == (2, 40, 40)
    assert image.min() >= -200 and image.max() <= 300 and image.std() > 0 and 0 <= held.min() < held.max() <= 1
    assert result.record["parameters"]["options"] == {
        "guidance": 1.0,
        "t0": 1.0,
        "along_z": 0.5,
        "neighbours": 1.0,
        "consistency": 0.0,
    }
