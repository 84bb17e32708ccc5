"""How long models took on this machine, kept from run to run: the only ground on which a time is foretold."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from diffuscope.engine.events import Started, TileDone
from diffuscope.errors import InputError
from diffuscope.files.put import in_place_of


def rates_file() -> Path:
    """Where they are kept."""
    return platformdirs.user_cache_path("diffuscope") / "rates.json"


def remember(model: str, device: str, *, evaluations: int, seconds: float) -> None:
    """Keep what one tile, or one case, of a run took; the newest run counts.

    Parameters
    ----------
    model : str
        Its name, or the path of its folder.
    device : str
        As it was asked for.
    evaluations : int
        Steps times samples, > 0.
    seconds : float
        Of one tile, > 0.
    """
    path = rates_file()
    known = _read(path) | {_key(model, device): {"evaluations": evaluations, "seconds": round(seconds, 4)}}
    with suppress(OSError, InputError):  # a time that cannot be foretold is no harm
        path.parent.mkdir(parents=True, exist_ok=True)
        with in_place_of(path, replace=True) as part:
            part.write_text(json.dumps(known, indent=1))


@dataclass
class Watch:
    """Measures what a tile of one run takes, by its events, and keeps it.

    Attributes
    ----------
    model, device, evaluations
        As of `remember`; evaluations of 0: nobody knows, and nothing is kept.
    """

    model: str
    device: str
    evaluations: int
    _before: int = 0
    _tiles: int = 0
    _seconds: float = 0.0

    def take(self, event: Any) -> None:
        """Take in an event of the run."""
        match event:
            case Started():
                self._before = event.done
            case TileDone():
                self._tiles, self._seconds = event.done - self._before, event.seconds

    def keep(self) -> None:
        """Remember it, once the run is over."""
        if self._tiles > 0 and self._seconds > 0 and self.evaluations:
            remember(self.model, self.device, evaluations=self.evaluations, seconds=self._seconds / self._tiles)


def seconds_of(model: str, device: str, *, evaluations: int) -> float | None:
    """Return what a tile, or a case, will take, as of `remember`; None where no run was before.

    With other steps or samples than that run had, in proportion.
    """
    found = _read(rates_file()).get(_key(model, device), {})
    try:
        return float(found["seconds"]) * evaluations / int(found["evaluations"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _key(model: str, device: str) -> str:
    return f"{model} · {device}"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
