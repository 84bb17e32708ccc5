"""Folders that are shaped as Stable Diffusion 1.5, BERT and GPT-2 load, and are the same when they are saved again."""

from __future__ import annotations

import json
from pathlib import Path
from string import ascii_lowercase

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertModel,
    BertTokenizerFast,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2TokenizerFast,
)

from diffuscope.errors import InputError
from diffuscope.model.card import _MOST as CONFIG_MOST
from diffuscope.systems.medm2g.config import MedM2GConfig
from diffuscope.systems.medm2g.hub import SD_15, load_bert, load_gpt2, load_stable_diffusion
from diffuscope.systems.medm2g.images import Images
from diffuscope.systems.medm2g.system import MedM2G
from diffuscope.systems.medm2g.text.config import SPECIAL, TextConfig, Vocabulary
from diffuscope.systems.medm2g.text.published import read_vocabulary
from diffuscope.systems.medm2g.text.tokens import train_vocabulary
from diffuscope.systems.medm2g.text.vae import TextVAE
from tests.systems.written_reports import write_reports

XRAY = {"key": "xray", "name": "X-ray", "modality": "xray"}
# What stable-diffusion-v1-5's config.json files say, and a small one beside it.
PUBLISHED_UNET = {
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 768,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}
PUBLISHED_VAE = {
    "act_fn": "silu",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "out_channels": 3,
    "sample_size": 512,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
SMALL = {
    "size": 64,
    "autoencoder": SD_15["autoencoder"] | {"widths": (8, 8, 16, 16), "layers": 1, "groups": 4},
    "unet": SD_15["unet"] | {"widths": (8, 16, 16, 16), "layers": 1, "heads": 2, "groups": 4},
    "context": {"width": 24},
    "raw": "epsilon",
}


def config(sizes) -> MedM2GConfig:
    return MedM2GConfig.model_validate({"images": [XRAY], **sizes})


@pytest.fixture(scope="module")
def stable(tmp_path_factory) -> Path:
    """Return a small folder as diffusers writes it, of the published architecture."""
    folder = tmp_path_factory.mktemp("stable-diffusion")
    torch.manual_seed(1)
    unet = PUBLISHED_UNET | {
        "block_out_channels": [8, 16, 16, 16],
        "layers_per_block": 1,
        "attention_head_dim": 2,
        "cross_attention_dim": 24,
        "norm_num_groups": 4,
    }
    vae = PUBLISHED_VAE | {"block_out_channels": [8, 8, 16, 16], "layers_per_block": 1, "norm_num_groups": 4}
    UNet2DConditionModel(**unet).save_pretrained(folder / "unet")
    AutoencoderKL(**vae).save_pretrained(folder / "vae")
    return folder


def test_stable_diffusion_goes_in_and_comes_out_again(stable, tmp_path):
    images = Images(config(SMALL), kinds=2)
    kinds = images.denoiser.class_embedding.weight.detach().clone()
    load_stable_diffusion(stable, images)
    images.autoencoder.save_pretrained(tmp_path / "vae")
    stored = load_file(stable / "vae" / "diffusion_pytorch_model.safetensors")
    again = load_file(tmp_path / "vae" / "diffusion_pytorch_model.safetensors")
    assert stored.keys() == again.keys() and all(torch.equal(one, again[name]) for name, one in stored.items())
    stored = load_file(stable / "unet" / "diffusion_pytorch_model.safetensors")
    own = images.denoiser.state_dict()
    assert torch.equal(own.pop("class_embedding.weight"), kinds)
    assert not own.pop("time_embedding.cond_proj.weight").any()  # ours, which begins at adding nothing
    assert stored.keys() == own.keys() and all(torch.equal(one, own[name]) for name, one in stored.items())

    unet = UNet2DConditionModel.from_pretrained(stable / "unet").eval()
    alone = Images(config(SMALL), kinds=1).eval()
    load_stable_diffusion(stable, alone)
    noisy, t, context = torch.randn(2, 4, 8, 8), torch.tensor([3, 900]), torch.randn(2, 5, 24)
    mask = torch.ones(2, 5, dtype=torch.bool)
    with torch.no_grad():
        torch.testing.assert_close(
            alone.denoise(noisy, t, torch.zeros(2), context, mask), unet(noisy, t, context).sample
        )
        # Latents are those of diffusers' own pipelines: times the scaling factor of the folder.
        vae = AutoencoderKL.from_pretrained(stable / "vae").eval()
        image = torch.rand(2, 1, 64, 64) * 2 - 1
        expected = vae.encode(image.expand(-1, 3, -1, -1)).latent_dist.mean * vae.config.scaling_factor
        torch.testing.assert_close(alone.encode(image), expected)


def test_names_of_before_and_half_precision_are_read(stable, tmp_path):
    for part in ("unet", "vae"):
        stored = load_file(stable / part / "diffusion_pytorch_model.safetensors")
        if part == "vae":
            older = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
            for now, before in older.items():
                stored = {name.replace(now, before): one for name, one in stored.items()}
            assert any(".query." in name for name in stored)
        (tmp_path / part).mkdir()
        save_file(
            {name: one.half() for name, one in stored.items()}, tmp_path / part / "diffusion_pytorch_model.safetensors"
        )
        (tmp_path / part / "config.json").write_bytes((stable / part / "config.json").read_bytes())
    images = Images(config(SMALL), kinds=1)
    load_stable_diffusion(tmp_path, images)
    stored = load_file(stable / "vae" / "diffusion_pytorch_model.safetensors")
    own = images.autoencoder.state_dict()
    assert all(torch.equal(own[name], one.half().float()) for name, one in stored.items())


def test_the_published_sizes_are_those_of_stable_diffusion():
    with torch.device("meta"):
        images = Images(config(SD_15), kinds=1)
        unet, vae = UNet2DConditionModel(**PUBLISHED_UNET), AutoencoderKL(**PUBLISHED_VAE)
    for own, published, count in ((images.denoiser, unet, 859_520_964), (images.autoencoder, vae, 83_653_863)):
        shapes = {name: one.shape for name, one in own.state_dict().items()}
        taken = shapes.pop("time_embedding.cond_proj.weight", torch.Size([0])).numel()  # ours
        assert shapes == {name: one.shape for name, one in published.state_dict().items()}
        assert sum(one.numel() for one in own.parameters()) - taken == count


def test_what_is_not_stable_diffusion_of_these_sizes_is_told(stable, tmp_path):
    def changed(**sizes) -> Images:
        return Images(config(SMALL | sizes), kinds=1)

    with pytest.raises(InputError, match=r"its attention_head_dim is 2, and that of the model's configuration 4"):
        load_stable_diffusion(stable, changed(unet=SMALL["unet"] | {"heads": 4}))
    with pytest.raises(InputError, match="vae has no readable config"):
        load_stable_diffusion(tmp_path, changed())
    part = tmp_path / "vae"
    part.mkdir()
    (part / "config.json").write_bytes((stable / "vae" / "config.json").read_bytes())
    with pytest.raises(InputError, match="only safetensors are opened"):
        load_stable_diffusion(tmp_path, changed())
    weights = part / "diffusion_pytorch_model.safetensors"
    whole = (stable / "vae" / weights.name).read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="no safetensors file, or not a whole one"):
        load_stable_diffusion(tmp_path, changed())
    stored = load_file(stable / "vae" / weights.name)
    for wrong, said in (
        ({"quant_conv.weight": torch.zeros(8, 8, 2, 2)}, r"quant_conv.weight has the shape \(8, 8, 2, 2\)"),
        ({"extra": torch.zeros(1)}, "has an unknown extra"),
        ({"quant_conv.bias": torch.full((8,), torch.nan)}, "quant_conv.bias that are not finite"),
    ):
        save_file(stored | wrong, weights)
        with pytest.raises(InputError, match=said):
            load_stable_diffusion(tmp_path, changed())
    del stored["quant_conv.bias"]
    save_file(stored, weights)
    with pytest.raises(InputError, match=r"lacks quant_conv.bias"):
        load_stable_diffusion(tmp_path, changed())


