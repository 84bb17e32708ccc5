"""The shelf of models: cards, safe loading, bundled weights. Nothing in a model folder is ever unpickled."""

from diffuscope.model.card import ModelCard
from diffuscope.model.find import ModelInfo, find_model, list_models
from diffuscope.model.folder import Model, load_model, save_model, set_figures

__all__ = ["Model", "ModelCard", "ModelInfo", "find_model", "list_models", "load_model", "save_model", "set_figures"]
