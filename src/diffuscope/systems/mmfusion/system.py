"""MMFusion: the modalities of a case as a graph, and the class of the case by diffusion around what the graph says.

MMFusion: multi-modality diffusion model for lymph-node metastasis diagnosis, 2024. The class vector's chain is CARD's
(`diffuscope.diffusion.card`): the paper's Eq. 4 is the estimate of y_0, and its reverse step needs CARD's posterior.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from diffuscope.diffusion.card import Card
from diffuscope.errors import InputError
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.table import Table
from diffuscope.systems.base import CaseInput, CaseNoise, Estimate, Whole
from diffuscope.systems.mmfusion.config import MMFusionConfig
from diffuscope.systems.mmfusion.declare import declare
from diffuscope.systems.mmfusion.denoiser import Denoiser
from diffuscope.systems.mmfusion.graph import GraphAttention, GraphConvolution
from diffuscope.systems.mmfusion.tables import TableEncoder

_CLASSES = 2


class MMFusion(Whole):
    """Tables in, any of which may be missing; draws of the class out, whose mean is its probability.

    ``"joint"`` is the paper's loss (Eq. 7, without images: of the guide and of the diffusion); ``"guide"`` warms the
    guide up alone, as the authors' code does, ``"diffusion"`` trains only what comes after.

    Parameters
    ----------
    config : MMFusionConfig
        See there.
    """

    objectives = MappingProxyType({"joint": ("guide", "diffusion"), "guide": ("guide",), "diffusion": ("diffusion",)})
    targets = ("label",)

    def __init__(self, config: MMFusionConfig) -> None:
        super().__init__(declare(config))
        self.config = config
        self.tables = [port for port in self.inputs if isinstance(port, Table)]
        self.encoders = nn.ModuleList(TableEncoder(table.columns, config.width) for table in self.tables)
        self.graph = (
            GraphAttention(config.width, config.heads)
            if config.graph == "attention"
            else GraphConvolution(config.width)
        )
        self.head = nn.Linear(config.width, _CLASSES)
        self.denoiser = Denoiser(_CLASSES, config.width, config.steps)
        self.card = Card(config.steps, config.first, config.last)
        self.objective = "joint"

    def parts(self) -> dict[str, tuple[nn.Module, ...]]:
        """The guide (encoders, graph, its head) and the diffusion around it."""
        return {"guide": (self.encoders, self.graph, self.head), "diffusion": (self.denoiser,)}

    def fit(self, rows: Mapping[str, Tensor]) -> None:
        """Take the scale of numbers from rows that train, and from no others.

        Parameters
        ----------
        rows : mapping of str to Tensor (n, columns)
            By table, NaN where nothing is known.
        """
        for table, encoder in zip(self.tables, self.encoders, strict=True):
            assert isinstance(encoder, TableEncoder)
            encoder.fit(rows[table.key])

    def check(self, settings: SampleSettings) -> None:
        """Refuse other numbers of steps than the chain has."""
        if settings.steps != self.card.steps:
            raise InputError(f"the chain of this model has {self.card.steps} steps: leave out --steps.")

    def features(self, rows: Mapping[str, Tensor], dropped: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the graph makes of cases.

        Parameters
        ----------
        rows : mapping of str to Tensor (n, columns)
            By table; one that is left out is missing of all, a row of nothing but NaN of its case.
        dropped : Tensor of bool (n, tables), optional
            What is to be left out besides, where something else is there.

        Returns
        -------
        Tensor (n, width)
            Features of each case.
        Tensor (n, classes)
            Logits of the guide.
        Tensor (n, tables, tables)
            Attention (see `GraphAttention`).
        """
        count = len(next(iter(rows.values())))
        device = self.head.weight.device
        nodes, present = [], []
        for table, encoder in zip(self.tables, self.encoders, strict=True):
            row = rows.get(table.key)
            row = torch.full((count, len(table.columns)), torch.nan, device=device) if row is None else row
            nodes.append(encoder(row))
            present.append((~row.isnan()).any(dim=1))
        there = torch.stack(present, dim=1)
        if dropped is not None:
            kept = there & ~dropped
            there = torch.where(kept.any(dim=1, keepdim=True), kept, there)
        if not there.any(dim=1).all():
            raise InputError(f"nothing is known of a case: give at least one value of {', '.join(self._names)}.")
        stacked = torch.stack(nodes, dim=1)
        seen, attention = self.graph(stacked, there)
        weights = there.to(stacked.dtype) / there.sum(1, keepdim=True)
        case = ((stacked + seen) * weights[:, :, None]).sum(1)
        return case, self.head(case), attention

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Cross entropy of the guide, mean square of the noise of the diffusion (Eq. 7), and their sum.

        Parameters
        ----------
        batch : mapping of str to Tensor
            Rows (n, columns) by table, NaN where nothing is known, and ``"label"`` (n,), 0 or 1.
        generator : torch.Generator
            Of nodes left out, t and ε.
        """
        label = batch["label"].long()
        count, device = len(label), label.device
        dropped = None
        if self.training:
            shape = (count, len(self.tables))
            dropped = torch.rand(shape, generator=generator, device=device) < self.config.drop
        case, logits, _ = self.features({table.key: batch[table.key] for table in self.tables}, dropped)
        guide_loss = torch.nn.functional.cross_entropy(logits, label)
        if self.objective == "guide":
            return {"loss": guide_loss}
        guide = logits.softmax(dim=1)
        if self.config.guide == "frozen" or self.objective == "diffusion":
            case, guide = case.detach(), guide.detach()
        response = torch.nn.functional.one_hot(label, _CLASSES).to(guide.dtype)
        t = torch.randint(1, self.card.steps + 1, (count,), generator=generator, device=device)
        noise = torch.randn(response.shape, generator=generator, device=device)
        found = self.denoiser(self.card.forward(response, guide, t, noise), guide, case, t)
        noise_loss = self.config.weight * torch.nn.functional.mse_loss(found, noise)
        if self.objective == "diffusion":
            return {"loss": noise_loss}
        return {"loss": guide_loss + noise_loss, "guide": guide_loss.detach(), "diffusion": noise_loss.detach()}

    def sample(
        self, inputs: Mapping[str, CaseInput], noise: CaseNoise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor | str]]:
        """Draw the class vector of one case from y_T = f + z to y_0 (see `Whole.sample`).

        The draws are near 0 or 1 where the model knows the class, whatever its probability; the mean is the
        probability.
        """
        rows = {key: value[None] for key, value in inputs.items() if isinstance(value, Tensor)}
        case, logits, _ = self.features(rows)
        draws, steps, key = settings.samples, self.card.steps, self.config.key
        guide = logits.float().softmax(dim=1).expand(draws, _CLASSES)
        case = case.expand(draws, -1)
        shape = (draws, _CLASSES)
        response = noisy = guide + noise(key, sample=0, step=steps, shape=shape)
        for t in range(steps, 0, -1):
            at = torch.full((draws,), t, device=guide.device)
            # A class vector lies in [0, 1], and so does its mean given y_t: what goes beyond is the network's error.
            response = self.card.clean(noisy, guide, at, self.denoiser(noisy, guide, case, at).float()).clamp(0.0, 1.0)
            if t > 1:
                noisy = self.card.previous(response, noisy, guide, t, noise(key, sample=0, step=t - 1, shape=shape))
            yield Estimate(steps - t + 1, steps, {})
        return {key: response[:, 1]}

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(table.name for table in self.tables)
