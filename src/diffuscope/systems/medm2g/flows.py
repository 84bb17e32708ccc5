"""One modality's flow: its latent diffusion model, its prompt and context encoders, and what adapts others to it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from diffuscope.diffusion.epsilon import read_velocity
from diffuscope.errors import InputError
from diffuscope.systems.medm2g.config import TEXT, MedM2GConfig
from diffuscope.systems.medm2g.contexts import Adaptation, Heard, ImageContext, TextContext
from diffuscope.systems.medm2g.images import Images
from diffuscope.systems.medm2g.near import ANYWHERE
from diffuscope.systems.medm2g.prompts import ImagePrompt
from diffuscope.systems.medm2g.side import Side

#: Of an image or a text: its vector in the aligned space, its tokens, and which of those there are.
Seen = tuple[Tensor, Tensor, Tensor]


class Flow(nn.Module):
    """A modality and all that is its own.

    Parameters
    ----------
    config : MedM2GConfig
        Sizes.
    modality : str
        Which.

    Attributes
    ----------
    keys : tuple of str
        Of the kinds of images that share it, in the order of their numbers; of the text its one.
    latent : tuple of int
        Shape of its latents.
    """

    def __init__(self, config: MedM2GConfig, modality: str) -> None:
        super().__init__()
        self.keys: Sequence[str] = config.of(modality)
        self.velocity = config.raw == "velocity"
        width, kinds = config.context.width, len(self.keys)
        self.side: Side
        self.prompt: nn.Module
        self.context: nn.Module
        self.latent: tuple[int, ...]
        if modality == TEXT:
            assert config.text is not None
            self.side, self.prompt = _text(config)
            self.context = TextContext(config.text.latent, config.context)
            self.latent = (config.text.latent,)
        else:
            side = config.size // config.autoencoder.factor
            self.side = Images(config, kinds)
            self.prompt = ImagePrompt(width, kinds)
            self.context = ImageContext(config.autoencoder.latent, side, kinds, config.context)
            self.latent = (config.autoencoder.latent, side, side)
        self.adaptation = Adaptation(config.context.adaptation, width)
        # What of f_B's vectors goes in with the time step.
        wide = 2 * width
        layers = (nn.Linear(width, wide), nn.SiLU(), nn.Linear(wide, width)) if config.context.adaptation else ()
        self.vector = nn.Sequential(*layers)
        # What the denoiser reads always, and alone where nothing guides it.
        self.null = nn.Embedding(1, width)

    def see(self, x: Tensor, kind: Tensor) -> Seen:
        """Return z = C(x): the vector (n, width), tokens (n, m, width), and which there are, bool (n, m)."""
        if not isinstance(self.prompt, ImagePrompt):
            tokens, mask, whole = self.prompt(x)
            return whole, tokens, mask
        whole, tokens = self.prompt(x, kind)
        return whole, tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)

    def epsilon(self, noisy: Tensor, t: Tensor, alpha_bar: Tensor, kind: Tensor, heard: Heard | None) -> Tensor:
        """Return ε̂ of noisy latents.

        Parameters
        ----------
        noisy : Tensor of shape (n, *latent)
            z_t.
        t, alpha_bar, kind : Tensor of shape (n,)
            0-based step, ᾱ_t, number of the key.
        heard : Heard or None
            What guides; None: nothing.
        """
        null = self.null.weight.expand(len(noisy), 1, -1)
        there = torch.ones(len(noisy), 1, dtype=torch.bool, device=noisy.device)
        places = torch.full((1,), ANYWHERE)
        tokens, counts, vector = null, there, None
        if heard is not None:
            tokens = torch.cat([null.to(heard.tokens.dtype), heard.tokens], dim=1)
            counts = torch.cat([there, heard.mask], dim=1)
            places = torch.cat([places, heard.places])
            if heard.vectors.shape[1]:
                vector = self.vector(heard.vector()) * heard.said.any(1, keepdim=True)
        raw = self.side.denoise(noisy, t, kind, tokens, counts, vector, places)
        return read_velocity(raw, noisy, alpha_bar) if self.velocity else raw

    def cross(self) -> tuple[nn.Module, ...]:
        """Return the modules by which the denoiser hears others (θ_c of Eq. 6)."""
        return (*self.side.cross(), self.vector)

    def denoiser(self) -> tuple[nn.Module, ...]:
        """Return the modules of the denoiser but for its cross-attention."""
        cross = {id(one) for part in self.side.cross() for one in part.modules()}
        # The leaves, and what has parameters beside its children's.
        return tuple(
            one
            for one in self.side.denoiser.modules()
            if id(one) not in cross and any(True for _ in one.parameters(recurse=False))
        )


def _text(config: MedM2GConfig) -> tuple[Side, nn.Module]:
    """Return the side and the prompt encoder of the text, whose library may not be there."""
    assert config.text is not None
    try:
        from diffuscope.systems.medm2g.text.prompt import TextPrompt
        from diffuscope.systems.medm2g.text.side import TextSide
    except ModuleNotFoundError as error:
        raise InputError(f'texts need {error.name}: pip install "diffuscope[text]".') from error
    return TextSide(config), TextPrompt(config.text, config.context.width)
