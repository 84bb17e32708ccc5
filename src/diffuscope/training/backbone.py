"""Published weights that a system's image encoder begins with."""

from __future__ import annotations

from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.model.find import HUB, fetch
from diffuscope.systems.base import System
from diffuscope.systems.protocols import TakesBackbone

# What is fetched of a repository where no file is named; never another format.
_STABLE_DIFFUSION = tuple(
    f"{part}/{file}" for part in ("unet", "vae") for file in ("config.json", "diffusion_pytorch_model.safetensors")
)


def find_backbone(source: str, folder: Path) -> Path:
    """Return the weights that a recipe names.

    Parameters
    ----------
    source : str
        A file or a folder; ``"hub:owner/name/file"``, or ``"hub:owner/name"`` of a repository that is shaped as Stable
        Diffusion 1.5; these are fetched, or taken from the hub's cache.
    folder : Path
        What a file is relative to.

    Raises
    ------
    InputError
        There is no such file, or it cannot be fetched.
    """
    if not source.startswith(HUB):
        path = folder / source
        if not path.exists():
            raise InputError(f"{path} does not exist: give a file of weights, or {HUB}owner/name/file.")
        return path
    owner, _, rest = source.removeprefix(HUB).partition("/")
    name, _, file = rest.partition("/")
    if not (owner and name):
        raise InputError(f"“{source}” names no file: write {HUB}owner/name/file.")
    if not file:
        path = fetch(f"{owner}/{name}", list(_STABLE_DIFFUSION))
        if not (path / _STABLE_DIFFUSION[0]).is_file():
            raise InputError(f"{source} is no Stable Diffusion: write {HUB}owner/name/file, which names the weights.")
        return path
    path = fetch(f"{owner}/{name}", [file]) / file
    if not path.is_file():
        raise InputError(f"{owner}/{name} on the hub has no file {file}: look at its list of files.")
    return path


def begin_backbone(system: System, path: Path) -> None:
    """Let a system's image encoder begin with the weights of a file.

    Raises
    ------
    InputError
        The system has no such encoder, or the weights are of another network.
    """
    if not isinstance(system, TakesBackbone):
        raise InputError(f"{type(system).__name__} takes no published backbone: leave out backbone.")
    system.load_backbone(path)
