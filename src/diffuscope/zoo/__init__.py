"""The shelf of models: cards, safe loading, bundled weights. Nothing in a model folder is ever unpickled."""

from diffuscope.zoo.card import ModelCard
from diffuscope.zoo.folder import Model, load_model, save_model, set_figures
from diffuscope.zoo.shelf import ModelInfo, find_model, list_models

__all__ = ["Model", "ModelCard", "ModelInfo", "find_model", "list_models", "load_model", "save_model", "set_figures"]
