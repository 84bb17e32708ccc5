"""DAMM-Diffusion's table: what is trained, on what, for how long, and what the paper claims of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from benchmarks.reproduce.claims import Claim
from benchmarks.reproduce.damm.tumours import EXTERNAL, INTERNAL, KEYS, MPP, Cohort, Fold
from benchmarks.shared.cells import Cell, Training
from diffuscope.training.recipe import Optimisation

#: γ of training, and those that a trained model is asked with besides; 0 and 1 are always uni- and multi-modal.
GAMMA, OTHER_GAMMAS = 0.5, (0.3, 0.7)
#: Part of the steps with plain cross-attention and no gate, and λ where there is a feedback: see docs/damm.md.
WARM, LAMBDA = 0.6, 1.0
#: Draws of (t, ε) of each crop, by which the feedback tells the better branch; a step has as many fewer crops.
DRAWS = 2
COLUMNS = ("psnr_db", "ssim", "load_error_percent", "distance_error_um", "psnr_concordant", "psnr_discordant")
# Raise it when what a cell measures changes.
_MEASURE = 3
# 0.2 % of the cohort's pixels are brighter.
_TOP = 192.0
_MODALITIES: dict[str, Any] = {
    "main": {"key": "vessels"}, "auxiliaries": [{"key": "nuclei"}],
    "output": {"key": "nanoparticles", "range": [0.0, _TOP]},
}  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """How long and how large: the same for every row.

    Attributes
    ----------
    steps, batch, patch : int
        Optimiser steps of a cell, evaluations of the network a step, and their side in px.
    size : {"paper", "small", "tiny"}
        Widths of every network.
    cohort : Cohort
    samples : int
        K of the deviation over samples.
    """

    steps: int
    batch: int
    patch: int
    size: Literal["paper", "small", "tiny"]
    cohort: Cohort
    samples: int


_TRIAL = Cohort(animals=2, folds=2, external=1, fields=3, tested=3, size=128)
BUDGETS = {
    "standard": Budget(steps=800, batch=4, patch=64, size="small", cohort=Cohort(), samples=4),
    "quick": Budget(steps=4, batch=2, patch=32, size="tiny", cohort=_TRIAL, samples=2),
    # The paper's six folds; epochs, batch and widths that it does not state are guesses.
    "full": Budget(steps=200_000, batch=16, patch=64, size="paper", cohort=Cohort(folds=6, fields=200), samples=8),
}


@dataclass(frozen=True)
class Row:
    """One method that is trained.

    Attributes
    ----------
    name, what : str
        In the table.
    system : str
        As the registry knows it.
    config : mapping
        What is its own; modalities, size, patch and µm/px are the table's.
    inputs : tuple of str
        Of a baseline: what it sees.
    begins : str
        Row whose configuration the first half of its steps trains; the second half goes on from there, with its own,
        and trains the divergence alone. Empty: there is one round.
    first_fold : bool
        Whether it is trained in the first fold alone.
    """

    name: str
    what: str
    system: str = "damm"
    config: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = KEYS[:2]
    begins: str = ""
    first_fold: bool = False

    @property
    def is_damm(self) -> bool:
        """Whether it is a DAMM-Diffusion, whole or in part."""
        return self.system == "damm"


def _ungated(**parts: Any) -> dict[str, Any]:
    """Return the configuration of a row without DAMMP and its feedback, and with these parts otherwise."""
    return {"variant": {"dammp": False, **parts}, "lambda_dfl": 0.0}


_GREY = {"T": 1000, "grey": True}
BASELINE, MMFM, UAFM, BOTH, DAMMP = "concatenation", "mmfm", "uafm", "mmfm-uafm", "dammp"
PLAIN, NO_DFL, AGREED = "cross-attention", "no-dfl", "dammp-agreement"
NUCLEI, ROUNDS = "dammp-nuclei", "dammp-rounds"
ROWS = (
    Row(BASELINE, "both branches, fused by concatenation alone", config=_ungated(mmfm=False, attention="none")),
    Row(MMFM, "+ MMFM", config=_ungated(attention="none")),
    Row(UAFM, "+ UAFM", config=_ungated(mmfm=False)),
    Row(BOTH, "+ MMFM, UAFM", config=_ungated()),
    Row(DAMMP, "+ MMFM, UAFM, DAMMP: DAMM-Diffusion"),
    Row(PLAIN, "MMFM, and cross-attention for UAFM", config=_ungated(attention="plain")),
    Row(NO_DFL, "DAMM-Diffusion without DFL", config={"lambda_dfl": 0.0}),
    Row(
        NUCLEI,
        "DAMM-Diffusion whose uni-modal branch sees nuclei",
        config={"main": _MODALITIES["auxiliaries"][0], "auxiliaries": [_MODALITIES["main"]]},
    ),
    Row(
        ROUNDS,
        "DAMM-Diffusion for half of the steps, its divergence alone for the others (ours)",
        begins=DAMMP,
    ),
    Row(
        AGREED,
        "that, with an agreement of the inputs (ours)",
        config={"variant": {"agreement": True}},
        begins=DAMMP,
    ),
    Row("ldm", "conditional DDPM by concatenation, vessels and nuclei", "palette", _GREY),
    Row("ldm-vessels", "conditional DDPM by concatenation, vessels alone", "palette", _GREY, KEYS[:1]),
    Row("bbdm", "Brownian bridge, vessels alone", "bbdm", {"T": 1000}, KEYS[:1]),
    Row("pix2pix", "U-Net, PatchGAN and L1, vessels alone", "pix2pix", {}, KEYS[:1]),
    Row("hrpn-like", "U-Net regression (MSE), vessels and nuclei", "unet-regression"),
)
#: The paper's figures 6 and 7: another λ or α, in the first fold.
SWEEPS = tuple(
    Row(f"{DAMMP}, {sign} = {value:g}", "", config={key: value}, first_fold=True)
    for key, sign, values in (("lambda_dfl", "λ", (1e-4, 0.01, 0.1)), ("alpha", "α", (0.0, 0.01, 1.0)))
    for value in values
)
ROW = {row.name: row for row in (*ROWS, *SWEEPS)}
#: Found in a cell beside its row: the uni-modal branch of the row `BASELINE`, and the other γ.
UNIMODAL = "uni-modal"


def at_gamma(row: str, gamma: float) -> str:
    """Return what a row is called with another γ than it was trained with."""
    return f"{row}, γ = {gamma:g}"


ALWAYS_UNI, ALWAYS_MULTI = at_gamma(DAMMP, 0.0), at_gamma(DAMMP, 1.0)

_PAPER = {
    INTERNAL: [
        (MMFM, UNIMODAL, "+1.32 dB (table 5)"),
        (UAFM, UNIMODAL, "+1.46 dB (table 5)"),
        (BOTH, MMFM, "+1.37 dB (table 5)"),
        (BOTH, UAFM, "+1.23 dB (table 5)"),
        (DAMMP, BOTH, "+1.28 dB (table 5)"),
        (DAMMP, UNIMODAL, "+3.97 dB (table 5); goal ≥ 3 dB"),
        (DAMMP, PLAIN, "+1.89 dB (table 6)"),
        (BOTH, PLAIN, "better (§4.5)"),
        (DAMMP, NO_DFL, "+0.57 dB (table 7)"),
        (DAMMP, NUCLEI, "+1.66 dB (table 4)"),
        (at_gamma(DAMMP, 0.3), at_gamma(NO_DFL, 0.3), "+2.80 dB (table 7)"),
        (at_gamma(DAMMP, 0.7), at_gamma(NO_DFL, 0.7), "+1.95 dB (table 7)"),
        (DAMMP, "ldm-vessels", "+4.21 dB (table 1)"),
        (DAMMP, "bbdm", "+3.97 dB (table 1)"),
        (DAMMP, "pix2pix", "+8.96 dB (table 1)"),
        (DAMMP, "hrpn-like", "+3.56 dB (table 1)"),
        (DAMMP, ALWAYS_UNI, "gating better (§3.4)"),
        (DAMMP, ALWAYS_MULTI, "gating better (§3.4)"),
        (ROUNDS, DAMMP, "not in the paper"),
        (ROUNDS, at_gamma(ROUNDS, 0.0), "not in the paper"),
        (ROUNDS, at_gamma(ROUNDS, 1.0), "not in the paper"),
        (AGREED, ROUNDS, "not in the paper"),
        (AGREED, at_gamma(AGREED, 0.0), "not in the paper"),
        (AGREED, at_gamma(AGREED, 1.0), "not in the paper"),
    ],
    EXTERNAL: [
        (DAMMP, PLAIN, "+1.03 dB (table 6)"),
        (DAMMP, "hrpn-like", "+2.14 dB (table 2)"),
        (DAMMP, NUCLEI, "+1.15 dB (table 4)"),
    ],
}
CLAIMS = tuple(Claim(cohort, *stated) for cohort, claims in _PAPER.items() for stated in claims)


@dataclass(frozen=True)
class Task:
    """One cell to train and measure on the simulated cohort.

    Attributes
    ----------
    fold : Fold
    row : Row
    budget : Budget
    """

    fold: Fold
    row: Row
    budget: Budget

    @property
    def seed(self) -> int:
        """Seed of weights, batches and noise: every fold has its own."""
        return self.fold.number

    @property
    def begun(self) -> Task | None:
        """The cell of its first round, whose weights it goes on from."""
        if not self.row.begins:
            return None
        row = replace(ROW[self.row.begins], name=f"{self.row.begins}-first-round")
        return replace(self, row=row, budget=replace(self.budget, steps=self.budget.steps // 2))

    @property
    def crops(self) -> int:
        """Crops of a step."""
        return max(self.budget.batch // DRAWS, 1) if self.row.is_damm else self.budget.batch

    @cached_property
    def training(self) -> Training:
        """What is trained."""
        budget, begun = self.budget, self.begun
        steps = budget.steps - (begun.budget.steps if begun is not None else 0)
        config: dict[str, Any] = {"mpp": MPP, "size": budget.size, "patch": budget.patch}
        if self.row.is_damm:
            config |= _MODALITIES | {
                "norm": "group",
                "draws": DRAWS,
                "gamma": GAMMA,
                "lambda_dfl": LAMBDA,
                "early_feedback": True,
                "warmup": round(WARM * steps),
            }
        else:
            config |= {"stain": "nanoparticles"}
        plan = Optimisation(
            steps=steps, batch=self.crops, learning_rate=1e-3, warmup=steps // 10, ema=0.998, seed=self.seed
        )
        objective = "divergence" if begun is not None else ""
        return Training(self.row.system, config | dict(self.row.config), plan, objective)

    @cached_property
    def cell(self) -> Cell:
        """Where its result is kept."""
        facts = {
            "study": self.fold.facts(), "columns": list(COLUMNS), "inputs": list(self.row.inputs),
            "samples": self.budget.samples, "measure": _MEASURE,
        }  # fmt: skip
        if self.begun is not None:
            facts["begun"] = self.begun.cell.key
        return Cell(f"{self.row.name}-{self.fold.name}", facts | self.training.facts())

    def noise_batch(self) -> dict[str, Tensor]:
        """Return a batch of noise, as the system takes it: to time a step."""
        size, side = self.crops, self.budget.patch
        noise = 255 * torch.rand(len(KEYS), size, 1, side, side, generator=torch.Generator().manual_seed(0))
        return self.batch(dict(zip(KEYS, noise, strict=True)))

    def sampled_tiles(self) -> tuple[int, int]:
        """Return how many tiles are sampled, and their side in px."""
        cohort, side = self.budget.cohort, self.budget.patch
        field = cohort.tested * (cohort.size // 2 // side) ** 2
        internal, external = field * len(self.fold.held), field * cohort.external
        # other γ, branches; K samples of one animal
        again = {BASELINE: 1, NO_DFL: 2, DAMMP: 4, ROUNDS: 2, AGREED: 2}.get(self.row.name, 0)
        return internal * (1 + again) + external + (self.row.name == DAMMP) * field * self.budget.samples, side

    def batch(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return a batch as the row's system takes it."""
        return dict(images) if self.row.is_damm else as_picture(images, self.row.inputs)


def as_picture(images: Mapping[str, Tensor], inputs: tuple[str, ...]) -> dict[str, Tensor]:
    """Return channels as the baselines of virtual staining take them: inputs as red and green, particles as grey."""
    any_input = images[inputs[0]]
    planes = [images[key] if key in inputs else torch.zeros_like(any_input) for key in KEYS[:2]]
    found = {"he": torch.cat([*planes, torch.zeros_like(any_input)], dim=1)}
    if KEYS[2] in images:
        found["ihc"] = (images[KEYS[2]].clamp(max=_TOP) * (255.0 / _TOP)).expand(-1, 3, -1, -1)
    return found


def as_counts(ihc: Tensor) -> Tensor:
    """Return particles, in counts (n, 1, h, w), of a baseline's picture."""
    return ihc.mean(dim=1, keepdim=True) * (_TOP / 255.0)


def tasks(budget: Budget) -> list[Task]:
    """Return all cells, fold after fold."""
    folds = [Fold(number, budget.cohort) for number in range(budget.cohort.folds)]
    return [Task(fold, row, budget) for fold in folds for row in ROW.values() if not (row.first_fold and fold.number)]
