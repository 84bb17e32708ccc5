"""Whether the layer that is chosen is the image that the row of a patient names."""

from __future__ import annotations

from pathlib import Path


def of_another(patient: str, named: Path | None, shown: Path | None) -> str:
    """Say that a layer's file is not the one that a patient's row names; empty where it is, or nothing is known."""
    if named is None or shown is None or (named.name == shown.name and not named.exists()):
        return ""
    if named.resolve() == shown.resolve():
        return ""
    return f"The row of {patient} names {named.name}, and {shown.name} is chosen: open that file, or take another row."
