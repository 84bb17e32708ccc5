"""The results that were made last, kept from window to window."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import platformdirs

from diffuscope.errors import InputError
from diffuscope.files.put import in_place_of

#: So many are kept.
MOST = 12


def recent_file() -> Path:
    """Where they are kept."""
    return platformdirs.user_state_path("diffuscope") / "recent.json"


def note(result: Path) -> None:
    """Put a result first."""
    path = recent_file()
    kept = [str(result.absolute()), *(name for name in _read(path) if name != str(result.absolute()))][:MOST]
    with suppress(OSError, InputError):  # not to be listed is no harm
        path.parent.mkdir(parents=True, exist_ok=True)
        with in_place_of(path, replace=True) as part:
            part.write_text(json.dumps(kept, indent=1), encoding="utf-8")


def recent() -> list[Path]:
    """Return those that are still there, the newest first."""
    return [Path(name) for name in _read(recent_file()) if Path(name).is_dir()]


def _read(path: Path) -> list[str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
