"""Reports that are drafted: the one that lies nearest to the images is chosen, by the encoders that were aligned."""

from __future__ import annotations

import any_to_any
import pytest
import torch

from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.errors import InputError
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.text import Written

pytest.importorskip("transformers")
pytest.importorskip("tokenizers")

from diffuscope.systems.medm2g.drafts import nearest

TEXTS = ("Chest with one nodule on the left.", "Head with two cyst on the right.", "Chest with no cyst on the right.")


def said(text: str) -> Written:
    return Written(text, ((text, 1.0),))


def sampled(system, given, **settings):
    steps = system.sample(system.prepare(given, None), CaseNoise(3), SampleSettings(**settings))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@pytest.fixture
def system():
    return any_to_any.make(text=any_to_any.TEXT).eval()


@torch.inference_mode()
def test_the_nearest_is_chosen_and_what_cannot_be_read_is_not(system) -> None:
    batch = any_to_any.batch()
    given = {key: batch[key][1:2] for key in ("ct", "t2")}
    drafts = [said(""), *map(said, TEXTS), said(" ".join(["nodule"] * 30))]
    found = nearest(system.guide, system.tokens, given, drafts)
    # The mean of the angles' cosines, in double precision.
    ids = torch.stack([system.tokens.encode(text) for text in TEXTS])
    text = system.guide.flow("text").see(ids, torch.zeros(3, dtype=torch.long))[0].double()
    near = torch.zeros(3, dtype=torch.float64)
    for key, kind in (("ct", 0), ("t2", 1)):
        flow = system.guide.flow(system.config.modality(key))
        image = flow.see(given[key], torch.tensor([kind]))[0][0].double()
        near += torch.tensor([float(one @ image / one.norm() / image.norm()) for one in text])
    assert found.text == TEXTS[int(near.argmax())]
    assert len(set(near.tolist())) == 3
    assert nearest(system.guide, system.tokens, given, [drafts[0], drafts[-1]]) is drafts[0]


def test_of_more_drafts_none_is_farther(system) -> None:
    image = {"ct": torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(2)) * 2000 - 1000}
    given = {"ct": system.prepare(image, None)["ct"][None]}
    how = {"sampler": "dpmsolver++", "steps": 2, "wanted": ("report",)}
    one, many = (sampled(system, image, **how, options={"drafts": count})["report"] for count in (1.0, 12.0))
    with torch.inference_mode():
        assert nearest(system.guide, system.tokens, given, [one, many]).text == many.text
    # Made beside an image, the report is the one that goes with it.
    both = {**how, "wanted": ("report", "xray")}
    few, lots = (sampled(system, image, **both, options={"drafts": count}) for count in (1.0, 12.0))
    assert few["report"] == lots["report"] and torch.equal(few["xray"], lots["xray"])


def test_drafts_are_whole(system) -> None:
    with pytest.raises(InputError, match=r"2\.5 drafts are no whole number"):
        system.check(SampleSettings(sampler="ddim", steps=2, options={"drafts": 2.5}))
    assert "drafts" not in [one.key for one in any_to_any.make().options]
