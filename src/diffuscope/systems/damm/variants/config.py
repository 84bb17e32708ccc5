"""What a DAMM-Diffusion has otherwise than the method, as its configuration states it; and how it did before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from diffuscope.systems.bounds import STRICT


class Variant(BaseModel):
    """Parts left out, exchanged or added; the defaults are the method.

    Attributes
    ----------
    mmfm : bool
        False: the features are concatenated and brought to C channels, without attention weights (table 5).
    reduction : int
        r of the fusion's channel attention (Eq. 7; official code: 16).
    attention : {"uncertain", "plain", "none"}
        At the bottleneck: uncertainty-aware cross-attention, plain cross-attention (table 6), or none (table 5).
    uncertainty : {"auxiliary", "main"}
        Whose feature U is computed from: the multi-modal stream's (Eq. 10), or the main one's (official code).
    agreement : bool
        Whether U also hangs on one logit a tile that a small network finds in the inputs alone; not in the paper.
    dammp : bool
        False: both losses are always summed and the multi-modal branch always counts (table 5).
    error : {"l2", "l1"}
        Of ε: mean squared (Eqs. 4 and 5) or absolute (official code).
    loss_weighting : {"velocity", "epsilon"}
        ``"epsilon"``: the paper's unweighted error of ε, for that of the velocity (see
        `diffuscope.systems.damm.loss.squared_error`).
    """

    model_config = STRICT

    mmfm: bool = True
    reduction: int = Field(default=16, ge=1, le=4096)
    attention: Literal["uncertain", "plain", "none"] = "uncertain"
    uncertainty: Literal["auxiliary", "main"] = "auxiliary"
    agreement: bool = False
    dammp: bool = True
    error: Literal["l2", "l1"] = "l2"
    loss_weighting: Literal["velocity", "epsilon"] = "velocity"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.attention != "uncertain" and self.dammp:
            raise ValueError("without uncertainty there is no divergence to decide by: set dammp: false")
        if self.attention != "uncertain" and self.agreement:
            raise ValueError("agreement is a part of the uncertainty: leave it out, or set attention: uncertain")
        return self


def modern(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration's entries in today's form; one that has it already is returned as it is.

    - The entries of `Variant` stood beside all others.
    - ``uni``, the key of an input, had that one and ``main`` change places.
    - ``stage`` told what was trained, which a recipe's rounds say: it is left out.

    Parameters
    ----------
    given : mapping
        As JSON or YAML gives it, with ``main`` and ``auxiliaries``.

    Raises
    ------
    ValueError
        ``uni`` is none of the inputs.
    """
    config = {key: value for key, value in given.items() if key != "stage"}
    if flat := {key: config.pop(key) for key in Variant.model_fields if key in config}:
        config["variant"] = flat | dict(config.get("variant") or {})
    alone = config.pop("uni", "")
    if alone:
        inputs = {_key(one): one for one in (config["main"], *config["auxiliaries"])}
        if alone not in inputs:
            raise ValueError(f"uni must be one of the inputs {', '.join(inputs)}, not {alone}")
        config |= {"main": inputs.pop(alone), "auxiliaries": tuple(inputs.values())}
    return config


def _key(modality: Any) -> str:
    """Return the key of a modality, which may be all that is said of it."""
    if isinstance(modality, Mapping):
        return str(modality.get("key"))
    return modality if isinstance(modality, str) else str(modality.key)
