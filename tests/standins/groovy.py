"""Groovy, where it is installed: the language of QuPath's scripts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def _java() -> dict[str, str]:
    found = shutil.which("java")
    return {"JAVA_HOME": str(Path(found).resolve().parents[1])} if found else {}


needs_groovy = pytest.mark.skipif(not (shutil.which("groovyc") and _java()), reason="Groovy is not installed")


def environment(**more: str) -> dict[str, str]:
    """Return what Groovy is run with."""
    return {**os.environ, **_java(), **more}


def compiled(folder: Path, **sources: str) -> Path:
    """Compile classes by their names into a folder."""
    files = [folder / f"{name}.groovy" for name in sources]
    for file, text in zip(files, sources.values(), strict=True):
        file.write_text(text, encoding="utf-8")
    subprocess.run(["groovyc", "-d", ".", *(one.name for one in files)], cwd=folder, check=True, env=environment())
    return folder
