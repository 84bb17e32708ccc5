"""The networks of MedM2G's text, without training: shapes, what is read and what is not, and what is drawn."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from diffuscope.systems.medm2g.text.config import SPECIAL, TextConfig, Vocabulary
from diffuscope.systems.medm2g.text.diffuser import TextDiffuser
from diffuscope.systems.medm2g.text.prompt import TextPrompt
from diffuscope.systems.medm2g.text.vae import TextVAE

LETTERS = tuple(chr(number) for number in range(33, 127))
WORDS = (*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS))
CONFIG = TextConfig(
    vocabulary=Vocabulary(words=WORDS, merges=()), hidden=32, heads=2, latent=16, longest=64, width=16, kl=0.1
)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def vae() -> TextVAE:
    torch.manual_seed(0)
    return TextVAE(CONFIG)


@pytest.fixture
def ids(vae) -> torch.Tensor:
    return torch.stack([vae.tokens.encode(text) for text in ("a cyst, left", "clear", "no finding in both lungs")])


def test_reconstruction_and_divergence_are_those_of_torch(vae, ids):
    vae.eval()
    mean, logvar = vae.encode(ids)
    terms = {name: value.detach() for name, value in vae.loss(ids, generator()).items()}
    posterior = torch.distributions.Normal(mean, (0.5 * logvar).exp())
    normal = torch.distributions.Normal(torch.zeros(16), torch.ones(16))
    kl = torch.distributions.kl_divergence(posterior, normal)
    assert terms["kl"] == pytest.approx(float(kl.detach().sum(1).mean()), rel=1e-5)

    latent = mean + (0.5 * logvar).exp() * torch.randn(mean.shape, generator=generator())
    nats, tokens = 0.0, 0
    for row, one in zip(ids, latent, strict=True):  # each text by itself, nothing padded
        written = row[64:].long().tolist()
        written = written[: written.index(vae.tokens.end) + 1]
        logits = vae.decoder(one[None], torch.tensor([[vae.tokens.end, *written[:-1]]]))
        nats += float(F.cross_entropy(logits[0], torch.tensor(written), reduction="sum").detach())
        tokens += len(written)
    assert terms["reconstruction"] == pytest.approx(nats / tokens, rel=1e-5)
    paid = float(kl.mean(0).clamp(min=CONFIG.free).sum().detach()) * len(ids) / tokens
    assert float(terms["loss"].detach()) == pytest.approx(nats / tokens + CONFIG.kl * paid, rel=1e-5)


def test_a_latent_does_not_hang_on_what_else_is_in_the_batch(vae, ids):
    together = vae.encode(ids)[0]
    alone = torch.cat([vae.encode(one[None])[0] for one in ids])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)


def test_written_token_by_token_it_is_what_the_decoder_expects_at_once(vae):
    torch.nn.init.normal_(vae.decoder.added.weight)
    latent = torch.randn(4, 16, generator=generator())
    ids, sure = vae.decoder.write(latent, 12)
    assert len(set(ids.flatten().tolist())) > 3
    shown = F.pad(ids[:, :-1], (1, 0), value=vae.tokens.end)
    probability, best = vae.decoder(latent, shown).softmax(-1).max(-1)
    before = (ids == vae.tokens.end).cumsum(1) - (ids == vae.tokens.end).long() == 0
    assert torch.equal(best[before], ids[before])
    torch.testing.assert_close(probability[before], sure[before], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("way", ["memory", "added"])
def test_the_latent_enters_in_both_ways(vae, way):
    other = {"memory": vae.decoder.added, "added": vae.decoder.memory}[way]
    torch.nn.init.zeros_(other.weight)
    torch.nn.init.normal_(getattr(vae.decoder, way).weight)
    shown = torch.full((2, 3), vae.tokens.end)
    first, second = vae.decoder(torch.randn(2, 16, generator=generator()), shown)
    assert not torch.allclose(first, second, atol=1e-3)


def test_latents_become_about_standard_normal(vae, ids):
    vae.train()
    for _ in range(50):
        vae.loss(ids, generator())
    latents = vae.scale(vae.encode(ids)[0]).detach()
    torch.testing.assert_close(latents.mean(0), torch.zeros(16), atol=1e-4, rtol=0)
    torch.testing.assert_close(latents.std(0), torch.ones(16), atol=1e-3, rtol=0)
    before = {key: value.clone() for key, value in vae.state_dict().items()}
    vae.eval()
    vae.loss(ids, generator())
    assert all(torch.equal(before[key], value) for key, value in vae.state_dict().items())


def test_decoded_texts_have_their_pieces_with_probabilities(vae):
    for written in vae.decode(torch.randn(3, 16, generator=generator())):
        assert "".join(piece for piece, _ in written.tokens) == written.text
        assert all(0 < sure <= 1 for _, sure in written.tokens)


def test_the_same_generator_gives_the_same_loss(vae, ids):
    first, second, other = (
        float(vae.loss(ids, torch.Generator().manual_seed(seed))["loss"].detach()) for seed in (1, 1, 2)
    )
    assert first == second != other


def diffuser(**changes) -> TextDiffuser:
    torch.manual_seed(0)
    made = TextDiffuser(CONFIG.model_copy(update=changes), context_width=8)
    for one in made.parameters():  # nothing at 0, as after training
        torch.nn.init.normal_(one, std=0.3)
    return made


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_noise_is_expected_without_any_context_and_with_some(depth):
    made, z = diffuser(depth=depth), torch.randn(3, 16, generator=generator())
    t, context = torch.tensor([0, 500, 999]), torch.randn(3, 5, 8, generator=generator())
    mask = torch.zeros(3, 5, dtype=torch.bool)
    mask[0, :2] = True
    none = made(z, t, context[:, :0], mask[:, :0])
    some = made(z, t, context, mask)
    assert torch.equal(none[1:], some[1:])
    assert not torch.allclose(none[0], some[0], atol=1e-2)
    context[0, 2:] += 1  # what is not there is not seen
    assert torch.equal(made(z, t, context, mask), some)
    assert not torch.allclose(made(z, t.flip(0), context, mask)[0], some[0], atol=1e-2)


def test_new_cross_attention_adds_nothing_and_learns():
    torch.manual_seed(0)
    made = TextDiffuser(CONFIG, context_width=8)
    torch.nn.init.normal_(made.leave.weight)
    z, t = torch.randn(2, 16), torch.tensor([3, 4])
    context, mask = torch.randn(2, 3, 8), torch.ones(2, 3, dtype=torch.bool)
    seen = made(z, t, context, mask)
    assert torch.equal(seen, made(z, t, context[:, :0], mask[:, :0]))
    seen.square().mean().backward()
    cross = made.cross()
    assert len(cross) == 5
    assert all(one.to_out.weight.grad.abs().max() > 0 for one in cross)


def test_a_prompt_is_tokens_and_a_whole_and_of_no_text_nothing(vae, ids):
    torch.manual_seed(0)
    prompt = TextPrompt(CONFIG, 24)
    tokens, mask, whole = prompt(torch.cat([ids, torch.zeros(1, 128)]))
    assert tokens.shape == (4, 64, 24) and whole.shape == (4, 24)
    assert mask.sum(1).tolist() == [*((ids[:, :64] > 0).sum(1).tolist()), 0]
    assert tokens.isfinite().all() and whole.isfinite().all()
    alone = prompt(ids[:1])
    torch.testing.assert_close(alone[0][mask[:1]], tokens[:1][mask[:1]], atol=1e-5, rtol=1e-4)


def test_all_of_it_runs_in_bf16(vae, ids):
    made, prompt = TextDiffuser(CONFIG, 24), TextPrompt(CONFIG, 24)
    with torch.autocast("cpu", torch.bfloat16):
        terms = {name: value.detach() for name, value in vae.loss(ids, generator()).items()}
        latent = vae.encode(ids)[0]
        tokens, mask, _ = prompt(ids)
        total = terms["loss"] + made(latent, torch.tensor([1, 2, 3]), tokens, mask).float().square().mean()
        total.backward()
        assert len(vae.decode(latent.detach())) == 3
    assert total.isfinite()
