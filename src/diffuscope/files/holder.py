"""Who writes somewhere: a process told apart from every other one, and whether it lives still."""

from __future__ import annotations

import getpass
import json
import os
import platform
import sys
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A process that holds something.

    Attributes
    ----------
    host, user : str
        For people to read.
    machine : str
        Of this boot of this machine, and of the container in it: only here can the process be looked for.
    process : int
        Its number there; 0 where it is not known.
    born : str
        When it began, in the machine's own count; empty where that cannot be known. A number is given again, a birth
        is not.
    since : str
        When it took what it holds, ISO 8601.
    """

    host: str = ""
    user: str = ""
    machine: str = ""
    process: int = 0
    born: str = ""
    since: str = ""

    @classmethod
    def this(cls) -> Holder:
        """Return this process, as of now."""
        with suppress(Exception):  # a user without a name raises what it likes
            user = getpass.getuser()
            return cls(user=user, **_here())
        return cls(**_here())

    @classmethod
    def read(cls, file: Path) -> Holder:
        """Read what `write` wrote; of what cannot be read, nothing is known."""
        try:
            found = json.loads(file.read_bytes()[:10_000])
            one = cls(**{key: type(value)(found[key]) for key, value in asdict(cls()).items()})
            return one if all(str(text).isprintable() for text in vars(one).values()) else cls()
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return cls()

    def write(self, file: Path) -> None:
        """Write it as a file; of a disk that is full the file alone, since room is made by who can hold, too."""
        file.touch()
        with suppress(OSError):
            file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @property
    def lives(self) -> bool | None:
        """Whether the process lives; None where that cannot be told: it is on another machine, say."""
        if not self.process or self.machine != _machine() or sys.platform == "win32":
            return None
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except OSError:
            pass  # it is another user's
        state, born = _state(self.process)
        if state in "ZX" and state:
            return False
        return born == self.born if born and self.born else None

    def __str__(self) -> str:
        """In words."""
        if not self.process:
            return "another process"
        by = f" of {self.user}" if self.user else ""
        with suppress(ValueError):
            return (
                f"process {self.process}{by} on {self.host}, since {datetime.fromisoformat(self.since):%Y-%m-%d %H:%M}"
            )
        return f"process {self.process}{by} on {self.host}"


def _here() -> dict[str, Any]:
    number = os.getpid()
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return {
        "host": platform.node(),
        "machine": _machine(),
        "process": number,
        "born": _state(number)[1],
        "since": now,
    }


@cache
def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{platform.node()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        # Where the address of no network card is found this is random, and another process has another one.
        return f"{platform.node()} {uuid.getnode():x}"


def _state(number: int) -> tuple[str, str]:
    """Return a process's state, a letter, and its birth, as Linux tells them; empty elsewhere."""
    with suppress(OSError, ValueError, IndexError):
        told = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return told[0], told[19]
    return "", ""
