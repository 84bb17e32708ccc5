"""The two image nodes of a guide: crops of the tumour and of the nodes, encoded, and related to each other (MMRL)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn

from diffuscope.systems.mmfusion.backbone import Backbone
from diffuscope.systems.mmfusion.config import ImagesConfig
from diffuscope.systems.mmfusion.measures import Measurer
from diffuscope.systems.mmfusion.relations import Relations

_TISSUES = ("tumour", "nodes")


@dataclass(frozen=True, eq=False)
class Tokens:
    """Crops as tokens.

    Attributes
    ----------
    tumour, nodes : Tensor (n, tokens, width)
        Of the nodes all of the first, then all of the second, …; anything where there are none.
    tumour_there, nodes_there : Tensor of bool (n, tokens)
    """

    tumour: Tensor
    nodes: Tensor
    tumour_there: Tensor
    nodes_there: Tensor

    def kept(self, tumour: Tensor, nodes: Tensor) -> Tokens:
        """Return them without the tumour, or without the nodes, of some cases (bool (n,) each)."""
        return Tokens(self.tumour, self.nodes, self.tumour_there & tumour[:, None], self.nodes_there & nodes[:, None])

    def repeated(self, times: int) -> Tokens:
        """Return those of one case `times` times."""
        return Tokens(*(one.expand(times, *one.shape[1:]) for one in vars(self).values()))


@dataclass(frozen=True, eq=False)
class ImageNodes:
    """What the graph sees of the images.

    Attributes
    ----------
    nodes : Tensor (n, 2, width)
        Tumour and nodes; 0 where missing.
    alignment : Tensor ()
        Of MMRL in training, both tissues (Eq. 5); else 0.
    looked_at : Tensor (n, tokens of both)
        How much each token of the tumour, then of the nodes, is looked at from the other tissue.
    """

    nodes: Tensor
    alignment: Tensor
    looked_at: Tensor


class ImageEncoder(nn.Module):
    """Crops in, tokens out: what all members of a system see of the images.

    Parameters
    ----------
    config : ImagesConfig
        Networks.
    width : int
        Numbers of a token.
    """

    def __init__(self, config: ImagesConfig, width: int) -> None:
        super().__init__()
        self.backbones = nn.ModuleDict({name: Backbone(config, width) for name in _TISSUES})
        self.measurers = nn.ModuleDict({name: Measurer(width) for name in _TISSUES})
        self.count, self.width = prod(config.tokens), width

    def encode(self, tumour: Tensor, nodes: Tensor) -> Tokens:
        """Return the tokens of crops.

        Parameters
        ----------
        tumour : Tensor (n, 1, d, h, w)
            NaN where there is none.
        nodes : Tensor (n, nodes, 1, d, h, w)
            The same.
        """
        one, tumour_there = self._tokens("tumour", tumour[:, None])
        several, nodes_there = self._tokens("nodes", nodes)
        return Tokens(one, several, tumour_there, nodes_there)

    def fit(self, crops: Mapping[str, Tensor]) -> None:
        """Take the scale of what is measured from the crops that train (``"tumour"`` and ``"nodes"`` of `encode`)."""
        for name, measurer in self.measurers.items():
            assert isinstance(measurer, Measurer)
            flat = crops[name].reshape(-1, 1, *crops[name].shape[-3:])
            measurer.fit(flat[~flat[:, 0, 0, 0, 0].isnan()])

    def load(self, path: Path) -> None:
        """Begin with published weights (see `Backbone.load`)."""
        for backbone in self.backbones.values():
            assert isinstance(backbone, Backbone)
            backbone.load(path)

    def measure(self, crops: Mapping[str, Tensor]) -> Tensor:
        """Return how far the measures that are read off the tokens are from those of the crops, mean over tissues."""
        losses = []
        for name, measurer in self.measurers.items():
            assert isinstance(measurer, Measurer)
            flat = crops[name].reshape(-1, 1, *crops[name].shape[-3:])
            flat = flat[~flat[:, 0, 0, 0, 0].isnan()]
            if len(flat):
                losses.append(measurer.loss(flat, self.backbones[name](flat)))
        return torch.stack(losses).mean() if losses else torch.zeros((), device=flat.device)

    def _tokens(self, which: str, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Return the tokens of all structures of a kind (n, structures · tokens, width), and which are there."""
        n, structures = crops.shape[:2]
        flat = crops.flatten(0, 1)
        there = ~flat[:, 0, 0, 0, 0].isnan()
        tokens = flat.new_zeros(n * structures, self.count, self.width)
        if there.any():
            # What is missing must not be part of what a batch norm sees.
            tokens = tokens.index_put((there,), self.backbones[which](flat[there]).to(tokens.dtype))
        return tokens.view(n, -1, self.width), there.view(n, structures).repeat_interleave(self.count, 1)


class ImageRelations(nn.Module):
    """Tokens in, two nodes of the graph out.

    Parameters
    ----------
    config : ImagesConfig
        MMRL, or means of the tokens.
    width : int
        Numbers of a token and of a node.
    """

    def __init__(self, config: ImagesConfig, width: int) -> None:
        super().__init__()
        tokens = dict(zip(_TISSUES, (prod(config.tokens), prod(config.tokens) * config.nodes), strict=True))
        self.relations = (
            nn.ModuleDict(
                {name: Relations(width, config.heads, count, config.hidden) for name, count in tokens.items()}
            )
            if config.relations
            else None
        )

    def relate(self, tokens: Tokens, generator: torch.Generator | None) -> ImageNodes:
        """Return the two nodes of the graph; with a generator a share of the relations is hidden, as in training."""
        if self.relations is None:
            pairs = ((tokens.tumour, tokens.tumour_there), (tokens.nodes, tokens.nodes_there))
            means = [(one * there[:, :, None]).sum(1) / there.sum(1, keepdim=True).clamp(min=1) for one, there in pairs]
            nothing = torch.zeros(len(means[0]), tokens.tumour.shape[1] + tokens.nodes.shape[1], device=means[0].device)
            return ImageNodes(torch.stack(means, 1), means[0].new_zeros(()), nothing)
        tumour, nodes = (tokens.tumour, tokens.tumour_there), (tokens.nodes, tokens.nodes_there)
        of_tumour = self.relations["tumour"](*tumour, *nodes, generator)
        of_nodes = self.relations["nodes"](*nodes, *tumour, generator)
        return ImageNodes(
            torch.stack([of_tumour.node, of_nodes.node], 1),
            of_tumour.alignment + of_nodes.alignment,
            torch.cat([of_nodes.looked_at, of_tumour.looked_at], 1),
        )
