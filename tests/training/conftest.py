"""What tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest
from user_pairs import write_pairs


@pytest.fixture(scope="session")
def user_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with four pairs and a recipe."""
    return write_pairs(tmp_path_factory.mktemp("user"))
