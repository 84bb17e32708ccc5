"""Model folders: written whole, and read only if every byte and every tensor is what config.json promises."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.model.card import CONFIG, ModelCard, ModelConfig, read_config
from diffuscope.model.find import WEIGHTS, find_model
from diffuscope.model.readme import readme
from diffuscope.systems.base import System, Tiled
from diffuscope.systems.registry import build_system, configure

# Formats that run code when they are opened; torch, numpy and scikit-learn write pickles under these names.
PICKLES = frozenset({".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz"})
_PICKLE_MAGIC = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")


@dataclass(frozen=True)
class Model:
    """A model, ready to run.

    Attributes
    ----------
    name : str
        Name on the shelf, or of the folder.
    system : System
        In evaluation mode, float32, on the device asked for.
    path : Path
        The folder.
    stated : ModelConfig
        Its config.json.
    """

    name: str
    system: System
    path: Path
    stated: ModelConfig

    @property
    def tiled(self) -> Tiled:
        """The system, of a model that runs tile by tile.

        Raises
        ------
        InputError
            It takes whole cases.
        """
        if not isinstance(self.system, Tiled):
            raise InputError(f"{self.name} takes whole cases and does not run tile by tile.")
        return self.system

    @property
    def card(self) -> ModelCard:
        """What it is and is not."""
        return self.stated.card

    @property
    def hash(self) -> str:
        """SHA-256 of the weights file."""
        return self.stated.sha256


def load_model(model: str | Path, device: str = "cpu") -> Model:
    """Load a model by name, folder or hub address.

    Parameters
    ----------
    model : str or Path
        A name of `list_models`, a model folder, or ``"hub:owner/name"`` of the Hugging Face Hub.
    device : str
        Where its weights go.

    Returns
    -------
    Model

    Raises
    ------
    InputError
        There is no such model; the folder holds a pickle; the weights are not safetensors, not those whose hash
        config.json states, or do not fit the system. One sentence each.
    """
    name, folder = find_model(model)
    _refuse_pickles(folder)
    config = read_config(folder)
    weights = folder / WEIGHTS
    try:
        stored = weights.read_bytes()
    except OSError as error:
        raise InputError(
            f"{folder} is not a model folder: it has no readable {WEIGHTS}; fetch the model again."
        ) from error
    if stored.startswith(_PICKLE_MAGIC):
        raise InputError(f"{weights} is a pickle under another name and is never opened: ask for safetensors weights.")
    digest = hashlib.sha256(stored).hexdigest()
    if digest != config.sha256:
        raise InputError(
            f"{weights} is not the file that {CONFIG} describes "
            f"(its SHA-256 is {digest[:8]}…, not {config.sha256[:8]}…): "
            "fetch the model again."
        )
    try:
        tensors = load(stored)
    except SafetensorError as error:
        raise InputError(f"{weights} is not a safetensors file: fetch the model again.") from error
    system = _build(config, folder)
    _fill(system, tensors, weights)
    return Model(name, system.to(device).eval(), folder, config)


def save_model(
    folder: Path | str,
    system: System,
    system_name: str,
    config: Mapping[str, Any],
    card: ModelCard | Mapping[str, Any],
    recipe: str = "",
) -> Path:
    """Write a model folder: float16 weights, config.json and README.md; whole or not at all.

    Parameters
    ----------
    folder : Path
        Folder to write; a model folder in its place is replaced.
    system : System
        Its parameters and persistent buffers are stored.
    system_name : str
        Name in `diffuscope.systems.registry`.
    config : mapping
        The system's configuration, JSON values; what it leaves out is stated with its default.
    card : ModelCard or mapping
        See there.
    recipe : str
        The command that makes the weights again.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        Something that is no model folder is in the way.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / CONFIG).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not a model folder and is never overwritten: choose another name.")
    stored = save(stored_weights(system))
    defaults = configure(system_name, config).model_dump(mode="json")
    stated = ModelConfig(
        system=system_name,
        # What a system no longer reads, as of a model of before that it goes on from, is left out.
        config=defaults | {key: value for key, value in config.items() if key in defaults},
        card=card if isinstance(card, ModelCard) else ModelCard.model_validate(card),
        sha256=hashlib.sha256(stored).hexdigest(),
        recipe=recipe,
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        partial.chmod(0o755)
        (partial / WEIGHTS).write_bytes(stored)
        _describe(partial, folder.name, stated, len(stored))
        if folder.exists():
            shutil.rmtree(folder)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def stored_weights(system: System) -> dict[str, Tensor]:
    """Return a system's weights as a model folder holds them: float16, on the CPU."""
    return {
        key: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for key, value in system.state_dict().items()
    }


def set_figures(folder: Path | str, figures: Mapping[str, float]) -> None:
    """Put figures that were measured on a stored model on its card, in place of those there.

    Raises
    ------
    InputError
        The folder is no model folder, or its weights are not those that its config.json describes.
    """
    folder = Path(folder)
    stated = load_model(folder).stated
    card = stated.card.model_copy(update={"figures": {key: float(f"{value:.4g}") for key, value in figures.items()}})
    _describe(
        folder, folder.resolve().name, stated.model_copy(update={"card": card}), (folder / WEIGHTS).stat().st_size
    )


def _describe(folder: Path, name: str, stated: ModelConfig, size: int) -> None:
    """Write config.json and README.md."""
    text = json.dumps(stated.model_dump(), indent=2, ensure_ascii=False) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(readme(name, stated, size), encoding="utf-8")


def _refuse_pickles(folder: Path) -> None:
    """Refuse a folder that holds a pickle anywhere: who sends one may count on some other program opening it."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICKLES:
            raise InputError(
                f"{folder} holds {path.relative_to(folder)}, a format that can run code when opened: "
                "keep only model.safetensors, config.json and README.md there."
            )


def _build(config: ModelConfig, folder: Path) -> System:
    try:
        return build_system(config.system, config.config)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(("config", *(str(part) for part in first["loc"])))
        raise InputError(f"{folder / CONFIG} has a wrong entry at {where}: {first['msg']}.") from error


def _fill(system: System, tensors: Mapping[str, Tensor], weights: Path) -> None:
    """Copy the tensors in; refuse any that is missing, unknown or of another shape, or not finite."""
    wanted = system.state_dict()
    for key in sorted(wanted.keys() ^ tensors.keys()):
        fault = "lacks" if key in wanted else "has an unknown"
        raise InputError(f"{weights} does not fit its {CONFIG}: it {fault} tensor {key}; fetch the model again.")
    for key, value in wanted.items():
        given = tensors[key]
        if given.shape != value.shape:
            raise InputError(
                f"{weights} does not fit its {CONFIG}: {key} is {tuple(given.shape)}, not {tuple(value.shape)}; "
                "fetch the model again."
            )
        if not torch.isfinite(given).all():
            raise InputError(f"{weights} is damaged: {key} holds values that are not finite; fetch the model again.")
    system.load_state_dict(tensors)
