"""Published weights for MedM2G: folders that are shaped as Stable Diffusion 1.5, as BERT, or as GPT-2.

MedM2G (§4) begins with Stable Diffusion 1.5 (Rombach et al. 2022), and with BERT (Devlin et al. 2019) and GPT-2
(Radford et al. 2019) in an Optimus. Only safetensors are opened; names and shapes are compared with the network that
is there before any number is read, so that a file can fill no more memory than that network has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from diffuscope.errors import InputError
from diffuscope.files.read import check_inside, read_json
from diffuscope.systems.medm2g.images import Images

CONFIG = "config.json"
UNET, VAE, BERT, GPT2 = "unet", "vae", "bert", "gpt2"
_WEIGHTS, _DIFFUSERS_WEIGHTS = "model.safetensors", "diffusion_pytorch_model.safetensors"
_MOST = 1_000_000
#: Sizes of a `MedM2GConfig` that Stable Diffusion 1.5 fits: 83,653,863 parameters in the autoencoder, 859,520,964 in
#: the denoiser. `raw` says that the latter's output is ε.
SD_15: Mapping[str, Any] = MappingProxyType(
    {
        "size": 512,
        "autoencoder": {
            "widths": (128, 256, 512, 512),
            "layers": 2,
            "channels": 3,
            "latent": 4,
            "groups": 32,
            "attention": True,
        },
        "unet": {"widths": (320, 640, 1280, 1280), "layers": 2, "heads": 8, "groups": 32, "plain": 1},
        "context": {"width": 768},
        "raw": "epsilon",
    }
)
# What a config.json of diffusers says that changes no output, or is another matter of ours.
_FREE = frozenset(
    {
        "sample_size",
        "num_class_embeds",
        "scaling_factor",
        "force_upcast",
        "latents_mean",
        "latents_std",
        "time_cond_proj_dim",
    }
)
_BERT = (
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "layer_norm_eps",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "type_vocab_size",
    "vocab_size",
)
_GPT2 = ("activation_function", "layer_norm_epsilon", "n_embd", "n_head", "n_layer", "n_positions", "vocab_size")
_SCALING = 0.18215
_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def load_published(folder: Path, sides: Iterable[Any]) -> None:
    """Let modalities begin with all that a folder has: ``unet`` and ``vae`` for images, ``bert``, ``gpt2`` for texts.

    Parameters
    ----------
    folder : Path
        With some of these folders, each as it was published.
    sides : iterable of Images or TextSide
        Of the modalities.

    Raises
    ------
    InputError
        There is none of them, or one does not fit.
    """
    there = {name for name in (UNET, VAE, BERT, GPT2) if (folder / name).is_dir()}
    if not there:
        raise InputError(f"{folder} has neither {UNET} and {VAE} nor {BERT} or {GPT2}: name a folder that has some.")
    for side in sides:
        if isinstance(side, Images):
            if {UNET, VAE} & there:
                load_stable_diffusion(folder, side)
            continue
        if BERT in there:
            load_bert(folder / BERT, side.autoencoder.encoder)
        if GPT2 in there:
            load_gpt2(folder / GPT2, side.autoencoder.decoder.network)


def load_stable_diffusion(folder: Path, images: Images) -> None:
    """Let an imaging modality begin with the autoencoder and the denoiser of Stable Diffusion.

    Latents are scaled as there. What tells several kinds of images apart, and what takes a vector, is ours, and stays.

    Parameters
    ----------
    folder : Path
        With ``unet`` and ``vae``, each with config.json and diffusion_pytorch_model.safetensors.
    images : Images
        Its sizes are those of `SD_15`, or whatever the folder has.

    Raises
    ------
    InputError
        A file is missing, or of another network.
    """
    for name, network in ((VAE, images.autoencoder), (UNET, images.denoiser)):
        stated = _stated(folder / name)
        _agree(folder / name, stated, {key: one for key, one in network.config.items() if key not in _FREE})
        _fill(
            folder / name / _DIFFUSERS_WEIGHTS,
            network,
            _as_diffusers,
            stays=("class_embedding", "time_embedding.cond_proj"),
        )
        if name == VAE:
            scaling = stated.get("scaling_factor", _SCALING)
            if not isinstance(scaling, int | float) or not 1e-3 < scaling < 1e3:
                raise InputError(f"{folder / name / CONFIG} has a wrong scaling_factor: fetch the folder again.")
            images.scale.mean.zero_()
            images.scale.deviation.fill_(1.0 / scaling)


def load_bert(folder: Path, encoder: nn.Module) -> None:
    """Let the encoder of texts begin with a BERT.

    Parameters
    ----------
    folder : Path
        With config.json and model.safetensors, with or without the heads of its pretraining.
    encoder : BertModel
        Of a vocabulary of `read_vocabulary`.

    Raises
    ------
    InputError
        As of `load_stable_diffusion`.
    """
    _agree(folder, _stated(folder), {key: getattr(encoder.config, key) for key in _BERT})
    _fill(folder / _WEIGHTS, encoder, _as_bert)


def load_gpt2(folder: Path, decoder: nn.Module) -> None:
    """Let the decoder of texts begin with a GPT-2.

    Parameters
    ----------
    folder : Path
        With config.json and model.safetensors.
    decoder : GPT2LMHeadModel
        Of a vocabulary of `read_vocabulary`.

    Raises
    ------
    InputError
        As of `load_stable_diffusion`.
    """
    _agree(folder, _stated(folder), {key: getattr(decoder.config, key) for key in _GPT2})
    transformer = decoder.transformer
    assert isinstance(transformer, nn.Module)
    # The head is the embedding.
    _fill(folder / _WEIGHTS, transformer, _as_gpt2)


def _stated(folder: Path) -> dict[str, Any]:
    """Return a folder's config.json."""
    try:
        found = read_json(folder / CONFIG, most=_MOST, inside=folder)
    except OSError as error:
        raise InputError(f"{folder} has no readable {CONFIG}: name a folder as its authors published it.") from error
    except ValueError as error:
        raise InputError(f"{folder / CONFIG} is not JSON: fetch the folder again.") from error
    if not isinstance(found, dict):
        raise InputError(f"{folder / CONFIG} states nothing by name: fetch the folder again.")
    return found


