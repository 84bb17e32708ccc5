"""What a map of a result means, in a sentence."""

from __future__ import annotations

from typing import Any

from diffuscope.measurement.threshold import threshold_of
from diffuscope.ports.shown import is_dab, is_spread

_SUPPORT = (
    "Orange lies where {source} does not explain what the sample shows, or the sample leaves out what it shows: a "
    "reason to look, not a proof."
)
_MEANINGS = {
    "segmentation": "Probability that a px is part of a positive cell, from the model's second branch.",
    "distance": "Distance to the outline of the nearest positive cell, positive inside of it.",
    "mean": "Mean of {samples} samples: what they agree on.",
    "support": _SUPPORT,
    "relevance": "What the model looked at, yellow to red: not where disease is.",
    "attention_uncertainty": "How little the channels tell of each other, 0 to 1.",
    "divergence": "How far the channels contradict each other in a tile, 0 to 1, mean over the steps: where it is "
    "above γ the second channel was not used.",
    "multimodal": "How often the second channel was used in a tile: 1 at every step, 0 at none.",
}


def meaning(key: str, record: dict[str, Any]) -> str:
    """Say what a map means.

    Parameters
    ----------
    key : str
        Of its port, or of a value of tiles.
    record : dict
        Of the run.

    Returns
    -------
    str
        Empty where the name says it all.
    """
    samples = int(record.get("parameters", {}).get("samples") or 1)
    if is_dab(key):
        return f"Optical density of DAB; above {threshold_of(record):g} OD a px counts as positive."
    if is_spread(key):
        if samples > 1:
            return f"Standard deviation over {samples} samples: where the model is unsure, not where it is wrong."
        if key == "uncertainty" and _is_stain(record):
            return "How far stain and segmentation of one sample disagree, not where they are wrong."
        return ""
    source = next((str(one["name"]) for one in record.get("inputs", {}).values() if "name" in one), "the source")
    return _MEANINGS.get(key, "").format(source=source, samples=samples)


def _is_stain(record: dict[str, Any]) -> bool:
    return "dab_threshold" in record.get("parameters", {})
