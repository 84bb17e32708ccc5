"""The model that ships, as the tables of MedM2G have it: sizes, text autoencoder, and what it makes."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

from benchmarks.reproduce.medm2g import cohort
from benchmarks.reproduce.medm2g.networks import Ablated, built
from diffuscope import load_model
from diffuscope.model.find import find_model

_NAME = "any-to-any-demo"
#: Of the cohort that trained it.
SEED = 1


def stated() -> dict[str, Any]:
    """Return its sizes and pieces of words."""
    found: dict[str, Any] = _config()["config"]
    return found


def digest() -> str:
    """Return what tells its weights, and how they are asked, from others of its name."""
    own = _config()
    asked = json.dumps(own["config"], sort_keys=True, ensure_ascii=False)
    return f"{own['sha256'][:16]}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}"


def system() -> Ablated:
    """Return it, to be asked as rows that were trained here are."""
    found = built(cohort.configuration(stated(), context={}), seed=0)
    found.load_state_dict(load_model(_NAME).system.state_dict())
    return found.eval()


@cache
def _config() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((find_model(_NAME)[1] / "config.json").read_text())
    return found
