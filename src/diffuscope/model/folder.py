"""Model folders: written whole, and read only if every byte and every tensor is what config.json promises."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.files.durable import replacing
from diffuscope.files.place import Kind, check_place, parts_named
from diffuscope.files.put import in_place_of
from diffuscope.files.read import read_bytes
from diffuscope.files.room import full_disk_in_words
from diffuscope.model.card import CONFIG, ModelCard, ModelConfig, is_model, read_config, right_config
from diffuscope.model.find import WEIGHTS, find_model
from diffuscope.model.readme import readme
from diffuscope.ports.seen import Seen
from diffuscope.systems.base import System, Tiled
from diffuscope.systems.protocols import FitsRows
from diffuscope.systems.registry import build_system, configure

# Formats that run code when they are opened; torch, numpy and scikit-learn write pickles under these names.
PICKLES = frozenset({".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz"})
# Bytes of a weights file beside its numbers: names, shapes and places of some thousand tensors.
_HEADER = 4_000_000
_PICKLE_MAGIC = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")


#: What `save_model` writes.
MODEL = Kind("a model folder", is_model, parts=parts_named("|".join(map(re.escape, (CONFIG, WEIGHTS, "README.md")))))


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
    config = read_config(folder)
    _refuse_pickles(folder)
    weights = folder / WEIGHTS
    with right_config(folder):
        system = build_system(config.system, config.config)
    try:
        stored = read_bytes(weights, most=_most_bytes(system), inside=folder)
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
    # Of a type that this PyTorch does not have it raises other errors.
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{weights} is not a safetensors file: fetch the model again.") from error
    _fill(system, tensors, weights)
    return Model(name, system.to(device).eval(), folder, config)


def save_model(
    folder: Path | str,
    system: System,
    system_name: str,
    config: Mapping[str, Any],
    card: ModelCard | Mapping[str, Any],
    recipe: str = "",
    seen: Mapping[str, Seen] = MappingProxyType({}),
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
    seen : mapping of str to Seen
        By key of an input, how the images of training look.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        Something that is no model folder is in the way, or it cannot be written.
    """
    folder = Path(folder)
    standing = check_place(folder, MODEL, overwrite=True)
    stored = save(stored_weights(system))
    stated = ModelConfig(
        system=system_name,
        config=configure(system_name, config).model_dump(mode="json"),
        card=card if isinstance(card, ModelCard) else ModelCard.model_validate(card),
        sha256=hashlib.sha256(stored).hexdigest(),
        recipe=recipe,
        seen=dict(seen),
    )
    with in_place_of(folder, replace=standing == "replaced") as part:
        part.mkdir()
        (part / WEIGHTS).write_bytes(stored)
        _describe(part, folder.resolve().name, stated, len(stored))
    return folder


def stored_weights(system: System) -> dict[str, Tensor]:
    """Return a system's weights as a model folder holds them: float16, on the CPU.

    What was taken from the rows that train is no weight and stays float32: float16 ends at 65,504, which platelets do
    not.
    """
    exact = {name for name, _ in system.named_buffers()} if isinstance(system, FitsRows) else set()
    return {
        key: (value.half() if value.is_floating_point() and key not in exact else value).contiguous().cpu()
        for key, value in system.state_dict().items()
    }


def set_figures(folder: Path | str, figures: Mapping[str, float]) -> None:
    """Put figures that were measured on a stored model on its card, in place of those there.

    Raises
    ------
    InputError
        The folder is no model folder, or its weights are not those that its config.json describes.
    """
    rounded = {key: float(f"{value:.4g}") for key, value in figures.items()}
    _restate(folder, lambda stated: {"card": stated.card.model_copy(update={"figures": rounded})})


def set_config(folder: Path | str, changes: Mapping[str, Any]) -> None:
    """State other values of a system's configuration that its weights do not hang on.

    Raises
    ------
    InputError
        As `set_figures`.
    """

    def changed(stated: ModelConfig) -> dict[str, Any]:
        return {"config": configure(stated.system, {**stated.config, **changes}).model_dump(mode="json")}

    _restate(folder, changed)


def set_seen(folder: Path | str, seen: Mapping[str, Seen]) -> None:
    """State how the images look that a model's inputs are known to take, in place of what is stated.

    Raises
    ------
    InputError
        As `set_figures`.
    """
    _restate(folder, lambda _: {"seen": dict(seen)})


def _restate(folder: Path | str, change: Callable[[ModelConfig], Mapping[str, Any]]) -> None:
    folder = Path(folder)
    stated = load_model(folder).stated
    changed = stated.model_copy(update=change(stated))
    with full_disk_in_words(folder):
        _describe(folder, folder.resolve().name, changed, (folder / WEIGHTS).stat().st_size)


def _describe(folder: Path, name: str, stated: ModelConfig, size: int) -> None:
    """Write config.json and README.md."""
    text = json.dumps(stated.plain(), indent=2, ensure_ascii=False) + "\n"
    for file, content in ((CONFIG, text), ("README.md", readme(name, stated, size))):
        with replacing(folder / file) as opened:
            opened.write(content.encode())


def _most_bytes(system: System) -> int:
    """Return how long a weights file may be: every number in 64 bits, and a header."""
    return 8 * sum(tensor.numel() for tensor in system.state_dict().values()) + _HEADER


def _refuse_pickles(folder: Path) -> None:
    """Refuse a folder that holds a pickle anywhere: who sends one may count on some other program opening it."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICKLES:
            raise InputError(
                f"{folder} holds {path.relative_to(folder)}, a format that can run code when opened: "
                "keep only model.safetensors, config.json and README.md there."
            )


def _fill(system: System, tensors: Mapping[str, Tensor], weights: Path) -> None:
    """Copy the tensors in; refuse any that is missing, unknown or of another shape, or not finite."""
    wanted = system.state_dict()
    for key in sorted(wanted.keys() ^ tensors.keys()):
        fault = "lacks" if key in wanted else "has an unknown"
        raise InputError(
            f"{weights} does not fit its {CONFIG}: it {fault} tensor {key}; fetch the model again, or train it again "
            "where an older Diffuscope made it."
        )
    for key, value in wanted.items():
        given = tensors[key]
        if given.shape != value.shape:
            raise InputError(
                f"{weights} does not fit its {CONFIG}: {key} is {tuple(given.shape)}, not {tuple(value.shape)}; "
                "fetch the model again."
            )
        if given.is_floating_point() != value.is_floating_point() or given.is_complex():
            kinds = f"{given.dtype}, not {value.dtype}"
            raise InputError(f"{weights} does not fit its {CONFIG}: {key} is {kinds}; fetch the model again.")
        if not torch.isfinite(given.float()).all():
            raise InputError(f"{weights} is damaged: {key} holds values that are not finite; fetch the model again.")
    system.load_state_dict(tensors)
