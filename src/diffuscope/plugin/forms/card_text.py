"""A model's card as the dock shows it."""

from __future__ import annotations

from html import escape

from diffuscope.plugin.layers.facts import ModelFacts

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


def _sentence(text: str) -> str:
    return escape(text if text.endswith(".") else f"{text}.")


def preset_names(model: ModelFacts) -> dict[str, str]:
    """Return what a form calls the model's qualities, by key."""
    return {
        key: f"{key.capitalize()} ({sampler}, {steps} {'step' if steps == 1 else 'steps'})"
        for key, (sampler, steps) in model.presets.items()
    }
