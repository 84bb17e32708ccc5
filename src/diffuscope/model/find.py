"""Where models are: bundled with the package, in the user's folder, anywhere on disk, or on the Hugging Face Hub."""

from __future__ import annotations

import difflib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from diffuscope.errors import InputError
from diffuscope.model.card import CONFIG, ModelCard, ModelConfig, read_config, right_config
from diffuscope.ports.declaration import Declaration
from diffuscope.systems.registry import declare

BUNDLED = Path(__file__).parent / "weights"
HUB = "hub:"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class ModelInfo:
    """A model that was found and not loaded.

    Attributes
    ----------
    name : str
        What `load_model` takes.
    path : Path
        The folder.
    stated : ModelConfig
        Its config.json.
    declared : Declaration
        What its system declares.
    """

    name: str
    path: Path
    stated: ModelConfig
    declared: Declaration

    @property
    def card(self) -> ModelCard:
        """What it is and is not."""
        return self.stated.card

    @property
    def title(self) -> str:
        """From the card."""
        return self.card.title


def user_folder() -> Path:
    """Return the folder where a user's own models are found by name."""
    return platformdirs.user_data_path("diffuscope") / "models"


def list_models() -> list[ModelInfo]:
    """Return the bundled models and those in the user's folder, by name; a bundled name wins. No weights are read.

    A folder there whose config.json is not right is not listed; `load_model` says what is wrong with it.
    """
    found: dict[str, ModelInfo] = {}
    for place in (BUNDLED, user_folder()):
        for config in sorted(place.glob(f"*/{CONFIG}")):
            name = config.parent.name
            if name not in found:
                with suppress(InputError):
                    found[name] = read_info(name, config.parent)
    return [found[name] for name in sorted(found)]


def model_info(model: str | Path) -> ModelInfo:
    """Return what is known of a model without loading it.

    Parameters
    ----------
    model : str or Path
        As of `find_model`.

    Raises
    ------
    InputError
        There is none, or its config.json is not right.
    """
    return read_info(*find_model(model))


def read_info(name: str, folder: Path) -> ModelInfo:
    """Read a model folder's config.json, and what its system declares.

    Raises
    ------
    InputError
        There is none, or an entry is missing, unknown or wrong.
    """
    stated = read_config(folder)
    with right_config(folder):
        return ModelInfo(name, folder, stated, declare(stated.system, stated.config))


def find_model(model: str | Path) -> tuple[str, Path]:
    """Return the name and the folder of a model.

    Parameters
    ----------
    model : str or Path
        A name of `list_models`, a folder, or ``"hub:owner/name"``.

    Raises
    ------
    InputError
        There is none; the sentence names the nearest.
    """
    text = str(model)
    if text.startswith(HUB):
        return text, fetch(text.removeprefix(HUB), [WEIGHTS, CONFIG, "README.md"])
    folder = Path(model)
    # A path is a folder first, and a name where there is none.
    if folder.name == text and (isinstance(model, str) or not folder.exists()):
        for place in (BUNDLED, user_folder()):
            if (place / text / CONFIG).is_file():
                return text, place / text
    if folder.is_dir():
        return folder.resolve().name, folder
    if folder.exists():
        raise InputError(f"{folder} is a file, not a model folder: name the folder that holds {CONFIG}.")
    names = [info.name for info in list_models()]
    near = difflib.get_close_matches(text, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names) or 'none'} (diffuscope models)."
    raise InputError(f'there is no model "{text}": {hint}')


def fetch(address: str, files: list[str]) -> Path:
    """Fetch files of a repository from the hub, or take them from its cache; only those named are ever downloaded.

    Parameters
    ----------
    address : str
        ``"owner/name"``.
    files : list of str
        Names in the repository; one that is not there is no error.

    Returns
    -------
    Path
        The folder they lie in.

    Raises
    ------
    InputError
        The address is none, or it could not be reached and is not in the cache.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(address, allow_patterns=files))
    except HFValidationError as error:
        raise InputError(f'"{HUB}{address}" is no address of the hub: write {HUB}owner/name.') from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise InputError(
            f"the model {address} could not be fetched from the hub and is not in its cache: "
            "check the name and the connection."
        ) from error
