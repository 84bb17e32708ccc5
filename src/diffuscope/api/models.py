"""The verb `models`: what can be run."""

from __future__ import annotations

from diffuscope.model.find import ModelInfo, list_models


def models() -> list[ModelInfo]:
    """Return the models that ship and those in the user's folder."""
    return list_models()
