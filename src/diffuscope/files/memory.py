"""Whether the memory has room for what is to be read."""

from __future__ import annotations

from pathlib import Path


def free_memory() -> int | None:
    """Return how many bytes of memory programs can still have, without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
