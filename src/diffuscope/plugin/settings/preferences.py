"""What a user has set in napari's preferences, under Plugins → Diffuscope; the defaults where napari has none yet."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from diffuscope.devices import DEVICES

if TYPE_CHECKING:
    from diffuscope.plugin.forms.run import RunForm  # whose layers look as is preferred
    from diffuscope.plugin.layers.facts import ModelFacts


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """As the manifest declares them.

    Attributes
    ----------
    device : str
        Where docks compute that were not told otherwise.
    beside : bool
        Whether a result goes beside its input, where that has a folder that can be written.
    results : str
        Folder of the others; empty: Diffuscope in the user's documents.
    tiles : int
        Computed at once, which is what memory is needed for; 0: as many as the device is fast with.
    colours : str
        Colormap of maps; ``"model"``: as the model has them.
    cluster : str
        Address of a dask scheduler; empty: this machine.
    """

    device: str = "auto"
    beside: bool = True
    results: str = ""
    tiles: int = 0
    colours: str = "model"
    cluster: str = ""


def preferences() -> Preferences:
    """Return what is set now."""
    group = _group()
    known: dict[str, Any] = {}
    for field in fields(Preferences):
        value = getattr(group, field.name, field.default)
        known[field.name] = value if type(value) is type(field.default) else field.default
    if known["device"] not in DEVICES:
        known["device"] = Preferences.device
    return Preferences(**known)


def tiles_at_once(model: ModelFacts) -> int | None:
    """Return how many tiles of a model are to be computed at once; None: as many as the device is fast with."""
    return (not model.whole and preferences().tiles) or None


def cluster_for(model: ModelFacts) -> str | None:
    """Return the address of the cluster that is to compute a model; None: this machine, as for whole cases."""
    return (not model.whole and preferences().cluster.strip()) or None


def fill_in(form: RunForm) -> None:
    """Fill in what a user prefers for all docks."""
    set_ = preferences()
    if set_.device != Preferences.device:
        form.device = set_.device
    if set_.cluster.strip():
        form.scheduler = set_.cluster.strip()


def _group() -> Any:
    """Return napari's own record of them; None where it has none, as before 0.9."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return None
    try:
        return getattr(get_plugin_settings("diffuscope"), "docks", None)
    except KeyError:  # run without its manifest
        return None
