"""The vector of a report drawn onto places: who reads it, what it says of a report that is still to be made."""

from __future__ import annotations

import any_to_any
import pytest
import torch
from pydantic import ValidationError

from diffuscope.errors import InputError
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.medm2g.config import MedM2GConfig
from diffuscope.systems.medm2g.guide import Source
from diffuscope.systems.medm2g.layout import Layout
from diffuscope.systems.medm2g.near import WHOLE
from diffuscope.systems.medm2g.sampling import sample_flows
from diffuscope.training.model import make_starts
from diffuscope.training.recipe import Recipe

LAYOUT = {
    "text": any_to_any.TEXT,
    "unet": {**any_to_any.SMALL["unet"], "near": 1},
    "context": {**any_to_any.SMALL["context"], "layout": True},
}


def _heard(system, *, x=None, unknown=None):
    drawn = system.config.draws("ct", "text")
    latents = torch.randn(6, *system.guide.flow("text").latent, generator=torch.Generator().manual_seed(0))
    kind, time = torch.zeros(6, dtype=torch.long), torch.zeros(6)
    source = Source(modality="text", latents=latents, time=time, kind=kind, x=x, unknown=unknown)
    return system.guide.context(source, drawn=drawn)


def test_a_report_has_a_token_a_place_and_one_still_to_be_made_has_none_that_counts():
    system = any_to_any.make(**LAYOUT).eval()
    ids = any_to_any.texts(system).nan_to_num()
    plain = any_to_any.make(text=any_to_any.TEXT)
    words = _heard(plain, x=ids).tokens.shape[1]
    heard = _heard(system, x=ids, unknown=torch.arange(6) < 2)
    assert set(heard.places[:words].tolist()) == {WHOLE} and heard.places[words:].tolist() == list(range(16))
    assert heard.mask[:, words:].all(1).tolist() == [False, False, True, True, True, True]
    assert not heard.mask[:2, words:].any()
    # One that nobody wrote has no drawing, and its other tokens are read as they are in training.
    assert set(_heard(system).places.tolist()) == {WHOLE}


def test_places_between_coarse_ones_are_told_what_lies_between():
    torch.manual_seed(0)
    layout = Layout(16, 8)
    vectors = torch.randn(3, 16)
    tokens = layout(vectors)
    assert tokens.shape == (3, 64, 16)
    coarse = layout.draw(layout.read(vectors)).unflatten(1, (16, 4, 4))
    # Bilinear at twice the side: a place lies at 3/4 of its own coarse place and 1/4 of the next one, in each axis.
    inner = 0.75 * coarse[:, :, 1] + 0.25 * coarse[:, :, 0]
    expected = 0.75 * inner[:, :, 1] + 0.25 * inner[:, :, 0]
    torch.testing.assert_close(tokens.unflatten(1, (8, 8))[:, 2, 2], layout.say(expected))


def test_a_drawing_is_taught_by_what_it_guides_and_no_error_is_computed_of_what_does_not_train():
    system = any_to_any.make(**LAYOUT)
    system.begin("cross-text-ct", ("layout", "cross-ct", "diffuser-ct"))
    system.train()
    batch = any_to_any.batch() | {"report": any_to_any.texts(system)}
    terms = system.loss(batch, torch.Generator().manual_seed(0))
    assert set(terms) == {"loss", "ct from text"}  # of the other way nothing trains
    terms["loss"].backward()
    trained = {key for key, one in system.named_parameters() if one.grad is not None and one.grad.any()}
    assert any(key.startswith("guide.layout.draw") for key in trained)
    assert not any(key.startswith("guide.flows.text") for key in trained)
    system.begin("cross-text-ct")
    assert {"ct from text", "text from ct"} < set(system.loss(batch, torch.Generator().manual_seed(0)))


