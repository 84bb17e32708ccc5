"""Where a run computes is checked against the machine before anything is begun."""

from __future__ import annotations

import pytest

from diffuscope.errors import InputError
from diffuscope.jobs.compute import _choose_here
from diffuscope.model.folder import load_model

ASKED = {"device": "cpu", "precision": "fp32", "threads": 1, "compile": "off", "work": 0.0}


@pytest.mark.parametrize(
    ("free", "batch", "words"),
    [
        # 272² px, 8 channels and 8 images at once of 4 bytes: 19 MB a tile.
        (18_000_000, None, r"one tile of untrained needs 0\.019 GB of memory or more, and 0\.018 GB are free: take"),
        (
            18_000_000_000,
            1024,
            "a batch of 1024 tiles of untrained needs 19 GB of memory or more, and 18 GB",
        ),
    ],
)
def test_a_batch_that_cannot_fit_is_refused(tiny_model, monkeypatch, free, batch, words):
    model = load_model(tiny_model)
    settings = model.system.presets["fast"]
    monkeypatch.setattr("diffuscope.jobs.compute.free_memory", lambda: free)
    with pytest.raises(InputError, match=words):
        _choose_here(model, settings, batch=batch, **ASKED)
    monkeypatch.setattr("diffuscope.jobs.compute.free_memory", lambda: free * 2)
    assert _choose_here(model, settings, batch=batch, **ASKED).batch == (batch or 1)
    monkeypatch.setattr("diffuscope.jobs.compute.free_memory", lambda: None)
    assert _choose_here(model, settings, batch=batch, **ASKED).batch == (batch or 1)
