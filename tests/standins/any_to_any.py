"""A small MedM2G of images, and cases for it."""

from __future__ import annotations

import torch

from diffuscope.systems.medm2g.config import MedM2GConfig
from diffuscope.systems.medm2g.system import MedM2G
from diffuscope.systems.medm2g.text.tokens import train_vocabulary

IMAGES = (
    {"key": "ct", "name": "CT", "modality": "ct", "range": (-1000, 1000), "unit": "HU"},
    {"key": "t1", "name": "T1", "modality": "mri"},
    {"key": "t2", "name": "T2", "modality": "mri"},
    {"key": "t1_fast", "name": "fast T1", "modality": "mri", "made": False},
    {"key": "xray", "name": "X-ray", "modality": "xray"},
)
SMALL = {
    "images": IMAGES,
    "size": 16,
    "autoencoder": {"widths": (8, 8, 8), "latent": 4, "groups": 4},
    "unet": {"widths": (8, 16), "heads": 2, "groups": 4},
    "context": {"width": 16, "adaptation": 3},
    "T": 100,
}
VOCABULARY = train_vocabulary(
    f"{region} with {count} {kind} on the {side}."
    for region in ("Chest", "Head")
    for count in ("no", "one", "two")
    for kind in ("nodule", "cyst")
    for side in ("left", "right")
)
TEXT = {
    "vocabulary": VOCABULARY.model_dump(),
    "hidden": 16,
    "layers": 1,
    "heads": 2,
    "latent": 8,
    "longest": 24,
    "width": 16,
}
KEYS = tuple(image["key"] for image in IMAGES)
NAN = float("nan")


def make(**config: object) -> MedM2G:
    """Return one with the same weights each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MedM2G(MedM2GConfig.model_validate(SMALL | config))


def batch(count: int = 6, seed: int = 0) -> dict[str, torch.Tensor]:
    """Return pictures of every key; the first case has no CT, the last no T1."""
    generator = torch.Generator().manual_seed(seed)
    found = {key: torch.rand(count, 1, 16, 16, generator=generator) * 2 - 1 for key in KEYS}
    found["ct"][0], found["t1"][-1] = NAN, NAN
    return found


def texts(system: MedM2G, count: int = 6) -> torch.Tensor:
    """Return the ids of texts; the second case has none."""
    assert system.tokens is not None
    ids = [system.tokens.encode(f"{'Chest' if n % 2 else 'Head'} with one nodule on the left.") for n in range(count)]
    ids[1] = torch.full_like(ids[1], NAN)
    return torch.stack(ids)
