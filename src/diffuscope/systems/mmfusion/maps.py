"""MONAI's networks up to their feature maps. Importing this takes seconds: MONAI brings much."""

from __future__ import annotations

import torch
from monai.networks.nets import DenseNet, ResNet
from torch import Tensor, nn

from diffuscope.systems.mmfusion.config import ImagesConfig

# Blocks a stage, and whether they are bottlenecks.
_RESNETS = {
    "resnet10": ((1, 1, 1, 1), False),
    "resnet18": ((2, 2, 2, 2), False),
    "resnet34": ((3, 4, 6, 3), False),
    "resnet50": ((3, 4, 6, 3), True),
}
# The fewest feature maps that a network can have are four, of a DenseNet two at a time.
_GROUPS = 2
_DENSENETS = {"densenet22": (2, 2, 2, 2), "densenet121": (6, 12, 24, 16)}


def _normed(network: nn.Module, config: ImagesConfig) -> None:
    """Set the norms that the configuration says: MONAI's ResNet takes a norm, and gives it to its first layer only."""
    if config.norm == "batch":
        return
    for module in list(network.modules()):
        for name, one in module.named_children():
            if isinstance(one, nn.BatchNorm3d):
                setattr(module, name, nn.GroupNorm(_GROUPS, one.num_features))


class ResNetMaps(ResNet):
    """A ResNet without its end."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the maps of the last stage."""
        x = self.act(self.bn1(self.conv1(x)))
        x = x if self.no_max_pool else self.maxpool(x)
        maps: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return maps

    def _downsample_basic_block(self, x: Tensor, planes: int, stride: int, spatial_dims: int = 3) -> Tensor:  # noqa: ARG002
        # MONAI's own, as MedicalNet's, takes `.data` here and so stops the gradient of every shortcut of type A.
        out = nn.functional.avg_pool3d(x, 1, stride)
        return torch.cat([out, out.new_zeros(len(out), planes - out.shape[1], *out.shape[2:])], dim=1)


def make_resnet(config: ImagesConfig) -> tuple[nn.Module, int]:
    """Return a ResNet whose weights are named and shaped as MedicalNet's, and the number of its maps.

    MedicalNet (S. Chen et al., Med3D, 2019) has shortcuts of type A in 18 and 34 and of type B in 10 and 50, no biases,
    and a first convolution of stride 2.
    """
    blocks, bottleneck = _RESNETS[config.backbone]
    planes = [config.planes * 2**stage for stage in range(4)]
    large = config.stem == "large"
    network = ResNetMaps(
        "bottleneck" if bottleneck else "basic",
        list(blocks),
        planes,
        n_input_channels=1,
        conv1_t_size=7 if large else 3,
        conv1_t_stride=2,
        no_max_pool=not large,
        shortcut_type="A" if config.backbone in ("resnet18", "resnet34") else "B",
        bias_downsample=False,
        feed_forward=False,
    )
    _normed(network, config)
    return network, planes[-1] * (4 if bottleneck else 1)


def make_densenet(config: ImagesConfig) -> tuple[nn.Module, int]:
    """Return a DenseNet, and the number of its maps."""
    network = DenseNet(
        *(3, 1, 1),
        init_features=config.planes,
        growth_rate=config.planes // 2,
        block_config=_DENSENETS[config.backbone],
    )
    if config.stem == "small":
        network.features.conv0 = nn.Conv3d(1, config.planes, 3, stride=2, padding=1, bias=False)
        network.features.pool0 = nn.Identity()
    _normed(network, config)
    out = network.class_layers.out
    assert isinstance(out, nn.Linear)
    return network.features, out.in_features
