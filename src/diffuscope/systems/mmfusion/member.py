"""One guide and its diffusion: from what is known of cases to features, logits, and the noise in a class vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from diffuscope.systems.mmfusion.config import MMFusionConfig
from diffuscope.systems.mmfusion.denoiser import Denoiser
from diffuscope.systems.mmfusion.graph import GraphAttention, GraphConvolution
from diffuscope.systems.mmfusion.images import ImageRelations, Tokens
from diffuscope.systems.mmfusion.tables import table_encoder

CLASSES = 2


@dataclass(frozen=True, eq=False)
class Encoded:
    """Cases before the graph.

    Attributes
    ----------
    tables : Tensor (n, tables, width)
        Nodes; anything where the table is missing.
    tokens : Tokens, optional
        Of the images.
    there : Tensor of bool (n, nodes)
        Which nodes are: tumour and nodes where the model sees images, then the tables.
    """

    tables: Tensor
    tokens: Tokens | None
    there: Tensor

    def repeated(self, times: int) -> Encoded:
        """Return those of one case `times` times."""
        tables, there = (one.expand(times, *one.shape[1:]) for one in (self.tables, self.there))
        return Encoded(tables, self.tokens.repeated(times) if self.tokens is not None else None, there)


@dataclass(frozen=True, eq=False)
class Guided:
    """What a guide makes of cases.

    Attributes
    ----------
    case : Tensor (n, width)
        Features, which the denoiser sees.
    logits : Tensor (n, classes)
        Of f_φ.
    attention : Tensor (n, nodes, nodes)
        Of HGA (see `GraphAttention`); 0 without a graph.
    alignment : Tensor ()
        Of MMRL (Eq. 5).
    looked_at : Tensor (n, tokens), optional
        See `ImageNodes`.
    """

    case: Tensor
    logits: Tensor
    attention: Tensor
    alignment: Tensor
    looked_at: Tensor | None


class Member(nn.Module):
    """A guide and its denoiser.

    Parameters
    ----------
    config : MMFusionConfig
        See there.
    wide : sequence of int
        Numbers of each table's row (see `TableScale`).
    """

    def __init__(self, config: MMFusionConfig, wide: Sequence[int]) -> None:
        super().__init__()
        width = config.width
        self.images = ImageRelations(config.images, width) if config.images is not None else None
        self.encoders = nn.ModuleList(table_encoder(one, width) for one in wide)
        nodes = len(wide) + (2 if self.images is not None else 0)
        # One matrix of the graph takes all nodes: they have to be of one size.
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(nodes))
        self.graph: GraphAttention | GraphConvolution | None = None
        if config.graph != "none":
            attends = config.graph == "attention"
            self.graph = GraphAttention(width, config.heads) if attends else GraphConvolution(width)
        self.side_by_side: nn.Module | None = None
        if config.readout == "joined":
            self.side_by_side = nn.Sequential(nn.Linear(nodes * (width + 1), width), nn.SiLU(), nn.Dropout(0.1))
        self.head = nn.Linear(width, CLASSES)
        self.denoiser = Denoiser(CLASSES, width, config.steps) if config.diffusion else None

    def encode(self, rows: Sequence[Tensor], known: Tensor, tokens: Tokens | None) -> Encoded:
        """Return cases before the graph.

        Parameters
        ----------
        rows : sequence of Tensor (n, wide)
            By table, from `TableScale`.
        known : Tensor of bool (n, tables)
            Of which tables anything is known.
        tokens : Tokens, optional
            Of the images (see `ImageEncoder.encode`), where the model sees any.
        """
        n = len(known)
        nodes = [encoder(row) for encoder, row in zip(self.encoders, rows, strict=True)]
        tables = torch.stack(nodes, 1) if nodes else known.new_zeros(n, 0, self.head.in_features, dtype=torch.float32)
        if tokens is None:
            return Encoded(tables, None, known)
        pictures = torch.stack([tokens.tumour_there.any(1), tokens.nodes_there.any(1)], 1)
        return Encoded(tables, tokens, torch.cat([pictures, known], 1))

    def guide(self, encoded: Encoded, kept: Tensor, generator: torch.Generator | None = None) -> Guided:
        """Return features and logits of cases.

        Parameters
        ----------
        encoded : Encoded
            From `encode`.
        kept : Tensor of bool (n, nodes)
            Which of the nodes that are there it may see; one without any has the features 0.
        generator : torch.Generator, optional
            Of the relations that training hides.
        """
        there = encoded.there & kept
        nodes, alignment, looked_at = encoded.tables, encoded.tables.new_zeros(()), None
        if self.images is not None and encoded.tokens is not None:
            seen = self.images.relate(encoded.tokens.kept(there[:, 0], there[:, 1]), generator)
            nodes, alignment, looked_at = torch.cat([seen.nodes, nodes], 1), seen.alignment, seen.looked_at
        nodes = torch.stack([norm(nodes[:, number]) for number, norm in enumerate(self.norms)], 1)
        attention = nodes.new_zeros(len(nodes), nodes.shape[1], nodes.shape[1])
        if self.graph is not None:
            related, attention = self.graph(nodes, there | ~there.any(1, keepdim=True))
            nodes = nodes + related
        case = self._read(nodes, there.to(nodes.dtype))
        return Guided(case, self.head(case), attention, alignment, looked_at)

    def _read(self, nodes: Tensor, present: Tensor) -> Tensor:
        """Return the features of cases (n, width) from those of their nodes, of which some may be missing."""
        nodes = nodes * present[:, :, None]
        if self.side_by_side is None:
            return nodes.sum(1) / present.sum(1, keepdim=True).clamp(min=1)
        case: Tensor = self.side_by_side(torch.cat([nodes.flatten(1), present], 1))
        return case
