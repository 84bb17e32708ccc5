"""Heads that look at one place alone, against attention over all tokens under a mask, in float64."""

from __future__ import annotations

import any_to_any
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from diffuscope.systems.medm2g.config import MedM2GConfig
from diffuscope.systems.medm2g.guide import Source
from diffuscope.systems.medm2g.near import ANYWHERE, WHOLE, look_near, same_place

_IMAGES = torch.cat([torch.arange(16), torch.full((3,), WHOLE)])
#: Nothing, two images of 4 × 4 places with three tokens of f_B each, and two tokens of a text.
PLACES = torch.cat([torch.tensor([ANYWHERE]), _IMAGES, _IMAGES, torch.tensor([ANYWHERE] * 2)])


def _tokens(queries: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        torch.randn(2, 3, many, 8, dtype=torch.float64, generator=generator)
        for many in (queries, len(PLACES), len(PLACES))
    )


def _mask(*, second_image: bool) -> torch.Tensor:
    counts = torch.ones(2, len(PLACES), dtype=torch.bool)
    counts[1, 20:39] = second_image
    return ((~counts).double() * -10_000)[:, None, None]


@pytest.mark.parametrize("second_image", [True, False])
def test_a_place_is_read_as_by_attention_that_may_see_nothing_else(second_image):
    query, key, value = _tokens(16)
    seen = (PLACES[None] == torch.arange(16)[:, None]) | (PLACES[None] == ANYWHERE)
    mask = _mask(second_image=second_image)
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=mask + (~seen).double() * -1e9)
    torch.testing.assert_close(same_place(query, key, value, mask, PLACES), expected)


def test_on_a_coarser_square_a_token_is_the_mean_of_those_that_lie_in_it():
    query, key, value = _tokens(4)
    corners = torch.tensor([0, 2, 8, 10])
    within = torch.stack([corners, corners + 1, corners + 4, corners + 5]).T

    def coarse(tokens: torch.Tensor) -> torch.Tensor:
        images = [tokens[:, :, first + within].mean(3) for first in (1, 20)]
        return torch.cat([tokens[:, :, :1], *images, tokens[:, :, -2:]], dim=2)

    places = torch.tensor([ANYWHERE, *range(4), *range(4), ANYWHERE, ANYWHERE])
    seen = (places[None] == torch.arange(4)[:, None]) | (places[None] == ANYWHERE)
    expected = F.scaled_dot_product_attention(query, coarse(key), coarse(value), attn_mask=seen)
    torch.testing.assert_close(same_place(query, key, value, _mask(second_image=True), PLACES), expected)


def test_on_a_finer_square_each_query_reads_the_token_that_it_lies_in():
    query, key, value = _tokens(64)
    own = (torch.arange(8)[:, None] // 2 * 4 + torch.arange(8)[None] // 2).flatten()
    seen = (PLACES[None] == own[:, None]) | (PLACES[None] == ANYWHERE)
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
    torch.testing.assert_close(same_place(query, key, value, _mask(second_image=True), PLACES), expected)


def test_a_denoiser_that_hears_a_text_or_nothing_is_as_before():
    images = any_to_any.make().guide.flow("ct").side.eval()
    generator = torch.Generator().manual_seed(0)
    noisy, context = (torch.randn(size, generator=generator) for size in ((2, 4, 4, 4), (2, 5, 16)))
    asked = noisy, torch.tensor([3, 30]), torch.zeros(2, dtype=torch.long), context, torch.ones(2, 5, dtype=torch.bool)
    before = images.denoise(*asked)
    images.near = 1
    look_near(images.denoiser, 1)
    torch.testing.assert_close(images.denoise(*asked), before)
    # and of an image at some place: not
    places = torch.tensor([ANYWHERE, 0, 1, 2, 3])
    assert not torch.allclose(images.denoise(*asked, places=places), before)


def test_tokens_of_an_image_have_places_and_those_of_a_text_none():
    system = any_to_any.make(text=any_to_any.TEXT).eval()
    batch, kind, time = any_to_any.batch(), torch.zeros(6, dtype=torch.long), torch.zeros(6)
    image = system.guide.context(
        Source(modality="xray", latents=torch.randn(6, 4, 4, 4), time=time, kind=kind, x=batch["xray"])
    )
    own = len(system.guide.flow("xray").context.place)
    assert image.places[:own].tolist() == list(range(own)) and set(image.places[own:].tolist()) == {WHOLE}
    words = system.guide.context(
        Source(modality="text", latents=torch.randn(6, *system.guide.flow("text").latent), time=time, kind=kind)
    )
    assert len(words.places) == words.tokens.shape[1] and set(words.places.tolist()) == {ANYWHERE}


def test_a_head_is_left_that_looks_elsewhere():
    stated = any_to_any.make().config.model_dump()
    with pytest.raises(ValidationError, match="near leaves no head that looks elsewhere"):
        MedM2GConfig.model_validate(stated | {"unet": {**stated["unet"], "near": stated["unet"]["heads"]}})