def _agree(folder: Path, stated: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse a network that is stated to be another one than ours."""
    for key, one in own.items():
        wanted = list(one) if isinstance(one, tuple) else one
        if not key.startswith("_") and key in stated and stated[key] != wanted:
            raise InputError(
                f"{folder / CONFIG} is of another network: its {key} is {stated[key]}, and that of the model's "
                f"configuration {wanted}: make them alike."
            )


def _fill(path: Path, network: nn.Module, rename: Callable[[str], str], *, stays: tuple[str, ...] = ()) -> None:
    """Copy weights in; refuse any that is missing, unknown, of another shape, or not finite."""
    if not path.is_file():
        raise InputError(f"{path} does not exist: only safetensors are opened, never .bin or .ckpt, so fetch these.")
    check_inside(path, path.parent)
    own = {name: one for name, one in network.state_dict().items() if not name.startswith(stays)}
    try:
        with safe_open(path, framework="pt") as stored, torch.no_grad():
            names = {renamed: name for name in stored.keys() if (renamed := rename(name))}  # noqa: SIM118  no mapping
            shapes = {name: tuple(stored.get_slice(there).get_shape()) for name, there in names.items()}
            _same_shapes(path, own, shapes)
            for name, one in own.items():
                one.copy_(stored.get_tensor(names[name]))
                if not bool(one.isfinite().all()):
                    raise InputError(f"{path} has numbers in {name} that are not finite: fetch it again.")
    except SafetensorError as error:
        raise InputError(f"{path} is no safetensors file, or not a whole one: fetch it again.") from error


def _same_shapes(path: Path, own: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name in sorted(own.keys() | shapes.keys()):
        if name not in shapes or name not in own:
            fault = "lacks" if name not in shapes else "has an unknown"
            raise InputError(f"{path} {fault} {name}, so it is of another network: choose the sizes that it has.")
        if shapes[name] != tuple(own[name].shape):
            raise InputError(
                f"{path} is of another network: {name} has the shape {shapes[name]}, and in the model's configuration "
                f"{tuple(own[name].shape)}: choose the sizes that it has."
            )


def _as_diffusers(name: str) -> str:
    """Return a name as diffusers has it today; the published autoencoder's attention has older ones."""
    for before, now in _ATTENTION.items():
        name = name.replace(before, now)
    return name


def _as_bert(name: str) -> str:
    """Return a name within BertModel, empty of what it does not use: heads, the pooler, counted positions."""
    name = name.removeprefix("bert.").replace("LayerNorm.gamma", "LayerNorm.weight")
    name = name.replace("LayerNorm.beta", "LayerNorm.bias")
    return "" if name.startswith(("cls.", "pooler.", "embeddings.position_ids")) else name


def _as_gpt2(name: str) -> str:
    """Return a name within GPT2Model, empty of what it does not use: the head, which is the embedding, and masks."""
    unused = name.endswith(("lm_head.weight", ".attn.bias", ".attn.masked_bias"))
    return "" if unused else name.removeprefix("transformer.")