def test_an_x_ray_is_drawn_for_images_as_its_report_would_be_and_not_for_a_text():
    config = {**LAYOUT, "context": {**LAYOUT["context"], "drawn": ["xray"]}}
    system = any_to_any.make(**config).eval()
    assert system.config.draws("ct", "xray") and system.config.draws("ct", "text")
    assert not system.config.draws("text", "xray") and not system.config.draws("xray", "ct")
    flow, x = system.guide.flow("xray"), any_to_any.batch()["xray"]
    kind, time = torch.zeros(len(x), dtype=torch.long), torch.zeros(len(x))
    source = Source(modality="xray", latents=flow.side.encode(x), time=time, kind=kind, x=x)
    plain, heard = (system.guide.context(source, drawn=drawn) for drawn in (False, True))
    own = plain.tokens.shape[1]
    assert torch.equal(heard.tokens[:, :own], plain.tokens) and set(heard.places[:own].tolist()) == {WHOLE}
    # What is drawn is its vector of the aligned space, by what draws reports.
    assert torch.equal(heard.tokens[:, own:], system.guide.layout(flow.see(x, kind)[0]))
    assert heard.places[own:].tolist() == list(range(16)) and heard.mask[:, own:].all()


def test_each_output_hears_a_source_as_it_is_drawn_for_it(monkeypatch):
    config = {**LAYOUT, "context": {**LAYOUT["context"], "drawn": ["xray"]}}
    system, heard = any_to_any.make(**config).eval(), {}

    def epsilon(key):
        def of(noisy, _t, _alpha, _kind, said):
            heard.setdefault(key, []).append(said.places.tolist())
            return torch.zeros_like(noisy)

        return of

    for key in ("ct", "text"):
        monkeypatch.setattr(system.guide.flow(key), "epsilon", epsilon(key))
    given, options = {"xray": any_to_any.batch()["xray"]}, {"guidance": 1.0, "eta": 0.0, "together": 0.0}
    settings = SampleSettings(sampler="ddim", steps=1)

    def draw(key, _step):
        return torch.zeros(len(given["xray"]), *system.guide.flow(system.config.modality(key)).latent)

    list(
        sample_flows(
            system.guide, given, ("report", "ct"), draw, schedule=system.schedule, settings=settings, options=options
        )
    )
    (drawn,), (plain,) = heard["ct"], heard["text"]
    assert len(drawn) == len(plain) + 16 and drawn[-16:] == list(range(16))
    assert set(drawn[:-16]) == {WHOLE} and plain[:16] == list(range(16))


def test_a_layout_needs_a_report_and_heads_that_look_near():
    for lacking in ({**LAYOUT, "text": None}, {**LAYOUT, "unet": any_to_any.SMALL["unet"]}):
        with pytest.raises(ValidationError, match="give text, unet"):
            MedM2GConfig.model_validate(any_to_any.SMALL | lacking)
    for context, why in (
        ({"layout": True, "drawn": ["pet"]}, "pet is no modality of images"),
        ({"layout": True, "drawn": ["text"]}, "text is no modality of images"),
        ({"drawn": ["xray"]}, "give context.layout"),
    ):
        with pytest.raises(ValidationError, match=why):
            MedM2GConfig.model_validate(
                any_to_any.SMALL | LAYOUT | {"context": {**any_to_any.SMALL["context"], **context}}
            )


def test_a_round_may_begin_a_part_that_the_rounds_before_did_not_have_and_no_part_of_another_size():
    near = any_to_any.SMALL | LAYOUT | {"context": any_to_any.SMALL["context"]}

    def recipe(**context: object) -> Recipe:
        rounds = [
            {"name": "first", "objective": "generate-ct", "optimisation": {"steps": 1}},
            {
                "name": "second",
                "objective": "cross-text-ct",
                "config": {"context": {**any_to_any.SMALL["context"], **context}},
                "optimisation": {"steps": 1},
            },
        ]
        return Recipe.model_validate(
            {
                "name": "x",
                "system": "medm2g",
                "config": near,
                "data": {"pairs": "cases.csv"},
                "rounds": rounds,
                "optimisation": {"steps": 1},
            }
        )

    first, second = (start.system.state_dict() for start in make_starts(recipe(layout=True)))
    new = set(second) - set(first)
    assert new and all(key.startswith("guide.layout.") for key in new)
    assert all(torch.equal(one, second[key]) for key, one in first.items())
    with pytest.raises(InputError, match="take context out of config"):
        make_starts(recipe(layout=True, width=24))
