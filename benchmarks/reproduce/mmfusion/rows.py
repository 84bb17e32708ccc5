"""The rows of MMFusion's tables: what is trained, and on which part of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MMFUSION, LOGISTIC, BOOSTING, LYMPH = "mmfusion", "logistic regression", "gradient boosting", "lymph-model"
_BASE = {"graph": "none", "diffusion": False}


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
    """

    name: str
    told: str
    kind: str = MMFUSION
    config: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()


#: On tables alone: MMRL relates images, and cannot be tested here.
REAL = (
    Row("logistic", "logistic regression", LOGISTIC),
    Row("boosting", "gradient boosting", BOOSTING),
    Row("base", "base: an MLP a table, side by side", config=_BASE),
    Row("hga", "base + HGA", config={"diffusion": False}),
    Row("cfd", "base + CFD", config={"graph": "none"}),
    Row("mmfusion", "MMFusion: base + HGA + CFD, guide frozen"),
    Row("joint", "MMFusion, joint (Eq. 7)", config={"guide": "joint"}),
    Row("gcn", "MMFusion, GCN for HGA", config={"graph": "convolution"}),
    Row("single", "MMFusion of one guide", config={"members": 1}),
)
#: Where lymph-model says something, too.
LYDATA = (REAL[0], REAL[1], Row("lymph", "lymph-model: a hidden Markov model of spread", LYMPH), *REAL[2:])
