"""What tests of training share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from user import write_pairs


@pytest.fixture(scope="session")
def user_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with four pairs and a recipe."""
    return write_pairs(tmp_path_factory.mktemp("user"))
