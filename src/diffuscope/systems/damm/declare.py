"""What DAMM-Diffusion declares."""

from __future__ import annotations

from diffuscope.diffusion.names import SAMPLERS
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.damm import outputs
from diffuscope.systems.damm.config import DAMMConfig


def declare(config: DAMMConfig) -> Declaration:
    """Of DAMM-Diffusion: one image from others, on slides or slice by slice, and what it decided on the way."""
    uncertain = config.variant.attention == "uncertain"
    return Declaration(
        task="nanoparticle distribution" if config.spacing is None else "modality translation",
        inputs=tuple(outputs.taken(one, config) for one in (config.main, *config.auxiliaries)),
        outputs=outputs.made(config),
        presets={
            "fast": SampleSettings(sampler="sde-dpmsolver++", steps=min(10, config.T)),
            "reference": SampleSettings(sampler="ddim", steps=min(150, config.T)),
        },
        samplers=SAMPLERS,
        values=(outputs.DIVERGENCE, outputs.BRANCH) if uncertain else (),
        options=(outputs.gamma(config),) if config.variant.dammp else (),
        tile=config.patch,
        overlap=config.patch // 4,
        patch=config.patch,
    )
