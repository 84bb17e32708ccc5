"""A model's card as the dock shows it."""

from __future__ import annotations

from html import escape

from diffuscope.plugin.layers.facts import ModelFacts
from diffuscope.ports.port import Port

_NOT = "Not for diagnosis."


def card_text(model: ModelFacts) -> str:
    """Return what a user must know of a model before a run, as rich text.

    What it was trained on is part of that: on another stain, scanner, sequence or part of the body it fails first.
    """
    trained = f" <b>Trained on:</b> {_sentence(model.trained_on)}" if model.trained_on else ""
    return (
        f"{escape(model.what_it_is)}{trained} <b>What it is not:</b> "
        f"{escape(model.what_it_is_not.removesuffix(_NOT).rstrip())} <b>{_NOT}</b>"
    )


def learned_text(model: ModelFacts) -> str:
    """Say what a model of scans learned from: of each patient both, or the one that it makes alone."""
    if not model.zero_shot:
        return "<b>Learned from pairs</b> of scans of the same patients."
    made = escape(short_name(model.outputs[0])) if model.outputs else "what it makes"
    return f"<b>Zero-shot: learned from {made} alone</b>, and never saw a pair."


def listed_title(model: ModelFacts, *, by_pairs: bool) -> str:
    """Return what a list of models calls one; `by_pairs` tells what it learned from."""
    if not by_pairs:
        return model.title
    if model.zero_shot and model.outputs and len(model.inputs) == 1:
        made = short_name(model.outputs[0])
        return f"{made} from {model.inputs[0].name} (learned from {made} alone)"
    return f"{model.title} (learned from {'one side alone' if model.zero_shot else 'pairs'})"


def short_name(port: Port) -> str:
    """Return an output's name without the word that says that a model makes it, where that is said anyway."""
    return port.name.removeprefix("generated ").removeprefix("virtual ")


def _sentence(text: str) -> str:
    return escape(text if text.endswith(".") else f"{text}.")


def pairs_text(model: ModelFacts | None) -> str:
    """Return what a folder of cases of a model holds, for a field; of none, and so of one from scratch, a stain's."""
    *inputs, target = ("he", "ihc") if model is None else (*(p.key for p in model.inputs), model.outputs[0].key)
    return f"folder with {', '.join(f'{key}/' for key in inputs)} and {target}/, or cases.csv"


def preset_names(model: ModelFacts) -> dict[str, str]:
    """Return what a form calls the model's qualities, by key; which sampler that is stands under Advanced."""
    names: dict[str, str] = {}
    for key, (sampler, steps) in model.presets.items():
        samples = model.preset_samples.get(key, 1)
        name = f"{key.capitalize()}: {steps} {'step' if steps == 1 else 'steps'}"
        name += f", {samples} samples" if samples > 1 else ""
        names[key] = f"{name}, {sampler}" if name in names.values() else name
    return names
