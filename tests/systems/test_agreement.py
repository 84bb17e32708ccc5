"""A logit a tile from the inputs alone: what it hangs on, and that it can learn what is rare."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score
from torch.nn import functional as F

from diffuscope.diffusion.noise import TileNoise
from diffuscope.errors import InputError
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.damm.system import DAMM
from diffuscope.systems.damm.variants.agreement import Agreement
from diffuscope.systems.damm.variants.config import Variant
from diffuscope.systems.registry import build_system


def make(**changes) -> DAMM:
    return build_system("damm", {"size": "tiny", "patch": 32, "variant": {"agreement": True}} | changes)


def test_it_is_added_to_the_logits_of_u_at_every_node():
    torch.manual_seed(0)
    system = make().eval()
    x, main, auxiliary = torch.randn(3, 2, 1, 32, 32).unbind()
    network, time = system.network, torch.tensor([0.3])
    *both, told = network.conditions(main, auxiliary)
    assert both[0] is main and both[1] is auxiliary
    assert told.shape == (2, 1, 1, 1) and not torch.equal(told[0], told[1])
    without, with_ = (network.encode(x, time, *both, *one).uncertainty for one in ((), (told,)))
    torch.testing.assert_close(torch.logit(with_), torch.logit(without) + told, atol=1e-3, rtol=0)


def test_it_is_evaluated_once_a_tile_and_not_once_a_step(monkeypatch: pytest.MonkeyPatch):
    system = make().eval()
    calls, forward = [], Agreement.forward
    monkeypatch.setattr(Agreement, "forward", lambda *given: calls.append(1) or forward(*given))
    inputs = {port.key: torch.rand(1, 1, 32, 32) * 255 for port in system.inputs}
    steps = system.sample(inputs, TileNoise(0, [(0, 0)], 32, 32), SampleSettings(sampler="ddim", steps=3, samples=2))
    assert len(list(steps)) == 6 and len(calls) == 1


def test_the_feedback_trains_it():
    system = make(lambda_dfl=1.0).train()
    batch = {key: torch.rand(2, 1, 32, 32) * 255 for key in ("vessels", "nuclei", "nanoparticles")}
    system.loss(batch, torch.Generator().manual_seed(0))["loss"].backward()
    assert all(p.grad is not None and p.grad.any() for p in system.network.agreement.parameters())


def test_it_finds_what_is_rare_and_small():
    """Dots of the second image lie beside those of the first, or one of them on one: 4 px of 1024."""

    def draw(size: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        places = torch.stack([torch.randperm(64, generator=generator)[:12] for _ in range(size)])
        label = torch.rand(size, generator=generator) < 0.5
        first, second = (torch.zeros(size, 64).scatter_(1, some, 1.0) for some in (places[:, :6], places[:, 6:]))
        second[label, places[label, 0]] = 1.0
        images = torch.stack([first, second], dim=1).reshape(size, 2, 8, 8)
        spots = F.interpolate(images, scale_factor=4.0) * (torch.arange(1024).reshape(32, 32) % 4 < 2)
        return 2 * spots - 1, label.float()

    torch.manual_seed(0)
    module, generator = Agreement(2, (8, 8)), torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(module.parameters(), 1e-2)
    for _ in range(120):
        images, label = draw(32, generator)
        loss = F.binary_cross_entropy_with_logits(module(images[:, :1], images[:, 1:])[:, 0, 0, 0], label)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    images, label = draw(256, torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = module(images[:, :1], images[:, 1:])[:, 0, 0, 0]
    assert roc_auc_score(label, found) > 0.95


def test_it_is_a_part_of_the_uncertainty():
    with pytest.raises(ValidationError, match="agreement is a part of the uncertainty"):
        Variant(agreement=True, attention="plain", dammp=False)


def trained_alone(**changes: str) -> tuple[DAMM, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    system = make(**changes).train()
    system.begin("divergence")
    # A branch that begins with zeros has no gradient anywhere: this one has been trained.
    for decoder in (system.network.unimodal.decoder, system.network.multimodal.decoder):
        torch.nn.init.normal_(decoder.head.weight, std=0.1)
    return system, {key: torch.rand(2, 1, 32, 32) * 255 for key in ("vessels", "nuclei", "nanoparticles")}


@pytest.mark.parametrize("norm", ["channel", "group"])
def test_of_a_network_whose_divergence_is_trained_nothing_else_changes(norm):
    system, batch = trained_alone(norm=norm)
    before = {key: value.clone() for key, value in system.state_dict().items()}
    moving = [one for one in system.parameters() if one.requires_grad]
    optimiser = torch.optim.Adam(moving, 1e-2)
    for step in range(2):
        terms = system.loss(batch, torch.Generator().manual_seed(step))
        torch.testing.assert_close(terms["loss"], terms["feedback"])
        optimiser.zero_grad()
        terms["loss"].backward()
        optimiser.step()
    changed = {key.split(".")[1] for key, value in system.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == {"agreement", "attention"}
    own = ("network.attention.uncertainty.weight", "network.attention.source_norm.weight",
           "network.attention.source_norm.bias")  # fmt: skip
    kept = {key for key in before if key.startswith("network.attention") and key not in own}
    assert kept and all(torch.equal(system.state_dict()[key], before[key]) for key in kept)


def test_its_feedback_is_that_of_the_branches_as_they_are_used():
    """The batch norms of the fusion take their kept statistics, in training as in use."""
    system, batch = trained_alone()
    told = system.loss(batch, torch.Generator().manual_seed(0))
    used = system.eval().loss(batch, torch.Generator().manual_seed(0))
    for key in ("unimodal", "multimodal", "feedback"):
        torch.testing.assert_close(told[key], used[key])


def test_without_uncertainty_there_is_no_divergence_to_train():
    system = make(variant={"attention": "plain", "dammp": False}, lambda_dfl=0.0)
    with pytest.raises(InputError, match="no divergence in this configuration"):
        system.begin("divergence")
