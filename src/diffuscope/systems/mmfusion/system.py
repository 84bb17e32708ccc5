"""MMFusion: the modalities of a case as a graph, and the class of the case by diffusion around what the graph says.

MMFusion: multi-modality diffusion model for lymph-node metastasis diagnosis, 2024. The class vector's chain is CARD's
(`diffuscope.diffusion.card`): the paper's Eq. 4 is the estimate of y_0, and its reverse step needs CARD's posterior.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from diffuscope.diffusion.card import Card
from diffuscope.errors import InputError
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.table import Table
from diffuscope.systems.base import CaseInput, CaseNoise, Estimate, Whole
from diffuscope.systems.calibration import Calibration, calibrated
from diffuscope.systems.mmfusion.augment import augmented
from diffuscope.systems.mmfusion.case import RELEVANCE, draw_back, see
from diffuscope.systems.mmfusion.chain import draw_classes
from diffuscope.systems.mmfusion.config import MMFusionConfig
from diffuscope.systems.mmfusion.declare import declare
from diffuscope.systems.mmfusion.explain import explain, received
from diffuscope.systems.mmfusion.images import ImageEncoder, Tokens
from diffuscope.systems.mmfusion.likeness.figures import case_figures, figure_columns
from diffuscope.systems.mmfusion.likeness.usual import Usual
from diffuscope.systems.mmfusion.loss import drawn_again, member_loss
from diffuscope.systems.mmfusion.member import CLASSES, Encoded, Guided, Member
from diffuscope.systems.mmfusion.tables import TableScale, scaled_rows

_CROPS = ("tumour", "nodes")


class MMFusion(Whole):
    """CT with outlines and tables in, any of which may be missing; draws of the class out, whose mean is the score.

    ``"joint"`` is the paper's loss (Eq. 7); ``"guide"`` warms the guide up alone, as the authors' code does,
    ``"diffusion"`` trains only what comes after; ``"measures"`` lets the image encoder begin on what its crops show
    (`diffuscope.systems.mmfusion.measures`).

    Parameters
    ----------
    config : MMFusionConfig
        See there.
    """

    objectives = MappingProxyType(
        {
            "joint": ("encoder", "guide", "diffusion"),
            "guide": ("encoder", "guide"),
            "diffusion": ("diffusion",),
            "measures": ("encoder",),
        }
    )
    targets = ("label",)
    prevalence: Tensor

    def __init__(self, config: MMFusionConfig) -> None:
        super().__init__(declare(config))
        self.config = config
        self.tables = [port for port in self.inputs if isinstance(port, Table)]
        self.nodes = ((*_CROPS,) if config.images is not None else ()) + tuple(table.key for table in self.tables)
        self.scales = nn.ModuleList(TableScale(table.columns) for table in self.tables)
        wide = [scale.wide for scale in self.scales if isinstance(scale, TableScale)]
        self.images = ImageEncoder(config.images, config.width) if config.images is not None else None
        self.members = nn.ModuleList(Member(config, wide) for _ in range(config.members))
        self.usual = Usual(figure_columns(self.tables, config.images), config.limits)
        self.register_buffer("prevalence", torch.tensor(0.5))
        self.card = Card(config.steps, config.first, config.last)
        self.objective = "joint"

    def parts(self) -> dict[str, tuple[nn.Module, ...]]:
        """The image encoder, which all members share, the guides (tables, relations, graph, head), the diffusion."""
        guides = [
            module
            for member in self.members
            for name, module in member.named_children()
            if name != "denoiser" and module is not None
        ]
        denoisers = [member.denoiser for member in self.members if isinstance(member.denoiser, nn.Module)]
        encoder = (self.images,) if self.images is not None else ()
        return {"encoder": encoder, "guide": tuple(guides), "diffusion": tuple(denoisers)}

    def load_backbone(self, path: Path) -> None:
        """Begin with published weights of the image encoder (see `Backbone.load`)."""
        if self.images is None:
            raise InputError("this configuration sees no images: leave out the backbone's weights.")
        self.images.load(path)

    def fit(self, rows: Mapping[str, Tensor]) -> None:
        """Take scales, what is usual and how frequent the second class is from cases that train, and from no others.

        Parameters
        ----------
        rows : mapping of str to Tensor (n, …)
            A training batch of all of them.
        """
        for table, scale in zip(self.tables, self.scales, strict=True):
            assert isinstance(scale, TableScale)
            if table.key in rows:  # what is measured is nowhere where nobody has a CT
                scale.fit(rows[table.key])
        self.usual.fit(case_figures(self.tables, self.config.images, rows))
        if self.images is not None:
            self.images.fit({key: rows.get(key, nothing) for key, nothing in self._no_crops(1).items()})
        self.prevalence.copy_(rows["label"].cpu().double().mean())

    @property
    def fitted(self) -> dict[str, Any]:
        """Within which limits numbers are usual (see `Usual`)."""
        return {"limits": self.usual.limits}

    def check(self, settings: SampleSettings) -> None:
        """Refuse other numbers of steps than the chain has."""
        if settings.steps != self.card.steps:
            raise InputError(f"the chain of this model has {self.card.steps} steps: leave out --steps.")

    def prepare(self, inputs: Mapping[str, CaseInput], spacing: tuple[float, ...] | None) -> dict[str, CaseInput]:
        """Return rows as they are, and of CT and outlines crops, where they lie, and what is measured (see `see`)."""
        return see(self.config, self.inputs, inputs, spacing)

    def decide(self, *, threshold: float | None, calibration: Calibration | None) -> dict[str, Any]:
        """Take threshold and calibration into the configuration, which states them."""
        stated = {"threshold": threshold, "calibration": calibration}
        self.config = self.config.model_copy(update=stated)
        return stated

    def unlike(self, inputs: Mapping[str, CaseInput]) -> str:
        """Say how a case is unlike those that it was trained on (see `Usual`)."""
        one = {key: value[None] for key, value in inputs.items() if isinstance(value, Tensor)}
        return self.usual.unlike(case_figures(self.tables, self.config.images, one)[0])

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Cross entropy of the guide, MMRL's alignment, mean square of the noise (Eq. 7), mean over the members.

        Parameters
        ----------
        batch : mapping of str to Tensor
            Of each case what `prepare` gives, by key (n, …), NaN where nothing is known; ``"label"`` (n,), 0 or 1; and
            ``"case"`` (n,), its number among those that train, by which members see it as often as they do.
        generator : torch.Generator
            Of crops changed, nodes left out, relations hidden, t and ε.
        """
        weights = None
        if self.training and len(self.members) > 1 and "case" in batch:
            weights = drawn_again(batch["case"], len(self.members))
        if self.training:
            batch = {**batch, **{key: augmented(batch[key], generator) for key in _CROPS if key in batch}}
        if self.objective == "measures" and self.images is not None:
            return {"loss": self.images.measure({**self._no_crops(len(batch["label"])), **batch})}
        tokens = self._tokens(batch)
        terms: dict[str, list[Tensor]] = {}
        for number, member in enumerate(self._members()):
            encoded = self._encode(member, batch, tokens)
            kept = self._kept(encoded, generator)
            guided = member.guide(encoded, kept, generator if self.training else None)
            own = member_loss(
                member,
                guided,
                batch["label"],
                card=self.card,
                objective=self.objective,
                frozen=self.config.guide == "frozen",
                weight=None if weights is None else weights[number],
                generator=generator,
            )
            for name, value in own.items():
                terms.setdefault(name, []).append(value)
        means = {name: torch.stack(values).mean() for name, values in terms.items()}
        align = self.config.images.align if self.config.images is not None else 0.0
        scale = {"diffusion": self.config.weight, "alignment": align}
        total = torch.stack([scale.get(name, 1.0) * value for name, value in means.items()]).sum()
        return {"loss": total} | {name: value.detach() for name, value in means.items()}

    def sample(
        self, inputs: Mapping[str, CaseInput], noise: CaseNoise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor | str]]:
        """Draw the class vector of one case from y_T = f + z to y_0 (see `Whole.sample`).

        The draws are near 0 or 1 where the model knows the class, whatever its probability; the mean is the
        probability.
        """
        one = {key: value[None] for key, value in inputs.items() if isinstance(value, Tensor)}
        kept = torch.ones(1, len(self.nodes), dtype=torch.bool, device=self.prevalence.device)
        guided = self._guided(one, kept)
        chain = self._drawn(guided, noise, settings)
        while True:
            try:
                step = next(chain)
            except StopIteration as end:
                draws = end.value[:, 0]
                break
            yield Estimate(step, self.card.steps, {})
        return {self.config.key: draws if len(draws) > 1 else draws[0]} | self._beside(inputs, guided, noise, settings)

    def _beside(
        self, inputs: Mapping[str, CaseInput], guided: list[Guided], noise: CaseNoise, settings: SampleSettings
    ) -> dict[str, Tensor]:
        """Return what is wanted of what the score rests on, and no more: shares take longer than the score."""
        wanted = {port.key for port in self.outputs if not settings.wanted or port.key in settings.wanted}
        there, found = self.there(inputs), {}
        if wanted & {"shapley", "left_out"}:
            shares = explain(
                lambda kept: self.scores(inputs, kept, noise, settings), there, empty=float(self.prevalence)
            )
            found = {"shapley": shares.shapley, "left_out": shares.left_out}
        if "attention" in wanted:
            attention = torch.stack([one.attention[0] for one in guided]).mean(0)
            found["attention"] = received(attention.float().cpu(), there)
        images = self.config.images
        looked = [one.looked_at[0] for one in guided if one.looked_at is not None]
        if images is not None and looked and RELEVANCE in wanted and "mask" in inputs:
            found[RELEVANCE] = draw_back(torch.stack(looked).mean(0), inputs, images)
        return {key: one for key, one in found.items() if key in wanted}

    @torch.no_grad()
    def scores(
        self, inputs: Mapping[str, CaseInput], kept: Tensor, noise: CaseNoise, settings: SampleSettings
    ) -> Tensor:
        """Return the score of one case with some of what is known of it, by the same draws as `sample`.

        Parameters
        ----------
        inputs : mapping of str to Tensor
            From `prepare`.
        kept : Tensor of bool (m, nodes)
            What of it is kept, m times; at least one node that is there.
        noise, settings
            As of `sample`.

        Returns
        -------
        Tensor (m,)
        """
        one = {key: value[None] for key, value in inputs.items() if isinstance(value, Tensor)}
        guided = self._guided(one, kept.to(self.prevalence.device))
        chain = self._drawn(guided, noise, settings)
        while True:
            try:
                next(chain)
            except StopIteration as end:
                drawn: Tensor = end.value
                return drawn.mean(dim=(0, 2))

    def there(self, inputs: Mapping[str, CaseInput]) -> Tensor:
        """Return which nodes of a case are there, bool (nodes,), from what `prepare` gives."""
        given = (inputs.get(node) for node in self.nodes)
        return torch.tensor([isinstance(one, Tensor) and not bool(one.isnan().all()) for one in given])

    def _drawn(self, guided: list[Guided], noise: CaseNoise, settings: SampleSettings) -> Generator[int, None, Tensor]:
        """Run CFD of every member, yielding the steps done; (members, n, draws), calibrated, in the end."""
        shape = (settings.samples, CLASSES)

        def of(member: int, step: int) -> Tensor:
            return noise(self.config.key, sample=member, step=step, shape=shape)

        draws = yield from draw_classes(self._members(), guided, self.card, of, draws=settings.samples)
        return draws if self.config.calibration is None else calibrated(draws, self.config.calibration)

    def _guided(self, one: Mapping[str, Tensor], kept: Tensor) -> list[Guided]:
        """Return what each member makes of a case with each of some choices of its nodes, (m, nodes)."""
        tokens = self._tokens(one)
        encoded = [self._encode(member, one, tokens) for member in self._members()]
        return [
            member.guide(own.repeated(len(kept)) if len(kept) > 1 else own, kept)
            for member, own in zip(self._members(), encoded, strict=True)
        ]

    def _encode(self, member: Member, batch: Mapping[str, Tensor], tokens: Tokens | None) -> Encoded:
        """Return cases before the graph; what a batch does not have is missing of all."""
        rows, known = scaled_rows(self.tables, self.scales, batch, device=self.prevalence.device)
        return member.encode(rows, known, tokens)

    def _tokens(self, batch: Mapping[str, Tensor]) -> Tokens | None:
        if self.images is None:
            return None
        crops = {**self._no_crops(len(next(iter(batch.values())))), **batch}
        return self.images.encode(crops["tumour"], crops["nodes"])

    def _no_crops(self, count: int) -> dict[str, Tensor]:
        """Return the crops of cases of which there are none."""
        images = self.config.images
        shapes = {"tumour": (1, *images.tumour), "nodes": (images.nodes, 1, *images.node)} if images else {}
        nothing = torch.full((), torch.nan, device=self.prevalence.device)
        return {key: nothing.expand(count, *shape) for key, shape in shapes.items()}

    def _kept(self, encoded: Encoded, generator: torch.Generator) -> Tensor:
        """Return which nodes training keeps: it leaves some out, where something else is there."""
        there = encoded.there
        if not self.training:
            return torch.ones_like(there)
        kept = torch.rand(there.shape, generator=generator, device=there.device) >= self.config.drop
        return torch.where((kept & there).any(1, keepdim=True), kept, True)

    def _members(self) -> list[Member]:
        return [member for member in self.members if isinstance(member, Member)]