VOCABULARY = train_vocabulary(write_reports(50))


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(2)
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertForPreTraining(BertConfig(vocab_size=len(VOCABULARY.words), **size)).save_pretrained(folder)
    BertTokenizerFast(vocab={word: place for place, word in enumerate(VOCABULARY.words)}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("gpt2")
    torch.manual_seed(3)
    size = {"n_embd": 16, "n_layer": 2, "n_head": 2, "bos_token_id": 0, "eos_token_id": 0}
    GPT2LMHeadModel(GPT2Config(vocab_size=len(VOCABULARY.pieces), **size)).save_pretrained(folder)
    merges = [tuple(merge.split(" ")) for merge in VOCABULARY.merges]
    GPT2TokenizerFast(
        vocab={piece: place for place, piece in enumerate(VOCABULARY.pieces)}, merges=merges
    ).save_pretrained(folder)
    return folder


def text_vae(vocabulary: Vocabulary = VOCABULARY) -> TextVAE:
    return TextVAE(TextConfig(vocabulary=vocabulary, hidden=16, layers=2, heads=2, latent=8)).eval()


def test_bert_and_gpt2_go_in_and_come_out_again(bert, gpt2, tmp_path):
    vocabulary = read_vocabulary(bert, gpt2)
    assert vocabulary == VOCABULARY
    vae = text_vae(vocabulary)
    load_bert(bert, vae.encoder)
    load_gpt2(gpt2, vae.decoder.network)
    vae.encoder.save_pretrained(tmp_path / "bert")
    vae.decoder.network.save_pretrained(tmp_path / "gpt2")
    stored = {name.removeprefix("bert."): one for name, one in load_file(bert / "model.safetensors").items()}
    again = load_file(tmp_path / "bert" / "model.safetensors")
    assert all(torch.equal(one, stored[name]) for name, one in again.items())
    assert {name for name in stored if name not in again and not name.startswith(("cls.", "pooler."))} == set()
    stored, again = (load_file(folder / "model.safetensors") for folder in (gpt2, tmp_path / "gpt2"))
    assert stored.keys() == again.keys() and all(torch.equal(one, again[name]) for name, one in stored.items())

    ids = torch.randint(5, len(VOCABULARY.words), (2, 9))
    numbers = torch.randint(0, len(VOCABULARY.pieces), (2, 9))
    with torch.no_grad():
        published = BertModel.from_pretrained(bert, add_pooling_layer=False).eval()
        torch.testing.assert_close(vae.encoder(ids).last_hidden_state, published(ids).last_hidden_state)
        published = GPT2LMHeadModel.from_pretrained(gpt2).eval()
        torch.testing.assert_close(vae.decoder.network(numbers).logits, published(numbers).logits)


def test_a_model_begins_with_all_that_a_folder_has(stable, bert, gpt2, tmp_path):
    text = {"vocabulary": VOCABULARY.model_dump(), "hidden": 16, "layers": 2, "heads": 2, "latent": 8, "width": 16}
    system = MedM2G(config(SMALL | {"text": text}))
    with pytest.raises(InputError, match="has neither unet and vae nor bert or gpt2"):
        system.load_backbone(tmp_path)
    for name, folder in (("unet", stable / "unet"), ("vae", stable / "vae"), ("bert", bert), ("gpt2", gpt2)):
        (tmp_path / name).symlink_to(folder)
    system.load_backbone(tmp_path)
    images, vae = system.guide.flow("xray").side, system.guide.flow("text").side.autoencoder
    published = UNet2DConditionModel.from_pretrained(stable / "unet").state_dict()
    own = images.denoiser.state_dict()
    assert all(torch.equal(one, own[name]) for name, one in published.items())
    published = GPT2LMHeadModel.from_pretrained(gpt2).state_dict()
    assert all(torch.equal(one, published[name]) for name, one in vae.decoder.network.state_dict().items())
    published = BertModel.from_pretrained(bert, add_pooling_layer=False).state_dict()
    assert all(torch.equal(one, published[name]) for name, one in vae.encoder.state_dict().items())


def test_vocabularies_are_read_from_the_older_files_as_well(bert, gpt2, tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY.words) + "\n", encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    lines = ["#version: 0.2", *VOCABULARY.merges]
    (tmp_path / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    numbered = {piece: place for place, piece in enumerate(VOCABULARY.pieces)}
    (tmp_path / "vocab.json").write_text(json.dumps(numbered), encoding="utf-8")
    assert read_vocabulary(tmp_path, tmp_path) == VOCABULARY.model_copy(update={"lower": False})
    (tmp_path / "vocab.json").write_text(json.dumps(numbered | {"own": len(numbered)}), encoding="utf-8")
    with pytest.raises(InputError, match="with tokens of its own"):
        read_vocabulary(bert, tmp_path)
    with pytest.raises(InputError, match="whose pieces are WordPieces"):
        read_vocabulary(gpt2, gpt2)
    with pytest.raises(InputError, match="whose pieces are merged bytes"):
        read_vocabulary(bert, bert)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"has no tokenizer.json and no vocab.txt"):
        read_vocabulary(tmp_path / "none", gpt2)


def test_the_heads_of_another_network_are_told(bert, gpt2):
    other = TextVAE(TextConfig(vocabulary=VOCABULARY, hidden=16, layers=2, heads=4, latent=8))
    with pytest.raises(InputError, match="its num_attention_heads is 2"):
        load_bert(bert, other.encoder)
    with pytest.raises(InputError, match="its n_head is 2"):
        load_gpt2(gpt2, other.decoder.network)


def test_weights_of_another_network_than_is_stated_are_told(bert, gpt2, tmp_path):
    (tmp_path / "config.json").write_bytes((bert / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes((gpt2 / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match=r"lacks embeddings.LayerNorm.bias"):
        load_bert(tmp_path, text_vae().encoder)


def test_a_vocabulary_of_published_size_fits_into_a_model_folder():
    pairs = [f"{first} {second}" for first in ascii_lowercase for second in ascii_lowercase]
    joined = [pair.replace(" ", "") for pair in pairs]
    merges = [*pairs, *(f"{first} {second}" for first in joined for second in joined)][:50_000]
    words = (*SPECIAL, *(f"##{number:06d}" for number in range(30_000)))
    vocabulary = Vocabulary(words=words, merges=tuple(merges))
    assert len(vocabulary.pieces) == 50_257
    text = json.dumps({"config": {"text": {"vocabulary": vocabulary.model_dump(mode="json")}}}, indent=2)
    assert len(text.encode()) < CONFIG_MOST
