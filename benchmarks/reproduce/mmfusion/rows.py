"""The rows of MMFusion's tables: what is trained, and on which part of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

MMFUSION, LOGISTIC, BOOSTING, LYMPH, FRESH = (
    *("mmfusion", "logistic regression", "gradient boosting", "lymph-model"),
    "a guide of other patients",
)
_APART = {"graph": "none", "readout": "joined"}
_BASE = _APART | {"diffusion": False}
_TABLES = ("clinical", "blood")


@dataclass(frozen=True)
class Row:
    """One method.

    Attributes
    ----------
    name : str
        Safe in a file name.
    told : str
        What it is, as the page has it.
    kind : str
        ``"mmfusion"``, or what it is held against.
    config : mapping
        Of MMFusion, what differs from the study's configuration.
    without : tuple of str
        Inputs of the study that it does not get.
    study : mapping
        What differs in how the study is made.
    seeds : int, optional
        Fewer, or more, than other rows have.
    """

    name: str
    told: str
    kind: str = MMFUSION
    config: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    study: Mapping[str, Any] = field(default_factory=dict)
    seeds: int | None = None


#: On tables alone: MMRL relates images, and cannot be tested here.
REAL = (
    Row("logistic", "logistic regression", LOGISTIC),
    Row("boosting", "gradient boosting", BOOSTING),
    Row("base", "base: an MLP a table, side by side", config=_BASE),
    Row("hga", "base + HGA", config={"diffusion": False}),
    Row("side", "base + HGA, nodes side by side", config={"readout": "joined", "diffusion": False}),
    Row("cfd", "base + CFD", config=_APART),
    Row("mmfusion", "MMFusion: base + HGA + CFD, guide frozen"),
    Row("joint", "MMFusion, joint (Eq. 7)", config={"guide": "joint"}),
    Row("gcn", "MMFusion, GCN for HGA", config={"graph": "convolution"}),
    Row("single", "MMFusion of one guide", config={"members": 1}),
)
_TEN = {"members": 10}
#: What ships has ten guides; of HANCOCK it is known that blood tells nearly nothing.
HANCOCK = (
    *REAL,
    Row("ten-hga", "base + HGA, ten guides", config=_TEN | {"diffusion": False}),
    Row("ten", "MMFusion of ten guides, as what ships", config=_TEN),
    Row("few-logistic", "logistic regression, no blood", LOGISTIC, without=("blood",)),
    Row(
        "few-hga",
        "base + HGA, ten guides, no blood",
        config=_TEN | {"diffusion": False, "drop": 0.3},
        without=("blood",),
    ),
)
#: Of few patients, or of others than trained.
OUTSIDE = tuple(row for row in REAL if row.name in ("logistic", "boosting", "base", "mmfusion"))
#: Where lymph-model says something, too.
LYDATA = (REAL[0], REAL[1], Row("lymph", "lymph-model: a hidden Markov model of spread", LYMPH), *REAL[2:7])


def _steps(*, mmrl: bool, hga: bool, cfd: bool) -> dict[str, Any]:
    """Return the configuration of some of the paper's three steps."""
    return {"images": {"relations": mmrl}, "graph": "attention" if hga else "none", "diffusion": cfd}


_ALL = _steps(mmrl=True, hga=True, cfd=True)
_SEEN = {"radiomics": True}
#: The paper's Tables 2 and 3 in kind; ``guides`` and ``fresh`` are for the interval over the guides.
SIMULATED = (
    Row("logistic", "logistic regression, tables", LOGISTIC),
    Row("boosting", "gradient boosting, tables", BOOSTING),
    Row("radiomics", "logistic regression, tables and radiomics", LOGISTIC, study=_SEEN),
    Row("boosted", "gradient boosting, tables and radiomics", BOOSTING, study=_SEEN),
    Row(
        "tumour",
        "CNN of the tumour alone",
        config=_steps(mmrl=False, hga=False, cfd=False),
        without=("maps of the nodes", *_TABLES),
    ),
    Row("images", "CNN of tumour and nodes", config=_steps(mmrl=False, hga=False, cfd=False), without=_TABLES),
    Row("base", "base", config=_steps(mmrl=False, hga=False, cfd=False)),
    Row("mmrl", "base + MMRL", config=_steps(mmrl=True, hga=False, cfd=False)),
    Row("hga", "base + HGA", config=_steps(mmrl=False, hga=True, cfd=False)),
    Row("cfd", "base + CFD", config=_steps(mmrl=False, hga=False, cfd=True)),
    Row("mmrl-hga", "base + MMRL + HGA", config=_steps(mmrl=True, hga=True, cfd=False)),
    Row("mmrl-cfd", "base + MMRL + CFD", config=_steps(mmrl=True, hga=False, cfd=True)),
    Row("hga-cfd", "base + HGA + CFD", config=_steps(mmrl=False, hga=True, cfd=True)),
    Row("mmfusion", "MMFusion: all three", config=_ALL),
    Row("gcn", "MMFusion, GCN for HGA", config=_ALL | {"graph": "convolution"}),
    Row("densenet", "MMFusion, DenseNet for ResNet", config=_ALL, study={"backbone": "densenet22"}),
    Row("unhidden", "MMFusion, no relation hidden", config=_ALL | {"images": {"hidden": 0.0}}),
    Row("joint", "MMFusion, joint (Eq. 7)", config=_ALL | {"guide": "joint"}),
    Row("mean", "MMFusion, mean of the nodes", config=_ALL | {"readout": "mean"}),
    Row("measured", "MMFusion with radiomics as a node", config=_ALL, study=_SEEN),
    Row("guides", "MMFusion of ten guides", config=_ALL | {"members": 10}, seeds=2),
    Row("fresh", "MMFusion of other patients", FRESH, config=_ALL, seeds=8),
)
#: Of more patients: the paper's steps one after the other, and the best of the rivals.
MANY = tuple(
    replace(row, seeds=3) for row in SIMULATED if row.name in ("boosted", "base", "mmrl", "mmrl-hga", "mmfusion")
)
