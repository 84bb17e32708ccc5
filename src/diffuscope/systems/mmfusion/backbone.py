"""The image encoder: a 3D ResNet or DenseNet of MONAI, of which a few spatial tokens are kept instead of one mean."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffuscope.errors import InputError
from diffuscope.systems.mmfusion.config import ImagesConfig

_HOW = 'pip install "diffuscope[scoring]"'


class Backbone(nn.Module):
    """Crops (n, 1, d, h, w) in, tokens (n, tokens, width) out.

    Parameters
    ----------
    config : ImagesConfig
        Which network.
    width : int
        Numbers of a token.

    Raises
    ------
    InputError
        MONAI is not installed.
    """

    def __init__(self, config: ImagesConfig, width: int) -> None:
        super().__init__()
        self.features, channels = _network(config)
        self.grid = config.tokens
        self.project = nn.Linear(channels, width)

    def forward(self, crops: Tensor) -> Tensor:
        """Return the tokens, along z, y, x of a coarse grid over the crop, x the fastest."""
        # In bf16 a CPU gets gradients of the last, smallest layers wrong: oneDNN reads memory that nobody wrote there.
        exact = crops.device.type == "cpu" and torch.is_grad_enabled()
        with torch.autocast(crops.device.type, enabled=False) if exact else nullcontext():
            found = self.features(crops)
        seen = nn.functional.adaptive_avg_pool3d(found, self.grid)
        tokens: Tensor = self.project(seen.flatten(2).transpose(1, 2))
        return tokens

    def load(self, path: Path) -> None:
        """Begin with published weights (MedicalNet's of ResNet 18, 34 or 50, with or without ``"module."`` in front).

        Raises
        ------
        InputError
            The file cannot be read, or is of another network; nothing is loaded then.
        """
        try:
            stored = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise InputError(f"{path} is no file of weights: give MedicalNet's .pth of this backbone.") from error
        stored = stored.get("state_dict", stored) if isinstance(stored, dict) else {}
        # What comes after the last stage (MedicalNet's is a segmentation head) is not the encoder's.
        given = {key.removeprefix("module."): value for key, value in stored.items() if "conv_seg" not in key}
        given = {key: value for key, value in given.items() if not key.startswith("fc.")}
        own = self.features.state_dict()
        odd = sorted(key for key in own.keys() | given.keys() if _shape(own.get(key)) != _shape(given.get(key)))
        if odd:
            raise InputError(
                f"{path} holds weights of another network ({odd[0]} differs): choose its backbone and stem."
            )
        self.features.load_state_dict(given)


def _shape(value: Any) -> tuple[int, ...] | None:
    return tuple(value.shape) if isinstance(value, Tensor) else None


def _network(config: ImagesConfig) -> tuple[nn.Module, int]:
    """Return what makes feature maps of crops, and their number."""
    try:
        from diffuscope.systems.mmfusion.maps import make_densenet, make_resnet
    except ImportError as error:
        raise InputError(f"a model that sees CT needs MONAI: {_HOW}.") from error
    return make_densenet(config) if config.backbone.startswith("densenet") else make_resnet(config)
