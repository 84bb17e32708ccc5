"""Multi-StainDiffuser, Bidirectional and the signed distance: their losses, what is computed once, their samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from diffuscope.diffusion.noise import TileNoise
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.stains import samples_kept
from diffuscope.stains import dab_density, signed_distance
from diffuscope.systems.base import System
from diffuscope.systems.registry import build_system
from diffuscope.systems.staindiffuser.auxiliary import covered_share

SIDE = 32
COMMON = {"size": "tiny", "T": 50}
SINGLE = ("staindiffuser", {"stain": "CD3"})
MULTI = ("multi-staindiffuser", {"stains": ["CD3", "CK8/18"]})
BIDIRECTIONAL = ("bidirectional-staindiffuser", {"stain": "CD3"})
BACK = ("bidirectional-staindiffuser", {"stain": "CD3", "direction": "ihc-to-he"})
DISTANCE = ("staindiffuser", {"stain": "CD3", "auxiliary": "distance"})
VARIANTS = pytest.mark.parametrize("variant", [MULTI, BIDIRECTIONAL, BACK, DISTANCE], ids=lambda v: str(v[1]))


def make(variant, **changes) -> System:
    name, config = variant
    with torch.random.fork_rng():
        torch.manual_seed(0)
        system = build_system(name, COMMON | config | changes)
        for parameter in system.parameters():
            if not parameter.any():
                parameter.data.normal_(0.0, 0.1)
    return system.eval()


def picture(seed: int = 5) -> torch.Tensor:
    """Two images of coloured squares of 4 px."""
    squares = torch.rand(2, 3, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(seed)) * 255
    return squares.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)


def batch() -> dict[str, torch.Tensor]:
    mask = (picture()[:, :1] > 128).float()
    return {"he": picture(1), "ihc": picture(2), "mask": mask, "distance": 7.0 * (mask - 0.5)}


def drain(system: System, images: Mapping[str, torch.Tensor], *, steps=4, samples=1, noise=None, places=None):
    places = places or [(0, 0), (0, 500)]
    noise = noise or TileNoise(0, places, SIDE, SIDE)
    estimates = []
    events = system.sample(images, noise, SampleSettings(sampler="sde-dpmsolver++", steps=steps, samples=samples))
    with torch.inference_mode():
        while True:
            try:
                estimates.append(next(events))
            except StopIteration as end:
                return estimates, end.value


def watch(modules: Mapping[str, torch.nn.Module]) -> Counter[str]:
    calls: Counter[str] = Counter()
    for name, module in modules.items():
        module.register_forward_hook(lambda *_, name=name: calls.update([name]))
    return calls


# --- every variant keeps the contract of a system ---


@VARIANTS
def test_outputs_keep_to_their_ports(variant):
    system = make(variant)
    (port,) = system.inputs
    estimates, found = drain(system, {port.key: picture()}, samples=2)
    kept = samples_kept(system.outputs, 2)
    assert found.keys() == {port.key for port in (*system.outputs, *kept)}
    for port in kept:
        torch.testing.assert_close(
            found[port.key].mean(1), found[port.key.replace("samples", "dab")][:, 0], rtol=0, atol=1 / 1024
        )
    for port in (*system.outputs, *kept):
        assert found[port.key].shape == (2, len(port.channels), SIDE, SIDE)
        assert found[port.key].dtype == torch.float32
        assert found[port.key].isfinite().all()
        if port.kind == "rgb" or port.key in {"segmentation", "distance"}:
            assert found[port.key].min() >= port.range[0] and found[port.key].max() <= port.range[1]
    main = system.outputs[0].key
    assert [e.step for e in estimates] == list(range(1, estimates[0].steps + 1))
    torch.testing.assert_close([e.clean[main] for e in estimates if main in e.clean][-1], found[main])


@VARIANTS
def test_noise_belongs_to_the_place_and_not_to_the_batch(variant):
    """A tile comes out the same beside another neighbour, and elsewhere it comes out otherwise."""
    system = make(variant)
    key, image = system.inputs[0].key, picture()
    _, both = drain(system, {key: image}, places=[(0, 0), (7, 500)])
    _, moved = drain(system, {key: image}, places=[(900, 0), (7, 500)])
    for port in system.outputs:
        torch.testing.assert_close(both[port.key][1], moved[port.key][1], rtol=0, atol=0, equal_nan=True)
    main = system.outputs[0].key
    assert (both[main][0] - moved[main][0]).abs().mean() > 1


@pytest.mark.slow
@VARIANTS
def test_a_few_steps_of_training_lower_the_loss(variant):
    """One batch by heart, judged at t and ε that were not trained."""
    system = make(variant).train()
    data = batch()
    data["ihc_cd3"] = data["ihc"]
    data["ihc_ck818"] = picture(3)
    optimiser = torch.optim.Adam(system.parameters(), lr=3e-3)

    def judged() -> float:
        with torch.no_grad():
            return float(np.mean([system.loss(data, torch.Generator().manual_seed(s))["loss"] for s in range(90, 94)]))

    before = judged()
    for step in range(40):
        optimiser.zero_grad()
        system.loss(data, torch.Generator().manual_seed(step))["loss"].backward()
        optimiser.step()
    assert judged() < 0.7 * before


# --- Multi-StainDiffuser ---


def test_each_stain_has_ports_of_its_own_with_valid_names():
    system = make(MULTI)
    assert [port.key for port in system.outputs] == [
        "ihc_cd3", "dab_cd3", "uncertainty_cd3", "ihc_ck818", "dab_ck818", "uncertainty_ck818",
    ]  # fmt: skip
    assert [port.name for port in system.outputs][3:] == ["virtual CK8/18", "CK8/18 DAB", "CK8/18 uncertainty"]


def test_the_encoder_is_evaluated_once_for_all_stains_and_attention_once_a_stain():
    system = make(MULTI)
    modules = {"encoder": system.network.encoder}
    for key, branch in system.network.branches.items():
        modules |= {f"{key} A_{level + 1}": block for level, block in enumerate(branch.attention)}
        modules[f"{key} U-Net"] = branch.unet
    calls = watch(modules)
    drain(system, {"he": picture()}, steps=4, samples=3)
    assert calls.pop("encoder") == 1
    assert [calls.pop(f"{key} U-Net") for key in ("cd3", "ck818")] == [12, 12]
    assert len(calls) == 8 and set(calls.values()) == {1}


def test_a_stain_is_what_a_model_of_that_stain_alone_makes():
    """The same weights in a single-task StainDiffuser, with the same noise, give the same pixels."""
    multi, single = make(MULTI), make(SINGLE, lambda_seg=0.0)
    single.network.encoder.load_state_dict(multi.network.encoder.state_dict())
    _, several = drain(multi, {"he": picture()}, samples=2)
    tiles = TileNoise(0, [(0, 0), (0, 500)], SIDE, SIDE)
    for key in ("cd3", "ck818"):
        single.network.generation.load_state_dict(multi.network.branches[key].state_dict())
        _, one = drain(
            single, {"he": picture()}, samples=2, noise=lambda port, key=key, **rest: tiles(f"{port}_{key}", **rest)
        )
        for output in ("ihc", "dab", "uncertainty"):
            torch.testing.assert_close(several[f"{output}_{key}"], one[output], rtol=0, atol=0)
    assert (several["ihc_cd3"] - several["ihc_ck818"]).abs().mean() > 1


def test_a_uniplex_batch_trains_its_branch_and_the_encoder_alone():
    system = make(MULTI, lambdas=[1.0, 3.0])
    found = system.loss({"he": picture(1), "ihc_ck818": picture(2)}, torch.Generator().manual_seed(1))
    found["loss"].backward()
    branches = system.network.branches
    assert all(p.grad is None for p in branches["cd3"].parameters())
    assert all(p.grad is not None for p in (*branches["ck818"].parameters(), *system.network.encoder.parameters()))
    torch.testing.assert_close(found["loss"], 3 * found["generation"])
    # the loss of one stain is that of a system of that stain alone
    single = make(SINGLE, lambda_seg=0.0)
    single.network.encoder.load_state_dict(system.network.encoder.state_dict())
    single.network.generation.load_state_dict(branches["ck818"].state_dict())
    alone = single.loss({"he": picture(1), "ihc": picture(2)}, torch.Generator().manual_seed(1))
    torch.testing.assert_close(found["generation"], alone["generation"])


def test_a_batch_of_no_stain_is_refused():
    with pytest.raises(ValueError, match="needs one of ihc_cd3, ihc_ck818; it holds he, ihc"):
        make(MULTI).loss({"he": picture(), "ihc": picture()}, torch.Generator())


@pytest.mark.parametrize(
    "wrong",
    [
        {"stains": ["CD3"]},
        {"stains": ["CK8/18", "CK818"]},
        {"stains": ["CD3", "α"]},
        {"lambdas": [1.0]},
        {"stain": "CD3"},
    ],
)
def test_stains_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        build_system(MULTI[0], MULTI[1] | wrong)


# --- Bidirectional ---


def test_both_directions_are_trained_together_in_closed_form():
    """The network is replaced by one that answers x_t: the expected terms then follow from t and ε alone."""
    system = make(BIDIRECTIONAL, loss_weighting="epsilon")
    seen = []
    encode = system.network.encoder.forward
    system.network.encoder.forward = lambda image: seen.append(image) or encode(image)
    system.network.generation.forward = lambda x, *_, **_named: x
    data = batch()
    found = system.loss(data, torch.Generator().manual_seed(9))
    he, ihc = data["he"] / 127.5 - 1, data["ihc"] / 127.5 - 1
    torch.testing.assert_close(torch.cat(seen), torch.cat([he, ihc]))
    generator = torch.Generator().manual_seed(9)
    # One time in each quarter of 1 … T.
    part = torch.randperm(4, generator=generator)
    t = ((part + torch.rand(4, generator=generator)) * 12.5).long().numpy()
    eps = torch.randn(4, 3, SIDE, SIDE, generator=generator).double().numpy()
    a = system.schedule.alphas_cumprod[t][:, None, None, None]
    target = torch.cat([ihc, he]).double().numpy()
    error = ((np.sqrt(a) * target + np.sqrt(1 - a) * eps - eps) ** 2).mean(axis=(1, 2, 3))
    assert float(found["he_to_ihc"]) == pytest.approx(error[:2].mean(), rel=1e-4)
    assert float(found["ihc_to_he"]) == pytest.approx(error[2:].mean(), rel=1e-4)
    assert float(found["loss"]) == pytest.approx(error[:2].mean() + error[2:].mean(), rel=1e-4)


def test_the_direction_chooses_the_ports_and_shares_the_weights():
    forth, back = make(BIDIRECTIONAL), make(BACK)
    assert [port.key for port in (*forth.inputs, *forth.outputs)] == ["he", "ihc", "dab", "uncertainty"]
    assert [port.key for port in (*back.inputs, *back.outputs)] == ["ihc", "he", "uncertainty"]
    back.load_state_dict(forth.state_dict())
    # one network: from the same picture and the same noise it makes the same picture, whatever the two are called
    tiles = TileNoise(0, [(0, 0), (0, 500)], SIDE, SIDE)

    def noise(port, **rest):
        return tiles("same", **rest)

    _, ihc = drain(forth, {"he": picture()}, noise=noise, samples=2)
    _, he = drain(back, {"ihc": picture()}, noise=noise, samples=2)
    torch.testing.assert_close(ihc["ihc"], he["he"], rtol=0, atol=0)
    rgb = ihc["ihc"].permute(0, 2, 3, 1).round().numpy()
    assert ihc["dab"].shape == (2, 1, SIDE, SIDE) and dab_density(rgb).max() > 0


@pytest.mark.parametrize("variant", [BIDIRECTIONAL, BACK])
def test_bidirectional_evaluates_encoder_and_attention_once(variant):
    system = make(variant)
    network = system.network
    assert network.segmentation is None
    calls = watch(
        {"encoder": network.encoder, "A_4": network.generation.attention[3], "U-Net": network.generation.unet}
    )
    drain(system, {system.inputs[0].key: picture()}, steps=4, samples=3)
    assert calls == {"encoder": 1, "A_4": 1, "U-Net": 12}


# --- signed distance ---


def test_the_second_branch_learns_the_distance_in_units_of_its_limit():
    system = make(DISTANCE, distance_um=2.0, lambda_seg=3.0, loss_weighting="epsilon")
    targets = []
    errors = system._errors
    system._errors = lambda branch, clean, *rest, **how: targets.append(clean) or errors(branch, clean, *rest, **how)
    data = batch() | {"distance": torch.linspace(-7, 7, 2 * SIDE * SIDE).reshape(2, 1, SIDE, SIDE)}
    found = system.loss(data, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(targets[1], np.clip(data["distance"].numpy() / 2.0, -1, 1), atol=1e-6)
    assert found.keys() == {"loss", "generation", "distance"}
    torch.testing.assert_close(found["loss"], found["generation"] + 3 * found["distance"])


def test_the_mask_follows_from_the_distance():
    system = make(DISTANCE)
    assert [port.key for port in system.outputs] == ["ihc", "dab", "segmentation", "distance", "uncertainty"]
    port = system.outputs[3]
    assert (port.unit, port.range) == ("µm", (-5.0, 5.0))
    _, found = drain(system, {"he": picture()})
    expected = np.clip(0.5 + found["distance"].numpy() / 0.5, 0, 1)
    np.testing.assert_allclose(found["segmentation"], expected, atol=1e-6)
    assert (found["segmentation"] > 0.5).equal(found["distance"] > 0)


def test_a_mask_comes_back_from_its_own_distance():
    mask = np.zeros((40, 40), bool)
    mask[5:20, 7:30] = mask[25:26, 3:4] = True
    distance = torch.from_numpy(signed_distance(mask, mpp=0.5, limit=5.0))
    np.testing.assert_array_equal(covered_share(distance, 0.5).numpy(), mask.astype(np.float32))


def test_the_share_is_that_of_a_pixel_cut_by_a_straight_outline():
    """By counting: a pixel of 1 µm cut in 1000 slices along the normal of the outline."""
    for distance in (-0.8, -0.5, -0.2, 0.0, 0.3, 0.5, 2.0):
        slices = (np.arange(1000) + 0.5) / 1000 - 0.5
        expected = (slices + distance > 0).mean()
        assert float(covered_share(torch.tensor(distance), 1.0)) == pytest.approx(expected, abs=1e-3)
